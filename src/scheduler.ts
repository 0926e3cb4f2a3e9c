/** The clock and the one timer of the protocol side. Tests hand in a clock of their own. */
import type { Instant } from "../ike/core/types.js";

export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): Instant;
  /** Calls `run` once at `at`, or as soon as possible when that has passed; the result cancels it. */
  at(at: Instant, run: () => void): () => void;
}

/** setTimeout takes 31 bits; a longer wait is cut, and the timer armed again when it fires early. */
const LONGEST_WAIT = 3_600_000;

/** CLOCK_MONOTONIC: changes of the time of day do not touch it. */
export const systemClock: Clock = {
  now: () => performance.now(),
  at(at, run) {
    const timer = setTimeout(run, Math.min(Math.max(at - performance.now(), 0), LONGEST_WAIT));
    return () => clearTimeout(timer);
  },
};

export interface Scheduler {
  /** Replaces the deadline; undefined: none. */
  arm(deadline: Instant | undefined): void;
}

/** Calls `due` when the armed deadline has come; it must be armed again for the next one. */
export function createScheduler(clock: Clock, due: () => void): Scheduler {
  let armed: Instant | undefined;
  let cancel: (() => void) | undefined;
  const fire = (): void => {
    const deadline = armed;
    armed = undefined;
    cancel = undefined;
    if (deadline === undefined) return;
    // Timers may fire up to a millisecond early, and long waits were cut.
    if (clock.now() < deadline) arm(deadline);
    else due();
  };
  const arm = (deadline: Instant | undefined): void => {
    if (deadline === armed) return;
    cancel?.();
    armed = deadline;
    cancel = deadline === undefined ? undefined : clock.at(deadline, fire);
  };
  return { arm };
}
