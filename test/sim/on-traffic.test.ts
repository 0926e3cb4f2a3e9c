import assert from "node:assert/strict";
import { test } from "node:test";
import { createPair, disagreement, type Pair, type PairOptions, runUntilSound, SECOND } from "./pair.js";
import { seededRandom } from "./random.js";

const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]];

function pairOf(seed: number, a: PairOptions["a"], more: Partial<PairOptions> = {}): Pair {
  return createPair({ entries: ENTRIES, slowestAnswer: 20, ...more, a: { dpdSeconds: 10, ...a } }, seededRandom(seed));
}

const stateOf = (side: Pair["a"]) => side.views()[0]!;
const up = ({ clock, a }: Pair, wanted: string) =>
  runUntilSound(clock, 5 * SECOND, () => (stateOf(a).state === "established" ? undefined : stateOf(a).reason), wanted);

test("start: on-traffic says nothing until a packet comes; that packet and those behind it arrive, and each mapping wakes by itself", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const pair = pairOf(seed, { start: "on-traffic" });
    const { clock, a, b } = pair;
    clock.runUntil(60 * SECOND);
    assert.equal(stateOf(a).state, "waiting");
    assert.equal(a.reports.length, 0);
    for (let i = 0; i < 30; i++) clock.after(i * 3, () => assert(a.sendTraffic(0)));
    clock.runUntil(62 * SECOND);
    assert.equal(b.dataPlane.arrived, 30, `schedule ${seed}`);
    assert.equal(stateOf(a).state, "established");
    assert.deepEqual(
      stateOf(a).children.map(({ state }) => state),
      ["established", "waiting"],
    );
    a.sendTraffic(1);
    clock.runUntil(64 * SECOND);
    assert.equal(b.dataPlane.arrived, 31);
    assert.equal(disagreement(pair), undefined);
  }
});

test("a packet for the second mapping alone brings up the second mapping alone", () => {
  const { clock, a, b } = pairOf(1, { start: "on-traffic" });
  a.sendTraffic(1);
  clock.runUntil(30 * SECOND);
  assert.deepEqual(
    stateOf(a).children.map(({ state }) => state),
    ["waiting", "established"],
  );
  assert.equal(b.dataPlane.children.size, 1);
});

test("close: on-traffic: what the peer deletes waits for a packet, which is not lost", () => {
  for (const start of ["active", "on-traffic"] as const) {
    const pair = pairOf(2, { start, close: "on-traffic" });
    const { clock, a, b } = pair;
    if (start === "on-traffic") for (const mapping of [0, 1]) a.sendTraffic(mapping);
    runUntilSound(clock, 5 * SECOND, () => disagreement(pair), "both mappings are up");
    const before = b.dataPlane.arrived;
    b.wish({ do: "down", tunnel: "t" });
    clock.runUntil(60 * SECOND);
    assert.equal(stateOf(a).state, "waiting", stateOf(a).reason);
    b.wish({ do: "up", tunnel: "t" });
    clock.runUntil(62 * SECOND);
    b.wish({ do: "down", tunnel: "t" });
    b.crash(); // it is passive again
    clock.runUntil(90 * SECOND);
    assert.equal(stateOf(a).state, "waiting", stateOf(a).reason);
    a.sendTraffic(1);
    a.sendTraffic(0);
    runUntilSound(clock, 8 * SECOND, () => disagreement(pair), "traffic brings both mappings back");
    assert.equal(b.dataPlane.arrived, 2, `start: ${start}, ${before} before`);
  }
});

test("dpd.action: on-traffic: a tunnel whose peer died waits for a packet", () => {
  const pair = pairOf(3, { start: "active", dpdAction: "on-traffic" });
  const { clock, network, a, b } = pair;
  runUntilSound(clock, 5 * SECOND, () => disagreement(pair), "both mappings are up");
  network.conditions.loss = 1;
  clock.runUntil(clock.now + 100 * SECOND);
  assert.equal(stateOf(a).state, "waiting", stateOf(a).reason);
  network.conditions.loss = 0;
  clock.runUntil(clock.now + 100 * SECOND);
  assert.equal(stateOf(a).state, "waiting");
  a.sendTraffic(0);
  a.sendTraffic(1);
  runUntilSound(clock, 5 * SECOND, () => disagreement(pair), "traffic brings it back");
  assert.equal(b.dataPlane.arrived, 2);
});

