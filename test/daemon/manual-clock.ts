/** A clock that stands still until it is told to go on. */
import type { Clock } from "../../src/scheduler.js";

export interface ManualClock {
  readonly clock: Clock;
  /** Runs every timer that falls due, in order. */
  advance(milliseconds: number): void;
  /** When the next timer is due. */
  next(): number | undefined;
}

export function manualClock(start = 0): ManualClock {
  let now = start;
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  const earliest = () => [...timers].sort((a, b) => a.at - b.at)[0];
  return {
    clock: {
      now: () => now,
      at(at, run) {
        const timer = { at, run };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    },
    advance(milliseconds) {
      const end = now + milliseconds;
      for (let timer = earliest(); timer !== undefined && timer.at <= end; timer = earliest()) {
        now = Math.max(now, timer.at);
        timers.delete(timer);
        timer.run();
      }
      now = end;
    },
    next: () => earliest()?.at,
  };
}
