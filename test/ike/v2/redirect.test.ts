import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../crypto/bytes.js";
import { type Address, addressOctets, formatAddress, parseAddress } from "../../../esp/address.js";
import { outboundKeys } from "../../../ike/v2/keys.js";
import { openMessage, sealMessage } from "../../../ike/wire/encrypted.js";
import { bodiesOf, decodeMessage, encodeMessage, payload } from "../../../ike/wire/message.js";
import { type NotifyPayload, notification } from "../../../ike/wire/payloads/notify.js";
import { ADDRESS_B } from "../../sim/policies.js";
import { seededRandom } from "../../sim/random.js";
import { createPair, type Datagram, establishedPair, forge, ikeSa, type Pair, reportsOf, view } from "./pair.js";

const ELSEWHERE = parseAddress("198.51.100.99");
/** B has every address that A calls. */
const ANYWHERE = { b: { anyLocal: true } } as const;

function redirect(to: Address, nonce: Uint8Array = new Uint8Array(0)): NotifyPayload {
  const octets = addressOctets(to);
  return notification("REDIRECT", new Uint8Array([to.family === 4 ? 1 : 2, octets.length, ...octets, ...nonce]));
}

/** B answers every IKE_SA_INIT with what `answer` makes of our nonce, as long as it makes something. */
function redirecting(pair: Pair, answer: (sent: Datagram, nonce: Uint8Array) => NotifyPayload | undefined): void {
  pair.wire = (sent) => {
    if (sent.from !== "A" || sent.bytes[18] !== 34) return [sent.bytes];
    const { header, payloads } = decodeMessage(sent.bytes);
    const notify = answer(sent, bodiesOf(payloads, "Nonce")[0]!.nonce);
    if (notify === undefined) return [sent.bytes];
    const reply = encodeMessage({ ...header, fromInitiator: false, response: true }, [payload("N", notify)]);
    pair.handle(pair.a, { kind: "datagram", path: sent.path, bytes: reply });
    return [];
  };
}

const calls = (pair: Pair) =>
  pair.sent
    .filter(({ from, bytes }) => from === "A" && bytes[18] === 34)
    .map(({ path }) => formatAddress(path.remote.address));
const notifiesIn = ({ bytes }: Datagram) => bodiesOf(decodeMessage(bytes).payloads, "N").map(({ notify }) => notify);

test("IKE_SA_INIT says that we can be redirected; a redirect to an address is followed, and says from where", () => {
  const pair = createPair(ANYWHERE);
  redirecting(pair, ({ path }, nonce) =>
    path.remote.address.value === ADDRESS_B.value ? redirect(ELSEWHERE, nonce) : undefined,
  );
  pair.pass(3_000);
  assert.deepEqual(calls(pair), ["198.51.100.2", "198.51.100.99"]);
  const [first, second] = pair.sent.filter(({ from, bytes }) => from === "A" && bytes[18] === 34);
  assert(notifiesIn(first!).includes("REDIRECT_SUPPORTED"));
  assert(notifiesIn(second!).includes("REDIRECTED_FROM"));
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.deepEqual(ikeSa(pair.a).path.remote.address, ELSEWHERE);
  assert(reportsOf(pair.a, "story").some(({ story }) => story === "198.51.100.2 redirects us to 198.51.100.99"));
});

test("a redirect with another nonce, to a name, to no usable address or to where it comes from is not followed", () => {
  for (const make of [
    () => redirect(ELSEWHERE, new Uint8Array(32)),
    (nonce: Uint8Array) => notification("REDIRECT", new Uint8Array([3, 10, ...utf8("gw.example"), ...nonce])),
    (nonce: Uint8Array) => redirect(parseAddress("224.0.0.1"), nonce),
    (nonce: Uint8Array) => redirect(ADDRESS_B, nonce),
    () => notification("REDIRECT", new Uint8Array([1, 9, 1])),
    () => notification("REDIRECT"),
  ]) {
    const pair = createPair(ANYWHERE);
    redirecting(pair, (_, nonce) => make(nonce));
    pair.pass(5_000);
    for (const address of calls(pair)) assert.equal(address, "198.51.100.2");
    assert(reportsOf(pair.a, "ignored").length > 0);
  }
});

