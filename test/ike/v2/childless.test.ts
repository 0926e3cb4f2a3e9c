import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesOf, decodeMessage, encodeMessage, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { assertMirrored, createPair, establishedPair, ikeSa, reportsOf, view } from "./pair.js";

test("the responder says that it takes an IKE_AUTH without a child", () => {
  const pair = establishedPair();
  const answer = pair.sent.find(({ from, bytes }) => from === "B" && bytes[18] === 34)!;
  const notifies = bodiesOf(decodeMessage(answer.bytes).payloads, "N").map(({ notify }) => notify);
  assert(notifies.includes("CHILDLESS_IKEV2_SUPPORTED"));
  assert.equal(ikeSa(pair.a).negotiated.childless, true);
});

test("where no mapping is wanted yet the IKE SA comes without a child, and a child when traffic wants it", () => {
  const pair = createPair({ a: { start: "on-traffic" }, entries: [["10.1.0.0/16 10.2.0.0/16"]] });
  pair.handle(pair.a, { kind: "traffic", tunnel: "t", mappings: [0] });
  // What woke the tunnel is gone again before IKE_AUTH.
  pair.wire = ({ bytes }) => [bytes];
  const state = pair.a.endpoint.tunnels.get("t")!;
  pair.a.endpoint = { ...pair.a.endpoint, tunnels: pair.a.endpoint.tunnels.with("t", { ...state, awake: new Set() }) };
  pair.pass(1_000);
  for (const side of [pair.a, pair.b]) {
    assert.equal(ikeSa(side).children.size, 0);
    assert.equal(reportsOf(side, "failed").length, 0);
  }
  assert(pair.a.effects.every(({ kind }) => kind !== "reserveSpi"));
  pair.handle(pair.a, { kind: "traffic", tunnel: "t", mappings: [0] });
  pair.pass(1_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assertMirrored(pair.a, pair.b);
});

test("a peer that does not know RFC 6023 gets its child in IKE_AUTH, wanted or not", () => {
  const pair = createPair({ a: { start: "on-traffic" } });
  pair.handle(pair.a, { kind: "traffic", tunnel: "t", mappings: [0] });
  const state = pair.a.endpoint.tunnels.get("t")!;
  pair.a.endpoint = { ...pair.a.endpoint, tunnels: pair.a.endpoint.tunnels.with("t", { ...state, awake: new Set() }) };
  pair.pass(15);
  for (const [key, sa] of pair.a.endpoint.sas)
    if (sa.phase === "pskAwaited") {
      const { childless: _, ...negotiated } = sa.negotiated;
      pair.a.endpoint = { ...pair.a.endpoint, sas: pair.a.endpoint.sas.with(key, { ...sa, negotiated }) };
    }
  pair.pass(1_000);
  assert.equal(ikeSa(pair.b).children.size + 0, ikeSa(pair.a).children.size);
});

test("SUPPORTED_AUTH_METHODS (RFC 9593) and unknown notifications in a first request are passed over", () => {
  const pair = createPair();
  let changed = false;
  pair.wire = ({ from, bytes }) => {
    if (from !== "A" || bytes[18] !== 34 || changed) return [bytes];
    changed = true;
    const { header, payloads } = decodeMessage(bytes);
    const more = [
      payload("N", notification("SUPPORTED_AUTH_METHODS", new Uint8Array([2, 1, 2, 3, 14, 0]))),
      payload("N", notification(40_961)),
    ];
    return [encodeMessage(header, [...payloads, ...more])];
  };
  pair.pass(100);
  assert.equal([...pair.b.endpoint.sas.values()].length, 1, "it is answered");
  assert.equal(reportsOf(pair.b, "failed").filter(({ code }) => code !== "AUTHENTICATION_FAILED").length, 0);
});
