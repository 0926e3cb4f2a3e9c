import assert from "node:assert/strict";
import { test } from "node:test";
import { createScheduler } from "../../src/scheduler.js";
import { manualClock } from "./manual-clock.js";

test("the timer fires at the deadline, once, and only for the last one armed", () => {
  const { clock, advance } = manualClock();
  const fired: number[] = [];
  const scheduler = createScheduler(clock, () => fired.push(clock.now()));
  scheduler.arm(50);
  scheduler.arm(100);
  advance(99);
  assert.deepEqual(fired, []);
  advance(1_000);
  assert.deepEqual(fired, [100]);
});

test("a timer that fires early waits for the rest", () => {
  const { clock, advance } = manualClock();
  let due = 0;
  const early = { ...clock, at: (at: number, run: () => void) => clock.at(at === 100 ? 60 : at, run) };
  const scheduler = createScheduler(
    { ...early, at: (at, run) => clock.at(Math.min(at, clock.now() + 60), run) },
    () => due++,
  );
  scheduler.arm(100);
  advance(60);
  assert.equal(due, 0);
  advance(60);
  assert.equal(due, 1);
});

test("disarmed, nothing fires", () => {
  const { clock, advance, next } = manualClock();
  const scheduler = createScheduler(clock, () => assert.fail("fired"));
  scheduler.arm(10);
  scheduler.arm(undefined);
  advance(100);
  assert.equal(next(), undefined);
});
