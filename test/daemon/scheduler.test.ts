import assert from "node:assert/strict";
import { test } from "node:test";
import { createScheduler, systemClock } from "../../src/scheduler.js";
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

test("the system's clock calls at the deadline, although Node's timers fire early and take a few weeks at most", ({
  mock,
}) => {
  let now = 0.4;
  mock.method(performance, "now", () => now);
  const waits: number[] = [];
  let fire = (): void => {};
  mock.method(globalThis, "setTimeout", (run: () => void, wait: number) => {
    waits.push(wait);
    fire = run;
  });
  let called = 0;
  const tenWeeks = 10 * 7 * 24 * 3_600_000;
  systemClock.at(tenWeeks, () => called++);
  for (; now < tenWeeks - 1; now += waits.at(-1)! - 0.3) fire();
  assert.ok(waits.every((wait) => wait < 2 ** 31));
  now = tenWeeks - 0.5;
  fire();
  assert.deepEqual([called, waits.at(-1)], [0, 1]);
  now = tenWeeks;
  fire();
  assert.equal(called, 1);
});

test("disarmed, nothing fires", () => {
  const { clock, advance, next } = manualClock();
  const scheduler = createScheduler(clock, () => assert.fail("fired"));
  scheduler.arm(10);
  scheduler.arm(undefined);
  advance(100);
  assert.equal(next(), undefined);
});
