/** Octets of strangers, of recordings and of forgers against IKEv1, which has no integrity check before its HASH. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../crypto/bytes.js";
import { secret } from "../../../crypto/secret.js";
import { type Address, type Path, parseAddress } from "../../../esp/address.js";
import { type Endpoint, step } from "../../../ike/core/endpoint.js";
import { isHalfOpen } from "../../../ike/core/sas.js";
import type { Effect, Event, Question } from "../../../ike/core/types.js";
import { deleteChildren, deletePhase1, notification } from "../../../ike/v1/notifications.js";
import { encodeMessageV1, payloadV1 } from "../../../ike/wire/message-v1.js";
import { spoiled } from "../../daemon/attack/spoil.js";
import { ADDRESS_A, ADDRESS_B } from "../../sim/policies.js";
import { type SeededRandom, seededRandom } from "../../sim/random.js";
import { toyPublicValue, toySharedSecret } from "../../sim/toy-group.js";
import { type Pair, reportsOf, type Side, view } from "../v2/pair.js";
import { createPairV1, type Exchange, establishedPairV1, forgeV1, peerOf } from "./pair.js";

const RUNS = Number(process.env.HOSTILE_RUNS ?? 100_000) / 2;
const MODES: readonly Exchange[] = ["main", "aggressive"];
const EVIL = parseAddress("203.0.113.66");

/** Everything that both sides of a whole life have said. */
function recordedLife(mode: Exchange): readonly Uint8Array[] {
  const pair = establishedPairV1(mode, { seed: 77, a: { encapsulation: "udp" } });
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(5_000);
  pair.wish(pair.a, { do: "rekeyIke", tunnel: "t" });
  pair.pass(60_000);
  pair.wish(pair.a, { do: "down", tunnel: "t" });
  pair.pass(5_000);
  return pair.sent.map(({ bytes }) => bytes);
}

const LIFE = { main: recordedLife("main"), aggressive: recordedLife("aggressive") } as const;

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
    feed({
      kind: "datagram",
      path: pathTo(side === pair.a ? ADDRESS_A : ADDRESS_B, address, random.pick([500, 4500, 1])),
      bytes,
    });
  }
  return { endpoint, effects };
}

function pathTo(here: Address, there: Address, port: number): Path {
  return { local: { address: here, port: 500 }, remote: { address: there, port } };
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
    case "psk":
      return { kind: "psk", psk: secret(utf8("one secret")) } as const;
    default:
      return { kind: "refused", reason: "nobody asks that here" } as const;
  }
}

/** All that must stay as it was; fragments that wait are bounded, and nobody's. */
function kept({ sas, tunnels, nextChild, shutdownAt }: Endpoint) {
  return {
    sas: [...sas]
      .filter(([, sa]) => !isHalfOpen(sa))
      .map(([key, sa]) => ("version" in sa ? [key, { ...sa, fragments: undefined }] : [key, sa])),
    tunnels,
    nextChild,
    shutdownAt,
  };
}

function halfOpen({ sas }: Endpoint): number {
  return [...sas.values()].filter(isHalfOpen).length;
}

