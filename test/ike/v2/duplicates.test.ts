import assert from "node:assert/strict";
import { test } from "node:test";
import type { TunnelPolicy } from "../../../ike/core/policy.js";
import { ADDRESS_A, ADDRESS_B, ADDRESS_B2 } from "../../sim/policies.js";
import { createPair, type Pair, reportsOf, view } from "./pair.js";

/**
 * A, which knows B by name, opens a second IKE SA beside the first one, because the name leads elsewhere by now; A's Delete of the
 * first one never comes. It knows that it has one, so it does not say INITIAL_CONTACT.
 */
function second(duplicates: TunnelPolicy["duplicates"]): Pair {
  let addresses = [ADDRESS_B];
  const pair = createPair({
    changeA: (tunnel) => ({ ...tunnel, peer: { kind: "name", name: "b.example" } }),
    changeB: ({ localAddress: _, ...tunnel }) => ({ ...tunnel, duplicates }),
    a: { dpdSeconds: 300 },
    b: { dpdSeconds: 300 },
  });
  pair.a.answer = (question) =>
    question.kind === "resolve"
      ? { kind: "resolve", addresses: addresses.map((remote) => ({ remote, local: ADDRESS_A })) }
      : undefined;
  pair.pass(2_000);
  assert.equal(view(pair.b).state, "established");
  const [first] = holders(pair);
  pair.wire = ({ from, bytes }) => (from === "A" && isOf(bytes, first!) ? [] : [bytes]);
  addresses = [ADDRESS_B2];
  pair.pass(80_000);
  return pair;
}

const holders = ({ b }: Pair) => [...b.endpoint.sas.values()].filter((sa) => sa.phase === "established");
const isOf = (bytes: Uint8Array, { initiatorSpi }: { readonly initiatorSpi: bigint }) =>
  new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) === initiatorSpi;

test("duplicates: replace: the newer IKE SA takes the place of the older one, which is deleted ten seconds later", () => {
  const pair = second("replace");
  assert.equal(holders(pair).length, 1);
  assert.deepEqual(
    reportsOf(pair.b, "ikeClosed").map(({ reason }) => reason),
    ["a newer IKE SA of the peer has taken its place"],
  );
  assert.equal(pair.b.children.size, 1);
  assert.equal(view(pair.b).state, "established");
});

test("duplicates: keep: the first IKE SA stays, and the peer is told that it gets no other one", () => {
  const pair = second("keep");
  assert.equal(reportsOf(pair.b, "ikeEstablished").length, 1);
  const [refused] = reportsOf(pair.b, "failed");
  assert.equal(refused!.code, "AUTHENTICATION_FAILED");
  assert.match(refused!.detail, /duplicates: keep/);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "AUTHENTICATION_FAILED");
  assert.equal(pair.b.children.size, 1);
});

test("duplicates: never: both live, and INITIAL_CONTACT ends none of them", () => {
  assert.equal(reportsOf(second("never").b, "ikeEstablished").length, 2);
  const pair = createPair({ changeB: (tunnel) => ({ ...tunnel, duplicates: "never" }) });
  pair.pass(2_000);
  const fresh = createPair({ seed: 2 });
  pair.a.endpoint = fresh.a.endpoint; // its power was gone: it knows of nothing, and says so
  pair.a.children.clear();
  pair.pass(3_000);
  assert.equal(holders(pair).length, 2);
});

test("duplicates: replace and keep: INITIAL_CONTACT ends the older one at once, without a word", () => {
  for (const duplicates of ["replace", "keep"] as const) {
    const pair = createPair({ changeB: (tunnel) => ({ ...tunnel, duplicates }) });
    pair.pass(2_000);
    const fresh = createPair({ seed: 2 });
    pair.a.endpoint = fresh.a.endpoint;
    pair.a.children.clear();
    pair.pass(3_000);
    assert.equal(holders(pair).length, 1, duplicates);
    assert.deepEqual(
      reportsOf(pair.b, "ikeClosed").map(({ reason }) => reason),
      ["the peer has started anew and knows nothing of it"],
    );
  }
});
