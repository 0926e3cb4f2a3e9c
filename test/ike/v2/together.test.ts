/** Several mappings in one SA, peers that want one for each, and what the operator is told (`split`). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { payload } from "../../../ike/wire/message.js";
import type { NotifyType } from "../../../ike/wire/notify-table.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { assertMirrored, createPair, establishedPair, forge, type Pair, reportsOf, type Side, view } from "./pair.js";

const GRID = ["10.1.0.0/24", "10.1.1.0/24"].flatMap((local) =>
  ["10.2.0.0/24", "10.2.1.0/24", "10.2.2.0/24"].map((peer) => `${local} ${peer}`),
);
const TURNED = GRID.map((line) => line.split(" ").reverse().join(" "));

/** "local / peer" of each child that is up, in the order of the mappings. */
function children(side: Side): readonly string[] {
  return view(side)
    .children.filter(({ id }) => id !== undefined)
    .map(({ local, peer }) => `${local.join(" ")} / ${peer.join(" ")}`);
}

const stories = (side: Side) => reportsOf(side, "story").map(({ story }) => story);

test("the mappings of an entry share one SA, those of another entry have another", () => {
  const pair = establishedPair({ entries: [GRID, ["10.1.0.0/24 10.9.0.0/24"]] });
  assert.deepEqual(children(pair.a), [
    "10.1.0.0/24 10.1.1.0/24 / 10.2.0.0/24 10.2.1.0/24 10.2.2.0/24",
    "10.1.0.0/24 / 10.9.0.0/24",
  ]);
  assertMirrored(pair.a, pair.b);
  const [joint] = pair.a.children.values();
  assert.deepEqual(joint!.mappings, [0, 1, 2, 3, 4, 5]);
});

test("IPv4 and IPv6 of one entry have an SA each", () => {
  const pair = establishedPair({
    entries: [["10.1.0.0/24 10.2.0.0/24", "fd00:1::/64 fd00:2::/64", "10.1.0.0/24 10.3.0.0/24"]],
  });
  assert.deepEqual(children(pair.a), ["10.1.0.0/24 / 10.2.0.0/24 10.3.0.0/24", "fd00:1::/64 / fd00:2::/64"]);
});

test("split: always makes one SA for each mapping, in order, whoever asks", () => {
  const each = GRID.map((line) => line.replace(" ", " / "));
  const calls = establishedPair({ entries: [GRID], a: { split: "always" } });
  assert.deepEqual(children(calls.a), each);
  assert.deepEqual(
    [...calls.a.children.values()].map(({ mappings }) => mappings),
    [[0], [1], [2], [3], [4], [5]],
  );
  const answers = establishedPair({ entries: [GRID], b: { split: "always" } });
  assert.deepEqual(children(answers.a), each);
  assertMirrored(answers.a, answers.b);
});

test("a peer that keeps one pair for each SA narrows the first offer, is told of, and gets one SA for each", () => {
  const pair = establishedPair({ entries: [GRID], b: { entries: TURNED.map((line) => [line]) } });
  assert.deepEqual(
    children(pair.a),
    GRID.map((line) => line.replace(" ", " / ")),
  );
  assertMirrored(pair.a, pair.b);
  const told = stories(pair.a).filter((story) => story.includes("left out"));
  assert.equal(told.length, 1);
  assert.match(
    told[0]!,
    /took mapping 1 of 6 \(10\.1\.0\.0\/24 <-> 10\.2\.0\.0\/24\) into the SA and left out 5 mappings of 6 .* and 1 more\): most likely it keeps one pair/,
  );
});

test("a peer that takes a part of an offer gets the rest in another one", () => {
  const halves = [TURNED.slice(0, 3), TURNED.slice(3)];
  const pair = establishedPair({ entries: [GRID], b: { entries: halves } });
  assert.deepEqual(children(pair.a), [
    "10.1.0.0/24 / 10.2.0.0/24 10.2.1.0/24 10.2.2.0/24",
    "10.1.1.0/24 / 10.2.0.0/24 10.2.1.0/24 10.2.2.0/24",
  ]);
  assert.match(stories(pair.a).join("\n"), /left out 3 mappings of 6 .*; they are asked for in another one/);
});

/** B answers every offer of several selectors to CREATE_CHILD_SA with this error, and the others as it is. */
function refuseTogether(pair: Pair, notify: NotifyType, isTogether: (offer: Uint8Array) => boolean): void {
  const refused = new Set<number>();
  pair.wire = ({ from, bytes }) => {
    const messageId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(20);
    const [exchange, flags] = [bytes[18], bytes[19]!];
    const response = (flags & 0x20) !== 0;
    if (from === "A" && !response && exchange === 36 && isTogether(bytes)) {
      refused.add(messageId);
      return [forge(pair.a, "INFORMATIONAL", [], { messageId })];
    }
    if (from === "B" && response && exchange === 37 && refused.delete(messageId))
      return [forge(pair.b, "CREATE_CHILD_SA", [payload("N", notification(notify))], { response: true, messageId })];
    return [bytes];
  };
}

