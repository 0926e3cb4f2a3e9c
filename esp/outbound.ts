/** The sending half of an SA: sequence number, IV, padding, encryption (RFC 4303 section 3.3). */
import type { Arena, Sealer } from "../crypto/interfaces.js";
import type { VolumeLimits } from "./sa.js";

/** Fills `length` octets of the arena at `at` with unpredictable ones (IVs of CBC). */
export type FillRandom = (at: number, length: number) => void;

export interface OutboundParameters {
  readonly spi: number;
  readonly extendedSequence: boolean;
  readonly volume: VolumeLimits;
}

/**
 *     at                     at + innerOffset
 *     | SPI (4) | seq (4) | IV | inner packet | padding | pad length (1) | next header (1) | ICV |
 */
export interface OutboundSa {
  /** Where the caller has to place the inner packet, from the start of the ESP packet: 8 + the length of the IV. */
  readonly innerOffset: number;
  /** The length of the ESP packet that carries an inner packet of `innerLength` octets. */
  sealedLength(innerLength: number): number;
  /**
   * Builds the ESP packet at `at` around the inner packet, which stands at `at + innerOffset`. Its length, or minus a
   * drop code: `sequenceExhausted`, `hardLimit`. `nextHeader`: 4 (IPv4), 41 (IPv6), 59 (dummy).
   */
  sealAt(at: number, innerLength: number, nextHeader: number): number;
  /** Sent so far. */
  packets(): number;
  /** Octets of inner packets. */
  octets(): number;
  free(): void;
}

/** `limit` is called once for the soft and once for the hard limit, within the `sealAt` that reaches it. */
export declare function createOutboundSa(
  arena: Arena,
  sealer: Sealer,
  parameters: OutboundParameters,
  fillRandom: FillRandom,
  limit: (kind: "soft" | "hard") => void,
): OutboundSa;
