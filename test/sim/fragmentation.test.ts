import assert from "node:assert/strict";
import { test } from "node:test";
import { createPair, disagreement, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

/** Identities that make IKE_AUTH 6 KB long in both directions. */
const LONG = { localId: `keyid:${"a".repeat(5_900)}`, peerId: `keyid:${"b".repeat(5_900)}` };
const LARGE = { a: LONG, b: { localId: LONG.peerId, peerId: LONG.localId } };
const IN_1280 = 1248;
const IN_576 = 544;

function run(seed: number, longestMessage: number, more: { readonly loss: number; readonly natIdle?: number }): void {
  const random = seededRandom(seed);
  const { loss, ...rest } = more;
  const pair = createPair(
    {
      ...LARGE,
      ...rest,
      entries: [["10.1.0.0/16 10.2.0.0/16"]],
      conditions: { loss, duplicate: 0.1, forge: 0.05, shortestDelay: 5, longestDelay: 200, longestMessage },
      slowestAnswer: 50,
      careful: seed <= 3,
    },
    random,
  );
  runUntilSound(pair.clock, 120 * SECOND, () => disagreement(pair), `schedule ${seed}: both are up`);
  for (const [asks, what] of [
    [pair.a, "rekeyIke"],
    [pair.b, "rekeyIke"],
    [pair.a, "rekeyChildren"],
  ] as const) {
    asks.wish({ do: what, tunnel: "t" });
    pair.clock.runUntil(pair.clock.now + 30 * SECOND);
    runUntilSound(pair.clock, 120 * SECOND, () => disagreement(pair), `schedule ${seed}: ${what}`);
  }
  for (const { reports } of [pair.a, pair.b]) assert(loss > 0 || !reports.some(({ kind }) => kind === "failed"));
}

test("an IKE_AUTH of 6 KB passes a path that drops IP fragments, in any order", () => {
  for (let seed = 1; seed <= 20; seed++) run(seed, IN_1280, { loss: 0 });
});

test("it also passes where one datagram in ten is lost as well", () => {
  for (let seed = 21; seed <= 40; seed++) run(seed, IN_1280, { loss: 0.1 });
});

test("it also passes where no datagram may be longer than 576 octets, through a NAT", () => {
  for (let seed = 41; seed <= 60; seed++) run(seed, IN_576, { loss: 0.05, natIdle: 120 * SECOND });
});
