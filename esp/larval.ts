/**
 * SPIs that were allocated but have no SA yet. The peer may send on its new SA before we know that it exists; such
 * packets wait here for a moment instead of being lost.
 */
import { createParking, type Parking } from "./parking.js";

/** A packet that came before its SA. `Origin` is what its receiver wants to know about it. */
export interface ParkedPacket<Origin> {
  readonly bytes: Uint8Array;
  readonly outerTos: number;
  readonly origin: Origin;
}

/**
 * A peer that switches at once sends a whole key exchange long on an SA that is not there yet: a round trip, our computation, and
 * whatever keeps the machine busy meanwhile. All of the second in which a packet may wait is room for 8,192 packets a second on one
 * SA; how many wait for all of them together is a matter of memory.
 */
export const LARVAL_PACKETS = 8192;
export const LARVAL_MILLISECONDS = 1000;
export const LARVAL_OCTETS = 16 << 20;

export interface Larval<Origin> extends Pick<Parking<ParkedPacket<Origin>>, "park"> {
  has(spi: number): boolean;
  reserve(spi: number): void;
  /** Ends the reservation. */
  take: Parking<ParkedPacket<Origin>>["take"];
}

export function createLarval<Origin>(): Larval<Origin> {
  const reserved = new Set<number>();
  const parking = createParking<ParkedPacket<Origin>>({
    packets: LARVAL_PACKETS,
    milliseconds: LARVAL_MILLISECONDS,
    octets: LARVAL_OCTETS,
  });
  return {
    has: (spi) => reserved.has(spi),
    reserve: (spi) => void reserved.add(spi),
    park: (spi, packet, now) => (reserved.has(spi) ? parking.park(spi, packet, now) : { parked: false, expired: 0 }),
    take(spi, now) {
      reserved.delete(spi);
      return parking.take(spi, now);
    },
  };
}
