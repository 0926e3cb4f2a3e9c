import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, type Path, parseAddress } from "../../../esp/address.js";
import { espSpiOctets } from "../../../ike/core/child.js";
import { born } from "../../../ike/core/consequences.js";
import { Draft } from "../../../ike/core/draft.js";
import { createEndpoint, type Endpoint, step } from "../../../ike/core/endpoint.js";
import { parseIdentity } from "../../../ike/core/identity.js";
import { offerEsp } from "../../../ike/core/negotiate.js";
import type { TunnelPolicy } from "../../../ike/core/policy.js";
import { isHalfOpen } from "../../../ike/core/sas.js";
import { contextOf } from "../../../ike/core/sight.js";
import type { Effect, Event, Question } from "../../../ike/core/types.js";
import { initiate } from "../../../ike/v2/ike-sa-init.js";
import type { Phase } from "../../../ike/v2/state.js";
import { decodeRawHeader } from "../../../ike/wire/header.js";
import { decodeMessage, encodeMessage, payload } from "../../../ike/wire/message.js";
import { type NotifyPayload, notification } from "../../../ike/wire/payloads/notify.js";
import { spoiled, withLength } from "../../daemon/attack/spoil.js";
import { ADDRESS_A, ADDRESS_B } from "../../sim/policies.js";
import { type SeededRandom, seededRandom } from "../../sim/random.js";
import { toyPublicValue, toySharedSecret } from "../../sim/toy-group.js";
import { createPair, establishedPair, forge, ikeSa, type Pair, reportsOf, type Side, view } from "./pair.js";

const RUNS = Number(process.env.HOSTILE_RUNS ?? 100_000);

const EVIL = parseAddress("203.0.113.66");

function pathFrom(address: Address, port = 500, local: Address = ADDRESS_B): Path {
  return { local: { address: local, port: 500 }, remote: { address, port } };
}

/** Everything that both sides of a whole life have said: negotiation, a rekey of each kind, a probe, a delete. */
function recordedLife(): readonly Uint8Array[] {
  const pair = establishedPair({ seed: 77 });
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(5_000);
  pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
  pair.pass(60_000);
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.pass(5_000);
  return pair.sent.map(({ bytes }) => bytes);
}

/** Feeds a side; the time stands still, so that nothing but the datagrams can change anything. */
function attack(pair: Pair, side: Side, count: number, sources: readonly Uint8Array[], random: SeededRandom) {
  const effects = new Map<Effect["kind"], number>();
  const ctx = { now: pair.now, random: random.octets };
  let endpoint: Endpoint = side.endpoint;
  const feed = (event: Event): void => {
    const next = step(endpoint, event, ctx);
    endpoint = next.endpoint;
    for (const effect of next.effects) {
      effects.set(effect.kind, (effects.get(effect.kind) ?? 0) + 1);
      if (effect.kind === "ask") feed({ kind: "answer", ask: effect.ask, answer: answer(effect.question) });
    }
  };
  for (let i = 0; i < count; i++) {
    const bytes = random.chance(0.05) ? random.octets(random.between(0, 200)) : spoiled(random.pick(sources), random);
    const address = random.pick([ADDRESS_A, ADDRESS_B, EVIL]);
    const local = side === pair.a ? ADDRESS_A : ADDRESS_B;
    feed({ kind: "datagram", path: pathFrom(address, random.pick([500, 4500, 0, 65535]), local), bytes });
  }
  return { endpoint, effects };
}

function answer(question: Question) {
  switch (question.kind) {
    case "publicValue":
      return { kind: "publicValue", publicValue: toyPublicValue(question.group, question.privateOctets) } as const;
    case "sharedSecret": {
      const shared = toySharedSecret(question.group, question.privateOctets, question.peerPublic);
      return shared === undefined
        ? ({ kind: "refused", reason: "not a value of the group" } as const)
        : ({ kind: "sharedSecret", secret: shared } as const);
    }
    default:
      return { kind: "refused", reason: "nobody asks that here" } as const;
  }
}

/** All that must stay as it was: every IKE SA but unfinished ones of others, and what the tunnels want. */
function kept({ sas, tunnels, nextChild, shutdownAt }: Endpoint) {
  return { sas: [...sas].filter(([, sa]) => !isHalfOpen(sa)), tunnels, nextChild, shutdownAt };
}

function halfOpen({ sas }: Endpoint): number {
  return [...sas.values()].filter(isHalfOpen).length;
}

/** A pair in the middle of something: `stop` sees each datagram and says when to hold the world still. */
function heldAt(phase: Phase, who: "a" | "b"): Pair {
  const pair = createPair({ seed: 5 });
  const reached = () => [...pair[who].endpoint.sas.values()].some((sa) => sa.phase === phase);
  for (let i = 0; i < 400 && !reached(); i++) pair.pass(5);
  assert(reached(), `no ${phase} on the way`);
  return pair;
}

