/** Tells when this host's addresses or routes have changed, from what `ip monitor` prints. */
import { spawn } from "node:child_process";
import type { Instant } from "../../ike/core/types.js";
import type { Log } from "../log.js";
import type { Clock } from "../scheduler.js";

export interface AddressWatch {
  stop(): void;
}

/** A program that prints a line for each change; `ended` is called once, with the reason. */
export type Monitor = (line: (text: string) => void, ended: (reason: string) => void) => { stop(): void };

export interface AddressWatchPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** What the gateway itself has changed is no news: its device, its table. */
  readonly isOurs: (line: string) => boolean;
  readonly changed: () => void;
  readonly monitor?: Monitor;
}

/** Milliseconds: a change comes in several lines, and the route after the address. */
const SETTLE = 500;
/** A host whose routes never rest is looked at no more often than this. */
const LEAST_PAUSE = 5_000;
/** Before another start of a monitor that ended; doubled up to the second figure. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;
/** A monitor that ran this long was sound. */
const SOUND = 60_000;

export function watchAddresses({ clock, log, isOurs, changed, monitor = ipMonitor }: AddressWatchPorts): AddressWatch {
  let stopped = false;
  let pause = FIRST_PAUSE;
  let running: { stop(): void } | undefined;
  let cancelRestart: (() => void) | undefined;
  let cancelTell: (() => void) | undefined;
  let toldAt: Instant = Number.NEGATIVE_INFINITY;

  function tellSoon(): void {
    if (cancelTell !== undefined) return;
    const at = Math.max(clock.now() + SETTLE, toldAt + LEAST_PAUSE);
    cancelTell = clock.at(at, () => {
      cancelTell = undefined;
      toldAt = clock.now();
      changed();
    });
  }

  function begin(): void {
    const startedAt = clock.now();
    running = monitor(
      (line) => {
        if (!stopped && line.trim() !== "" && !isOurs(line)) tellSoon();
      },
      (reason) => {
        if (stopped) return;
        if (clock.now() - startedAt >= SOUND) pause = FIRST_PAUSE;
        log.warn(`changes of this host's addresses are not seen for ${pause / 1000} s: ${reason}`);
        cancelRestart = clock.at(clock.now() + pause, () => {
          pause = Math.min(2 * pause, LONGEST_PAUSE);
          begin();
          tellSoon();
        });
      },
    );
  }

  begin();
  return {
    stop() {
      stopped = true;
      running?.stop();
      cancelRestart?.();
      cancelTell?.();
    },
  };
}

/** A line is cut here: what tells changes are the first words. */
const LONGEST_LINE = 4096;

/** `ip monitor address route`, which runs until it is stopped. */
export const ipMonitor: Monitor = (line, ended) => {
  const child = spawn("ip", ["monitor", "address", "route"], { stdio: ["ignore", "pipe", "ignore"] });
  let rest = "";
  let over = false;
  const end = (reason: string): void => {
    if (over) return;
    over = true;
    ended(reason);
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!.slice(0, LONGEST_LINE);
    for (const one of lines) line(one);
  });
  child.on("error", (error: NodeJS.ErrnoException) =>
    end(error.code === "ENOENT" ? 'the program "ip" is missing: install the package iproute2' : error.message),
  );
  child.on("close", (status, signal) => end(`ip monitor ended with ${signal ?? `status ${status}`}`));
  return {
    stop() {
      over = true;
      child.kill("SIGKILL");
    },
  };
};
