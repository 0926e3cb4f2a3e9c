import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceFor } from "../../../ike/core/causes.js";
import { bodiesOf, decodeMessage, encodeMessage, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { createPair, ikeSa, type Pair, reportsOf, view } from "./pair.js";

const exchanges = (pair: Pair) => pair.sent.map(({ from, bytes }) => `${from}${bytes[18]}`).join(" ");
const notifies = (bytes: Uint8Array) => bodiesOf(decodeMessage(bytes).payloads, "N").map(({ notify }) => notify);

test("under load a first request is answered with COOKIE and nothing is kept; with the cookie it is taken", () => {
  const pair = createPair({ b: { halfOpen: 0 } });
  pair.pass(15);
  assert.deepEqual(notifies(pair.sent[1]!.bytes), ["COOKIE"]);
  assert.equal(pair.b.endpoint.sas.size, 0);
  pair.pass(2000);
  assert.equal(view(pair.a).state, "established");
  assert.equal(exchanges(pair), "A34 B34 A34 B34 A35 B35");
});

test("each side tells what the other says it is", () => {
  const pair = createPair();
  pair.pass(2000);
  const told =
    (words: string) =>
    ({ story }: { readonly story: string }) =>
      story.startsWith(`${words}; it says it is Causeway`);
  assert.ok(reportsOf(pair.a, "story").some(told("the peer answers")));
  assert.ok(reportsOf(pair.b, "story").some(told("a peer asks for an IKE SA")));
});

test("a cookie is good for its address, SPI and nonce alone", () => {
  const pair = createPair({ b: { halfOpen: 0 } });
  pair.pass(25);
  const withCookie = pair.sent[2]!.bytes;
  const other = withCookie.slice();
  other[0]! ^= 1; // another SPI
  pair.inject(pair.b, other);
  assert.deepEqual(notifies(pair.sent.at(-1)!.bytes), ["COOKIE"]);
});

test("a peer that asks for cookies for ever is given up, not obeyed for ever", () => {
  const pair = createPair();
  pair.wire = ({ from, bytes }) => {
    if (from === "B") return [];
    const { header } = decodeMessage(bytes);
    const answer = encodeMessage({ ...header, fromInitiator: false, response: true }, [
      payload("N", notification("COOKIE", new Uint8Array([pair.sent.length & 0xff, 2, 3]))),
    ]);
    pair.inject(pair.a, answer);
    return [];
  };
  pair.pass(59_000);
  const sent = pair.sent.filter(({ from }) => from === "A").length;
  assert(sent <= 4 + 11, `${sent} requests in a minute`);
  pair.pass(2_000);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "TIMEOUT");
});

test("INVALID_KE_PAYLOAD makes the initiator try the group that the peer wants", () => {
  const pair = createPair({
    a: { ikeProposals: ["aes256gcm16-prfsha256-x25519-modp2048"] },
    b: { ikeProposals: ["aes256gcm16-prfsha256-modp2048"] },
  });
  pair.pass(2000);
  assert.deepEqual(notifies(pair.sent[1]!.bytes), ["INVALID_KE_PAYLOAD"]);
  assert.equal(view(pair.a).ike!.proposal, "aes256gcm16-prfsha256-modp2048");
  assert.equal(reportsOf(pair.a, "failed").length, 0);
});

test("INVALID_KE_PAYLOAD with a group that we did not offer changes nothing", () => {
  const pair = createPair();
  pair.wire = () => [];
  pair.pass(1);
  const { header } = decodeMessage(pair.sent[0]!.bytes);
  const before = pair.a.endpoint.sas;
  const answer = encodeMessage({ ...header, fromInitiator: false, response: true }, [
    payload("N", notification("INVALID_KE_PAYLOAD", new Uint8Array([0, 2]))),
  ]);
  pair.inject(pair.a, answer);
  assert.deepEqual([...pair.a.endpoint.sas.keys()], [...before.keys()]);
  assert.match(reportsOf(pair.a, "failed")[0]!.detail, /wants group 2/);
});

test("NO_PROPOSAL_CHOSEN is told at once at both ends, with both sides' algorithms, and tried again", () => {
  const pair = createPair({
    a: { ikeProposals: ["aes256gcm16-prfsha256-x25519"] },
    b: { ikeProposals: ["aes128-sha1-modp2048"] },
  });
  pair.pass(100);
  const [here] = reportsOf(pair.a, "failed");
  const [there] = reportsOf(pair.b, "failed");
  assert.equal(here!.code, "NO_PROPOSAL_CHOSEN");
  assert.match(here!.detail, /ours: aes256gcm16-x25519/);
  assert.equal(there!.code, "NO_PROPOSAL_CHOSEN");
  assert.match(there!.detail, /theirs .*ours /);
  assert(adviceFor(here!) !== "" && adviceFor(there!) !== "");
  assert.equal(view(pair.a).state, "connecting");
  assert.match(view(pair.a).reason, /NO_PROPOSAL_CHOSEN/);
  const tries = pair.sent.length;
  pair.pass(60_000);
  assert(pair.sent.length > tries);
  const attempts = new Set(pair.sent.map(({ bytes }) => bytes.slice(0, 8).join()));
  assert(attempts.size >= 3 && attempts.size <= 12, `${attempts.size} attempts in a minute`);
  assert.equal(pair.b.endpoint.sas.size, 0);
});

test("an unauthenticated refusal does not end a negotiation: a good answer after it is taken", () => {
  const pair = createPair();
  let first = true;
  pair.wire = ({ from, bytes }) => {
    if (from === "A" && first) {
      first = false;
      const { header } = decodeMessage(bytes);
      pair.inject(
        pair.a,
        encodeMessage({ ...header, fromInitiator: false, response: true }, [
          payload("N", notification("NO_PROPOSAL_CHOSEN")),
        ]),
      );
    }
    return [bytes];
  };
  pair.pass(2000);
  assert.equal(view(pair.a).state, "established");
});

