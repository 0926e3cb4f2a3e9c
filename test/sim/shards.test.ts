import assert from "node:assert/strict";
import { test } from "node:test";
import { runSchedules } from "./shards.js";

const SCHEDULES = `data:text/javascript,${encodeURIComponent(`
  export const sound = (seed) => [["sum", seed], ["runs", 1]];
  export const failing = (seed) => { if (seed % 10 > 4) throw new RangeError("no " + seed); return sound(seed); };
`)}`;
const seeds = Array.from({ length: 100 }, (_, i) => i + 1);

test("of schedules that are shared out over threads each runs once", async () => {
  assert.deepEqual(
    await runSchedules(SCHEDULES, "sound", seeds),
    new Map([
      ["sum", 5050],
      ["runs", 100],
    ]),
  );
});

test("the lowest seed that fails on any thread is named, with what went wrong", async () => {
  await assert.rejects(runSchedules(SCHEDULES, "failing", seeds), /schedule 5 .*SIM_SEED=5.*RangeError: no 5/);
});
