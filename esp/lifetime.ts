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
  /**
   * Measures the rate since the last call, which has to be a second or more ago: the soft limit is reached as soon as the hard
   * one is less than half a minute away at that rate. `now`: milliseconds, monotonic.
   */
  pace(now: number): void;
  packets(): number;
  octets(): number;
}

/** What a rekey may take at worst before the hard limit stops the SA (`decisions.md` 11). */
const LEAST_MILLISECONDS_LEFT = 30_000;

/** `reached` is called once per kind, from within `count` or `pace`. */
export function createLifetime(volume: VolumeLimits, reached: (kind: LimitKind) => void): Lifetime {
  const none = (limit: number) => limit || Number.POSITIVE_INFINITY;
  const softOctets = none(volume.softOctets);
  const softPackets = none(volume.softPackets);
  const hardOctets = none(volume.hardOctets);
  const hardPackets = none(volume.hardPackets);
  const OCTETS = 0;
  const PACKETS = 1;
  const counted = new Float64Array(2); // typed, so that they are never boxed
  const limited = hardOctets !== Number.POSITIVE_INFINITY || hardPackets !== Number.POSITIVE_INFINITY;
  let pacedAt: number | undefined;
  let octetsThen = 0;
  let packetsThen = 0;
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
    pace(now) {
      if (!limited || softReached) return;
      const octets = counted[OCTETS]!;
      const packets = counted[PACKETS]!;
      if (pacedAt !== undefined && now > pacedAt) {
        const ahead = LEAST_MILLISECONDS_LEFT / (now - pacedAt);
        if (
          octets + (octets - octetsThen) * ahead >= hardOctets ||
          packets + (packets - packetsThen) * ahead >= hardPackets
        ) {
          softReached = true;
          reached("soft");
        }
      }
      pacedAt = now;
      octetsThen = octets;
      packetsThen = packets;
    },
    packets: () => counted[PACKETS]!,
    octets: () => counted[OCTETS]!,
  };
}
