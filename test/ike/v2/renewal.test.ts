import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceFor } from "../../../ike/core/causes.js";
import type { TunnelPolicy } from "../../../ike/core/policy.js";
import { payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { assertMirrored, establishedPair, forge, ikeSa, reportsOf, view } from "./pair.js";

const rehearsing = (tunnel: TunnelPolicy): TunnelPolicy => ({ ...tunnel, esp: { ...tunnel.esp, pfsCheck: true } });
const reauthenticating = (tunnel: TunnelPolicy): TunnelPolicy => ({ ...tunnel, ike: { ...tunnel.ike, reauth: true } });
const PFS = "aes256gcm16-x25519";

test("the rehearsal shows a PFS mismatch within seconds, with code and advice, and leaves the live child alone", () => {
  for (const [mine, theirs] of [
    [PFS, "aes256gcm16"],
    ["aes256gcm16", PFS],
    [PFS, "aes256gcm16-ecp256"],
  ] as const) {
    const pair = establishedPair({ a: { espProposals: [mine] }, b: { espProposals: [theirs] }, changeA: rehearsing });
    pair.pass(5_000);
    const failed = reportsOf(pair.a, "failed");
    assert.deepEqual(
      failed.map(({ code }) => code),
      ["PFS_MISMATCH"],
      `${mine} and ${theirs}`,
    );
    assert.match(adviceFor(failed[0]!), /esp\.pfs/);
    pair.pass(120_000);
    assert.equal(reportsOf(pair.a, "failed").length, 1, "told once");
    assert.deepEqual([...pair.a.children.keys()], [1]);
    assert.equal(pair.a.using, 1);
    assert.equal(view(pair.a).state, "established");
    assertMirrored(pair.a, pair.b);
  }
});

test("a rehearsal that succeeds replaces the child once, and none is held where CREATE_CHILD_SA has made a child already", () => {
  const one = establishedPair({ a: { espProposals: [PFS] }, b: { espProposals: [PFS] }, changeA: rehearsing });
  one.pass(120_000);
  assert.deepEqual([...one.a.children.keys()], [2]);
  assert.equal(reportsOf(one.a, "childEstablished").at(-1)!.proposal, "aes256gcm16-x25519-esn");
  assertMirrored(one.a, one.b);
  const two = establishedPair({
    entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]],
    changeA: rehearsing,
  });
  two.pass(120_000);
  assert.deepEqual([...two.a.children.keys()], [1, 2]);
});

test("a rehearsal that meets a busy peer is held again", () => {
  const pair = establishedPair({ a: { espProposals: [PFS] }, b: { espProposals: [PFS] }, changeA: rehearsing });
  const before = pair.now;
  pair.wire = ({ from, bytes }) => (from === "A" ? [bytes] : []);
  pair.wish(pair.b, { do: "rekeyIke", tunnel: "t" });
  pair.pass(4_000);
  pair.wire = ({ bytes }) => [bytes];
  pair.pass(20_000 + before);
  assert.equal(reportsOf(pair.a, "failed").length, 0);
  assert.deepEqual([...pair.a.children.keys()], [2]);
  assertMirrored(pair.a, pair.b);
});

test("with `reauth` a new IKE SA takes over before the old one ends, and every mapping moves before its old child goes", () => {
  const pair = establishedPair({
    entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]],
    a: { ikeLifetimeSeconds: 600 },
    changeA: reauthenticating,
  });
  const first = ikeSa(pair.a).initiatorSpi;
  const auths = () => pair.sent.filter(({ from, bytes }) => from === "A" && bytes[18] === 35).length;
  assert.equal(auths(), 1);
  pair.pass(590_000);
  assert.equal(auths(), 2, "both sides have proved again who they are");
  assert.notEqual(ikeSa(pair.a).initiatorSpi, first);
  assert.equal(ikeSa(pair.a).initiatorSpi, ikeSa(pair.b).initiatorSpi);
  assert.equal(pair.a.children.size, 2);
  assertMirrored(pair.a, pair.b);
  const order = pair.a.effects.map((e) => `${e.kind} ${"id" in e ? e.id : ""}`);
  for (const [old, next] of [
    [1, 3],
    [2, 4],
  ])
    assert(order.indexOf(`useChild ${next}`) < order.indexOf(`removeChild ${old}`), `${next} before ${old} goes`);
  assert.deepEqual([reportsOf(pair.a, "failed").length, reportsOf(pair.b, "failed").length], [0, 0]);
});

test("reauthentication that does not come through in time is replaced by a rekey: no lifetime ends the tunnel", () => {
  const pair = establishedPair({ a: { ikeLifetimeSeconds: 600 }, changeA: reauthenticating });
  // No new IKE_SA_INIT gets through.
  pair.wire = ({ bytes }) => (bytes[18] === 34 ? [] : [bytes]);
  pair.pass(900_000);
  assert.equal(view(pair.a).state, "established");
  assert.equal(reportsOf(pair.a, "ikeClosed").filter(({ reason }) => /lifetime/.test(reason)).length, 0);
  assert(reportsOf(pair.a, "ikeEstablished").length >= 2, "rekeyed in place");
  assertMirrored(pair.a, pair.b);
});

test("the side that does not call rekeys, whatever `reauth` says", () => {
  const pair = establishedPair({ b: { ikeLifetimeSeconds: 600 }, changeB: reauthenticating });
  const first = ikeSa(pair.b).initiatorSpi;
  pair.pass(590_000);
  assert.notEqual(ikeSa(pair.b).initiatorSpi, first);
  assert.equal(pair.sent.filter(({ bytes }) => bytes[18] === 34).length, 2, "one IKE_SA_INIT, and its answer");
  assertMirrored(pair.a, pair.b);
});

test("a peer that says for minutes that it is busy is met with a new IKE SA, before the child ends", () => {
  const pair = establishedPair({ changeA: ({ dpd: _, ...tunnel }) => tunnel });
  const { initiatorSpi } = ikeSa(pair.a);
  const unanswered = new Set<number>();
  // Whatever A asks for in the first IKE SA, B has no time for it.
  pair.wire = ({ from, bytes }) => {
    const header = new DataView(bytes.buffer, bytes.byteOffset);
    if (from !== "A" || bytes[18] !== 36 || header.getBigUint64(0) !== initiatorSpi) return [bytes];
    unanswered.add(header.getUint32(20));
    return [];
  };
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  let refusals = 0;
  while (refusals < 20 && ikeSa(pair.b).initiatorSpi === initiatorSpi && pair.now < 600_000) {
    for (const messageId of unanswered) {
      const busy = payload("N", notification("TEMPORARY_FAILURE"));
      pair.inject(pair.a, forge(pair.b, "CREATE_CHILD_SA", [busy], { response: true, messageId }));
      refusals++;
    }
    unanswered.clear();
    pair.pass(400);
    if ([...pair.b.endpoint.sas.values()].filter(({ phase }) => phase === "established").length > 1) break;
  }
  pair.pass(60_000);
  assert(refusals >= 6 && refusals < 20, `${refusals} refusals`);
  assert(pair.now > 100_000 && pair.now < 600_000, "after minutes");
  assert.notEqual(ikeSa(pair.a).initiatorSpi, initiatorSpi);
  assert.equal(pair.a.children.size, 1);
  assertMirrored(pair.a, pair.b);
  assert.equal(reportsOf(pair.a, "failed").length, 0);
});
