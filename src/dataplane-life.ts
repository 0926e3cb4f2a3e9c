/**
 * Keeps a data plane running: starts it, and starts another one when it was lost. Keys die with a worker, so whoever is
 * told of a new one must negotiate everything anew.
 */

import { ifNameToIndex } from "./dataplane/libc.js";
import type { DataplaneSettings, FromWorker, ToWorker } from "./dataplane/protocol.js";
import { type Counters, type Dataplane, startDataplane } from "./dataplane/start.js";
import { HostError } from "./host/command.js";
import type { Log } from "./log.js";
import type { Clock } from "./scheduler.js";

export type Ready = Extract<FromWorker, { kind: "ready" }>;

export interface DataplaneLife {
  /** Lost while there is no data plane: the protocol repeats what matters. */
  post(message: ToWorker): void;
  /** Rejects when there is no data plane, or it does not answer in time. */
  counters(): Promise<Counters>;
  stop(): Promise<void>;
}

export interface DataplaneListener {
  received(message: FromWorker): void;
  /** Another data plane has taken the place of one that was lost. */
  replaced(ready: Ready): void;
}

/** Milliseconds before another start, after one that failed; doubled up to the second figure. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
/** Milliseconds after which a data plane counts as sound again. */
const SOUND = 60_000;
/** Milliseconds between two looks at the device. */
const DEVICE_CHECK = 5_000;
/** Milliseconds for an answer: a busy worker answers between two batches. */
const ANSWER_TIMEOUT = 2_000;

/** Resolves when the data plane is ready. Throws `HostError` with the remedy when it cannot start. */
export async function startDataplaneLife(
  settings: DataplaneSettings,
  listener: DataplaneListener,
  ports: {
    readonly clock: Clock;
    readonly log: Log;
    readonly start?: typeof startDataplane;
    /** The index of a network device; 0: there is none of that name. */
    readonly deviceIndex?: (name: string) => number;
  },
): Promise<{ life: DataplaneLife; ready: Ready }> {
  const { clock, log, start = startDataplane, deviceIndex = ifNameToIndex } = ports;
  let current: Dataplane | undefined;
  /** The same, once it is ready: what was meant for its predecessor must not reach it while it starts. */
  let serving: Dataplane | undefined;
  let stopped = false;
  let pause = FIRST_PAUSE;
  let cancel: (() => void) | undefined;

  /** One worker from its start; `settle` learns how the start went. */
  function begin(settle: (outcome: Ready | Error) => void): void {
    let readyAt: number | undefined;
    current = start(settings, (message) => {
      if (message.kind === "ready") {
        readyAt = clock.now();
        serving = current;
        settle(message);
        watchDevice(message);
      } else if (message.kind !== "failed") listener.received(message);
      else if (readyAt === undefined) settle(new HostError(message.reason));
      else lost(message.reason, clock.now() - readyAt);
    });
  }

  /** A device that somebody deleted tells its owner nothing: no descriptor wakes up for it. */
  function watchDevice(device: Pick<Ready, "tunName" | "tunIndex">): void {
    const { tunName, tunIndex } = device;
    const watched = current;
    cancel = clock.at(clock.now() + DEVICE_CHECK, () => {
      if (stopped || watched === undefined || current !== watched) return;
      if (deviceIndex(tunName) === tunIndex) watchDevice(device);
      else void watched.stop().then(() => lost(`somebody deleted the device ${tunName}`, SOUND));
    });
  }

  function lost(reason: string, lived: number): void {
    current = undefined;
    serving = undefined;
    cancel?.();
    if (stopped) return;
    if (lived >= SOUND) pause = FIRST_PAUSE;
    log.error(`the data plane was lost; a new one starts, and every SA is negotiated anew: ${reason}`);
    again();
  }

  function again(): void {
    cancel = clock.at(clock.now() + pause, () => {
      pause = Math.min(2 * pause, LONGEST_PAUSE);
      begin((outcome) => {
        if (stopped) return;
        if (!(outcome instanceof Error)) {
          listener.replaced(outcome);
          return;
        }
        current = undefined;
        log.error(`the data plane cannot start: ${outcome.message}`);
        again();
      });
    });
  }

  const ready = await new Promise<Ready>((resolve, reject) => {
    begin((outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
  });
  const life: DataplaneLife = {
    post: (message) => serving?.post(message),
    counters: () => (serving ? inTime(serving.counters(), clock) : Promise.reject(new Error("there is no data plane"))),
    async stop() {
      stopped = true;
      cancel?.();
      await current?.stop();
    },
  };
  return { life, ready };
}

function inTime<T>(answer: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.now() + ANSWER_TIMEOUT, () => reject(new Error("the data plane does not answer")));
    answer.then(resolve, reject).finally(cancel);
  });
}
