import assert from "node:assert/strict";
import { test } from "node:test";
import { keepSending } from "./life.js";
import { createPair, disagreement, type Pair, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16", "10.7.0.0/16 10.3.0.0/16"]];

interface Weather {
  readonly loss: number;
  readonly longestDelay: number;
  readonly natIdle?: number;
}

/** Ten minutes of rekeys by wish and by lifetime, crossing each other, over a network that may lose but never fails. */
function rekeyFor10Minutes(seed: number, { loss, longestDelay, natIdle }: Weather): Pair {
  const random = seededRandom(seed);
  const pair = createPair(
    {
      conditions: { loss, duplicate: 0.1, shortestDelay: 10, longestDelay },
      entries: ENTRIES,
      espProposals: [random.pick(["aes256gcm16", "aes128-sha256-x25519"])],
      slowestAnswer: 50,
      a: { childLifetimeSeconds: 250, ikeLifetimeSeconds: 380, dpdSeconds: 120 },
      b: { childLifetimeSeconds: 280, ikeLifetimeSeconds: 400, dpdSeconds: 120 },
      ...(natIdle !== undefined && { natIdle }),
    },
    random.fork(),
  );
  const { clock, nat, a, b } = pair;
  runUntilSound(clock, 60 * SECOND, () => disagreement(pair), "both are up");
  keepSending(pair, random.fork(), 400);
  const ask = () => {
    const first = random.pick([a, b]);
    first.wish({ do: random.pick(["rekeyChildren", "rekeyIke"]), tunnel: "t" });
    if (random.chance(0.3)) {
      const second = first === a ? b : a;
      clock.after(random.between(0, 120), () =>
        second.wish({ do: random.pick(["rekeyChildren", "rekeyIke"]), tunnel: "t" }),
      );
    }
    if (random.chance(0.2)) nat?.forget();
    clock.after(random.between(5, 120) * SECOND, ask);
  };
  clock.after(random.between(5, 60) * SECOND, ask);
  const watch = () => {
    for (const side of [a, b])
      for (let mapping = 0; mapping < side.mappings; mapping++)
        assert(side.dataPlane.sender(mapping) !== undefined, `${side.name}: mapping ${mapping} at ${clock.now} ms`);
    clock.after(250, watch);
  };
  clock.after(0, watch);
  clock.runUntil(600 * SECOND);
  runUntilSound(clock, 60 * SECOND, () => disagreement(pair), "both agree");
  return pair;
}

function assertUndisturbed(seed: number, { a, b }: Pair): void {
  for (const { name, reports } of [a, b]) {
    const failed = reports.filter(({ kind }) => kind === "failed");
    assert.deepEqual(failed, [], `${name} in schedule ${seed}`);
    assert(reports.filter(({ kind }) => kind === "ikeEstablished").length >= 2, `${name} in schedule ${seed}`);
  }
}

test("rekeys of children and IKE SA lose no packet of a network that keeps the order, also where both sides begin at once", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const pair = rekeyFor10Minutes(seed, { loss: 0, longestDelay: 10 });
    assertUndisturbed(seed, pair);
    for (const { name, dataPlane } of [pair.a, pair.b])
      assert.equal(dataPlane.lost, 0, `${name} in schedule ${seed}: packets for an SA that was not there`);
  }
});

test("one message in ten lost disturbs no rekey, and nothing is ever without an SA to be sent on", () => {
  for (let seed = 1; seed <= 60; seed++)
    assertUndisturbed(seed, rekeyFor10Minutes(seed, { loss: 0.1, longestDelay: 150 }));
});

test("a NAT that moves the peer disturbs no rekey: the other side follows", () => {
  for (let seed = 1; seed <= 60; seed++)
    assertUndisturbed(seed, rekeyFor10Minutes(seed, { loss: 0.02, longestDelay: 50, natIdle: 60 * SECOND }));
});
