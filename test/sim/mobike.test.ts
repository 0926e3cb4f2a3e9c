import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, parseAddress, sameAddress } from "../../esp/address.js";
import type { Gateway } from "./gateway.js";
import { createPair, disagreement, type Pair, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

/** Undefined when all children of both ends send where the other end is now. */
function misdirected(pair: Pair): string | undefined {
  for (const [here, there] of [
    [pair.a, pair.b],
    [pair.b, pair.a],
  ] as const)
    for (const { pair: sa } of here.dataPlane.children.values())
      if (!sameAddress(sa.path.remote.address, there.address) || !sameAddress(sa.path.local.address, here.address))
        return `${here.name} sends elsewhere`;
  return disagreement(pair);
}

interface Roaming {
  readonly moves: readonly ("a" | "b")[];
  readonly loss: number;
  readonly mobike?: boolean;
}

/** Twenty minutes with a change of address every minute or so, amid rekeys. Gives how many IKE SAs were negotiated from nothing. */
function roam(seed: number, { moves, loss, mobike = true }: Roaming): number {
  const random = seededRandom(seed);
  const side = { anyLocal: true as const, mobike, dpdSeconds: 60, childLifetimeSeconds: 400, ikeLifetimeSeconds: 700 };
  const pair = createPair(
    {
      entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]],
      conditions: { loss, duplicate: 0.05, shortestDelay: 5, longestDelay: loss > 0 ? 150 : 10 },
      slowestAnswer: 20,
      a: side,
      b: side,
      anyPeer: true,
      careful: seed === 1,
    },
    random.fork(),
  );
  const { clock } = pair;
  runUntilSound(clock, 60 * SECOND, () => disagreement(pair), "both are up");
  for (let n = 0; n < 20; n++) {
    const who = random.pick(moves);
    const gateway: Gateway = pair[who];
    const to: Address = parseAddress(`${who === "a" ? "192.0.2" : "198.51.100"}.${10 + n}`);
    if (random.chance(0.3))
      random.pick([pair.a, pair.b]).wish({ do: random.pick(["rekeyIke", "rekeyChildren"]), tunnel: "t" });
    clock.runUntil(clock.now + random.between(0, 60));
    gateway.moveTo(to);
    runUntilSound(
      clock,
      45 * SECOND,
      () => misdirected(pair),
      `schedule ${seed}: traffic goes on after move ${n} of ${who}`,
    );
    clock.runUntil(clock.now + random.between(1, 60) * SECOND);
  }
  return pair.a.reports.filter(({ kind }) => kind === "failed").length;
}

test("the initiator moves again and again: every time both ends send to the new address, and nothing is negotiated anew", () => {
  for (let seed = 1; seed <= 10; seed++) assert.equal(roam(seed, { moves: ["a"], loss: 0 }), 0);
});

test("so they do when the responder moves, and when one message in ten is lost", () => {
  for (let seed = 11; seed <= 20; seed++) roam(seed, { moves: ["b"], loss: 0 });
  for (let seed = 21; seed <= 30; seed++) roam(seed, { moves: ["a"], loss: 0.1 });
});
