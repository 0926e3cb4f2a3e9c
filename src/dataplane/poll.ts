/**
 * Readiness of a descriptor through the worker's own event loop (libuv, level-triggered).
 *
 * koffi collects a handle that nobody refers to, and the loop then ends without a word: so every handle lives in a set
 * here until it is closed.
 */
import koffi from "koffi";

export interface Watch {
  /** Whether the callback also runs when the descriptor can be written; reading is always watched. */
  setWritable(wanted: boolean): void;
  close(): void;
}

const kept = new Set<unknown>();

type PollCallback = (status: number, events: { readable: boolean; writable: boolean }) => void;
interface Handle {
  start(options: { readable: boolean; writable: boolean }, callback: PollCallback): void;
  close(): void;
}
/** As koffi 3.3.4 behaves: its own declaration leaves out the status. */
const poll = koffi.node.poll as unknown as (
  fd: number,
  options: { readable: boolean; writable: boolean },
  callback: PollCallback,
) => Handle;

/** Calls `ready` whenever `fd` can be read, or written where that was asked for. Throws when the loop refuses the descriptor. */
export function watch(fd: number, ready: (readable: boolean, writable: boolean) => void): Watch {
  const callback: PollCallback = (status, events) => {
    // A negative status is an error state of the descriptor: the read that follows meets it and decides.
    if (status < 0) ready(true, true);
    else ready(events.readable, events.writable);
  };
  const handle = poll(fd, { readable: true, writable: false }, callback);
  kept.add(handle);
  let writable = false;
  return {
    setWritable(wanted) {
      if (wanted === writable) return;
      writable = wanted;
      handle.start({ readable: true, writable }, callback);
    },
    close() {
      if (kept.delete(handle)) handle.close();
    },
  };
}
