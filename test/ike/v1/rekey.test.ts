import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect } from "../../../ike/core/types.js";
import { splitMessage } from "../../../ike/v1/fragment.js";
import { deleteChildren, deletePhase1, notification } from "../../../ike/v1/notifications.js";
import { type Pair, reportsOf, type Side, view } from "../v2/pair.js";
import { createPairV1, type Exchange, establishedPairV1, forgeV1, peerOf } from "./pair.js";

const MODES: readonly Exchange[] = ["main", "aggressive"];

function kindsSince(side: Side, from: number): string[] {
  return side.effects
    .slice(from)
    .map((effect: Effect) => ("id" in effect ? `${effect.kind} ${effect.id}` : effect.kind));
}

/** The other side's packets come in on this child. */
function hear(pair: Pair, side: Side, child: number): void {
  pair.handle(side, { kind: "firstInbound", child });
}

test("the initiator of a rekey sends on the old child until the new one is heard, or two seconds have passed", () => {
  for (const heard of [true, false]) {
    const pair = establishedPairV1("main");
    const from = pair.a.effects.length;
    pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
    pair.pass(1_000);
    assert.equal(pair.a.using, 1, "not yet");
    assert.equal(pair.b.using, 2, "the responder has had message 3");
    if (heard) hear(pair, pair.a, 2);
    else pair.pass(1_500);
    assert.equal(pair.a.using, 2);
    assert.deepEqual(kindsSince(pair.a, from), ["reserveSpi", "installChild", "useChild 2"]);
    // The old one receives until its end, and is deleted then.
    pair.pass(1_000_000);
    assert.equal(pair.a.children.has(1), true);
    pair.pass(2_600_000);
    assert.equal(pair.a.children.has(1), false);
    assert.equal(view(pair.a).state, "established");
  }
});

test("the new child receives at the responder before message 2 leaves, and sends when message 3 has come", () => {
  const pair = establishedPairV1("main");
  const order: string[] = [];
  const { handle } = pair;
  pair.handle = (side, event) => {
    const effects = handle(side, event);
    if (side === pair.b) order.push(...effects.map(({ kind }) => kind).filter((kind) => kind !== "report"));
    return effects;
  };
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(1_000);
  assert.deepEqual(order, ["reserveSpi", "installChild", "send", "useChild"]);
});

test("message 3 that was lost is repeated for the message 2 that comes again, octet for octet", () => {
  const pair = createPairV1("main");
  let lost: Uint8Array | undefined;
  pair.wire = ({ from, bytes }) => {
    const quick = bytes[18] === 32;
    if (from === "A" && quick && bytes.length < 100 && lost === undefined) {
      lost = bytes;
      return [];
    }
    return [bytes];
  };
  pair.pass(3_000);
  assert(lost !== undefined);
  assert.equal(pair.sent.filter(({ bytes }) => Buffer.compare(bytes, lost!) === 0).length, 2);
  assert.equal(view(pair.b).state, "established");
});

test("a packet on the new child proves it to the responder as message 3 would", () => {
  const pair = createPairV1("main");
  pair.wire = ({ from, bytes }) => (from === "A" && bytes[18] === 32 && bytes.length < 100 ? [] : [bytes]);
  pair.pass(1_000);
  assert.equal(pair.b.using, undefined);
  hear(pair, pair.b, 1);
  assert.equal(pair.b.using, 1);
  assert.equal(view(pair.b).state, "established");
});

