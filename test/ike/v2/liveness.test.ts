import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../../esp/address.js";
import { payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { assertMirrored, establishedPair, forge, ikeSa, type Pair, reportsOf, view } from "./pair.js";

const probes = (pair: Pair, from: "A" | "B") =>
  pair.sent.filter((d) => d.from === from && d.bytes[18] === 37 && (d.bytes[19]! & 0x20) === 0);

test("silence for a third of the timeout is answered with a probe, and the answer is life", () => {
  const pair = establishedPair({ b: { dpdSeconds: 300 } });
  pair.sent.length = 0;
  pair.pass(7_900);
  assert.equal(probes(pair, "A").length, 0);
  pair.pass(300);
  assert.equal(probes(pair, "A").length, 1);
  pair.pass(60_000);
  assert(probes(pair, "A").length >= 6);
  assert.equal(view(pair.a).state, "established");
});

test("an authenticated ESP packet is life as well: no probe while traffic comes in", () => {
  const pair = establishedPair({ b: { dpdSeconds: 300 } });
  pair.sent.length = 0;
  for (let i = 0; i < 20; i++) {
    pair.pass(5_000);
    pair.handle(pair.a, { kind: "alive", children: [1] });
  }
  assert.equal(probes(pair, "A").length, 0);
});

test("a peer that falls silent is declared dead at the timeout after its last sign of life, not before and not later", () => {
  for (const timeout of [10, 30, 120, 300]) {
    const pair = establishedPair({ a: { dpdSeconds: timeout, dpdAction: "clear" }, b: { dpdSeconds: 300 } });
    const { lastAlive } = ikeSa(pair.a);
    pair.wire = () => [];
    pair.pass(lastAlive + timeout * 1000 - 10 - pair.now);
    assert.equal(view(pair.a).state, "established", `${timeout} s`);
    pair.pass(20);
    assert.equal(pair.a.children.size, 0, `${timeout} s`);
    assert.equal(view(pair.a).state, "down");
    assert.match(view(pair.a).reason, /the peer is dead/);
  }
});

test("`restart` calls a dead peer again and again until it answers; `clear` waits for the peer", () => {
  const pair = establishedPair({ a: { dpdSeconds: 30 } });
  pair.wire = () => [];
  pair.pass(300_000);
  assert.equal(view(pair.a).state, "connecting");
  assert.equal(view(pair.b).state, "passive");
  assert.match(view(pair.b).reason, /the peer is dead.*waits for the peer/);
  pair.wire = ({ bytes }) => [bytes];
  pair.pass(61_000);
  assert.equal(view(pair.a).state, "established");
  assertMirrored(pair.a, pair.b);
});

test("without liveness detection an unanswered request ends the IKE SA after a minute, and silence does nothing", () => {
  const off = ({
    dpd: _,
    ...tunnel
  }: Parameters<NonNullable<NonNullable<Parameters<typeof establishedPair>[0]>["changeA"]>>[0]) => tunnel;
  const pair = establishedPair({ changeA: off, changeB: off });
  pair.wire = () => [];
  pair.pass(600_000);
  assert.equal(view(pair.a).state, "established");
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(59_900);
  assert.equal(pair.a.children.size, 1);
  pair.pass(200);
  assert.equal(pair.a.children.size, 0);
});

test("a Delete of the child alone: answered with our SPI, and the mapping comes back with `close: restart`, after a pause", () => {
  const pair = establishedPair();
  const [child] = pair.b.children.values();
  pair.inject(
    pair.a,
    forge(pair.b, "INFORMATIONAL", [payload("D", { protocol: "ESP", spis: [child!.spiIn] })], { messageId: 0 }),
  );
  assert.equal(pair.a.children.size, 0);
  assert.match(view(pair.a).children[0]!.reason, /the peer deleted this child; next try in \d s/);
  pair.pass(1_000);
  assert.equal(pair.a.children.size, 0);
  pair.pass(5_000);
  assert.equal(pair.a.children.size, 1);
});

test("`close: none` leaves a deleted child down, with the reason", () => {
  const pair = establishedPair({ a: { close: "none" } });
  const [child] = pair.b.children.values();
  pair.inject(
    pair.a,
    forge(pair.b, "INFORMATIONAL", [payload("D", { protocol: "ESP", spis: [child!.spiIn] })], { messageId: 0 }),
  );
  pair.pass(20_000);
  assert.equal(pair.a.children.size, 0);
  assert.deepEqual(
    [view(pair.a).children[0]!.state, view(pair.a).children[0]!.reason],
    ["down", "the peer deleted this child"],
  );
});

test("the peer's Delete of the IKE SA is obeyed: `restart` calls it again after a pause, `none` does not", () => {
  for (const close of ["restart", "none"] as const) {
    const pair = establishedPair({ a: { close } });
    pair.inject(
      pair.a,
      forge(pair.b, "INFORMATIONAL", [payload("D", { protocol: "IKE", spis: [] })], { messageId: 0 }),
    );
    pair.pass(1_000);
    assert.equal(pair.a.children.size, 0);
    pair.pass(10_000);
    assert.equal(view(pair.a).state, close === "restart" ? "established" : "down");
  }
});

test("a lost answer to a Delete of the IKE SA is repeated, octet for octet", () => {
  const pair = establishedPair();
  let lost = 0;
  pair.wire = ({ from, bytes }) => (from === "B" && lost++ === 0 ? [] : [bytes]);
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.pass(2_000);
  const answers = pair.sent.filter(({ from, bytes }) => from === "B" && bytes[18] === 37);
  assert.equal(answers.length, 2);
  assert.deepEqual(answers[0]!.bytes, answers[1]!.bytes);
  assert.equal(pair.a.endpoint.sas.size, 0);
});

test("both ends delete at once: both are rid of it", () => {
  const pair = establishedPair();
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.wish(pair.b, { do: "down", tunnel: "t" });
  pair.pass(30_000);
  assert.equal(pair.a.endpoint.sas.size + pair.b.endpoint.sas.size, 0);
});

test("an authenticated AUTHENTICATION_FAILED from the peer ends the IKE SA", () => {
  const pair = establishedPair();
  pair.inject(
    pair.a,
    forge(pair.b, "INFORMATIONAL", [payload("N", notification("AUTHENTICATION_FAILED"))], { messageId: 0 }),
  );
  assert.equal(pair.a.children.size, 0);
  assert.match(reportsOf(pair.a, "ikeClosed")[0]!.reason, /AUTHENTICATION_FAILED/);
});

// --- NAT -----------------------------------------------------------------------------------------------------------

const OUTSIDE = { address: parseAddress("203.0.113.9"), port: 40_000 };

/** A behind a NAT that B sees at `OUTSIDE`. */
function behindNat() {
  const pair = establishedPair({
    a: { dpdSeconds: 300, mobike: false },
    b: { dpdSeconds: 300, encapsulation: "auto" },
    changeA: (t) => ({ ...t, encapsulation: "udp" }),
  });
  return pair;
}

test("behind a NAT a keepalive leaves every interval in which nothing else did; without one none does", () => {
  const pair = establishedPair({
    a: { dpdSeconds: 300 },
    b: { dpdSeconds: 300, encapsulation: "udp" },
    changeA: (t) => ({ ...t, ike: { ...t.ike, keepaliveSeconds: 20 } }),
  });
  // B fakes a NAT in front of itself, so that A sees one at the peer, and none here.
  pair.pass(90_000);
  assert.equal(pair.a.effects.filter(({ kind }) => kind === "keepalive").length, 0);
  const [key, sa] = [...pair.a.endpoint.sas][0]!;
  assert(sa.phase === "established");
  const nat = { ...sa.negotiated.nat, here: true };
  pair.a.endpoint = {
    ...pair.a.endpoint,
    sas: pair.a.endpoint.sas.with(key, { ...sa, lastSent: pair.now, negotiated: { ...sa.negotiated, nat } }),
  };
  for (const side of [pair.a, pair.b]) pair.handle(side, { kind: "alive", children: [1] });
  pair.pass(65_000);
  const keepalives = pair.a.effects.filter((e) => e.kind === "keepalive");
  assert.equal(keepalives.length, 3);
  assert.equal(keepalives[0]!.path.remote.port, 4500);
});

test("the side without a NAT follows an authenticated packet, of IKE or of ESP, from another address", () => {
  const pair = behindNat();
  const [child] = pair.b.children.values();
  const moved = { local: child!.path.local, remote: OUTSIDE };
  pair.handle(pair.b, { kind: "moved", child: child!.id, path: moved });
  assert.deepEqual(ikeSa(pair.b).path.remote, OUTSIDE);
  const update = pair.b.effects.findLast(({ kind }) => kind === "updateChild");
  assert.deepEqual(update, { kind: "updateChild", id: child!.id, path: moved, encapsulation: "udp" });

  const again = behindNat();
  const probe = forge(again.a, "INFORMATIONAL", [], { messageId: 2 });
  again.handle(again.b, {
    kind: "datagram",
    path: { local: ikeSa(again.b).path.local, remote: OUTSIDE },
    bytes: probe,
  });
  assert.deepEqual(ikeSa(again.b).path.remote, OUTSIDE);
  assert.deepEqual(again.sent.at(-1)!.path.remote, OUTSIDE, "the answer goes where the request came from");
});

test("the side behind the NAT does not follow, and a forged packet moves nobody", () => {
  const pair = behindNat();
  const before = ikeSa(pair.b).path;
  const forged = forge(pair.a, "INFORMATIONAL", [], { messageId: 2 });
  forged[forged.length - 1]! ^= 1;
  pair.handle(pair.b, { kind: "datagram", path: { local: before.local, remote: OUTSIDE }, bytes: forged });
  assert.deepEqual(ikeSa(pair.b).path, before);
  const plain = establishedPair();
  const [child] = plain.a.children.values();
  plain.handle(plain.a, { kind: "moved", child: child!.id, path: { local: child!.path.local, remote: OUTSIDE } });
  assert.notDeepEqual(ikeSa(plain.a).path.remote, OUTSIDE, "no NAT was seen");
});