for (const mode of MODES) {
  test(`${mode} mode: an endpoint without SAs remembers nothing of ${RUNS} spoiled messages but bounded unfinished handshakes`, () => {
    const pair = createPairV1(mode, { seed: 3 });
    const { endpoint, effects } = attack(pair, pair.b, RUNS, LIFE[mode], seededRandom(1));
    const { halfOpen: most } = pair.b.policy.limits;
    assert(halfOpen(endpoint) > 0 && halfOpen(endpoint) <= most, `${halfOpen(endpoint)} of ${most}`);
    assert.equal(endpoint.asks.size, 0);
    assert.deepEqual(kept(endpoint).sas, []);
    for (const kind of ["installChild", "useChild", "reserveSpi", "removeChild"] as const)
      assert.equal(effects.get(kind), undefined, kind);
  });

  test(`${mode} mode: an established pair is the same after ${RUNS} mutations and replays of all that was ever said`, () => {
    for (const who of ["a", "b"] as const) {
      const pair = establishedPairV1(mode, { seed: 4, a: { encapsulation: "udp" } });
      pair.pass(40_000); // probes have been exchanged
      const before = kept(pair[who].endpoint);
      const own = pair.sent.map(({ bytes }) => bytes);
      const { endpoint, effects } = attack(pair, pair[who], RUNS / 2, [...own, ...LIFE[mode]], seededRandom(11));
      assert.deepEqual(kept(endpoint), before);
      assert(halfOpen(endpoint) <= pair[who].policy.limits.halfOpen);
      for (const kind of ["installChild", "useChild", "updateChild", "removeChild", "keepalive"] as const)
        assert.equal(effects.get(kind), undefined, kind);
    }
  });

  test(`${mode} mode: nothing that anybody says stops a negotiation from coming to its end`, () => {
    const calm = createPairV1(mode, { seed: 5 });
    calm.pass(2_000);
    for (let at = 1; at < calm.sent.length; at++) {
      const pair = createPairV1(mode, { seed: 5 });
      const random = seededRandom(at);
      for (let i = 0; i < 400 && pair.sent.length < at; i++) pair.pass(5);
      for (const side of [pair.a, pair.b]) {
        const { endpoint } = attack(pair, side, 60, [...pair.sent.map(({ bytes }) => bytes), ...LIFE[mode]], random);
        side.endpoint = { ...endpoint, asks: side.endpoint.asks };
      }
      pair.pass(20_000);
      assert.equal(view(pair.a).state, "established", `after message ${at}: ${view(pair.a).reason}`);
      assert.equal(view(pair.b).state, "established", `after message ${at}: ${view(pair.b).reason}`);
    }
  });
}

test("a Delete deletes nothing without a HASH that holds: in the clear, under another key, with a spoiled HASH", () => {
  const pair = establishedPairV1("main");
  const { phase1s, children } = peerOf(pair.b);
  const [phase1] = phase1s;
  const spis = [...children.values()].map(({ pair: { spiOut } }) => spiOut);
  const deletes = [deleteChildren(spis), deletePhase1(phase1!)];
  const header = {
    initiatorCookie: phase1!.initiatorSpi,
    responderCookie: phase1!.responderSpi,
    exchange: "INFORMATIONAL",
    encryption: false,
    commit: false,
    authenticationOnly: true,
    messageId: 77,
  } as const;
  const before = kept(pair.b.endpoint);
  pair.inject(pair.b, encodeMessageV1(header, [payloadV1("HASH", { hash: new Uint8Array(32) }), ...deletes]));
  pair.inject(pair.b, encodeMessageV1({ ...header, authenticationOnly: false }, deletes));
  pair.inject(pair.b, forgeV1(pair.a, "INFORMATIONAL", deletes, { messageId: 78, spoil: true }));
  const stranger = establishedPairV1("main", { seed: 9 });
  pair.inject(pair.b, forgeV1(stranger.a, "INFORMATIONAL", deletes, { messageId: 79 }));
  assert.deepEqual(kept(pair.b.endpoint), before);
  assert(reportsOf(pair.b, "ignored").some(({ code }) => code === "unauthenticated"));
  assert(reportsOf(pair.b, "ignored").some(({ code }) => code === "integrity"));
  // The same octets with a HASH that holds.
  pair.inject(pair.b, forgeV1(pair.a, "INFORMATIONAL", deletes, { messageId: 80 }));
  assert.equal(pair.b.children.size, 0);
});

