import assert from "node:assert/strict";
import { test } from "node:test";
import { LIVES_OF_TIER, runSchedules, seedsOf } from "./shards.js";

/** SIM_SEED=n runs one schedule alone, SIM_RUNS=n another number of them. */
const RUNS = Number(process.env.SIM_RUNS ?? LIVES_OF_TIER);
const LIVES = new URL("./life-v1.js", import.meta.url).href;

test("two gateways of IKEv1 agree and leave nothing behind in thousands of schedules of a full life under loss, repetition and reordering", async () => {
  const seeds = seedsOf(RUNS);
  const total = await runSchedules(LIVES, "life", seeds);
  // The schedules reach what they are meant to reach: beside the first SAs each life has rekeys of both phases.
  const perLife = (what: string) => (total.get(what) ?? 0) / seeds.length;
  if (seeds.length < 100) return;
  assert(perLife("ikeEstablished") > 3, `${perLife("ikeEstablished")} phase 1 SAs`);
  assert(perLife("childEstablished") > 7, `${perLife("childEstablished")} children`);
});

test("a step of IKEv1 depends on nothing but its inputs, and leaves them as they are", async () => {
  await runSchedules(LIVES, "carefulLife", seedsOf(60));
});
