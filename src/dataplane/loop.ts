/**
 * The worker's rounds: who is served when, and for how long.
 *
 * The worker waits in poll(2), serves what is ready, and waits again. A round serves IKE first, within a budget of its own, then the TUN
 * devices, then each ESP socket, all within bounds: a source that has more than its share is served again in the next round, behind the
 * others. Between two turns libuv does what it has: messages of the main thread, for which an eventfd wakes the worker, and timers, which may be
 * late by `WAIT`. A worker in poll(2) cannot be terminated, which is why no wait is longer.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Coalescer } from "../../esp/coalesce.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import type { Descriptors } from "./descriptors.js";
import { BATCH } from "./inbox.js";
import { read } from "./libc.js";
import type { Outbox } from "./outbox.js";
import { createPollSet, groupForReading, POLL_ERROR, POLL_IN, POLL_OUT } from "./poll.js";
import type { Receiver } from "./receive.js";
import type { Transmitter } from "./transmit.js";
import type { Tun } from "./tun.js";
import type { OuterSocket } from "./udp.js";

export interface LoopParts {
  readonly arena: ArenaMemory;
  readonly descriptors: Descriptors;
  /** Of the gateway; undefined: this worker reads none. */
  readonly tun: Tun | undefined;
  readonly sockets: readonly OuterSocket[];
  /** Whether the sockets are read here; otherwise they are only waited for when they take no more. */
  readonly receives: boolean;
  /** An eventfd that is readable when a message of the main thread waits. */
  readonly waker: number;
  /** What else is read, when one of it is ready. */
  readonly others: readonly { readonly fd: number; readonly serve: () => void }[];
  readonly transmitter: Transmitter;
  readonly receiver: Receiver;
  readonly coalescer: Coalescer;
  readonly outbox: Outbox;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** After each round. */
  readonly settled: () => void;
  /** A TUN device is gone, and is not read any more: the loop would never rest again. */
  readonly lost: (tun: Tun) => void;
}

export interface Loop {
  /** The TUN devices of tunnels that have their own; those that were there and are no more are let go of. */
  setTuns(tuns: readonly Tun[]): void;
  /** When the present round began. */
  now(): number;
  /** Rounds so far. */
  wakeUps(): number;
  /** Sends what was put into the outbox between two rounds. */
  flush(): void;
  /** Lets go of every descriptor, without closing it. */
  stop(): void;
}

/** The longest wait, in milliseconds. */
const WAIT = 200;
/** libuv gets its turn when this many milliseconds have passed since the last one and nothing has come for `LULL` ... */
const TURN = 20;
/** ... because a packet is often answered at once, and a turn takes longer than the answer; */
const LULL = 2;
/** and after this long when there is always something to do. */
const LONGEST_TURN = 40;
/** Per round: packets of each TUN device, and batches of each ESP and IKE socket. */
const TUN_PACKETS = 64;
const ESP_BATCHES = 1;
const IKE_BATCHES = 4;
const MOST_SOURCES = 4096;

interface Source<Of> {
  readonly of: Of;
  readonly entry: number;
  /** It had more than its share. */
  more: boolean;
}