for (const mode of MODES) {
  test(`${mode} mode: a new phase 1 leaves the children alone, and so does the end of the old one`, () => {
    const pair = establishedPairV1(mode);
    const [old] = peerOf(pair.a).phase1s;
    const children = [...pair.a.children.keys()];
    pair.wish(pair.a, { do: "rekeyIke", tunnel: "t" });
    pair.pass(3_000);
    assert.equal(peerOf(pair.a).phase1s.length, 2);
    assert.notEqual(view(pair.a).ike?.spiI, undefined);
    pair.inject(pair.b, forgeV1(pair.a, "INFORMATIONAL", [deletePhase1(old!)], { messageId: 9 }));
    assert.equal(peerOf(pair.b).phase1s.length, 1);
    assert.deepEqual([...pair.a.children.keys()], children);
    assert.deepEqual([...pair.b.children.keys()], children);
    assert.equal(view(pair.b).state, "established");
  });

  test(`${mode} mode: children outlive their phase 1, and a missing one is called for when it is needed`, () => {
    const pair = establishedPairV1(mode);
    const deleted = pair.sent.length;
    pair.inject(pair.a, forgeV1(pair.b, "INFORMATIONAL", [deletePhase1(peerOf(pair.b).phase1s[0]!)], { messageId: 9 }));
    assert.equal(pair.a.children.size, 1);
    pair.pass(3_000);
    assert(pair.sent.length > deleted);
    assert.equal(peerOf(pair.a).phase1s.length, 1);
    assert.equal(view(pair.a).state, "established");
    assert.deepEqual(reportsOf(pair.a, "childClosed"), []);
  });
}

test("the last phase 1 ends in silence where there are children: a peer may take them with the one that it is told to delete", () => {
  const pair = establishedPairV1("main", {
    a: { start: "passive", ikeLifetimeSeconds: 100 },
    b: { start: "active", ikeLifetimeSeconds: 100 },
  });
  pair.wire = ({ bytes }) => (bytes[18] === 2 ? [] : [bytes]); // no new phase 1
  pair.pass(96_000);
  const sent = pair.sent.filter(({ bytes }) => bytes[18] === 5).length;
  pair.pass(4_000);
  for (const side of [pair.a, pair.b]) {
    assert.equal(peerOf(side).phase1s.length, 0);
    assert.equal(side.children.size, 1);
  }
  assert(pair.sent.filter(({ bytes }) => bytes[18] === 5).length <= sent + 2, "probes at most");
});

test("the lifetime of phase 1 in KB has it renewed before it is used up", () => {
  const pair = establishedPairV1("main", {
    changeA: (tunnel) => ({ ...tunnel, ike: { ...tunnel.ike, volumeOctets: 4096 } }),
  });
  assert.equal(peerOf(pair.b).phase1s[0]!.volumeOctets, 4096);
  pair.pass(400_000); // probes use it up
  const established = reportsOf(pair.a, "ikeEstablished").length;
  assert(established > 1, `${established} phase 1 SAs`);
  assert.equal(view(pair.a).state, "established");
});

test("the peer's Delete of a child is obeyed, and the mapping is asked for again", () => {
  const pair = establishedPairV1("main");
  const [child] = pair.b.children.values();
  pair.inject(pair.a, forgeV1(pair.b, "INFORMATIONAL", [deleteChildren([child!.spiIn])], { messageId: 9 }));
  assert.equal(pair.a.children.size, 0);
  assert.equal(reportsOf(pair.a, "childClosed")[0]?.reason, "the peer deleted this child");
  pair.pass(10_000);
  assert.equal(view(pair.a).state, "established");
  assert.equal(pair.a.children.size, 1);
});

test("a peer that comes back without its memory says INITIAL-CONTACT, and what is older goes", () => {
  const pair = establishedPairV1("main");
  const fresh = createPairV1("main", { seed: 99 });
  pair.a.endpoint = { ...fresh.a.endpoint, bornAt: pair.now };
  pair.a.children.clear();
  pair.pass(3_000);
  assert.equal(view(pair.a).state, "established");
  assert.equal(pair.b.children.size, 1, "one child, not the old one as well");
  assert.equal(peerOf(pair.b).phase1s.length, 1);
  assert.match(reportsOf(pair.b, "childClosed")[0]!.reason, /started anew/);
});

test("liveness: silence is asked about with numbers that grow, and an answer ends it; none is the end of the peer", () => {
  const pair = establishedPairV1("main");
  pair.pass(60_000);
  const asked = pair.sent.filter(({ from, bytes }) => from === "A" && bytes[18] === 5).length;
  assert(asked >= 3, `${asked} questions and answers`);
  assert.equal(view(pair.a).state, "established");
  pair.wire = () => [];
  const silent = pair.now;
  for (let i = 0; i < 100 && pair.a.children.size > 0; i++) pair.pass(1_000);
  const waited = pair.now - silent;
  assert(waited >= 20_000 && waited <= 41_000, `dead after ${waited} ms; the timeout is 30 s`);
  assert(reportsOf(pair.a, "failed").some(({ detail }) => /the peer is dead/.test(detail)));
  pair.wire = ({ bytes }) => [bytes];
  pair.pass(120_000);
  assert.equal(view(pair.a).state, "established", "it calls again");
});

