/** How much one direction of an SA has carried, and its soft and hard limits (RFC 4301 section 4.4.2.1). */
import type { VolumeLimits } from "./sa.js";

export type LimitKind = "soft" | "hard";

/**
 * Of DES, 3DES, CAST, IDEA and Blowfish: after 2^32 blocks of 64 bits two equal ones are to be expected, and tell of what stands in both.
 * At the soft limit the chance is 1 in 2,000, at the hard one 1 in 100.
 */
const SHORT_BLOCK_LIMITS = { blockBytes: 8, softOctets: 2 ** 30, hardOctets: 2 ** 32 } as const;

/** The configured limits, and those that the cipher has by itself: the sooner of both. */
export function withCipherLimits(volume: VolumeLimits, blockBytes: number): VolumeLimits {
  if (blockBytes !== SHORT_BLOCK_LIMITS.blockBytes) return volume;
  const { softOctets, hardOctets } = SHORT_BLOCK_LIMITS;
  const sooner = (configured: number, own: number) => (configured === 0 ? own : Math.min(configured, own));
  return {
    ...volume,
    softOctets: sooner(volume.softOctets, softOctets),
    hardOctets: sooner(volume.hardOctets, hardOctets),
  };
}

export interface Lifetime {
  /** Counts one packet. False: a hard limit is reached, and the packet must not pass. */
  count(octets: number): boolean;
  packets(): number;
  octets(): number;
}

/** `reached` is called once per kind, from within `count`. */
export function createLifetime(volume: VolumeLimits, reached: (kind: LimitKind) => void): Lifetime {
  const none = (limit: number) => limit || Number.POSITIVE_INFINITY;
  const softOctets = none(volume.softOctets);
  const softPackets = none(volume.softPackets);
  const hardOctets = none(volume.hardOctets);
  const hardPackets = none(volume.hardPackets);
  const OCTETS = 0;
  const PACKETS = 1;
  const counted = new Float64Array(2); // typed, so that they are never boxed
  let softReached = false;
  let hardReached = false;

  return {
    count(length) {
      const octets = counted[OCTETS]! + length;
      const packets = counted[PACKETS]! + 1;
      if (octets > hardOctets || packets > hardPackets) {
        if (!hardReached) {
          hardReached = true;
          reached("hard");
        }
        return false;
      }
      if (!softReached && (octets >= softOctets || packets >= softPackets)) {
        softReached = true;
        reached("soft");
      }
      counted[OCTETS] = octets;
      counted[PACKETS] = packets;
      return true;
    },
    packets: () => counted[PACKETS]!,
    octets: () => counted[OCTETS]!,
  };
}