test("XAUTH and mode-config are refused with a notification and a sentence, and the tunnel stands", () => {
  const pair = establishedPairV1("main");
  const request = payloadV1("ATTR", { message: 1, identifier: 5, attributes: [{ type: 16520, value: 0 }] });
  const sent = pair.sent.length;
  pair.inject(pair.b, forgeV1(pair.a, "TRANSACTION", [request], { messageId: 5 }));
  assert.equal(pair.sent.length, sent + 1);
  assert.match(reportsOf(pair.b, "failed")[0]!.detail, /mode-config or XAUTH/);
  pair.pass(1_000);
  assert.equal(view(pair.a).state, "established");
});

test("what is malformed behind a HASH that holds is refused aloud, and changes nothing", () => {
  const pair = establishedPairV1("main");
  const before = kept(pair.b.endpoint).tunnels;
  const children = [...pair.b.children.keys()];
  const ke = payloadV1("KE", { data: new Uint8Array(16) });
  const messages = [
    forgeV1(pair.a, "QUICK_MODE", [payloadV1("NONCE", { nonce: new Uint8Array(16) })], { messageId: 1 }),
    forgeV1(pair.a, "QUICK_MODE", [ke], { messageId: 2 }),
    forgeV1(pair.a, "NEW_GROUP_MODE", [ke], { messageId: 3 }),
    forgeV1(pair.a, "INFORMATIONAL", [notification(peerOf(pair.a).phase1s[0]!, "R-U-THERE", new Uint8Array(3))], {
      messageId: 4,
    }),
  ];
  for (const bytes of messages) pair.inject(pair.b, bytes);
  assert(reportsOf(pair.b, "failed").length >= 2);
  assert.deepEqual([...pair.b.children.keys()], children);
  assert.deepEqual(kept(pair.b.endpoint).tunnels, before);
});

test("a flood of first messages is held to the limits, and the peer that is expected still gets in", () => {
  for (const mode of MODES) {
    const pair = createPairV1(mode, {
      seed: 6,
      changeB: (tunnel) => ({ ...tunnel, start: "passive" }),
    });
    const [first] = LIFE[mode];
    const ctx = { now: pair.now, random: seededRandom(2).octets };
    const random = seededRandom(3);
    let answered = 0;
    for (let i = 0; i < 5_000; i++) {
      const bytes = first!.slice();
      bytes.set(random.octets(8), 0);
      const address = { family: 4, value: BigInt(random.between(1, 0xdfffffff)) } as const;
      const { endpoint, effects } = step(
        pair.b.endpoint,
        { kind: "datagram", path: pathTo(ADDRESS_B, address, 500), bytes },
        ctx,
      );
      pair.b.endpoint = endpoint;
      answered += effects.filter(({ kind }) => kind === "send" || kind === "ask").length;
    }
    // Nobody else has a tunnel here: strangers are not even answered.
    assert.equal(answered, 0);
    assert.equal(halfOpen(pair.b.endpoint), 0);
    pair.pass(3_000);
    assert.equal(view(pair.a).state, "established", mode);
  }
});

test("behind `peer: any` a flood fills the half-open limit and no more; aggressive mode is turned away sooner", () => {
  const counts = MODES.map((mode) => {
    const pair = createPairV1(mode, { seed: 7, changeB: (tunnel) => ({ ...tunnel, peer: { kind: "any" } }) });
    const [first] = LIFE[mode];
    const random = seededRandom(4);
    const ctx = { now: pair.now, random: seededRandom(5).octets };
    for (let i = 0; i < 5_000; i++) {
      const bytes = first!.slice();
      bytes.set(random.octets(8), 0);
      const address = { family: 4, value: BigInt(random.between(1, 0xdfffffff)) } as const;
      pair.b.endpoint = step(
        pair.b.endpoint,
        { kind: "datagram", path: pathTo(ADDRESS_B, address, 500), bytes },
        ctx,
      ).endpoint;
    }
    return halfOpen(pair.b.endpoint);
  });
  const { halfOpen: most } = createPairV1("main").b.policy.limits;
  assert.equal(counts[0], most);
  assert(counts[1]! > 0 && counts[1]! <= most / 2 + 1, `${counts[1]} of ${most}`);
});