const LIFE = recordedLife();

test("an endpoint that has no SA remembers nothing of 100,000 spoiled messages but bounded unfinished handshakes", () => {
  const random = seededRandom(1);
  const pair = createPair({ seed: 3 });
  const { endpoint, effects } = attack(pair, pair.b, RUNS, LIFE, random);
  const { halfOpen: most } = pair.b.policy.limits;
  assert.ok(halfOpen(endpoint) > 0 && halfOpen(endpoint) <= most, `${halfOpen(endpoint)} of ${most}`);
  assert.equal(endpoint.asks.size, 0);
  assert.deepEqual(kept(endpoint).sas, []);
  for (const kind of ["installChild", "useChild", "reserveSpi", "removeChild"] as const)
    assert.equal(effects.get(kind), undefined, kind);
});

test("an established pair is the same after 100,000 mutations and replays of all that it ever said", () => {
  for (const [who, encapsulation] of [
    ["a", "auto"],
    ["b", "auto"],
    // B believes in a NAT in front of A, and would follow it: but nobody else.
    ["b", "udp"],
  ] as const) {
    const random = seededRandom(who === "a" ? 11 : 12);
    const pair = establishedPair({ seed: 4, a: { encapsulation } });
    if (encapsulation === "udp") assert.equal(ikeSa(pair.b).negotiated.nat.peer, true);
    pair.pass(40_000); // probes have been exchanged
    const before = kept(pair[who].endpoint);
    const own = pair.sent.map(({ bytes }) => bytes);
    const { endpoint, effects } = attack(pair, pair[who], RUNS / 2, [...own, ...LIFE], random);
    assert.deepEqual(kept(endpoint), before);
    assert.ok(halfOpen(endpoint) <= pair[who].policy.limits.halfOpen);
    for (const kind of ["installChild", "useChild", "updateChild", "removeChild", "keepalive"] as const)
      assert.equal(effects.get(kind), undefined, kind);
    pair[who].endpoint = endpoint;
    pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
    pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
    pair.pass(30_000);
    assert.equal(view(pair.a).state, "established");
    assert.equal(view(pair.b).state, "established");
  }
});

test("an established endpoint gives back the very same state for whatever is not authentic", () => {
  const random = seededRandom(21);
  const pair = establishedPair({ seed: 6 });
  const own = pair.sent.map(({ bytes }) => bytes).filter((bytes) => decodeRawHeader(bytes).responderSpi !== 0n);
  const ctx = { now: pair.now, random: random.octets };
  for (let i = 0; i < 20_000; i++) {
    const bytes = spoiled(random.pick(own), random);
    if (bytes.length >= 16 && bytes.subarray(8, 16).every((octet) => octet === 0)) continue; // a first request
    const { endpoint } = step(pair.b.endpoint, { kind: "datagram", path: pathFrom(EVIL), bytes }, ctx);
    assert.equal(endpoint, pair.b.endpoint);
  }
});

for (const [phase, who] of [
  ["initSent", "a"],
  ["authSent", "a"],
  ["replied", "b"],
] as const)
  test(`a handshake in phase ${phase} survives 100,000 spoiled messages and is finished`, () => {
    const random = seededRandom(31);
    const pair = heldAt(phase, who);
    const side = pair[who];
    // Of this handshake only what an eavesdropper can spoil without keys; its true messages come later.
    const own = pair.sent.map(({ bytes }) => bytes);
    const spoiled = own.map((bytes) => withLength(bytes.slice(0, bytes.length - 1)));
    const before = [...side.endpoint.sas.values()].find((sa) => sa.phase === phase)!;
    const { endpoint } = attack(pair, side, RUNS, [...spoiled, ...LIFE], random);
    const now = endpoint.sas.get(before.key);
    assert.ok(now !== undefined, "it is still there");
    if (phase === "authSent") assert.equal(now, before);
    side.endpoint = endpoint;
    pair.pass(150_000);
    assert.equal(view(pair.a).state, "established", view(pair.a).reason);
    assert.equal(view(pair.b).state, "established", view(pair.b).reason);
  });

