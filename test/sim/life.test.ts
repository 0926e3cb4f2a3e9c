import assert from "node:assert/strict";
import { test } from "node:test";
import { selectBackends } from "../../crypto/backends.js";
import { runLife } from "./life.js";
import { LIVES_OF_TIER, runSchedules, seedsOf } from "./shards.js";

/** SIM_SEED=n runs one schedule alone, SIM_RUNS=n another number of them. */
const RUNS = Number(process.env.SIM_RUNS ?? LIVES_OF_TIER);
const LIVES = new URL("./life.js", import.meta.url).href;

test("two gateways agree and leave nothing behind in thousands of schedules of a full life under loss, repetition and reordering", async () => {
  const seeds = seedsOf(RUNS);
  const total = await runSchedules(LIVES, "life", seeds);
  // The schedules reach what they are meant to reach: beside the first SAs each life has rekeys of both kinds.
  const perLife = (what: string) => (total.get(what) ?? 0) / seeds.length;
  if (seeds.length < 100) return;
  assert(perLife("ikeEstablished") > 3, `${perLife("ikeEstablished")} IKE SAs`);
  assert(perLife("childEstablished") > 10, `${perLife("childEstablished")} children`);
  assert(perLife("packets") > 50, `${perLife("packets")} packets`);
});

test("a step depends on nothing but its inputs, and leaves them as they are", async () => {
  await runSchedules(LIVES, "carefulLife", seedsOf(60));
});

test("the same seed gives the same run, event for event", () => {
  selectBackends();
  for (let seed = 1; seed <= 10; seed++) {
    const [first, second] = [[], []] as [string[], string[]];
    runLife(seed, { trace: (line) => void first.push(line) });
    runLife(seed, { trace: (line) => void second.push(line) });
    assert.deepEqual(first, second);
  }
});
