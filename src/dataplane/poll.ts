/**
 * Which descriptors are ready, by poll(2): the worker waits in the system call itself. libuv's own loop costs a callback with an object
 * for each descriptor and wake-up, on the way of every packet that comes alone.
 *
 *     pollfd   fd i32 | events i16 | ready i16   8
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Descriptors } from "./descriptors.js";
import { checked, epollAdd, epollCreate, poll } from "./libc.js";

export const POLL_IN = 0x001;
export const POLL_OUT = 0x004;
/** An error state of the descriptor: the read or write that follows meets it and decides. */
export const POLL_ERROR = 0x008 | 0x010 | 0x020;

export interface PollSet {
  /** From now on `fd` is waited for. Its number in the set. */
  add(fd: number, events: number): number;
  /** No more; the number may be given to another one. */
  remove(entry: number): void;
  /** What to wait for; 0: for nothing. */
  want(entry: number, events: number): void;
  /** At most so many milliseconds. How many descriptors are ready. */
  wait(milliseconds: number): number;
  /** The events of the last `wait`, of which errors come unasked. */
  ready(entry: number): number;
}

const POLLFD_BYTES = 8;

export function createPollSet(arena: ArenaMemory, most: number): PollSet {
  const { view } = arena;
  const table = arena.alloc(most * POLLFD_BYTES);
  const address = arena.address(table, most * POLLFD_BYTES);
  const fds: number[] = [];
  /** Numbers that nobody has any more. */
  const unused: number[] = [];

  function want(entry: number, events: number): void {
    const at = table + entry * POLLFD_BYTES;
    // A negative descriptor is passed over.
    view.setInt32(at, events === 0 ? -1 : fds[entry]!, true);
    view.setInt16(at + 4, events, true);
    view.setInt16(at + 6, 0, true);
  }

  return {
    add(fd, events) {
      const free = unused.pop();
      if (free === undefined && fds.length === most) throw new RangeError(`too many descriptors to wait for: ${most}`);
      const entry = free ?? fds.length;
      fds[entry] = fd;
      want(entry, events);
      return entry;
    },
    remove(entry) {
      want(entry, 0);
      unused.push(entry);
    },
    want,
    wait(milliseconds) {
      const count = poll(address, fds.length, milliseconds);
      // Interrupted: what the last call left there must not count.
      if (count < 0) for (let i = 0; i < fds.length; i++) view.setInt16(table + i * POLLFD_BYTES + 6, 0, true);
      return Math.max(0, count);
    },
    ready: (entry) => view.getInt16(table + entry * POLLFD_BYTES + 6, true),
  };
}

/** One descriptor that is readable whenever one of many is: for those that seldom are. Each of them costs the waiting nothing. */
export function groupForReading(arena: ArenaMemory, descriptors: Descriptors, fds: readonly number[]): number {
  const EPOLL_CLOEXEC = 0o2000000;
  const EVENT_BYTES = 16;
  // epoll_event: events u32 | data u64, which x86-64 packs and others align. Nobody reads the data.
  const event = arena.alloc(EVENT_BYTES);
  arena.bytes.fill(0, event, event + EVENT_BYTES);
  arena.view.setUint32(event, POLL_IN, true);
  const group = descriptors.keep(checked(epollCreate(EPOLL_CLOEXEC), "epoll_create1"));
  for (const fd of fds) checked(epollAdd(group, fd, arena.address(event, EVENT_BYTES)), "epoll_ctl");
  return group;
}
