import assert from "node:assert/strict";
import { test } from "node:test";
import { deadline, isEmpty } from "../../../ike/core/endpoint.js";
import { assertMirrored, createPair, establishedPair, ikeSa, reportsOf, view } from "./pair.js";

const THREE = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"], ["2001:db8:1::/48 2001:db8:2::/48"]];

test("a tunnel comes up in two round trips, with one child that both ends describe alike", () => {
  const pair = establishedPair();
  assert.deepEqual(
    pair.sent.map(({ from, bytes }) => [from, bytes[18]]),
    [
      ["A", 34],
      ["B", 34],
      ["A", 35],
      ["B", 35],
    ],
  );
  assertMirrored(pair.a, pair.b);
  const [established] = reportsOf(pair.a, "ikeEstablished");
  assert.equal(established!.proposal, "aes256gcm16-prfsha256-x25519");
  assert.equal(established!.role, "initiator");
  assert.equal(reportsOf(pair.b, "ikeEstablished")[0]!.role, "responder");
  assert.equal(reportsOf(pair.a, "childEstablished")[0]!.proposal, reportsOf(pair.b, "childEstablished")[0]!.proposal);
  assert.equal(view(pair.a).ike!.localId, "a.example");
  assert.equal(view(pair.b).ike!.peerId, "a.example");
  assert.equal(view(pair.a).ike!.spiI, view(pair.b).ike!.spiI);
});

test("each mapping gets a child of its own, one after the other, in order", () => {
  const { a, b } = establishedPair({ entries: THREE });
  assert.equal(a.children.size, 3);
  assertMirrored(a, b);
  assert.deepEqual(
    [...a.children.values()].map(({ mappings }) => mappings),
    [[0], [1], [2]],
  );
  assert.equal(view(a).children.length, 3);
  assert(view(b).children.every(({ state }) => state === "established"));
});

test("a child receives before its answer leaves, and is sent on only after", () => {
  const { b } = establishedPair();
  const order: string[] = [];
  const fresh = createPair();
  fresh.wire = ({ from, bytes }) => {
    if (from === "B" && bytes[18] === 35) order.push(`send after ${fresh.b.effects.map(({ kind }) => kind).join(" ")}`);
    return [bytes];
  };
  fresh.pass(1000);
  assert.deepEqual(order, ["send after reserveSpi installChild"]);
  assert.deepEqual(
    b.effects.map(({ kind }) => kind),
    ["reserveSpi", "installChild", "useChild"],
  );
});

test("the same inputs give the same outputs, octet for octet", () => {
  const [one, two] = [1, 2].map(() => establishedPair({ entries: THREE, seed: 77 }));
  assert.deepEqual(
    one!.sent.map(({ bytes }) => bytes),
    two!.sent.map(({ bytes }) => bytes),
  );
  assert.deepEqual(one!.a.reports, two!.a.reports);
});

test("without a NAT ESP goes bare, and without MOBIKE IKE stays on port 500", () => {
  const { a } = establishedPair({ a: { mobike: false } });
  const [child] = a.children.values();
  assert.equal(child!.encapsulation, "esp");
  assert.equal(ikeSa(a).path.remote.port, 500);
});

test("`encapsulation: udp` on either side moves both to port 4500 and UDP", () => {
  for (const options of [{ a: { encapsulation: "udp" } }, { b: { encapsulation: "udp" } }] as const) {
    const { a, b } = establishedPair(options);
    for (const side of [a, b]) {
      const [child] = side.children.values();
      assert.equal(child!.encapsulation, "udp");
      assert.equal(child!.path.local.port, 4500);
      assert.equal(child!.path.remote.port, 4500);
      assert.equal(ikeSa(side).path.remote.port, 4500);
    }
  }
});

test("`down` deletes the IKE SA at the peer and stays down; `up` brings it back", () => {
  const pair = establishedPair();
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  assert.equal(pair.a.children.size, 0, "the children go at once");
  pair.pass(60_000);
  assert.equal(view(pair.a).state, "down");
  assert.equal(pair.b.children.size, 0);
  assert(isEmpty(pair.a.endpoint));
  assert.equal(pair.a.endpoint.sas.size, 0);
  assert.equal(pair.b.endpoint.sas.size, 0);
  pair.wish(pair.a, { do: "up", tunnel: "t" });
  pair.pass(1000);
  assert.equal(view(pair.a).state, "established");
  assertMirrored(pair.a, pair.b);
});

test("`down` in the middle of a handshake leaves nothing behind", () => {
  for (let milliseconds = 0; milliseconds < 60; milliseconds += 5) {
    const pair = createPair();
    pair.pass(milliseconds);
    pair.wish(pair.a, { do: "down", tunnel: "t" });
    pair.pass(500);
    assert.equal(pair.b.children.size, 0, `after ${milliseconds} ms: the peer is told`);
    pair.pass(60_000);
    for (const side of [pair.a, pair.b]) {
      assert.equal(side.endpoint.sas.size, 0, `after ${milliseconds} ms`);
      assert.equal(side.children.size, 0);
      const reserved = side.effects.filter(({ kind }) => kind === "reserveSpi").length;
      const ended = side.effects.filter(({ kind }) => kind === "releaseSpi" || kind === "installChild").length;
      assert.equal(reserved, ended, "no reserved SPI is left");
    }
  }
});

test("a shutdown tells the peer and is over when it has answered", () => {
  const pair = establishedPair({ entries: THREE });
  pair.wish(pair.a, { do: "shutdown" });
  assert(!isEmpty(pair.a.endpoint));
  pair.pass(100);
  assert(isEmpty(pair.a.endpoint));
  assert.equal(pair.b.children.size, 0);
  assert.equal(view(pair.b).reason, "the peer deleted the IKE SA; waits for the peer");
});

test("a shutdown waits three seconds for a peer that is gone, and not longer", () => {
  const pair = establishedPair();
  pair.wire = () => [];
  pair.wish(pair.a, { do: "shutdown" });
  pair.pass(2_900);
  assert(!isEmpty(pair.a.endpoint));
  pair.pass(200);
  assert(isEmpty(pair.a.endpoint));
  assert.equal(deadline(pair.a.endpoint), undefined);
});

test("two gateways that start at once end with one IKE SA and one child for each mapping", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const pair = createPair({ seed, b: { start: "active" }, entries: THREE });
    pair.pass(60_000);
    assert.equal(ikeSa(pair.a).initiatorSpi, ikeSa(pair.b).initiatorSpi);
    assert.equal(pair.a.children.size, 3);
    assertMirrored(pair.a, pair.b);
  }
});

test("a peer that starts anew replaces what it had: INITIAL_CONTACT", () => {
  const pair = establishedPair();
  const fresh = createPair({ seed: 5 });
  pair.a.endpoint = fresh.a.endpoint;
  pair.a.children.clear();
  pair.pass(1000);
  assert.equal(pair.b.children.size, 1);
  assertMirrored(pair.a, pair.b);
  const [closed] = reportsOf(pair.b, "ikeClosed");
  assert.equal(closed!.reason, "the peer has started anew and knows nothing of it");
});
