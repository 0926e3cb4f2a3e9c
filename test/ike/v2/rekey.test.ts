import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "../../../crypto/bytes.js";
import { adviceFor } from "../../../ike/core/causes.js";
import { decodeRawHeader, ikeHeader } from "../../../ike/wire/header.js";
import { payload } from "../../../ike/wire/message.js";
import { espNotification, notification } from "../../../ike/wire/payloads/notify.js";
import { assertMirrored, establishedPair, forge, ikeSa, lastNotifies, reportsOf, view } from "./pair.js";

const PFS = { a: { espProposals: ["aes256gcm16-x25519"] }, b: { espProposals: ["aes256gcm16-x25519"] } };

test("a child is replaced, by either side, with and without PFS, before the old one is deleted", () => {
  for (const options of [{}, PFS])
    for (const who of ["a", "b"] as const) {
      const pair = establishedPair(options);
      const [old] = pair[who].children.keys();
      pair.wish(pair[who], { do: "rekeyChildren", tunnel: "t" });
      pair.pass(100);
      assert.equal(pair.a.children.size, 2, "both live for a moment");
      pair.pass(6000);
      assert.equal(pair.a.children.size, 1);
      assert(!pair[who].children.has(old!));
      assertMirrored(pair.a, pair.b);
      const [established] = reportsOf(pair[who], "childEstablished").slice(-1);
      assert.equal(established!.proposal, "b" in options ? "aes256gcm16-x25519-esn" : "aes256gcm16-esn");
      assert.equal(established!.replaces, old);
    }
});

test("the initiator of a rekey sends on the new child at once; the responder when a packet comes in, or with the Delete", () => {
  const pair = establishedPair();
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(100);
  assert.equal(pair.a.using, 2);
  assert.equal(pair.b.using, 1);
  const heard = establishedPair();
  heard.wish(heard.a, { do: "rekeyChildren", tunnel: "t" });
  heard.pass(100);
  heard.handle(heard.b, { kind: "firstInbound", child: 2 });
  assert.equal(heard.b.using, 2);
  pair.pass(1100);
  assert.equal(pair.b.using, 2, "with the Delete");
  const order = pair.b.effects.slice(-2).map((e) => `${e.kind} ${"id" in e ? e.id : ""}`);
  assert.deepEqual(order, ["useChild 2", "removeChild 1"]);
});

test("the responder of a rekey switches after five seconds when neither packet nor Delete comes", () => {
  const pair = establishedPair();
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(100);
  pair.wire = () => [];
  pair.pass(4_800);
  assert.equal(pair.b.using, 1);
  pair.pass(300);
  assert.equal(pair.b.using, 2);
  assert(pair.b.children.has(1), "the old one receives on");
});

test("a child is rekeyed before its lifetime ends, and the IKE SA before its own", () => {
  const pair = establishedPair({
    a: { childLifetimeSeconds: 600, ikeLifetimeSeconds: 1500 },
    b: { childLifetimeSeconds: 6000, ikeLifetimeSeconds: 15_000 },
  });
  const { initiatorSpi } = ikeSa(pair.a);
  pair.pass(1_400_000);
  assertMirrored(pair.a, pair.b);
  assert.equal(pair.a.children.size, 1);
  const renewals = reportsOf(pair.a, "childEstablished").length - 1;
  assert(renewals >= 2 && renewals <= 4, `${renewals} renewals`);
  assert.notEqual(ikeSa(pair.a).initiatorSpi, initiatorSpi);
  assert.equal(reportsOf(pair.a, "failed").length, 0);
  assert.equal(reportsOf(pair.a, "ikeEstablished").length, 2);
});

test("an IKE SA is replaced by either side; the new one has the children, fresh message IDs, and the old one goes", () => {
  for (const who of ["a", "b"] as const) {
    const pair = establishedPair({ entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]] });
    const children = [...pair.a.children.keys()];
    pair.wish(pair[who], { do: "rekeyIke", tunnel: "t" });
    pair.pass(500);
    assert.equal(ikeSa(pair.a).role, who === "a" ? "initiator" : "responder");
    assert.equal(ikeSa(pair.a).initiatorSpi, ikeSa(pair.b).initiatorSpi);
    assert.deepEqual([...pair.a.children.keys()], children, "the data plane is not touched");
    assert.equal(ikeSa(pair.a).children.size, 2);
    pair.wish(pair.b, { do: "rekeyChildren", tunnel: "t" });
    pair.pass(80_000);
    assertMirrored(pair.a, pair.b);
    assert.equal(pair.a.endpoint.sas.size, 1);
    assert.equal(pair.b.endpoint.sas.size, 1);
  }
});

