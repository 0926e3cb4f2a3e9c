import assert from "node:assert/strict";
import { test } from "node:test";
import { selectBackends } from "../../crypto/backends.js";
import { runLife } from "./life.js";

/** SIM_SEED=n runs one schedule alone, SIM_RUNS=n another number of them. */
const { SIM_SEED, SIM_RUNS } = process.env;
const RUNS = Number(SIM_RUNS ?? 10_000);

selectBackends(); // as the gateway does: the fast ones

test("two gateways agree and leave nothing behind in 10,000 schedules of a full life under loss, repetition and reordering", () => {
  const total = new Map<string, number>();
  const count = (what: string, more: number) => total.set(what, (total.get(what) ?? 0) + more);
  const seeds = SIM_SEED === undefined ? Array.from({ length: RUNS }, (_, i) => i + 1) : [Number(SIM_SEED)];
  for (const seed of seeds) {
    const { reports, packets } = named(seed, () => runLife(seed));
    count("packets", packets);
    for (const [kind, number] of reports) count(kind, number);
  }
  // The schedules reach what they are meant to reach: beside the first SAs each life has rekeys of both kinds.
  const perLife = (what: string) => (total.get(what) ?? 0) / seeds.length;
  if (seeds.length < 100) return;
  assert(perLife("ikeEstablished") > 3, `${perLife("ikeEstablished")} IKE SAs`);
  assert(perLife("childEstablished") > 10, `${perLife("childEstablished")} children`);
  assert(perLife("packets") > 50, `${perLife("packets")} packets`);
});

test("a step depends on nothing but its inputs, and leaves them as they are", () => {
  for (let seed = 1; seed <= 60; seed++) named(seed, () => runLife(seed, { careful: true }));
});

test("the same seed gives the same run, event for event", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const [first, second] = [[], []] as [string[], string[]];
    runLife(seed, { trace: (line) => void first.push(line) });
    runLife(seed, { trace: (line) => void second.push(line) });
    assert.deepEqual(first, second);
  }
});

function named<T>(seed: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`schedule ${seed} (run it alone with SIM_SEED=${seed}): ${error}`, { cause: error });
  }
}