test("gateways that redirect in a circle are followed five times, told, and then left alone for a while", () => {
  const pair = createPair(ANYWHERE);
  const other = (address: Address) => (address.value === ADDRESS_B.value ? ELSEWHERE : ADDRESS_B);
  redirecting(pair, ({ path }, nonce) => redirect(other(path.remote.address), nonce));
  pair.pass(1_500);
  assert.equal(calls(pair).length, 6);
  const [failure] = reportsOf(pair.a, "failed");
  assert.match(failure?.detail ?? "", /redirected 6 times within five minutes/);
  pair.pass(60_000);
  assert(calls(pair).length < 20, `${calls(pair).length} calls in a minute`);
});

test("when the gateway that we were sent to does not answer, the configured one is called again", () => {
  const pair = createPair(ANYWHERE);
  let redirects = 0;
  redirecting(pair, ({ path }, nonce) =>
    path.remote.address.value === ADDRESS_B.value && redirects++ === 0 ? redirect(ELSEWHERE, nonce) : undefined,
  );
  const { wire } = pair;
  pair.wire = (sent) => (sent.path.remote.address.value === ELSEWHERE.value ? [] : wire(sent));
  pair.pass(80_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.deepEqual(ikeSa(pair.a).path.remote.address, ADDRESS_B);
});

test("a redirect in an established IKE SA brings a new one elsewhere, and the old one serves until then", () => {
  const pair = establishedPair(ANYWHERE);
  const before = ikeSa(pair.a);
  pair.inject(pair.a, forge(pair.b, "INFORMATIONAL", [payload("N", redirect(ELSEWHERE))], { messageId: 0 }));
  assert.equal(view(pair.a).state, "established");
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  const now = [...pair.a.endpoint.sas.values()].filter(({ phase }) => phase === "established");
  assert(now.some((sa) => sa.key !== before.key && sa.path.remote.address.value === ELSEWHERE.value));
});

test("in an established IKE SA a redirect to a name, or to the side that did not begin it, changes nothing", () => {
  const named = establishedPair();
  const toName = notification("REDIRECT", new Uint8Array([3, 2, 0x67, 0x77]));
  named.inject(named.a, forge(named.b, "INFORMATIONAL", [payload("N", toName)], { messageId: 0 }));
  named.pass(2_000);
  assert.deepEqual(ikeSa(named.a).path.remote.address, ADDRESS_B);
  assert(reportsOf(named.a, "ignored").some(({ detail }) => /only addresses/.test(detail)));
  const turned = establishedPair();
  turned.inject(turned.b, forge(turned.a, "INFORMATIONAL", [payload("N", redirect(ELSEWHERE))], { messageId: 2 }));
  turned.pass(2_000);
  assert(!turned.sent.some(({ path }) => path.remote.address.value === ELSEWHERE.value));
});

test("a redirect in IKE_AUTH is followed when the gateway has proved who it is; its IKE SA is deleted", () => {
  const pair = createPair(ANYWHERE);
  pair.wire = ({ from, bytes, path }) => {
    if (from === "A" || bytes[18] !== 35 || path.local.address.value !== ADDRESS_B.value) return [bytes];
    const { keys, role, negotiated } = ikeSa(pair.b);
    const opened = openMessage(bytes, decodeMessage(bytes), negotiated.suite, outboundKeys(keys, role))!;
    const proof = opened.payloads.filter(({ kind }) => kind === "IDr" || kind === "AUTH");
    const payloads = [...proof, payload("N", redirect(ELSEWHERE))];
    const random = seededRandom(4).octets;
    return [sealMessage(opened.header, payloads, negotiated.suite, outboundKeys(keys, role), 1_000_000, random)];
  };
  pair.pass(5_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.deepEqual(ikeSa(pair.a).path.remote.address, ELSEWHERE);
  assert.equal(pair.sent.filter(({ from, bytes }) => from === "A" && bytes[18] === 37).length, 1, "one Delete");
});
