/** How much one direction of an SA has carried, and its soft and hard limits (RFC 4301 section 4.4.2.1). */
import type { VolumeLimits } from "./sa.js";

export type LimitKind = "soft" | "hard";

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