for (const notify of ["TS_UNACCEPTABLE", "SINGLE_PAIR_REQUIRED"] as const)
  test(`refused together with ${notify}, mappings are asked for one by one at once, and the operator is told`, () => {
    const pair = createPair({ entries: [["10.1.0.0/24 10.9.0.0/24"], GRID] });
    // Six mappings are five selectors, longer than two.
    refuseTogether(pair, notify, ({ length }) => length > 200);
    pair.pass(2000);
    assert.equal(view(pair.a).state, "established", view(pair.a).reason);
    assert.deepEqual(
      children(pair.a).slice(1),
      GRID.map((line) => line.replace(" ", " / ")),
    );
    assert.match(
      stories(pair.a).join("\n"),
      new RegExp(
        `refuses 6 mappings of 7 .* in one SA with ${notify}: most likely it keeps one pair of networks per SA`,
      ),
    );
    assert.equal(pair.b.children.size, 7);
  });

test("what the peer has not taken together is not offered together again after a new beginning", () => {
  const pair = createPair({ entries: [["10.1.0.0/24 10.9.0.0/24"], GRID], a: { dpdSeconds: 10 } });
  let offers = 0;
  refuseTogether(pair, "TS_UNACCEPTABLE", ({ length }) => length > 200 && offers++ >= 0);
  pair.pass(2000);
  assert.equal(offers, 1);
  pair.wish(pair.b, { do: "down", tunnel: "t" });
  pair.wish(pair.b, { do: "up", tunnel: "t" });
  pair.pass(20_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.equal(offers, 1);
});

test("split: never keeps down what the peer does not take together, and says how it would come up", () => {
  const pair = createPair({ entries: [GRID], a: { split: "never" }, b: { entries: TURNED.map((line) => [line]) } });
  pair.pass(60_000);
  assert.equal(view(pair.a).state, "degraded");
  assert.equal(pair.a.children.size, 1);
  const [up, ...down] = view(pair.a).children;
  assert.equal(up!.state, "established");
  assert.equal(down.length, 5);
  for (const { state, reason } of down) {
    assert.equal(state, "down");
    assert.match(reason, /took mapping 1 of 6 .*"split: never" asks for no further SA: .* or write "split: auto"/);
  }
  const refused = createPair({ entries: [GRID], a: { split: "never" }, b: { entries: [["10.7.0.0/24 10.1.0.0/24"]] } });
  refused.pass(2000);
  assert.match(
    view(refused.a).reason,
    /refuses 6 mappings of 6 .* in one SA with TS_UNACCEPTABLE, and "split: never" forbids/,
  );
});

test("a pair that no side of the peer has is named, the others are up", () => {
  const pair = createPair({ entries: [GRID], b: { entries: TURNED.slice(0, 5).map((line) => [line]) } });
  pair.pass(2000);
  assert.equal(view(pair.a).state, "degraded");
  const [failed] = reportsOf(pair.a, "failed");
  assert.equal(failed!.code, "TS_UNACCEPTABLE");
  assert.match(
    failed!.detail,
    /refuses mapping 6 of 6 \(10\.1\.1\.0\/24 <-> 10\.2\.2\.0\/24\) with TS_UNACCEPTABLE: most likely none of its children or connections has these networks the other way round/,
  );
});

test("a mapping that the peer has cut is up, and says which part is missing", () => {
  const pair = createPair({ b: { entries: [["10.2.5.0/24 10.1.0.0/16"]] } });
  pair.pass(2000);
  assert.equal(view(pair.a).state, "established");
  const [child] = view(pair.a).children;
  assert.deepEqual(child!.peer, ["10.2.5.0/24"]);
  assert.match(
    child!.reason,
    /narrowed mapping 1 of 1 \(10\.1\.0\.0\/16 <-> 10\.2\.0\.0\/16\): the rest of it is not carried/,
  );
});

test("a joint child is rekeyed with all of its mappings, and asked for as one when it is lost", () => {
  const pair = establishedPair({ entries: [GRID] });
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(3000);
  assert.equal(children(pair.a).length, 1);
  assert.equal(pair.a.children.size, 1);
  assertMirrored(pair.a, pair.b);
  const [old] = pair.a.children.values();
  pair.handle(pair.a, { kind: "childRefused", child: old!.id, reason: "a test" });
  pair.pass(20_000);
  assert.equal(children(pair.a).length, 1, children(pair.a).join(", "));
  const [fresh] = pair.a.children.values();
  assert.notEqual(fresh!.id, old!.id);
  assert.deepEqual(fresh!.mappings, [0, 1, 2, 3, 4, 5]);
});
