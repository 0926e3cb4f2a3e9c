/** Packets that wait for an SA, in a queue for each key, oldest first: bounded in number, in time and in octets. */

export interface ParkingLimits {
  /** In one queue. */
  readonly packets: number;
  readonly milliseconds: number;
  /** Over all queues, so that a flood cannot fill the memory. Each packet counts with `PARKED_OVERHEAD` beside its own. */
  readonly octets: number;
}

/** What a packet of its own costs on the heap beside its octets: two objects and an ArrayBuffer. */
export const PARKED_OVERHEAD = 256;

export interface Parking<Packet extends { readonly bytes: Uint8Array }> {
  /**
   * What waited too long under this key makes room first. `expired`: how many packets that were; `parked` false: there is no
   * room all the same, and the packet is lost. `now`: milliseconds.
   */
  park(key: number, packet: Packet, now: number): { readonly parked: boolean; readonly expired: number };
  /** Empties a queue: the packets that did not wait too long, oldest first, and how many did. */
  take(key: number, now: number): { readonly packets: readonly Packet[]; readonly expired: number };
  /** Lets go of what waited too long under any key. */
  sweep(now: number, gone: (key: number, expired: number) => void): void;
  /** Other keys for the queues; without one, what waits is let go. */
  rename(next: (key: number) => number | undefined, gone: (key: number, packets: number) => void): void;
  /** Packets of all queues. */
  waiting(): number;
}

export function createParking<Packet extends { readonly bytes: Uint8Array }>(limits: ParkingLimits): Parking<Packet> {
  type Queue = { readonly packet: Packet; readonly at: number }[];
  const queues = new Map<number, Queue>();
  let octets = 0;
  let waiting = 0;

  function release(queue: Queue, count: number): Packet[] {
    const gone = queue.splice(0, count).map(({ packet }) => packet);
    for (const packet of gone) octets -= costOf(packet);
    waiting -= gone.length;
    return gone;
  }

  /** Removes what waited too long at the front of a queue; how many these were. */
  function expire(queue: Queue, now: number): number {
    const fresh = queue.findIndex(({ at }) => now - at <= limits.milliseconds);
    return release(queue, fresh < 0 ? queue.length : fresh).length;
  }

  return {
    park(key, packet, now) {
      const queue = queues.get(key) ?? [];
      const expired = expire(queue, now);
      if (queue.length >= limits.packets || octets + costOf(packet) > limits.octets) return { parked: false, expired };
      queue.push({ packet, at: now });
      queues.set(key, queue);
      octets += costOf(packet);
      waiting++;
      return { parked: true, expired };
    },
    take(key, now) {
      const queue = queues.get(key) ?? [];
      queues.delete(key);
      const expired = expire(queue, now);
      return { packets: release(queue, queue.length), expired };
    },
    sweep(now, gone) {
      for (const [key, queue] of queues) {
        const expired = expire(queue, now);
        if (queue.length === 0) queues.delete(key);
        if (expired > 0) gone(key, expired);
      }
    },
    rename(next, gone) {
      const before = [...queues];
      queues.clear();
      for (const [key, queue] of before) {
        const to = next(key);
        if (to !== undefined) queues.set(to, queue);
        else gone(key, release(queue, queue.length).length);
      }
    },
    waiting: () => waiting,
  };
}

const costOf = ({ bytes }: { readonly bytes: Uint8Array }): number => bytes.length + PARKED_OVERHEAD;