test("close: none of a tunnel that starts on traffic lets traffic bring it up again; of an active one it does not", () => {
  for (const [start, wanted] of [
    ["on-traffic", "established"],
    ["active", "down"],
  ] as const) {
    const { clock, a, b } = pairOf(4, { start, close: "none" });
    a.sendTraffic(0);
    clock.runUntil(5 * SECOND);
    b.wish({ do: "down", tunnel: "t" });
    clock.runUntil(10 * SECOND);
    b.crash();
    clock.runUntil(40 * SECOND);
    a.sendTraffic(0);
    clock.runUntil(45 * SECOND);
    assert.equal(stateOf(a).state, wanted, `start: ${start}: ${stateOf(a).reason}`);
  }
});

test("traffic for a peer that refuses calls it with pauses, and only while there is traffic", () => {
  const { clock, a } = pairOf(5, { start: "on-traffic", psk: "another one" });
  const calls = () => a.reports.filter((report) => report.kind === "story" && /calling the peer/.test(report.story));
  const flood = () => {
    a.sendTraffic(0);
    if (clock.now < 600 * SECOND) clock.after(20, flood);
  };
  flood();
  clock.runUntil(600 * SECOND);
  assert(calls().length > 5 && calls().length < 25, `${calls().length} calls in ten minutes of traffic`);
  clock.runUntil(700 * SECOND);
  const after = calls().length;
  clock.runUntil(3000 * SECOND);
  assert.equal(calls().length, after);
  assert.equal(stateOf(a).state, "waiting");
});

test("down stays down whatever traffic comes, and up brings up every mapping", () => {
  const pair = pairOf(6, { start: "on-traffic" });
  const { clock, a } = pair;
  a.wish({ do: "down", tunnel: "t" });
  for (let i = 0; i < 20; i++) clock.after(i * SECOND, () => a.sendTraffic(0));
  clock.runUntil(30 * SECOND);
  assert.equal(stateOf(a).state, "down");
  a.wish({ do: "up", tunnel: "t" });
  runUntilSound(clock, 8 * SECOND, () => disagreement(pair), "both mappings are up");
});

test("a peer that calls brings up what it asks for, and traffic here the rest", () => {
  const pair = pairOf(7, { start: "on-traffic" }, { b: { start: "on-traffic", dpdSeconds: 10 } });
  const { clock, a, b } = pair;
  b.sendTraffic(0);
  clock.runUntil(30 * SECOND);
  for (const side of [a, b])
    assert.deepEqual(
      stateOf(side).children.map(({ state }) => state),
      ["established", "waiting"],
      side.name,
    );
  a.sendTraffic(1);
  up(pair, "the other mapping");
  assert.equal(disagreement(pair), undefined);
  assert.equal(a.dataPlane.arrived + b.dataPlane.arrived, 2);
});

test("traffic that wakes both ends at once ends with one IKE SA, and loses no packet", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const pair = pairOf(
      seed,
      { start: "on-traffic" },
      { entries: [ENTRIES[0]!], b: { start: "on-traffic", dpdSeconds: 10 } },
    );
    const { clock, a, b } = pair;
    for (let i = 0; i < 10; i++) {
      clock.after(10 + i * 7, () => a.sendTraffic(0));
      clock.after(10 + i * 7, () => b.sendTraffic(0));
    }
    clock.runUntil(30 * SECOND);
    assert.equal(disagreement(pair), undefined, `schedule ${seed}`);
    assert.equal(a.dataPlane.arrived + b.dataPlane.arrived, 20, `schedule ${seed}`);
  }
});
