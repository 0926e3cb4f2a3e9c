/**
 * How many IKE datagrams are on their way from the worker to the main thread. A port between threads has no bound of its own, and the main
 * thread may be busy with a key exchange while a flood arrives: so the worker stops handing over when too many wait.
 */

/** At most 65535 octets each, usually below 1500. */
const WAITING_LIMIT = 512;
/** Of those, what belongs to no IKE SA: strangers cannot take all the room. */
const STRANGERS_LIMIT = 256;

export function allocateFlow(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

export interface Flow {
  /** The worker, before it posts: false when the main thread has enough to do. `stranger`: for no IKE SA that is known. */
  enter(stranger: boolean): boolean;
  /** The main thread, for each datagram that it takes. */
  leave(): void;
}

export function createFlow(shared: SharedArrayBuffer): Flow {
  const waiting = new Int32Array(shared);
  return {
    enter(stranger) {
      if (Atomics.load(waiting, 0) >= (stranger ? STRANGERS_LIMIT : WAITING_LIMIT)) return false;
      Atomics.add(waiting, 0, 1);
      return true;
    },
    leave: () => void Atomics.sub(waiting, 0, 1),
  };
}
