/**
 * The worker's rounds: who is served when, and for how long.
 *
 * libuv tells which descriptors are ready. A round then serves IKE first, within a budget of its own, the TUN device, and each ESP socket; rounds
 * follow each other while there is work, but only for a slice of time, after which libuv gets its turn: messages of the main thread,
 * timers, and IKE sockets that became ready in between. Sources that were busy a moment ago are served without asking.
 */
import type { Coalescer } from "../../esp/coalesce.js";
import type { Outbox } from "./outbox.js";
import { type Watch, watch } from "./poll.js";
import type { Receiver } from "./receive.js";
import type { Transmitter } from "./transmit.js";
import type { OuterSocket } from "./udp.js";

export interface LoopParts {
  readonly tun: number;
  readonly sockets: readonly OuterSocket[];
  readonly transmitter: Transmitter;
  readonly receiver: Receiver;
  readonly coalescer: Coalescer;
  readonly outbox: Outbox;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** After each slice. */
  readonly settled: () => void;
}

export interface Loop {
  /** When the present round began. */
  now(): number;
  /** Slices so far. */
  wakeUps(): number;
  /** Sends what was put into the outbox between two rounds. */
  flush(): void;
  /** Lets go of every descriptor, without closing it. */
  stop(): void;
}

/** A slice ends after this time, in milliseconds; what waits for libuv waits no longer than two of them. */
const SLICE = 2;
/** A source that had something this many milliseconds ago is looked at in every round. */
const WARM = 10;
/** Per round: packets of the TUN device, and batches of each ESP and IKE socket. */
const TUN_PACKETS = 32;
const ESP_BATCHES = 1;
const IKE_BATCHES = 4;

interface Source {
  readonly socket: OuterSocket;
  busyAt: number;
}

export function startLoop(parts: LoopParts): Loop {
  const { transmitter, receiver, coalescer, outbox, clock, settled } = parts;
  const sources = parts.sockets.map((socket): Source => ({ socket, busyAt: Number.NEGATIVE_INFINITY }));
  const ike = sources.filter(({ socket }) => socket.carries === "ike" || socket.carries === "natT");
  const esp = sources.filter(({ socket }) => socket.carries === "udpEsp" || socket.carries === "rawEsp");
  const watches = new Map<OuterSocket, Watch>();
  let tunBusyAt = Number.NEGATIVE_INFINITY;
  let now = clock();
  let blockedOn: OuterSocket | undefined;
  let wakeUps = 0;

  function serve(list: readonly Source[], batches: number): number {
    let messages = 0;
    for (const source of list) {
      if (now - source.busyAt > WARM) continue;
      const received = receiver.run(source.socket, batches);
      if (received > 0) source.busyAt = now;
      messages += received;
    }
    return messages;
  }

  function slice(): void {
    wakeUps++;
    now = clock();
    const end = now + SLICE;
    let work: number;
    do {
      work = serve(ike, IKE_BATCHES);
      if (blockedOn === undefined && now - tunBusyAt <= WARM) {
        const packets = transmitter.run(TUN_PACKETS);
        if (packets > 0) tunBusyAt = now;
        work += packets;
        if (!outbox.flush()) block();
      }
      work += serve(esp, ESP_BATCHES);
      coalescer.flush();
      now = clock();
    } while (work > 0 && now < end);
    settled();
  }

  /** A socket takes no more: the TUN device is left alone until it does, so that the senders behind it are held back. */
  function block(): void {
    if (outbox.blockedOn === blockedOn) return;
    if (blockedOn !== undefined) watches.get(blockedOn)!.want(true, false);
    blockedOn = outbox.blockedOn;
    tunWatch.want(blockedOn === undefined, false);
    if (blockedOn !== undefined) watches.get(blockedOn)!.want(true, true);
  }

  for (const source of sources)
    watches.set(
      source.socket,
      watch(source.socket.fd, (writable) => {
        if (writable && blockedOn !== undefined) {
          outbox.flush();
          block();
        }
        source.busyAt = clock();
        slice();
      }),
    );
  const tunWatch = watch(parts.tun, () => {
    tunBusyAt = clock();
    slice();
  });

  return {
    now: () => now,
    wakeUps: () => wakeUps,
    flush() {
      if (!outbox.flush()) block();
    },
    stop() {
      tunWatch.close();
      for (const one of watches.values()) one.close();
    },
  };
}
