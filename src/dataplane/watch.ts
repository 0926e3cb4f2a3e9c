/**
 * Readiness of a descriptor through the event loop of the thread (libuv, level-triggered), for those that wait for other things as well.
 *
 * koffi collects a handle that nobody refers to, and the loop then ends without a word: so every handle lives in a set
 * here until it is closed.
 */
import koffi from "koffi";

export interface Watch {
  /** What to wait for; at first that is reading alone. */
  want(readable: boolean, writable: boolean): void;
  close(): void;
}

const kept = new Set<unknown>();

type PollCallback = (status: number, events: { readable: boolean; writable: boolean }) => void;
interface Handle {
  start(options: { readable: boolean; writable: boolean }, callback: PollCallback): void;
  stop(): void;
  close(): void;
}
/** As koffi 3.3.4 behaves: its own declaration leaves out the status. */
const poll = koffi.node.poll as unknown as (
  fd: number,
  options: { readable: boolean; writable: boolean },
  callback: PollCallback,
) => Handle;

/** Calls `ready` whenever what is wanted of `fd` can be done. `fd` must be open: koffi aborts the process for one that is not. */
export function watch(fd: number, ready: (writable: boolean) => void): Watch {
  // A negative status is an error state of the descriptor: the read or write that follows meets it and decides.
  const callback: PollCallback = (status, events) => ready(status < 0 || events.writable);
  const handle = poll(fd, { readable: true, writable: false }, callback);
  kept.add(handle);
  let wanted = "r";
  return {
    want(readable, writable) {
      const now = `${readable ? "r" : ""}${writable ? "w" : ""}`;
      if (now === wanted) return;
      wanted = now;
      if (now === "") handle.stop();
      else handle.start({ readable, writable }, callback);
    },
    close() {
      if (kept.delete(handle)) handle.close();
    },
  };
}
