import assert from "node:assert/strict";
import { test } from "node:test";
import { secret } from "../../../crypto/secret.js";
import { createEndpoint } from "../../../ike/core/endpoint.js";
import type { Effect } from "../../../ike/core/types.js";
import { bodiesOf, decodeMessage, encodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { establishedPair, ikeSa, type Pair, type PairOptions, reportsOf, type Side } from "./pair.js";

/** Both gateways have a secret that outlives them. */
function rememberingPair(options: PairOptions = {}): Pair {
  const pair = establishedPair({
    ...options,
    policyA: (policy) => ({ ...policy, crashSecret: secret(new Uint8Array(32).fill(1)) }),
    policyB: (policy) => ({ ...policy, crashSecret: secret(new Uint8Array(32).fill(2)) }),
  });
  pair.pass(1_000);
  return pair;
}

/** The power goes: everything but the secret is gone. */
function crash(side: Side, now: number): void {
  side.endpoint = createEndpoint(
    { ...side.policy, tunnels: side.policy.tunnels.map((t) => ({ ...t, start: "passive" })) },
    now,
  );
  side.children.clear();
}

const notifiesOf = (effects: readonly Effect[]) =>
  effects.flatMap((e) =>
    e.kind === "send" ? bodiesOf(decodeMessage(e.bytes).payloads, "N").map(({ notify }) => notify) : [],
  );

const tokensOf = (effects: readonly Effect[]) =>
  effects.flatMap((e) =>
    e.kind === "send" && decodeMessage(e.bytes).encrypted === undefined
      ? bodiesOf(decodeMessage(e.bytes).payloads, "N").flatMap((n) =>
          n.notify === "QUICK_CRASH_DETECTION" ? [n.data] : [],
        )
      : [],
  );

test("both sides give tokens in IKE_AUTH where they have a secret, and none without", () => {
  const pair = rememberingPair();
  for (const side of [pair.a, pair.b]) assert.equal(ikeSa(side).peerToken?.length, 32);
  assert.notDeepEqual(ikeSa(pair.a).peerToken, ikeSa(pair.b).peerToken);
  for (const side of Object.values(establishedPair()).slice(0, 2) as Side[])
    assert.equal(ikeSa(side).peerToken, undefined);
});

test("a gateway that has started anew proves that it forgot: the other drops the IKE SA at once, without waiting", () => {
  for (const [crashed, other] of [
    ["b", "a"],
    ["a", "b"],
  ] as const) {
    const pair = rememberingPair({ a: { dpdSeconds: 30 }, b: { dpdSeconds: 30 } });
    crash(pair[crashed], pair.now);
    pair.pass(11_000);
    const told = reportsOf(pair[other], "ikeClosed").map(({ reason }) => reason);
    assert.match(told[0] ?? "", /has forgotten this IKE SA/, crashed);
  }
});

test("after a rekey of the IKE SA both have tokens for the new one, whoever asked for it", () => {
  for (const by of ["a", "b"] as const) {
    const pair = rememberingPair();
    const before = [ikeSa(pair.a).peerToken, ikeSa(pair.b).peerToken];
    pair.wish(pair[by], { do: "rekeyIke", tunnel: "t" });
    pair.pass(3_000);
    const after = [ikeSa(pair.a).peerToken, ikeSa(pair.b).peerToken];
    for (const i of [0, 1]) {
      assert.equal(after[i]?.length, 32, by);
      assert.notDeepEqual(after[i], before[i], by);
    }
    crash(pair[by], pair.now);
    pair.pass(15_000);
    assert(
      reportsOf(pair[by === "a" ? "b" : "a"], "ikeClosed").some(({ reason }) => /has forgotten/.test(reason)),
      by,
    );
  }
});

test("no token is told for an IKE SA that lives, however its SPIs are turned", () => {
  const pair = rememberingPair();
  const { initiatorSpi, responderSpi } = ikeSa(pair.b);
  for (const [i, r] of [
    [initiatorSpi, responderSpi],
    [responderSpi, initiatorSpi],
    [initiatorSpi, 1n],
    [1n, responderSpi],
    [responderSpi, 1n],
    [1n, initiatorSpi],
  ] as const)
    for (const fromInitiator of [true, false])
      for (const response of [true, false]) {
        const header = {
          initiatorSpi: i,
          responderSpi: r,
          exchange: "INFORMATIONAL",
          fromInitiator,
          response,
          messageId: 9,
        } as const;
        const effects = pair.inject(pair.b, encodeMessage(header, []));
        for (const token of tokensOf(effects)) assert.notDeepEqual(token, ikeSa(pair.a).peerToken);
      }
});

test("requests for unknown SPIs get the token; responses, and gateways without a secret, tell nothing", () => {
  const unknown = {
    initiatorSpi: 5n,
    responderSpi: 6n,
    exchange: "INFORMATIONAL",
    fromInitiator: true,
    messageId: 3,
  } as const;
  const pair = rememberingPair();
  const request = encodeMessage({ ...unknown, response: false }, []);
  assert.deepEqual(notifiesOf(pair.inject(pair.b, request)), ["INVALID_IKE_SPI", "QUICK_CRASH_DETECTION"]);
  assert.deepEqual(notifiesOf(pair.inject(pair.b, encodeMessage({ ...unknown, response: true }, []))), []);
  const plain = establishedPair();
  assert.deepEqual(notifiesOf(plain.inject(plain.b, request)), []);
});

test("a token that is not the peer's, is too short, or comes without INVALID_IKE_SPI or as a request, changes nothing", () => {
  const pair = rememberingPair();
  const sa = ikeSa(pair.a);
  const { initiatorSpi, responderSpi, peerToken } = sa;
  const header = { initiatorSpi, responderSpi, exchange: "INFORMATIONAL", fromInitiator: false, messageId: 2 } as const;
  const token = (data: Uint8Array): Payload => payload("N", notification("QUICK_CRASH_DETECTION", data));
  const invalid = payload("N", notification("INVALID_IKE_SPI"));
  const wrong = peerToken!.slice();
  wrong[31]! ^= 1;
  for (const [response, payloads] of [
    [true, [invalid, token(wrong)]],
    [true, [invalid, token(peerToken!.subarray(0, 15))]],
    [true, [invalid]],
    [true, [token(peerToken!)]],
    [false, [invalid, token(peerToken!)]],
  ] as const) {
    pair.inject(pair.a, encodeMessage({ ...header, response }, payloads));
    assert.equal(ikeSa(pair.a), sa);
  }
  pair.inject(pair.a, encodeMessage({ ...header, response: true }, [invalid, token(peerToken!)]));
  assert.equal([...pair.a.endpoint.sas.values()].filter(({ phase }) => phase === "established").length, 0);
});
