import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../../crypto/bytes.js";
import { outboundKeys } from "../../../ike/v2/keys.js";
import { messageContent } from "../../../ike/wire/encrypted.js";
import { fragmentPlace, sealFragments } from "../../../ike/wire/fragment.js";
import { decodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { seededRandom } from "../../sim/random.js";
import {
  assertMirrored,
  createPair,
  type Datagram,
  establishedPair,
  forge,
  ikeSa,
  type Pair,
  reportsOf,
  type Side,
  view,
} from "./pair.js";

/** Identities that make IKE_AUTH 6 KB long in both directions. */
const LONG = { localId: `keyid:${"a".repeat(5_900)}`, peerId: `keyid:${"b".repeat(5_900)}` };
const LARGE = { a: LONG, b: { localId: LONG.peerId, peerId: LONG.localId } };
/** Octets of IKE in an IPv4 datagram of 1280, and of 576 octets. */
const IN_1280 = 1248;
const IN_576 = 544;

const auth = ({ bytes }: Datagram) => bytes[18] === 35;
const place = ({ bytes }: Pick<Datagram, "bytes">) => fragmentPlace(bytes, decodeMessage(bytes));
const stories = (side: Side) => reportsOf(side, "story").map(({ story }) => story);

function assertUp(pair: Pair): void {
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.equal(view(pair.b).state, "established", view(pair.b).reason);
  assertMirrored(pair.a, pair.b);
}

test("an IKE_AUTH of 6 KB travels in fragments that fit 1280 octets, both ways", () => {
  const pair = establishedPair(LARGE);
  assertUp(pair);
  const sent = pair.sent.filter(auth);
  assert(sent.length > 10);
  for (const datagram of sent) {
    assert(place(datagram) !== undefined);
    assert(datagram.bytes.length <= IN_1280);
  }
});

test("short messages stay in one piece", () => {
  const pair = establishedPair();
  for (const datagram of pair.sent.filter(auth)) assert.equal(place(datagram), undefined);
});

test("fragments are used only where both ends agreed on them in IKE_SA_INIT", () => {
  for (const off of [{ a: { fragmentation: "off" } }, { b: { fragmentation: "off" } }] as const) {
    const pair = createPair({
      a: { ...LARGE.a, ...("a" in off && off.a) },
      b: { ...LARGE.b, ...("b" in off && off.b) },
    });
    pair.pass(2_000);
    assertUp(pair);
    for (const side of [pair.a, pair.b]) assert.equal(ikeSa(side).negotiated.fragmentation, undefined);
    for (const datagram of pair.sent) assert.equal(place(datagram), undefined);
  }
});

test("a path that takes no more than 576 octets: the message is lost, cut smaller, told, and gets through", () => {
  const pair = createPair(LARGE);
  pair.wire = ({ bytes }) => (bytes.length > IN_576 ? [] : [bytes]);
  pair.pass(10_000);
  assertUp(pair);
  assert(stories(pair.a).some((story) => /^message of \d+ octets lost, fragmenting at 576 octets$/.test(story)));
  // The responder takes the hint: it never tried a larger size.
  assert(!stories(pair.b).some((story) => story.includes("fragmenting")));
  for (const { from, bytes } of pair.sent) if (from === "B") assert(bytes.length <= IN_576);
  // And so does the IKE SA that follows.
  pair.wish(pair.a, { do: "rekeyIke", tunnel: "t" });
  pair.pass(2_000);
  for (const side of [pair.a, pair.b]) assert.equal(ikeSa(side).window.datagramLimit, 576);
});

test("an answer that is lost is cut smaller when its request has come three times again", () => {
  const narrow = Array.from({ length: 200 }, (_, i) => `10.2.${i}.0/24 10.1.0.0/16`);
  const pair = createPair({ b: { entries: [narrow] } });
  pair.wire = ({ bytes }) => (bytes.length > IN_576 ? [] : [bytes]);
  pair.pass(10_000);
  assertUp(pair);
  assert(stories(pair.b).some((story) => /lost, fragmenting at 576 octets/.test(story)));
  assert(!stories(pair.a).some((story) => story.includes("fragmenting")));
});

test("what is lost of a message is made good by its repetition, octet for octet; what came is kept", () => {
  const pair = createPair(LARGE);
  const seen = new Set<string>();
  pair.wire = (datagram) => {
    const first = !seen.has(hex(datagram.bytes));
    seen.add(hex(datagram.bytes));
    const at = place(datagram);
    return first && datagram.from === "A" && at !== undefined && at.number % 2 === 0 ? [] : [datagram.bytes];
  };
  pair.pass(3_000);
  assertUp(pair);
  const requests = pair.sent.filter((d) => auth(d) && d.from === "A");
  const { total } = place(requests[0]!)!;
  const octets = requests.map(({ bytes }) => hex(bytes));
  assert.equal(octets.length, 2 * total);
  assert(octets.slice(0, total).every((words, i) => words === octets[total + i]));
});

test("fragments in the opposite order, and each of them twice, make the same tunnel", () => {
  const pair = createPair(LARGE);
  let held: Uint8Array[] = [];
  pair.wire = (datagram) => {
    const at = place(datagram);
    if (at === undefined) return [datagram.bytes];
    held.push(datagram.bytes, datagram.bytes);
    if (at.number < at.total) return [];
    const all = held.reverse();
    held = [];
    return all;
  };
  pair.pass(2_000);
  assertUp(pair);
});

test("fragments that come before the responder has its keys wait for them", () => {
  const pair = createPair(LARGE);
  let held = false;
  pair.b.answer = (question) => {
    if (question.kind === "sharedSecret") held = true;
    return undefined;
  };
  pair.pass(2_000);
  assert(held);
  assertUp(pair);
});

test("forged and altered fragments among the true ones change nothing", () => {
  const pair = createPair(LARGE);
  pair.wire = (datagram) => {
    const at = place(datagram);
    if (at === undefined) return [datagram.bytes];
    const spoilt = datagram.bytes.slice();
    spoilt[spoilt.length - 20]! ^= 1;
    const renumbered = datagram.bytes.slice();
    renumbered[33] = at.number === 1 ? 2 : 1;
    const fewer = datagram.bytes.slice();
    fewer[35]! -= 1;
    const more = datagram.bytes.slice();
    more[35]! += 1;
    return [spoilt, renumbered, fewer, more, datagram.bytes];
  };
  pair.pass(5_000);
  assertUp(pair);
});

/** Fragments of one's own making, with the keys of a side. */
function fragmentsOf(
  from: Side,
  payloads: readonly Payload[],
  messageId: number,
  length: number,
): readonly Uint8Array[] {
  const { initiatorSpi, responderSpi, role, keys, negotiated } = ikeSa(from);
  const header = {
    initiatorSpi,
    responderSpi,
    exchange: "INFORMATIONAL",
    fromInitiator: role === "initiator",
    response: false,
    messageId,
  } as const;
  const content = messageContent(header, payloads);
  return sealFragments(content, length, negotiated.suite, outboundKeys(keys, role), 1_000_000, seededRandom(9).octets);
}

const VENDOR = payload("V", { data: new Uint8Array(3_000) });

test("an answered request in fragments is answered again for its first fragment alone, also when it was cut anew", () => {
  const pair = establishedPair();
  const fragments = fragmentsOf(pair.a, [VENDOR], 2, IN_1280);
  const replies = (bytes: Uint8Array) =>
    pair.inject(pair.b, bytes).flatMap((e) => (e.kind === "send" ? [hex(e.bytes)] : []));
  const [answer, ...none] = fragments.flatMap(replies);
  assert(answer !== undefined && none.length === 0);
  assert.deepEqual(fragments.flatMap(replies), [answer]);
  const smaller = fragmentsOf(pair.a, [VENDOR], 2, IN_576);
  assert.deepEqual(smaller.flatMap(replies), [answer]);
  const forged = smaller[0]!.slice();
  forged[100]! ^= 1;
  assert.deepEqual(replies(forged), []);
});

test("memory is bounded: too many octets in fragments are passed over, and the next message goes through", () => {
  const pair = establishedPair();
  const huge = Array.from({ length: 23 }, () => VENDOR);
  for (const bytes of fragmentsOf(pair.a, huge, 2, IN_1280)) pair.inject(pair.b, bytes);
  const { partialRequest } = ikeSa(pair.b).window;
  assert(partialRequest !== undefined && partialRequest.octets <= 65_535);
  assert(reportsOf(pair.b, "ignored").some(({ detail }) => /65535 at most/.test(detail)));
  const effects = pair.inject(pair.b, forge(pair.a, "INFORMATIONAL", [], { messageId: 2 }));
  assert(effects.some(({ kind }) => kind === "send"));
  assert.equal(ikeSa(pair.b).window.partialRequest, undefined);
});

test("a peer that has not proved who it is gets 16 KiB of fragments and no more", () => {
  const pair = createPair({
    a: { ...LONG, localId: `keyid:${"a".repeat(20_000)}` },
    b: { localId: LONG.peerId, peerId: `keyid:${"a".repeat(20_000)}` },
  });
  pair.pass(5_000);
  assert.notEqual(view(pair.b).state, "established");
  for (const sa of pair.b.endpoint.sas.values())
    assert(!("window" in sa) || (sa.window.partialRequest?.octets ?? 0) <= 16_384);
  assert(reportsOf(pair.b, "ignored").some(({ code }) => code === "too long" || code === "INVALID_SYNTAX"));
});

test("content that breaks the format is answered as in one piece: INVALID_SYNTAX, and the IKE SA ends", () => {
  const pair = establishedPair();
  const broken: Payload = { kind: "unknown", body: { type: 42, data: new Uint8Array(2_000) } };
  for (const bytes of fragmentsOf(pair.a, [broken], 2, IN_1280)) pair.inject(pair.b, bytes);
  assert(reportsOf(pair.b, "failed").some(({ code }) => code === "INVALID_SYNTAX"));
});