test("forged refusals of IKE_SA_INIT are told, not believed: the true answer still wins", () => {
  const pair = createPair({ seed: 8 });
  const refusals: readonly NotifyPayload[] = [
    notification("NO_PROPOSAL_CHOSEN"),
    notification("AUTHENTICATION_FAILED"),
    notification("INVALID_SYNTAX"),
    notification("INVALID_KE_PAYLOAD", new Uint8Array([0, 19])),
    notification("INVALID_KE_PAYLOAD", new Uint8Array([1])),
    notification("COOKIE", new Uint8Array(65)),
    notification("INVALID_MAJOR_VERSION"),
  ];
  const seen = new Set<Uint8Array>();
  pair.wire = ({ from, bytes }) => {
    if (from === "A" && !seen.has(bytes)) {
      seen.add(bytes);
      const { header } = decodeMessage(bytes);
      for (const refusal of refusals) {
        const answer = { ...header, response: true, fromInitiator: false };
        pair.inject(pair.a, encodeMessage(answer, [payload("N", refusal)]));
      }
    }
    return [bytes];
  };
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
});

test("nobody makes an initiator start again for ever: COOKIE and INVALID_KE_PAYLOAD together count", () => {
  const pair = createPair({ seed: 8, a: { ikeProposals: ["aes256gcm16-prfsha256-x25519-ecp256-modp2048"] } });
  let restarts = 0;
  pair.wire = ({ from, bytes }) => {
    if (from !== "A") return [];
    const { header } = decodeMessage(bytes);
    if (header.exchange !== "IKE_SA_INIT") return [];
    restarts++;
    const groups = [14, 19, 31];
    const group = new Uint8Array([0, groups[restarts % groups.length]!]);
    const said = restarts % 2 ? notification("COOKIE", new Uint8Array(16)) : notification("INVALID_KE_PAYLOAD", group);
    const answer = { ...header, response: true, fromInitiator: false };
    later.push(encodeMessage(answer, [payload("N", said)]));
    return [];
  };
  const later: Uint8Array[] = [];
  for (let i = 0; i < 200; i++) {
    pair.pass(10);
    for (const bytes of later.splice(0)) pair.inject(pair.a, bytes);
  }
  assert.ok(restarts <= 12, `${restarts} messages in two seconds`);
});

// --- floods --------------------------------------------------------------------------------------------------------

/** First requests like the recorded one, from other addresses with other SPIs; `sent` counts what they cost. */
function flood(pair: Pair, addresses: readonly Address[], count: number) {
  const random = seededRandom(41);
  const first = LIFE[0]!;
  const cost = { asks: 0, replies: 0, cookies: 0 };
  const ctx = { now: pair.now, random: random.octets };
  for (let i = 0; i < count; i++) {
    const bytes = first.slice();
    bytes.set(random.octets(8), 0);
    const path = pathFrom(addresses[i % addresses.length]!, random.between(1024, 65535));
    const events: Event[] = [{ kind: "datagram", path, bytes }];
    for (let event = events.shift(); event !== undefined; event = events.shift()) {
      const { endpoint, effects } = step(pair.b.endpoint, event, ctx);
      pair.b.endpoint = endpoint;
      for (const effect of effects) {
        if (effect.kind === "ask") {
          cost.asks++;
          events.push({ kind: "answer", ask: effect.ask, answer: answer(effect.question) });
        } else if (effect.kind === "send") {
          cost.replies++;
          const [only] = decodeMessage(effect.bytes).payloads;
          if (only?.kind === "N" && only.body.notify === "COOKIE") cost.cookies++;
        }
      }
    }
  }
  return cost;
}