test("liveness: the same number twice is answered twice, a lower one is not", () => {
  const pair = establishedPairV1("main");
  const [phase1] = peerOf(pair.a).phase1s;
  const ask = (number: number, messageId: number) => {
    const question = notification(phase1!, "R-U-THERE", new Uint8Array([0, 0, 0, number]));
    const before = pair.sent.length;
    pair.inject(pair.b, forgeV1(pair.a, "INFORMATIONAL", [question], { messageId }));
    return pair.sent.length - before;
  };
  assert.deepEqual([ask(7, 1), ask(7, 2), ask(6, 3), ask(8, 4), ask(8, 4)], [1, 1, 0, 1, 0]);
});

test("liveness: a recorded answer keeps no dead peer alive", () => {
  const pair = establishedPairV1("main");
  pair.pass(60_000);
  const recorded = pair.sent.filter(({ from, bytes }) => from === "B" && bytes[18] === 5).map(({ bytes }) => bytes);
  assert(recorded.length > 0);
  pair.wire = () => [];
  for (let i = 0; i < 60; i++) {
    pair.pass(1_000);
    for (const bytes of recorded) pair.inject(pair.a, bytes);
  }
  assert.equal(pair.a.children.size, 0);
});

test("both sides may begin at once: each ends with children that carry every mapping, and nothing is left behind", () => {
  for (const mode of MODES) {
    const pair = createPairV1(mode, { b: { start: "active" } });
    pair.pass(20_000);
    for (const side of [pair.a, pair.b]) assert.equal(view(side).state, "established", `${mode} ${side.name}`);
    const used = pair.a.children.get(pair.a.using!)!;
    assert([...pair.b.children.values()].some(({ spiIn }) => spiIn === used.spiOut));
    pair.wish(pair.a, { do: "shutdown" });
    pair.wish(pair.b, { do: "shutdown" });
    pair.pass(5_000);
    assert.equal(pair.a.children.size + pair.b.children.size, 0);
    assert.equal(pair.a.endpoint.sas.size + pair.b.endpoint.sas.size, 0);
  }
});

test("down deletes everything at both ends with one message each, and up brings it back", () => {
  const pair = establishedPairV1("main", { entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]] });
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.pass(1_000);
  assert.equal(pair.a.children.size + pair.b.children.size, 0);
  assert.equal(view(pair.a).state, "down");
  assert.equal(view(pair.b).ike, undefined);
  pair.wish(pair.a, { do: "up", tunnel: "t" });
  pair.pass(3_000);
  assert.equal(view(pair.a).state, "established");
});

test("a peer that asks to be waited for (commit bit) is heard before it is sent to, and not waited for longer than a rekey would", () => {
  const pair = createPairV1("main");
  pair.wire = ({ from, bytes }) => {
    if (from === "B" && bytes[18] === 32) bytes[19]! |= 0x02;
    return [bytes];
  };
  pair.pass(500);
  assert.equal(pair.a.children.size, 1);
  assert.equal(pair.a.using, undefined);
  pair.pass(2_500);
  assert.equal(pair.a.using, 1);
  assert.equal(view(pair.a).state, "established");
});

test("messages that come in proprietary fragments, repeated and out of order, are the same messages", () => {
  for (const mode of MODES) {
    const pair = createPairV1(mode);
    pair.wire = ({ bytes }) => {
      if (bytes.subarray(8, 16).every((octet) => octet === 0)) return [bytes];
      const parts = splitMessage(bytes, 90, bytes[40]! + 1);
      return parts.length === 1 ? parts : [...parts.toReversed(), parts[0]!];
    };
    pair.pass(3_000);
    assert.equal(view(pair.a).state, "established", view(pair.a).reason);
    assert.equal(view(pair.b).state, "established", view(pair.b).reason);
  }
});
