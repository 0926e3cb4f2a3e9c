import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, addressOctets, formatSocketAddress, type Path, parseAddress } from "../../../esp/address.js";
import type { Effect } from "../../../ike/core/types.js";
import { outboundKeys } from "../../../ike/v2/keys.js";
import { openMessage } from "../../../ike/wire/encrypted.js";
import { bodiesOf, decodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { type NotifyPayload, notification } from "../../../ike/wire/payloads/notify.js";
import { ADDRESS_A, ADDRESS_B } from "../../sim/policies.js";
import {
  assertMirrored,
  createPair,
  type Datagram,
  establishedPair,
  forge,
  ikeSa,
  type Pair,
  type PairOptions,
  reportsOf,
  type Side,
  view,
} from "./pair.js";

const NEW = parseAddress("203.0.113.50");
const FURTHER = parseAddress("198.51.100.77");
const ROAMS: PairOptions = { a: { anyLocal: true }, b: { anyLocal: true } };

/** A resolver for both sides that knows where each of them stands. */
function located(pair: Pair, at: { a: Address; b: Address }): Pair {
  pair.a.answer = (q) =>
    q.kind === "resolve" ? { kind: "resolve", addresses: [{ remote: at.b, local: at.a }] } : undefined;
  pair.b.answer = (q) =>
    q.kind === "resolve" ? { kind: "resolve", addresses: [{ remote: at.a, local: at.b }] } : undefined;
  return pair;
}

function roamingPair(options: PairOptions = {}): { readonly pair: Pair; readonly at: { a: Address; b: Address } } {
  const at = { a: ADDRESS_A, b: ADDRESS_B };
  const pair = located(
    createPair({ ...ROAMS, ...options, a: { ...ROAMS.a, ...options.a }, b: { ...ROAMS.b, ...options.b } }),
    at,
  );
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  return { pair, at };
}

function move(pair: Pair, side: Side, to: Address): readonly Effect[] {
  return pair.handle(side, { kind: "addresses", addresses: [to] });
}

/** Where a side sends ESP. */
const ways = (side: Side) =>
  [...ikeSa(side).children.values()].map(
    ({ pair }) => `${formatSocketAddress(pair.path.local)} ${formatSocketAddress(pair.path.remote)}`,
  );
const updates = (side: Side) => side.effects.filter(({ kind }) => kind === "updateChild").length;

/** The notifications of a protected message of an IKE SA that is established. */
function notifiesOf(pair: Pair, { from, bytes }: Datagram): readonly NotifyPayload[] {
  const sa = [...(from === "A" ? pair.a : pair.b).endpoint.sas.values()].find(({ phase }) => phase === "established");
  if (sa?.phase !== "established") return [];
  const { keys, role, negotiated } = sa;
  const opened = openMessage(bytes, decodeMessage(bytes), negotiated.suite, outboundKeys(keys, role));
  return opened === undefined ? [] : bodiesOf(opened.payloads, "N");
}

const namesOf = (list: readonly NotifyPayload[]) => list.map(({ notify }) => notify);

test("both sides announce MOBIKE in IKE_AUTH, which goes to port 4500; either can leave it", () => {
  const pair = establishedPair();
  assert.deepEqual(ikeSa(pair.a).mobike, { decides: true, further: [] });
  assert.deepEqual(ikeSa(pair.b).mobike, { decides: false, further: [] });
  assert.equal(ikeSa(pair.a).path.remote.port, 4500);
  for (const side of [{ a: { mobike: false } }, { b: { mobike: false } }]) {
    const without = establishedPair(side);
    assert.equal(ikeSa(without.a).mobike, undefined);
    assert.equal(ikeSa(without.b).mobike, undefined);
  }
});

test("the initiator's address changes: IKE SA and children move, and the responder's children wait for the proof", () => {
  const { pair, at } = roamingPair();
  at.a = NEW;
  move(pair, pair.a, NEW);
  assert.deepEqual(ways(pair.a), ["203.0.113.50:4500 198.51.100.2:4500"]);
  pair.pass(11);
  assert.deepEqual(ways(pair.b), ["198.51.100.2:4500 192.0.2.1:4500"], "not yet proven");
  assert.deepEqual(ikeSa(pair.b).path.remote.address, NEW);
  pair.pass(1_000);
  assert.deepEqual(ways(pair.b), ["198.51.100.2:4500 203.0.113.50:4500"]);
  assert.deepEqual([updates(pair.a), updates(pair.b)], [1, 1]);
  assertMirrored(pair.a, pair.b);
  const told = pair.sent.slice(-4).map((datagram) => namesOf(notifiesOf(pair, datagram)));
  assert.deepEqual(told, [
    ["UPDATE_SA_ADDRESSES", "NAT_DETECTION_SOURCE_IP", "NAT_DETECTION_DESTINATION_IP"],
    ["NAT_DETECTION_SOURCE_IP", "NAT_DETECTION_DESTINATION_IP"],
    ["COOKIE2"],
    ["COOKIE2"],
  ]);
});

test("the responder's address changes: it speaks from there, and the initiator moves both", () => {
  const { pair, at } = roamingPair();
  at.b = NEW;
  move(pair, pair.b, NEW);
  pair.pass(1_000);
  assert.deepEqual(ways(pair.a), ["192.0.2.1:4500 203.0.113.50:4500"]);
  assert.deepEqual(ways(pair.b), ["203.0.113.50:4500 192.0.2.1:4500"]);
});

test("an address that stays, a host without a route, and a configured address move nothing", () => {
  const { pair, at } = roamingPair();
  const sent = pair.sent.length;
  move(pair, pair.a, ADDRESS_A);
  pair.a.answer = (q) => (q.kind === "resolve" ? { kind: "refused", reason: "there is no route" } : undefined);
  move(pair, pair.a, NEW);
  located(pair, at);
  pair.pass(1_000);
  assert.equal(pair.sent.length, sent);
  const bound = establishedPair();
  assert.deepEqual(move(bound, bound.a, NEW), []);
});

test("a request that is open when the address changes goes out again from the new one, and is answered before the update", () => {
  const { pair, at } = roamingPair();
  pair.wire = () => [];
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(100);
  pair.wire = ({ bytes }) => [bytes];
  at.a = NEW;
  const again = move(pair, pair.a, NEW).filter((e) => e.kind === "send");
  assert.equal(again.length, 1);
  pair.pass(3_000);
  assertMirrored(pair.a, pair.b);
  for (const way of ways(pair.b)) assert.equal(way, "198.51.100.2:4500 203.0.113.50:4500");
  for (const way of ways(pair.a)) assert.equal(way, "203.0.113.50:4500 198.51.100.2:4500");
});

test("a second change while the first update is under way ends at the last address", () => {
  const { pair, at } = roamingPair();
  at.a = NEW;
  move(pair, pair.a, NEW);
  at.a = FURTHER;
  move(pair, pair.a, FURTHER);
  pair.pass(5_000);
  assert.deepEqual(ways(pair.b), ["198.51.100.2:4500 198.51.100.77:4500"]);
  assert.deepEqual(ikeSa(pair.b).path.remote.address, FURTHER);
});

test("the update and the proof survive loss, and a rekey of the IKE SA in between", () => {
  const { pair, at } = roamingPair({ a: { dpdSeconds: 200 }, b: { dpdSeconds: 200 } });
  let count = 0;
  pair.wire = ({ bytes }) => (count++ % 3 === 1 ? [bytes] : []);
  at.a = NEW;
  move(pair, pair.a, NEW);
  pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
  pair.pass(60_000);
  pair.wire = ({ bytes }) => [bytes];
  pair.pass(20_000);
  assert.deepEqual(ways(pair.b), ["198.51.100.2:4500 203.0.113.50:4500"]);
  assert.deepEqual([ikeSa(pair.a).mobike?.decides, ikeSa(pair.b).mobike?.decides], [true, false]);
});

test("after a rekey by the other side the first initiator still decides", () => {
  const { pair, at } = roamingPair();
  pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
  pair.pass(2_000);
  assert.equal(ikeSa(pair.a).role, "responder");
  at.a = NEW;
  move(pair, pair.a, NEW);
  pair.pass(1_000);
  assert.deepEqual(ways(pair.b), ["198.51.100.2:4500 203.0.113.50:4500"]);
});

/** A message of A's that B gets along this path. */
function fromA(
  pair: Pair,
  payloads: readonly Payload[],
  messageId: number,
  remote = formerly(pair),
): readonly Effect[] {
  const path: Path = { local: { address: ADDRESS_B, port: 4500 }, remote };
  return pair.handle(pair.b, {
    kind: "datagram",
    path,
    bytes: forge(pair.a, "INFORMATIONAL", payloads, { messageId }),
  });
}

const formerly = (pair: Pair) => ikeSa(pair.b).path.remote;
const one = (notify: NotifyPayload["notify"], data?: Uint8Array) => payload("N", notification(notify, data));
const answers = (pair: Pair, effects: readonly Effect[]) =>
  effects.flatMap((e) =>
    e.kind === "send" ? namesOf(notifiesOf(pair, { from: "B", path: e.path, bytes: e.bytes })) : [],
  );

test("addresses that no peer can have are UNACCEPTABLE_ADDRESSES, and nothing moves", () => {
  const { pair } = roamingPair();
  const before = ways(pair.b);
  for (const [n, address] of ["224.0.0.5", "127.0.0.1", "0.0.0.0", "255.255.255.255"].entries()) {
    const effects = fromA(pair, [one("UPDATE_SA_ADDRESSES")], 2 + n, { address: parseAddress(address), port: 4500 });
    assert.deepEqual(answers(pair, effects), ["UNACCEPTABLE_ADDRESSES"], address);
  }
  assert.deepEqual(ways(pair.b), before);
  assert.deepEqual(ikeSa(pair.b).path.remote.address, ADDRESS_A);
});

test("NO_NATS_ALLOWED with other addresses than the packet's is UNEXPECTED_NAT_DETECTED, with the same it is an update", () => {
  const { pair } = roamingPair();
  const remote = { address: NEW, port: 4500 };
  const said = (from: Address) =>
    one(
      "NO_NATS_ALLOWED",
      new Uint8Array([...addressOctets(from), ...addressOctets(ADDRESS_B), 0x11, 0x94, 0x11, 0x94]),
    );
  const refused = fromA(pair, [one("UPDATE_SA_ADDRESSES"), said(ADDRESS_A)], 2, remote);
  assert.deepEqual(answers(pair, refused), ["UNEXPECTED_NAT_DETECTED"]);
  assert.deepEqual(ikeSa(pair.b).path.remote.address, ADDRESS_A);
  fromA(pair, [one("UPDATE_SA_ADDRESSES"), said(NEW)], 3, remote);
  assert.deepEqual(ikeSa(pair.b).path.remote.address, NEW);
});

test("the peer's NAT is seen anew with each update, and ESP goes into UDP or out of it", () => {
  const { pair } = roamingPair();
  assert.equal([...ikeSa(pair.b).children.values()][0]!.pair.encapsulation, "esp");
  const wrong = [
    one("NAT_DETECTION_SOURCE_IP", new Uint8Array(20)),
    one("NAT_DETECTION_DESTINATION_IP", new Uint8Array(20)),
  ];
  fromA(pair, [one("UPDATE_SA_ADDRESSES"), ...wrong], 2);
  assert.equal([...ikeSa(pair.b).children.values()][0]!.pair.encapsulation, "udp");
  assert.deepEqual(ikeSa(pair.b).negotiated.nat, { supported: true, here: true, peer: true });
});

test("a peer that does not repeat our COOKIE2 loses the IKE SA, and no child of ours sends to the address", () => {
  const { pair, at } = roamingPair();
  at.a = NEW;
  pair.wire = ({ from, bytes, path }) =>
    from === "A" && namesOf(notifiesOf(pair, { from, bytes, path })).includes("COOKIE2")
      ? [forge(pair.a, "INFORMATIONAL", [one("COOKIE2", new Uint8Array(32))], { response: true, messageId: 0 })]
      : [bytes];
  move(pair, pair.a, NEW);
  pair.pass(1_000);
  assert.equal(updates(pair.b), 0);
  assert(reportsOf(pair.b, "failed").some(({ detail }) => /COOKIE2/.test(detail)));
});

test("further addresses are remembered, bounded, replaced by the next list, and of the right length", () => {
  const { pair } = roamingPair();
  const many = Array.from({ length: 30 }, (_, i) => one("ADDITIONAL_IP4_ADDRESS", new Uint8Array([198, 51, 100, i])));
  fromA(pair, many, 2);
  assert.equal(ikeSa(pair.b).mobike?.further.length, 8);
  fromA(
    pair,
    [
      one("ADDITIONAL_IP6_ADDRESS", addressOctets(parseAddress("2001:db8::9"))),
      one("ADDITIONAL_IP4_ADDRESS", new Uint8Array([127, 0, 0, 1])),
    ],
    3,
  );
  assert.deepEqual(ikeSa(pair.b).mobike?.further, [parseAddress("2001:db8::9")]);
  fromA(pair, [], 4);
  assert.equal(ikeSa(pair.b).mobike?.further.length, 1, "nothing said, nothing changed");
  fromA(pair, [one("NO_ADDITIONAL_ADDRESSES")], 5);
  assert.deepEqual(ikeSa(pair.b).mobike?.further, []);
  fromA(pair, [one("ADDITIONAL_IP4_ADDRESS", new Uint8Array(5))], 6);
  assert(reportsOf(pair.b, "failed").some(({ code }) => code === "INVALID_SYNTAX"));
});

test("when the way to the peer is dead, its further addresses are tried, and the one that answers is taken", () => {
  const { pair } = roamingPair({ a: { dpdSeconds: 30 }, b: { dpdSeconds: 300 } });
  const { mobike } = ikeSa(pair.a);
  const [key, sa] = [...pair.a.endpoint.sas][0]!;
  pair.a.endpoint = {
    ...pair.a.endpoint,
    sas: pair.a.endpoint.sas.with(key, { ...sa, mobike: { ...mobike!, further: [FURTHER] } } as typeof sa),
  };
  const dead = (path: Path) => [path.local, path.remote].some(({ address }) => address.value === ADDRESS_B.value);
  pair.wire = ({ bytes, path }) => (dead(path) ? [] : [bytes]);
  pair.pass(30_000);
  assert.deepEqual(ways(pair.a), ["192.0.2.1:4500 198.51.100.77:4500"]);
  assert.deepEqual(ways(pair.b), ["198.51.100.77:4500 192.0.2.1:4500"]);
});

test("an update in an IKE SA without MOBIKE, or by the side that does not decide, moves nothing", () => {
  const pair = establishedPair({ b: { mobike: false } });
  const remote = { address: NEW, port: 4500 };
  fromA(pair, [one("UPDATE_SA_ADDRESSES"), one("COOKIE2", new Uint8Array(8))], 2, remote);
  assert.deepEqual(ikeSa(pair.b).path.remote.address, ADDRESS_A);
  const other = roamingPair().pair;
  const bytes = forge(other.b, "INFORMATIONAL", [one("UPDATE_SA_ADDRESSES")], { messageId: 0 });
  const path = { local: { address: ADDRESS_A, port: 4500 }, remote };
  other.handle(other.a, { kind: "datagram", path, bytes });
  assert.deepEqual(ikeSa(other.a).path.remote.address, ADDRESS_B);
});

test("without MOBIKE an address that is gone brings a new IKE SA beside the old one", () => {
  const { pair, at } = roamingPair({ b: { mobike: false }, changeB: (t) => ({ ...t, peer: { kind: "any" } }) });
  at.a = NEW;
  move(pair, pair.a, NEW);
  pair.pass(15_000);
  assert.deepEqual(ikeSa(pair.a).path.local.address, NEW);
  assert.equal(view(pair.a).state, "established");
});

test("with MOBIKE a packet from another address moves nothing by itself, from another port of a NAT it does", () => {
  const pair = establishedPair({
    a: { dpdSeconds: 300 },
    b: { dpdSeconds: 300 },
    changeA: (t) => ({ ...t, encapsulation: "udp" }),
  });
  const [child] = [...ikeSa(pair.b).children.keys()];
  const from = (address: Address, port: number): Path => ({
    local: { address: ADDRESS_B, port: 4500 },
    remote: { address, port },
  });
  pair.handle(pair.b, { kind: "moved", child: child!, path: from(NEW, 4500) });
  assert.deepEqual(ikeSa(pair.b).path.remote, { address: ADDRESS_A, port: 4500 });
  pair.handle(pair.b, { kind: "moved", child: child!, path: from(ADDRESS_A, 40_000) });
  assert.deepEqual(ikeSa(pair.b).path.remote, { address: ADDRESS_A, port: 40_000 });
});

test("behind a NAT the probe asks how the peer sees us, and a change brings an update", () => {
  const pair = establishedPair({ a: { dpdSeconds: 30 }, b: { dpdSeconds: 300, encapsulation: "udp" } });
  const sa = ikeSa(pair.a);
  const key = [...pair.a.endpoint.sas.keys()][0]!;
  const nat = { ...sa.negotiated.nat, here: true };
  pair.a.endpoint = {
    ...pair.a.endpoint,
    sas: pair.a.endpoint.sas.with(key, { ...sa, negotiated: { ...sa.negotiated, nat } }),
  };
  pair.pass(12_000);
  assert(ikeSa(pair.a).mobike?.seen !== undefined);
  // What it sees now is not what it saw before.
  const now = ikeSa(pair.a);
  pair.a.endpoint = {
    ...pair.a.endpoint,
    sas: pair.a.endpoint.sas.with(key, { ...now, mobike: { ...now.mobike!, seen: new Uint8Array(20) } }),
  };
  pair.pass(12_000);
  assert(pair.sent.some((d) => d.from === "A" && namesOf(notifiesOf(pair, d)).includes("UPDATE_SA_ADDRESSES")));
});