test("two rekeys of the same child at once: the one with the lowest nonce goes, by the hand of who asked for it", () => {
  const winners = new Set<string>();
  for (let seed = 1; seed <= 8; seed++) {
    const pair = establishedPair({ seed });
    pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
    pair.wish(pair.b, { do: "rekeyChildren", tunnel: "t" });
    pair.pass(50);
    assert.deepEqual([pair.a.children.size, pair.b.children.size], [3, 3], "the old one and two new ones");
    const [rivals, theirs] = [ikeSa(pair.a), ikeSa(pair.b)].map(({ children }) =>
      [...children.values()].filter(({ replaces }) => replaces === 1),
    );
    const [lost, stays] = rivals!.sort((x, y) => compare(x.origin!.lowestNonce, y.origin!.lowestNonce));
    assert.deepEqual([lost!.state, stays!.state], ["old", "live"]);
    assert.equal(theirs!.find(({ state }) => state === "live")!.pair.spiOut, stays!.pair.spiIn);
    pair.pass(6_000);
    assertMirrored(pair.a, pair.b);
    assert.deepEqual([...pair.a.children.keys()], [stays!.id]);
    assert.equal(reportsOf(pair.a, "failed").length + reportsOf(pair.b, "failed").length, 0);
    winners.add(stays!.origin!.asked ? "A" : "B");
  }
  assert.deepEqual([...winners].sort(), ["A", "B"], "the nonces decide, not the role");
});

test("the loser of two rekeys goes while the peer still waits for the answer that makes the winner: the old child serves until then", () => {
  let seen = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const pair = establishedPair({ seed });
    pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
    pair.wish(pair.b, { do: "rekeyChildren", tunnel: "t" });
    // B waits for A's answer; its own answers and A's requests come through.
    pair.wire = ({ from, bytes }) => (from === "A" && ikeHeader(decodeRawHeader(bytes)).response ? [] : [bytes]);
    pair.pass(500);
    const { children } = ikeSa(pair.a);
    const [stays] = [...children.values()].filter(({ state }) => state === "live");
    if (stays!.origin!.asked) continue;
    seen++;
    assert.equal(pair.a.using, 1);
    pair.pass(1_500);
    assert.ok(
      [...ikeSa(pair.a).children.values()].every(
        ({ id, state }) => [1, stays!.id].includes(id) || state === "deleting",
      ),
    );
    assert.equal(pair.a.using, 1, "B cannot receive on the winner yet");
    pair.wire = ({ bytes }) => [bytes];
    pair.pass(6_000);
    assertMirrored(pair.a, pair.b);
    assert.deepEqual([pair.a.using, ...pair.a.children.keys()], [stays!.id, stays!.id]);
  }
  assert.ok(seen > 0, "the nonces of some seed decide for the peer");
});

test("a rival that its creator does not delete is deleted here after a while", () => {
  const pair = establishedPair();
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.wish(pair.b, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(50);
  const loser = [...ikeSa(pair.a).children.values()].find(({ state, replaces }) => state === "old" && replaces === 1)!;
  const [keeper, creator] = loser.origin!.asked ? [pair.b, pair.a] : [pair.a, pair.b];
  const spi = loser.origin!.asked ? loser.pair.spiOut : loser.pair.spiIn;
  // A creator that forgets: its Deletes come to nothing.
  pair.wire = ({ from, bytes }) => (from === creator.name ? [] : [bytes]);
  pair.pass(10_000);
  assert([...keeper.children.values()].some(({ spiIn }) => spiIn === spi));
  const wishes = ikeSa(keeper).wishes.filter((w) => w.do === "delete" && w.spi === spi);
  assert.equal(wishes.length, 1);
  assert(wishes[0]!.at > pair.now + 50_000, "it is left to its creator for longer than a request lives");
});

test("two rekeys of the IKE SA at once: both new ones are born, one goes, and the other one has the children", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const pair = establishedPair({ seed });
    const old = ikeSa(pair.a).initiatorSpi;
    pair.wish(pair.a, { do: "rekeyIke", tunnel: "t" });
    pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
    pair.pass(15);
    const heirs = [pair.a, pair.b].map(({ endpoint }) =>
      [...endpoint.sas.values()].filter((sa) => sa.phase === "heir"),
    );
    assert.deepEqual(
      [heirs[0]!.length, heirs[1]!.length],
      [1, 1],
      "each waits with the peer's new IKE SA for its own answer",
    );
    pair.pass(1_000);
    assert.notEqual(ikeSa(pair.a).initiatorSpi, old);
    assert.equal(ikeSa(pair.a).initiatorSpi, ikeSa(pair.b).initiatorSpi);
    assert.deepEqual([...ikeSa(pair.a).children.keys()], [1]);
    pair.pass(80_000);
    assert.deepEqual([pair.a.endpoint.sas.size, pair.b.endpoint.sas.size], [1, 1]);
    assert.equal(reportsOf(pair.a, "failed").length + reportsOf(pair.b, "failed").length, 0);
  }
});