function manyAddresses(count: number): readonly Address[] {
  return Array.from({ length: count }, (_, i) => parseAddress(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
}

test("a flood from forged addresses costs key exchanges up to an eighth of the limit, then only cookies", () => {
  const pair = createPair({ b: { halfOpen: 8 }, changeB: toAnybody });
  const cost = flood(pair, manyAddresses(5_000), 20_000);
  assert.equal(halfOpen(pair.b.endpoint), 8);
  assert.deepEqual(cost, { asks: 8, replies: 20_000, cookies: 19_992 });
});

test("during a flood a peer that answers the cookie gets its tunnel", () => {
  const pair = createPair({ b: { halfOpen: 8 }, changeB: toAnybody });
  flood(pair, manyAddresses(5_000), 20_000);
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
});

test("strangers who answer cookies fill the strangers' table; a peer with a configured address still comes up", () => {
  const pair = createPair();
  const [fixed] = pair.b.policy.tunnels;
  const road = { ...toAnybody(fixed!), name: "road", peerId: parseIdentity("road.example") };
  const limits = { halfOpen: 64, halfOpenPerAddress: 20 };
  const policy = { ...pair.b.policy, tunnels: [fixed!, road], limits };
  // Without cookies meanwhile: this is what hosts with addresses of their own can reach.
  pair.b.endpoint = createEndpoint({ ...policy, limits: { halfOpen: 512, halfOpenPerAddress: 512 } }, 0);
  flood(pair, manyAddresses(64), 64);
  pair.b.endpoint = { ...pair.b.endpoint, policy };
  assert.equal(halfOpen(pair.b.endpoint), 64);
  assert.deepEqual(flood(pair, [EVIL], 100), { asks: 0, replies: 0, cookies: 0 });
  pair.pass(2_000);
  assert.equal(view(pair.b).state, "established", view(pair.b).reason);
});

test("a whole IPv6 /64 counts as one address", () => {
  const pair = createPair({ changeB: ({ localAddress: _, ...tunnel }) => toAnybody(tunnel) });
  const addresses = Array.from({ length: 1000 }, (_, i) => parseAddress(`2001:db8:0:1::${(i + 1).toString(16)}`));
  const policy = { ...pair.b.policy, limits: { halfOpen: 10_000, halfOpenPerAddress: 16 } };
  pair.b.endpoint = { ...pair.b.endpoint, policy };
  assert.deepEqual(flood(pair, addresses, 1000), { asks: 2, replies: 1000, cookies: 998 });
});

test("handshakes that end in AUTHENTICATION_FAILED count until they are forgotten", () => {
  const pair = createPair({ a: { psk: "a wrong one" } });
  for (let i = 0; i < 200 && reportsOf(pair.b, "failed").length === 0; i++) pair.pass(10);
  const phases = [...pair.b.endpoint.sas.values()].map(({ phase }) => phase);
  assert.deepEqual(phases, ["lingering"]);
  assert.equal(halfOpen(pair.b.endpoint), 1);
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.pass(20_000);
  assert.equal(pair.b.endpoint.sas.size, 0);
});

test("an oversized first request leaves nothing behind, however well-formed it is", () => {
  const pair = createPair({ changeB: toAnybody });
  const { header, payloads } = decodeMessage(LIFE[0]!);
  const stuffing = Array.from({ length: 60 }, () => payload("V", { data: new Uint8Array(1000) }));
  const bytes = encodeMessage(header, [...payloads, ...stuffing]);
  assert.ok(bytes.length > 60_000 && bytes.length < 65_536);
  pair.handle(pair.b, { kind: "datagram", path: pathFrom(EVIL), bytes });
  assert.equal(pair.b.endpoint.sas.size, 0);
  assert.equal(pair.sent.length, 0);
  assert.equal(reportsOf(pair.b, "ignored").at(-1)?.code, "too long");
});

// --- peers that have proved who they are ---------------------------------------------------------------------------

test("an authentic peer gets NO_ADDITIONAL_SAS in the end, not endless children", () => {
  const pair = establishedPair({ seed: 9 });
  const [child] = ikeSa(pair.a).children.values();
  const { local, remote } = child!.pair;
  const { proposals } = pair.a.policy.tunnels[0]!.esp;
  pair.wire = () => [];
  for (let i = 0; i < 60; i++) {
    const payloads = [
      payload("SA", offerEsp(proposals, espSpiOctets(0x1000 + i), true)),
      payload("Nonce", { nonce: new Uint8Array(32).fill(i) }),
      payload("TSi", { selectors: local, unknown: [] }),
      payload("TSr", { selectors: remote, unknown: [] }),
    ];
    pair.inject(pair.b, forge(pair.a, "CREATE_CHILD_SA", payloads, { messageId: ikeSa(pair.b).window.nextIn }));
  }
  assert.equal(ikeSa(pair.b).children.size, 2 + 16);
  assert.equal(reportsOf(pair.b, "failed").at(-1)?.code, "NO_ADDITIONAL_SAS");
});

test("of a peer that opens IKE SAs and closes none the eight newest stay", () => {
  const pair = establishedPair({ seed: 10 });
  for (let i = 0; i < 12; i++) {
    pair.pass(1_000);
    openAnother(pair);
  }
  pair.pass(1_000);
  const established = [...pair.b.endpoint.sas.values()].filter(({ phase }) => phase === "established");
  assert.equal(established.length, 8);
  assert.equal(view(pair.b).state, "established");
});

/** A begins one more IKE SA beside those that it has. */
function openAnother({ a, b, now, handle }: Pair): void {
  const draft = new Draft(a.endpoint);
  const ctx = contextOf(draft, { now, random: seededRandom(now).octets });
  const path = { local: { address: ADDRESS_A, port: 500 }, remote: { address: ADDRESS_B, port: 500 } };
  born(draft, initiate(a.policy.tunnels[0]!, path, ctx), ctx);
  a.endpoint = draft.done();
  assert.equal(b.name, "B");
  for (const effect of draft.effects)
    if (effect.kind === "ask") handle(a, { kind: "answer", ask: effect.ask, answer: answer(effect.question) });
}

function toAnybody(tunnel: TunnelPolicy): TunnelPolicy {
  return { ...tunnel, peer: { kind: "any" } };
}
