/** The clock and the one timer of the protocol side. Tests hand in a clock of their own. */
import type { Instant } from "../ike/core/types.js";

export interface Clock {
  /** Milliseconds of a monotonic clock. */
  now(): Instant;
  /** Calls `run` once at `at`, never before `now` shows it, or as soon as possible when that has passed; the result cancels it. */
  at(at: Instant, run: () => void): () => void;
}

/** setTimeout takes 31 bits. */
const LONGEST_WAIT = 3_600_000;

/** CLOCK_MONOTONIC: changes of the time of day do not touch it. */
export const systemClock: Clock = {
  now: () => performance.now(),
  at(at, run) {
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      timer = setTimeout(fire, Math.min(Math.max(Math.ceil(at - performance.now()), 0), LONGEST_WAIT));
    };
    // Node's timers may fire up to a millisecond early, and long waits are cut.
    const fire = (): void => (performance.now() < at ? wait() : run());
    wait();
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
    armed = undefined;
    cancel = undefined;
    due();
  };
  return {
    arm(deadline) {
      if (deadline === armed) return;
      cancel?.();
      armed = deadline;
      cancel = deadline === undefined ? undefined : clock.at(deadline, fire);
    },
  };
}