export function startLoop(parts: LoopParts): Loop {
  const { arena, descriptors, waker, others, transmitter, receiver, coalescer, outbox, clock, settled, lost } = parts;
  const set = createPollSet(arena, MOST_SOURCES);
  const source = <Of extends { readonly fd: number }>(of: Of, events: number): Source<Of> => ({
    of,
    entry: set.add(of.fd, events),
    more: false,
  });
  /** What is waited for on an ESP socket that takes what is sent. */
  const usual = parts.receives ? POLL_IN : 0;
  const ike = parts.receives ? parts.sockets.filter(({ carries }) => carries === "ike" || carries === "natT") : [];
  const esp = parts.sockets
    .filter(({ carries }) => carries === "udpEsp" || carries === "rawEsp")
    .map((socket) => source(socket, usual));
  /** The gateway's comes first. */
  let tuns = parts.tun === undefined ? [] : [source(parts.tun, POLL_IN)];
  const wake = set.add(waker, POLL_IN);
  const seldom = set.add(
    groupForReading(
      arena,
      descriptors,
      [...ike, ...others].map(({ fd }) => fd),
    ),
    POLL_IN,
  );
  const woken = arena.alloc(8);
  const wokenAddress = arena.address(woken, 8);
  /** Typed, so that the time of a round is no heap object. */
  const time = new Float64Array([clock()]);
  let blockedOn: OuterSocket | undefined;
  let wakeUps = 0;
  let stopped = false;
  let next: NodeJS.Immediate | undefined;

  function serveSeldom(): void {
    for (const socket of ike) receiver.run(socket, IKE_BATCHES);
    for (const other of others) other.serve();
  }

  /** Whether one of them has more. */
  function serveTuns(): boolean {
    if (blockedOn !== undefined) return false;
    let more = false;
    let any = false;
    for (let i = 0; i < tuns.length; i++) {
      const tun = tuns[i]!;
      if (!tun.more && set.ready(tun.entry) === 0) continue;
      const { fd } = tun.of;
      const packets = transmitter.run(fd, tun.of === parts.tun ? SHARED_DEVICE : fd, TUN_PACKETS);
      any = true;
      tun.more = packets >= TUN_PACKETS;
      if (tun.more) more = true;
      if (packets === 0 && (set.ready(tun.entry) & POLL_ERROR) !== 0) {
        set.remove(tun.entry);
        tuns = tuns.filter((other) => other !== tun);
        lost(tun.of);
      }
    }
    if (any && !outbox.flush()) block();
    return more && blockedOn === undefined;
  }

  function serveEsp(): boolean {
    if (!parts.receives) return false;
    let more = false;
    let any = false;
    for (let i = 0; i < esp.length; i++) {
      const one = esp[i]!;
      if (!one.more && (set.ready(one.entry) & ~POLL_OUT) === 0) continue;
      const messages = receiver.run(one.of, ESP_BATCHES);
      any = true;
      one.more = messages >= ESP_BATCHES * BATCH;
      if (one.more) more = true;
    }
    if (any) coalescer.flush();
    return more;
  }

  /** A socket takes no more: the TUN devices are left alone until it does, so that the senders behind them are held back. */
  function block(): void {
    if (outbox.blockedOn === blockedOn) return;
    want(blockedOn, usual);
    blockedOn = outbox.blockedOn;
    for (const tun of tuns) {
      set.want(tun.entry, blockedOn === undefined ? POLL_IN : 0);
      // Something may have been read already that was not sent.
      tun.more = true;
    }
    want(blockedOn, usual | POLL_OUT);
  }

  function want(socket: OuterSocket | undefined, events: number): void {
    for (const one of esp) if (one.of === socket) set.want(one.entry, events);
  }

  function unblock(): void {
    for (const one of esp)
      if (one.of === blockedOn && (set.ready(one.entry) & (POLL_OUT | POLL_ERROR)) !== 0) {
        outbox.flush();
        block();
        return;
      }
  }

  /** Waits, serves what is ready, and so on, until libuv has something to do or may have. */
  function turn(): void {
    const begun = clock();
    let more = false;
    let wait = WAIT;
    for (;;) {
      const count = set.wait(more ? 0 : wait);
      time[0] = clock();
      const called = set.ready(wake) !== 0;
      if (more || count > (called ? 1 : 0)) {
        wakeUps++;
        if (set.ready(seldom) !== 0) serveSeldom();
        if (blockedOn !== undefined) unblock();
        more = serveTuns();
        if (serveEsp()) more = true;
        settled();
      }
      if (called) {
        read(waker, wokenAddress, 8);
        break;
      }
      const passed = time[0]! - begun;
      // Behind a long wait the clock of the turn has run out before its first packet.
      if ((count === 0 && !more) || (passed >= LONGEST_TURN && wait < WAIT) || stopped) break;
      if (passed >= TURN) wait = LULL;
    }
    if (!stopped) next = setImmediate(turn);
  }

  next = setImmediate(turn);
  return {
    now: () => time[0]!,
    setTuns(wanted) {
      if (parts.tun === undefined) return;
      const isThere = (list: readonly Tun[], one: Tun) =>
        list.some(({ index, fd }) => index === one.index && fd === one.fd);
      const kept = tuns.filter(({ of, entry }) => {
        if (of === parts.tun || isThere(wanted, of)) return true;
        set.remove(entry);
        return false;
      });
      const known = kept.map(({ of }) => of);
      const events = blockedOn === undefined ? POLL_IN : 0;
      tuns = [...kept, ...wanted.filter((one) => !isThere(known, one)).map((one) => source(one, events))];
    },
    wakeUps: () => wakeUps,
    flush() {
      if (!outbox.flush()) block();
    },
    stop() {
      stopped = true;
      clearImmediate(next);
    },
  };
}
