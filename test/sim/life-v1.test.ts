import assert from "node:assert/strict";
import { test } from "node:test";
import { selectBackends } from "../../crypto/backends.js";
import { runLife } from "./life.js";
import { IKEV1 } from "./life-v1.js";

/** SIM_SEED=n runs one schedule alone, SIM_RUNS=n another number of them. */
const { SIM_SEED, SIM_RUNS } = process.env;
const RUNS = Number(SIM_RUNS ?? 10_000);

selectBackends(); // as the gateway does: the fast ones

test("two gateways of IKEv1 agree and leave nothing behind in 10,000 schedules of a full life under loss, repetition and reordering", () => {
  const total = new Map<string, number>();
  const seeds = SIM_SEED === undefined ? Array.from({ length: RUNS }, (_, i) => i + 1) : [Number(SIM_SEED)];
  for (const seed of seeds) {
    const { reports } = named(seed, () => runLife(seed, {}, IKEV1));
    for (const [kind, number] of reports) total.set(kind, (total.get(kind) ?? 0) + number);
  }
  // The schedules reach what they are meant to reach: beside the first SAs each life has rekeys of both phases.
  const perLife = (what: string) => (total.get(what) ?? 0) / seeds.length;
  if (seeds.length < 100) return;
  assert(perLife("ikeEstablished") > 3, `${perLife("ikeEstablished")} phase 1 SAs`);
  assert(perLife("childEstablished") > 7, `${perLife("childEstablished")} children`);
});

test("a step of IKEv1 depends on nothing but its inputs, and leaves them as they are", () => {
  for (let seed = 1; seed <= 60; seed++) named(seed, () => runLife(seed, { careful: true }, IKEV1));
});

function named<T>(seed: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`schedule ${seed} (run it alone with SIM_SEED=${seed}): ${error}`, { cause: error });
  }
}