test("two rekeys of the IKE SA at once, and a rekey of both kinds at once, end in one IKE SA with its children", () => {
  for (const [mine, theirs] of [
    ["rekeyIke", "rekeyIke"],
    ["rekeyIke", "rekeyChildren"],
    ["rekeyChildren", "rekeyIke"],
  ] as const) {
    const pair = establishedPair();
    pair.wish(pair.a, { do: mine, tunnel: "t" });
    pair.wish(pair.b, { do: theirs, tunnel: "t" });
    pair.pass(120_000);
    assert.equal(ikeSa(pair.a).initiatorSpi, ikeSa(pair.b).initiatorSpi);
    assertMirrored(pair.a, pair.b);
    assert.equal(pair.a.children.size, 1);
    assert.equal(reportsOf(pair.a, "failed").length, 0);
  }
});

test("INVALID_KE_PAYLOAD in a rekey makes the initiator try the group that the peer wants", () => {
  const pair = establishedPair({
    a: { espProposals: ["aes256gcm16-x25519-ecp256"] },
    b: { espProposals: ["aes256gcm16-ecp256"] },
  });
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(6000);
  assert.equal(reportsOf(pair.a, "childEstablished").at(-1)!.proposal, "aes256gcm16-ecp256-esn");
  assertMirrored(pair.a, pair.b);
  assert.equal(reportsOf(pair.a, "failed").length, 0);
  // The IKE SA: the responder's policy prefers what the initiator no longer begins with.
  const ike = establishedPair({
    a: { ikeProposals: ["aes256gcm16-prfsha256-x25519-ecp256"] },
    b: { ikeProposals: ["aes256gcm16-prfsha256-x25519-ecp256"] },
  });
  ike.wish(ike.a, { do: "rekeyIke", tunnel: "t" });
  ike.pass(1000);
  assert.equal(reportsOf(ike.a, "ikeEstablished").length, 2);
});

test("PFS on one side alone: the rekey is refused and told; then a new IKE SA takes over before the old child ends", () => {
  const pair = establishedPair({
    a: { espProposals: ["aes256gcm16-x25519"], childLifetimeSeconds: 600 },
    b: { childLifetimeSeconds: 600 },
  });
  const { initiatorSpi } = ikeSa(pair.a);
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(1000);
  const [failed] = reportsOf(pair.a, "failed");
  assert.equal(failed!.code, "NO_PROPOSAL_CHOSEN");
  assert.match(adviceFor(failed!), /PFS/);
  assert.equal(pair.a.children.size, 1);
  assert.equal(view(pair.a).state, "established");
  pair.pass(10_000);
  assert.notEqual(ikeSa(pair.a).initiatorSpi, initiatorSpi);
  assertMirrored(pair.a, pair.b);
  assert.deepEqual([...pair.a.children.keys()], [2]);
  const order = pair.a.effects.map((e) => `${e.kind} ${"id" in e ? e.id : ""}`);
  assert(order.indexOf("useChild 2") < order.indexOf("removeChild 1"), "made before the old one is broken");
  assert.equal(reportsOf(pair.b, "ikeClosed").length, 1);
});

test("a child that cannot be rekeyed ends at its hard limit, at both ends, and its mapping is asked for again", () => {
  const pair = establishedPair({ a: { childLifetimeSeconds: 60 }, b: { childLifetimeSeconds: 600 } });
  // Every request of A is refused while it would renew the child.
  const busy = pair.wire;
  pair.wire = (datagram) => (datagram.from === "A" && datagram.bytes[18] === 36 ? [] : busy(datagram));
  pair.handle(pair.a, { kind: "alive", children: [1] });
  for (let i = 0; i < 30; i++) {
    pair.pass(2000);
    pair.handle(pair.a, { kind: "alive", children: [...pair.a.children.keys()] });
  }
  assert(reportsOf(pair.a, "childClosed").some(({ reason }) => reason === "its lifetime has ended"));
  pair.wire = busy;
  pair.pass(120_000);
  assert.equal(view(pair.a).state, "established");
  assertMirrored(pair.a, pair.b);
});

test("the IKE SA ends at its hard limit when no rekey comes through, and is built anew", () => {
  const pair = establishedPair({ a: { ikeLifetimeSeconds: 100, dpdSeconds: 300 }, b: { dpdSeconds: 300 } });
  pair.wire = ({ from, bytes }) => (from === "B" && bytes[18] === 36 ? [] : [bytes]);
  pair.pass(101_000);
  assert(reportsOf(pair.a, "ikeClosed").length > 0);
  pair.wire = ({ bytes }) => [bytes];
  pair.pass(60_000);
  assert.equal(view(pair.a).state, "established");
  assertMirrored(pair.a, pair.b);
});

