/**
 * SPIs that were allocated but have no SA yet. The peer may send on its new SA before we know that it exists; such
 * packets wait here for a moment instead of being lost.
 */

/** A packet that came before its SA. `Origin` is what its receiver wants to know about it. */
export interface ParkedPacket<Origin> {
  readonly bytes: Uint8Array;
  readonly outerTos: number;
  readonly origin: Origin;
}

export const LARVAL_PACKETS = 64;
export const LARVAL_MILLISECONDS = 1000;
/** Over all SPIs, so that a flood cannot fill the memory. */
export const LARVAL_OCTETS = 4 << 20;

export interface Larval<Origin> {
  has(spi: number): boolean;
  reserve(spi: number): void;
  /**
   * What waited too long for this SPI makes room first. `expired`: how many packets that were; `parked` false: there is no
   * room all the same, and the packet is lost. `now`: milliseconds.
   */
  park(spi: number, packet: ParkedPacket<Origin>, now: number): { readonly parked: boolean; readonly expired: number };
  /** Ends the reservation. Gives the packets that did not wait too long, oldest first, and how many did. */
  take(spi: number, now: number): { readonly packets: readonly ParkedPacket<Origin>[]; readonly expired: number };
}

export function createLarval<Origin>(): Larval<Origin> {
  const waiting = new Map<number, { packet: ParkedPacket<Origin>; at: number }[]>();
  let octets = 0;

  /** Removes what waited too long at the front of a queue; how many these were. */
  function expire(queue: { packet: ParkedPacket<Origin>; at: number }[], now: number): number {
    const fresh = queue.findIndex(({ at }) => now - at <= LARVAL_MILLISECONDS);
    const gone = queue.splice(0, fresh < 0 ? queue.length : fresh);
    for (const { packet } of gone) octets -= packet.bytes.length;
    return gone.length;
  }

  return {
    has: (spi) => waiting.has(spi),
    reserve(spi) {
      if (!waiting.has(spi)) waiting.set(spi, []);
    },
    park(spi, packet, now) {
      const queue = waiting.get(spi);
      if (queue === undefined) return { parked: false, expired: 0 };
      const expired = expire(queue, now);
      if (queue.length >= LARVAL_PACKETS || octets + packet.bytes.length > LARVAL_OCTETS)
        return { parked: false, expired };
      queue.push({ packet, at: now });
      octets += packet.bytes.length;
      return { parked: true, expired };
    },
    take(spi, now) {
      const queue = waiting.get(spi) ?? [];
      waiting.delete(spi);
      const expired = expire(queue, now);
      for (const { packet } of queue) octets -= packet.bytes.length;
      return { packets: queue.map(({ packet }) => packet), expired };
    },
  };
}
