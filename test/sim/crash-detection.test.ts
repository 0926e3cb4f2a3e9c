import assert from "node:assert/strict";
import { test } from "node:test";
import { createPair, disagreement, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

const DPD = 120;

/** How long it takes until both agree again after the power of one end was gone for a moment. */
function outage(seed: number, crashed: "a" | "b", loss: number, tokens: boolean): number {
  const side = (crashSecret: number) => ({ dpdSeconds: DPD, ...(tokens && { crashSecret }) });
  const pair = createPair(
    {
      entries: [["10.1.0.0/16 10.2.0.0/16"]],
      conditions: { loss, duplicate: 0.05, forge: 0.05, shortestDelay: 5, longestDelay: 60 },
      a: { ...side(1), start: crashed === "b" ? "active" : "passive" },
      b: { ...side(2), start: crashed === "b" ? "passive" : "active" },
      careful: seed === 1,
    },
    seededRandom(seed),
  );
  const { clock } = pair;
  runUntilSound(clock, 60 * SECOND, () => disagreement(pair), "both are up");
  clock.runUntil(clock.now + 70 * SECOND);
  pair[crashed].crash();
  const from = clock.now;
  runUntilSound(clock, 300 * SECOND, () => disagreement(pair), `schedule ${seed}: both are up again`);
  return clock.now - from;
}

test("a passive end that lost its power is called again as soon as the other one asks whether it lives", () => {
  for (let seed = 1; seed <= 10; seed++)
    for (const crashed of ["a", "b"] as const)
      for (const loss of [0, 0.1]) {
        const took = outage(seed, crashed, loss, true);
        assert(took <= (DPD / 3 + 20) * SECOND, `schedule ${seed}: ${took / SECOND} s`);
      }
});

test("without tokens the other end waits for its verdict", () => {
  assert(outage(1, "b", 0, false) > (DPD - 45) * SECOND);
});
