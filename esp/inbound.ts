/** The receiving half of an SA: RFC 4303 section 3.4, and the checks of RFC 4301 section 5.2 on what comes out. */
import type { Arena, Sealer } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";
import { readIcmpQuote } from "./icmp-error.js";
import { createIpHeader, type IpHeader, readIpHeader } from "./ip-header.js";
import { createLifetime, type LimitKind } from "./lifetime.js";
import { ESP_HEADER_BYTES, NEXT_HEADER, payloadLength, payloadOffset, TRAILER_BYTES, textAlignment } from "./packet.js";
import { createReplayWindow } from "./replay-window.js";
import type { VolumeLimits } from "./sa.js";
import { createSelectorIndex, type SelectorPair } from "./selector-index.js";
import { applyOuterEcn } from "./tunnel.js";

export interface InboundParameters {
  readonly extendedSequence: boolean;
  /** Packets; 0 turns replay protection off. */
  readonly replayWindow: number;
  readonly volume: VolumeLimits;
  /** What the inner packets may be, from remote to local. */
  readonly selectors: readonly SelectorPair[];
  /** The drop code of a policy that takes an inner packet out of them; 0: none does. */
  readonly refuses?: (inner: IpHeader) => number;
}

export interface InboundSa {
  /** Where the ciphertext of the inner packet stands in the ESP packet: 8 + the length of the IV. */
  readonly innerOffset: number;
  /**
   * Opens the ESP packet of `length` octets at `at` (its SPI is this SA's) in place: the inner packet stands at `at + innerOffset`
   * afterwards. Its length, or minus a drop code. `authentic` and `newest` tell about the last packet.
   */
  openAt(at: number, length: number, outerTos: number): number;
  /** The ICV of the last packet was right: a sign of life, even when the packet was dropped later. */
  authentic(): boolean;
  /** The last packet was authentic and had the highest sequence number so far. */
  newest(): boolean;
  /** See `Lifetime.pace`. */
  pace(now: number): void;
  /** Accepted so far. */
  packets(): number;
  /** Octets of inner packets. */
  octets(): number;
  free(): void;
}

/** Of the packet at hand, and of the one that it quotes: no SA keeps them, so that many SAs share what is in the cache. */
const inner = createIpHeader();
const quoted = createIpHeader();

/** `limit` is called once for the soft and once for the hard limit, within the `openAt` that reaches it. */
export function createInboundSa(
  arena: Arena,
  sealer: Sealer,
  { extendedSequence, replayWindow, volume, selectors, refuses = () => 0 }: InboundParameters,
  limit: (kind: LimitKind) => void,
): InboundSa {
  const { bytes, view } = arena;
  const { icvBytes, blockBytes } = sealer;
  const innerOffset = payloadOffset(sealer);
  const leastText = Math.max(TRAILER_BYTES, blockBytes > 1 ? textAlignment(sealer) : TRAILER_BYTES);
  const window = createReplayWindow(replayWindow, extendedSequence);
  const lifetime = createLifetime(volume, limit);
  const allowed = createSelectorIndex(selectors);
  let authentic = false;
  let newest = false;

  /** Whether the selectors cover the packet, or the one that it is an ICMP error about. */
  function covered(): boolean {
    if (allowed.findInbound(inner) >= 0) return true;
    return readIcmpQuote(arena, inner, quoted) && allowed.findOutbound(quoted) >= 0;
  }

  /** Everything behind decryption: `text` octets stand at `out`. */
  function accept(out: number, text: number, outerTos: number): number {
    const payload = payloadLength(bytes, out, text);
    if (payload < 0) return -DROP.badPadding;
    const nextHeader = bytes[out + text - 1]!;
    if (nextHeader === NEXT_HEADER.dummy) return -DROP.dummy;
    if (nextHeader !== NEXT_HEADER.ipv4 && nextHeader !== NEXT_HEADER.ipv6) return -DROP.badNextHeader;
    const malformed = readIpHeader(arena, out, payload, inner);
    if (malformed !== 0) return -malformed;
    if ((inner.family === 4) !== (nextHeader === NEXT_HEADER.ipv4)) return -DROP.badNextHeader;
    if (!covered()) return -DROP.selectorMismatch;
    const refused = refuses(inner);
    if (refused !== 0) return -refused;
    const corrupt = applyOuterEcn(arena, out, outerTos);
    if (corrupt !== 0) return -corrupt;
    // What follows the packet is padding for traffic flow confidentiality (RFC 4303 section 2.7).
    return lifetime.count(inner.totalBytes) ? inner.totalBytes : -DROP.hardLimit;
  }

  return {
    innerOffset,
    openAt(at, length, outerTos) {
      authentic = false;
      newest = false;
      const text = length - innerOffset - icvBytes;
      if (text < leastText || text % blockBytes !== 0) return -DROP.shortEsp;
      const replayed = window.check(view.getInt32(at + 4));
      if (replayed !== 0) return -replayed;
      const high = extendedSequence ? window.high() : -1;
      if (!sealer.openAt(at, ESP_HEADER_BYTES, at + ESP_HEADER_BYTES, text, high)) return -DROP.forged;
      authentic = true;
      newest = window.accept();
      return accept(at + innerOffset, text, outerTos);
    },
    authentic: () => authentic,
    newest: () => newest,
    pace: lifetime.pace,
    packets: lifetime.packets,
    octets: lifetime.octets,
    free: () => sealer.free(),
  };
}
