import assert from "node:assert/strict";
import { test } from "node:test";
import { runLife } from "./life.js";

/** SIM_SEED=n runs one schedule, SIM_RUNS=n another number of them. */
const ONLY = process.env.SIM_SEED;
const RUNS = Number(process.env.SIM_RUNS ?? 10_000);

test("two gateways agree and leave nothing behind in 10,000 schedules of a full life under loss, repetition and reordering", () => {
  const total = { children: 0, ikeSas: 0, packets: 0, nat: 0 };
  const seeds = ONLY === undefined ? Array.from({ length: RUNS }, (_, i) => i + 1) : [Number(ONLY)];
  for (const seed of seeds) {
    try {
      const { children, ikeSas, packets, nat } = runLife(seed);
      total.children += children;
      total.ikeSas += ikeSas;
      total.packets += packets;
      total.nat += nat ? 1 : 0;
    } catch (error) {
      throw new Error(`schedule ${seed} (run it alone with SIM_SEED=${seed}): ${error}`, { cause: error });
    }
  }
  // The schedules reach what they are meant to: each life has rekeys of both kinds beside its first SAs.
  assert(total.ikeSas > 2 * seeds.length, JSON.stringify(total));
  assert(total.children > 6 * seeds.length, JSON.stringify(total));
  assert(total.packets > 20 * seeds.length, JSON.stringify(total));
});
