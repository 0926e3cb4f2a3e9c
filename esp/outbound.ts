/** The sending half of an SA: sequence number, IV, padding, encryption (RFC 4303 section 3.3). */
import type { Arena, Sealer } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";
import { createLifetime, type LimitKind } from "./lifetime.js";
import { ESP_HEADER_BYTES, payloadOffset, textAlignment, textLength, writeTrailer } from "./packet.js";
import type { VolumeLimits } from "./sa.js";
import { createSequenceCounter, softSequenceNumber } from "./sequence.js";

/** Fills `length` octets of the arena at `at` with unpredictable ones (IVs of CBC). */
export type FillRandom = (at: number, length: number) => void;

export interface OutboundParameters {
  readonly spi: number;
  readonly extendedSequence: boolean;
  readonly volume: VolumeLimits;
  /** The sequence number before the first that will be sent; 0 but in tests of the end of the numbers. */
  readonly lastSequence?: number;
}

/**
 *     at                     at + innerOffset
 *     | SPI (4) | seq (4) | IV | inner packet | TFC padding | padding | pad length (1) | next header (1) | ICV |
 */
export interface OutboundSa {
  /** Where the caller has to place the inner packet, from the start of the ESP packet: 8 + the length of the IV. */
  readonly innerOffset: number;
  /** Octets of inner packet and TFC padding that each packet has at least (RFC 4303 section 2.7); 0 at first. */
  leastPayload: number;
  /** The length of the ESP packet that carries an inner packet of `innerLength` octets. */
  sealedLength(innerLength: number): number;
  /**
   * Builds the ESP packet at `at` around the inner packet, which stands at `at + innerOffset`. Its length, or minus a
   * drop code: `sequenceExhausted`, `hardLimit`. `nextHeader`: 4 (IPv4), 41 (IPv6), 59 (dummy).
   */
  sealAt(at: number, innerLength: number, nextHeader: number): number;
  /** See `Lifetime.pace`. */
  pace(now: number): void;
  /** Sent so far. */
  packets(): number;
  /** Octets of inner packets. */
  octets(): number;
  free(): void;
}

/** `limit` is called once for the soft and once for the hard limit, within the `sealAt` that reaches it. */
export function createOutboundSa(
  arena: Arena,
  sealer: Sealer,
  { spi, extendedSequence, volume, lastSequence = 0 }: OutboundParameters,
  fillRandom: FillRandom,
  limit: (kind: LimitKind) => void,
): OutboundSa {
  const { bytes, view } = arena;
  const { ivBytes, icvBytes } = sealer;
  const counterIv = sealer.ivKind === "counter";
  const alignment = textAlignment(sealer);
  const innerOffset = payloadOffset(sealer);
  const sequence = createSequenceCounter(extendedSequence, lastSequence);
  const sequenceLeft = Math.max(1, softSequenceNumber(extendedSequence) - lastSequence);
  const softPackets = Math.min(volume.softPackets || sequenceLeft, sequenceLeft);
  let exhausted = false;
  const lifetime = createLifetime({ ...volume, softPackets }, (kind) => {
    if (kind === "soft" || !exhausted) limit(kind);
  });

  /** An IV from the sequence number never repeats under a key (RFC 4106 section 3.1). */
  function writeCounterIv(at: number): void {
    for (let i = 0; i < ivBytes - 8; i++) bytes[at + i] = 0;
    view.setInt32(at + ivBytes - 8, sequence.high());
    view.setInt32(at + ivBytes - 4, sequence.low());
  }

  function stopAtLastNumber(): number {
    if (!exhausted) {
      exhausted = true;
      limit("hard");
    }
    return -DROP.sequenceExhausted;
  }

  const outbound: OutboundSa = {
    innerOffset,
    leastPayload: 0,
    sealedLength: (innerLength) =>
      innerOffset + textLength(Math.max(innerLength, outbound.leastPayload), alignment) + icvBytes,
    sealAt(at, innerLength, nextHeader) {
      if (!sequence.advance()) return stopAtLastNumber();
      if (!lifetime.count(innerLength)) return -DROP.hardLimit;
      view.setInt32(at, spi | 0);
      view.setInt32(at + 4, sequence.low());
      const iv = at + ESP_HEADER_BYTES;
      if (counterIv) writeCounterIv(iv);
      else if (ivBytes > 0) fillRandom(iv, ivBytes);
      const payload = Math.max(innerLength, outbound.leastPayload);
      const text = textLength(payload, alignment);
      // The receiver finds the end of the inner packet by its own length field: what follows may be anything.
      if (payload > innerLength) bytes.fill(0, at + innerOffset + innerLength, at + innerOffset + payload);
      writeTrailer(bytes, at + innerOffset, payload, text, nextHeader);
      sealer.sealAt(at, ESP_HEADER_BYTES, iv, text, extendedSequence ? sequence.high() : -1);
      return innerOffset + text + icvBytes;
    },
    pace: lifetime.pace,
    packets: lifetime.packets,
    octets: lifetime.octets,
    free: () => sealer.free(),
  };
  return outbound;
}