test("a rekey of a child that is not there is answered with CHILD_SA_NOT_FOUND and its SPI", () => {
  const pair = establishedPair();
  const nonce = payload("Nonce", { nonce: new Uint8Array(32) });
  const ts = { selectors: [...pair.b.children.values()][0]!.remote, unknown: [] };
  const request = forge(
    pair.a,
    "CREATE_CHILD_SA",
    [
      payload("N", espNotification("REKEY_SA", 0x12345678)),
      payload("SA", {
        proposals: [
          {
            number: 1,
            protocol: "ESP",
            spi: new Uint8Array(4),
            transforms: [{ type: 1, id: 20, keyBits: 256, attributes: [] }],
          },
        ],
      }),
      nonce,
      payload("TSi", ts),
      payload("TSr", ts),
    ],
    { messageId: 2 },
  );
  pair.inject(pair.b, request);
  const [refusal] = lastNotifies(pair, pair.b, pair.a);
  assert.equal(refusal!.notify, "CHILD_SA_NOT_FOUND");
  assert.deepEqual([...refusal!.spi], [0x12, 0x34, 0x56, 0x78]);
});

test("a peer that no longer knows the child is believed: CHILD_SA_NOT_FOUND, and the mapping is asked for anew", () => {
  const pair = establishedPair();
  pair.wire = ({ from }) => (from === "A" ? [] : []);
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.wire = ({ bytes }) => [bytes];
  const spi = [...pair.a.children.values()][0]!.spiIn;
  pair.inject(
    pair.a,
    forge(pair.b, "CREATE_CHILD_SA", [payload("N", espNotification("CHILD_SA_NOT_FOUND", spi))], {
      response: true,
      messageId: 2,
    }),
  );
  assert.equal(pair.a.children.size, 0);
  assert.equal(reportsOf(pair.a, "childClosed")[0]!.reason, "the peer does not know this child any more");
  assert.match(view(pair.a).children[0]!.reason, /does not know this child/);
});

test("NO_ADDITIONAL_SAS leaves the child serving; the rekey is tried again later", () => {
  const pair = establishedPair();
  pair.wire = () => [];
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.inject(
    pair.a,
    forge(pair.b, "CREATE_CHILD_SA", [payload("N", notification("NO_ADDITIONAL_SAS"))], {
      response: true,
      messageId: 2,
    }),
  );
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "NO_ADDITIONAL_SAS");
  assert.equal(pair.a.children.size, 1);
  assert.equal(view(pair.a).state, "established");
});

test("the soft volume limit renews a child, the hard one ends it and asks anew", () => {
  const pair = establishedPair({ changeA: (t) => ({ ...t, esp: { ...t.esp, volumeOctets: 1000 } }) });
  assert.deepEqual([...pair.a.children.values()][0]!.volume, {
    softOctets: 900,
    hardOctets: 1000,
    softPackets: 0,
    hardPackets: 0,
  });
  pair.handle(pair.a, { kind: "limit", child: 1, limit: "soft" });
  pair.pass(6000);
  assert.deepEqual([...pair.a.children.keys()], [2]);
  pair.handle(pair.a, { kind: "limit", child: 2, limit: "hard" });
  assert.equal(pair.a.children.size, 0);
  pair.pass(6000);
  assertMirrored(pair.a, pair.b);
  assert.equal(pair.a.children.size, 1);
});

test("a public value that is not valid fails the rekey alone", () => {
  const pair = establishedPair(PFS);
  pair.b.answer = ({ kind }) =>
    kind === "publicValue" ? { kind: "publicValue", publicValue: new Uint8Array(32) } : undefined;
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(1000);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "INVALID_KE_PAYLOAD");
  assert(pair.a.children.has(1));
  delete pair.b.answer;
  pair.pass(30_000);
  assertMirrored(pair.a, pair.b);
});

test("a child that the data plane refuses ends at both ends, is told, and is asked for again after a pause", () => {
  const pair = establishedPair();
  pair.handle(pair.a, { kind: "childRefused", child: 1, reason: "no socket has the address 192.0.2.1" });
  assert.equal(pair.a.children.size, 0);
  assert.match(view(pair.a).children[0]!.reason, /no socket has the address/);
  assert(reportsOf(pair.a, "failed").some(({ code }) => code === "DATAPLANE_REFUSED"));
  pair.pass(100);
  assert.equal(pair.b.children.size, 0, "the peer is told");
  pair.pass(120_000);
  assertMirrored(pair.a, pair.b);
});
