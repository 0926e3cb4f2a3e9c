/**
 * Mappings that are brought up by traffic: a packet for one that has no SA is news for IKE, and waits with those that follow
 * it until there is one. News of a mapping come at most once a second, whatever a host sends.
 */
import { DROP } from "./drop-reasons.js";
import { createParking } from "./parking.js";
import type { MappingRef } from "./spd.js";

/** A packet from the TUN device, as it was read. */
export interface HeldPacket {
  readonly bytes: Uint8Array;
  /** The number of that device. */
  readonly device: number;
}

/** Mappings of a tunnel for which packets wait. */
export interface TrapNews {
  readonly tunnel: string;
  readonly mappings: readonly number[];
}

export const HELD_PACKETS = 256;
export const HELD_MILLISECONDS = 30_000;
const HELD_OCTETS = 4 << 20;
const NEWS_MILLISECONDS = 1000;

export interface Traps {
  /** Other mappings; `moved`: where one of those before stands now. What waited for one that is gone is lost and counted. */
  setMappings(mappings: readonly MappingRef[], moved: (mapping: number) => number | undefined): void;
  /** Whether a packet for the mapping (an index of the list) is held when there is no SA for it. */
  catches(mapping: number): boolean;
  hold(mapping: number, packet: HeldPacket, now: number): void;
  /** The mapping has an SA now: what waited for it, oldest first. */
  release(mapping: number, now: number): readonly HeldPacket[];
  /** Lets go of what waited too long. False: nothing waits any more. */
  sweep(now: number): boolean;
  /** What is to be told since the last call. */
  takeNews(): readonly TrapNews[];
}

export function createTraps(countDrop: (code: number, packets: number, tunnel: string) => void): Traps {
  const parking = createParking<HeldPacket>({
    packets: HELD_PACKETS,
    milliseconds: HELD_MILLISECONDS,
    octets: HELD_OCTETS,
  });
  let mappings: readonly MappingRef[] = [];
  let toldAt = new Float64Array(0);
  let news: number[] = [];

  const expired = (mapping: number, packets: number) => {
    if (packets > 0) countDrop(DROP.heldExpired, packets, mappings[mapping]!.tunnel);
  };

  return {
    setMappings(next, moved) {
      const place = (mapping: number) => {
        const to = moved(mapping);
        return to !== undefined && next[to]!.onTraffic ? to : undefined;
      };
      parking.rename(place, expired);
      const told = new Float64Array(next.length).fill(Number.NEGATIVE_INFINITY);
      for (let i = 0; i < mappings.length; i++) {
        const to = place(i);
        if (to !== undefined) told[to] = toldAt[i]!;
      }
      news = news.flatMap((mapping) => place(mapping) ?? []);
      mappings = next;
      toldAt = told;
    },
    catches: (mapping) => mappings[mapping]?.onTraffic ?? false,
    hold(mapping, packet, now) {
      const { parked, expired: gone } = parking.park(mapping, packet, now);
      expired(mapping, gone);
      if (!parked) countDrop(DROP.heldFull, 1, mappings[mapping]!.tunnel);
      if (now - toldAt[mapping]! < NEWS_MILLISECONDS) return;
      toldAt[mapping] = now;
      news.push(mapping);
    },
    release(mapping, now) {
      toldAt[mapping] = Number.NEGATIVE_INFINITY;
      const { packets, expired: gone } = parking.take(mapping, now);
      expired(mapping, gone);
      return packets;
    },
    sweep(now) {
      parking.sweep(now, expired);
      return parking.waiting() > 0;
    },
    takeNews() {
      if (news.length === 0) return NOTHING;
      const byTunnel = new Map<string, number[]>();
      for (const mapping of news) {
        const { tunnel, index } = mappings[mapping]!;
        const list = byTunnel.get(tunnel);
        if (list === undefined) byTunnel.set(tunnel, [index]);
        else list.push(index);
      }
      news = [];
      return [...byTunnel].map(([tunnel, mappings]) => ({ tunnel, mappings }));
    },
  };
}

const NOTHING: readonly TrapNews[] = [];