test("a bad public value of the peer is waited out for a better answer", () => {
  const pair = createPair();
  let spoilt = 0;
  pair.wire = ({ from, bytes }) => {
    if (from !== "B" || bytes[18] !== 34 || spoilt++ > 0) return [bytes];
    const { header, payloads } = decodeMessage(bytes);
    const changed = payloads.map((p) =>
      p.kind === "KE" ? payload("KE", { ...p.body, data: p.body.data.map(() => 0) }) : p,
    );
    return [encodeMessage(header, changed)];
  };
  pair.pass(3000);
  assert.equal(spoilt > 1, true, "the request was repeated, and answered again");
  assert.equal(view(pair.a).state, "established");
  assert.match(reportsOf(pair.a, "ignored")[0]!.detail, /not valid/);
});

test("a first request that comes twice is answered with the same octets, and makes one IKE SA", () => {
  const pair = createPair();
  pair.wire = ({ from, bytes }) => (from === "A" && bytes[18] === 34 ? [bytes, bytes, bytes] : [bytes]);
  pair.pass(2000);
  const answers = pair.sent.filter(({ from, bytes }) => from === "B" && bytes[18] === 34);
  assert(answers.length >= 2);
  for (const { bytes } of answers) assert.deepEqual(bytes, answers[0]!.bytes);
  assert.equal(ikeSa(pair.b).initiatorSpi, ikeSa(pair.a).initiatorSpi);
});

test("a peer at an address of no tunnel is refused, and the report names the address", () => {
  const pair = createPair({ b: { peer: { family: 4, value: 1n } } });
  pair.pass(100);
  assert.match(reportsOf(pair.b, "failed")[0]!.detail, /no tunnel is configured for a peer at 192\.0\.2\.1/);
  assert.deepEqual(notifies(pair.sent[1]!.bytes), ["NO_PROPOSAL_CHOSEN"]);
});

test("a higher major version is answered with INVALID_MAJOR_VERSION, a lower one with nothing", () => {
  const pair = createPair();
  pair.wire = () => [];
  pair.pass(1);
  const request = pair.sent[0]!.bytes.slice();
  request[17] = 0x30;
  pair.inject(pair.b, request);
  assert.deepEqual(notifies(pair.sent.at(-1)!.bytes), ["INVALID_MAJOR_VERSION"]);
  request[17] = 0x10;
  const before = pair.sent.length;
  pair.inject(pair.b, request);
  assert.equal(pair.sent.length, before);
});

test("an unknown payload with the critical bit is answered with UNSUPPORTED_CRITICAL_PAYLOAD and its type, without it passed over", () => {
  for (const critical of [true, false]) {
    const pair = createPair();
    pair.wire = () => [];
    pair.pass(1);
    const { header, payloads } = decodeMessage(pair.sent[0]!.bytes);
    const unknown = { kind: "unknown", body: { type: 200, data: new Uint8Array([1, 2]) } } as const;
    const request = encodeMessage(header, [...payloads, unknown]);
    if (critical) request[request.length - 5] = 0x80;
    pair.inject(pair.b, request);
    const answer = decodeMessage(pair.sent.at(-1)!.bytes).payloads;
    const [refusal] = bodiesOf(answer, "N");
    if (critical) {
      assert.equal(refusal!.notify, "UNSUPPORTED_CRITICAL_PAYLOAD");
      assert.deepEqual([...refusal!.data], [200]);
    } else assert(answer.some(({ kind }) => kind === "SA"));
  }
});

test("a first request without its nonce is answered with INVALID_SYNTAX", () => {
  const pair = createPair();
  pair.wire = () => [];
  pair.pass(1);
  const { header, payloads } = decodeMessage(pair.sent[0]!.bytes);
  pair.inject(
    pair.b,
    encodeMessage(
      header,
      payloads.filter(({ kind }) => kind !== "Nonce"),
    ),
  );
  assert.deepEqual(notifies(pair.sent.at(-1)!.bytes), ["INVALID_SYNTAX"]);
});

test("half-open IKE SAs are bounded, and forgotten after half a minute", () => {
  const pair = createPair({ b: { halfOpen: 10 } });
  pair.wire = () => [];
  pair.pass(1);
  const request = pair.sent[0]!.bytes;
  for (let i = 0; i < 500; i++) {
    const other = request.slice();
    other[0] = i & 0xff;
    other[1] = i >> 8;
    pair.inject(pair.b, other);
  }
  assert.equal(pair.b.endpoint.sas.size, 10);
  pair.pass(31_000);
  assert.equal(pair.b.endpoint.sas.size, 0);
});

test("a peer that does not answer is called again and again, with pauses", () => {
  const pair = createPair();
  pair.wire = () => [];
  pair.pass(600_000);
  const attempts = new Set(pair.sent.map(({ bytes }) => bytes.slice(0, 8).join()));
  assert(attempts.size >= 5 && attempts.size <= 9, `${attempts.size} attempts in ten minutes`);
  assert.match(view(pair.a).reason, /does not answer IKE_SA_INIT/);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "TIMEOUT");
});

test("requests are repeated after 0.5, 1, 2, 4, 8 and then every 10 seconds, octet for octet", () => {
  const pair = createPair();
  const times: number[] = [];
  pair.wire = () => {
    times.push(pair.now);
    return [];
  };
  pair.pass(59_000);
  assert.deepEqual(times, [0, 500, 1500, 3500, 7500, 15_500, 25_500, 35_500, 45_500, 55_500]);
  for (const { bytes } of pair.sent) assert.deepEqual(bytes, pair.sent[0]!.bytes);
});
