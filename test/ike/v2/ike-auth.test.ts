import assert from "node:assert/strict";
import { test } from "node:test";
import { type Numbering, numbered } from "../../../crypto/registry/numbering.js";
import { parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import { createEndpoint } from "../../../ike/core/endpoint.js";
import { parseIdentity } from "../../../ike/core/identity.js";
import type { TunnelPolicy } from "../../../ike/core/policy.js";
import { assertMirrored, createPair, establishedPair, ikeSa, reportsOf, view } from "./pair.js";

test("a wrong pre-shared key ends in AUTHENTICATION_FAILED at both ends, is told as what it is, and is tried again", () => {
  const pair = createPair({ b: { psk: "another secret" } });
  pair.pass(100);
  const [here] = reportsOf(pair.a, "failed");
  const [there] = reportsOf(pair.b, "failed");
  assert.equal(here!.code, "AUTHENTICATION_FAILED");
  assert.match(here!.detail, /pre-shared keys differ/);
  assert.equal(there!.code, "AUTHENTICATION_FAILED");
  assert.match(there!.detail, /pre-shared keys of t differ/);
  assert.match(view(pair.a).reason, /AUTHENTICATION_FAILED/);
  assert.equal(pair.b.children.size + pair.a.children.size, 0);
  pair.pass(60_000);
  assert(reportsOf(pair.a, "failed").length > 2);
  pair.b.psk = pair.a.psk;
  pair.pass(80_000);
  assert.equal(view(pair.a).state, "established");
});

test("no report, effect or view holds the pre-shared key or a key", () => {
  const pair = establishedPair();
  const printed = JSON.stringify([pair.a.reports, pair.b.reports, view(pair.a), view(pair.b)], (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  assert(!printed.includes("one secret"));
  assert(!printed.includes("secret"));
});

test("a lost answer to a refused IKE_AUTH is repeated", () => {
  const pair = createPair({ b: { psk: "another secret" } });
  let lost = 0;
  pair.wire = ({ from, bytes }) => (from === "B" && bytes[18] === 35 && lost++ === 0 ? [] : [bytes]);
  pair.pass(2000);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "AUTHENTICATION_FAILED");
});

test("an identity that no tunnel expects is refused, and the report says which were looked at", () => {
  const pair = createPair({ a: { localId: "stranger.example" } });
  pair.pass(100);
  const [there] = reportsOf(pair.b, "failed");
  assert.equal(there!.code, "AUTHENTICATION_FAILED");
  assert.match(there!.detail, /stranger\.example: t expects a\.example/);
});

test("a peer that expects another identity of us is told so", () => {
  const pair = createPair({ a: { peerId: "somebody.example" } });
  pair.pass(100);
  assert.match(reportsOf(pair.b, "failed")[0]!.detail, /expects us to be somebody\.example: t is b\.example/);
});

test("a responder that is somebody else is told AUTHENTICATION_FAILED by the initiator, and forgets the IKE SA", () => {
  // No IDr in the request, as the peer's identity is left to its default: its address.
  const strict = createPair({ changeA: ({ peerId: _, ...tunnel }) => tunnel, b: { localId: "b.example" } });
  strict.pass(200);
  assert.match(reportsOf(strict.a, "failed")[0]!.detail, /says that it is b\.example, peer_id expects 198\.51\.100\.2/);
  assert.equal(strict.b.children.size, 0);
  assert.equal(reportsOf(strict.b, "ikeClosed")[0]!.reason, "the peer ends the IKE SA with AUTHENTICATION_FAILED");
});

test("every type of identity authenticates", () => {
  for (const id of ["a.example", "user@a.example", "192.0.2.1", "2001:db8::1", "keyid:any text", "keyid:0x00ff"]) {
    const pair = createPair({ a: { localId: id }, b: { peerId: id } });
    pair.pass(1000);
    assert.equal(view(pair.b).state, "established", id);
    assert.equal(view(pair.b).ike!.peerId, id);
  }
});

test("identities default to the outer addresses", () => {
  const pair = createPair({
    changeA: ({ localId: _, peerId: __, ...tunnel }) => tunnel,
    changeB: ({ localId: _, peerId: __, ...tunnel }) => tunnel,
  });
  pair.pass(1000);
  assert.equal(view(pair.a).ike!.localId, "192.0.2.1");
  assert.equal(view(pair.b).ike!.localId, "198.51.100.2");
});

test("the responder chooses the tunnel by identity, and refuses a suite that only another tunnel of the address allows", () => {
  const run = (suite: string) => {
    const pair = createPair({ a: { ikeProposals: [suite] } });
    const [tunnel] = pair.b.policy.tunnels;
    const other = {
      ...tunnel!,
      name: "other",
      peerId: parseIdentity("c.example"),
      ike: { ...tunnel!.ike, proposals: [parseIkeProposal("aes128-sha256-modp2048")] },
    };
    const policy = { ...pair.b.policy, tunnels: [other, tunnel!] };
    Object.assign(pair.b, { policy, endpoint: createEndpoint(policy, 0) });
    pair.pass(1000);
    return pair;
  };
  assert.equal(reportsOf(run("aes256gcm16-prfsha256-x25519").b, "ikeEstablished")[0]!.tunnel, "t");
  assert.match(
    reportsOf(run("aes128-sha256-modp2048").b, "failed")[0]!.detail,
    /t does not allow aes128-sha256-modp2048/,
  );
});

test("two tunnels of one pair of identities that differ in numbering alone: the one whose numbers the peer uses is taken", () => {
  const own = (name: string, sm4: number): Numbering => ({
    name,
    numbers: { sm4: { ikev2: sm4, keyLengthAttribute: false }, sm3: { ikev2: sm4 }, prfsm3: { ikev2: sm4 } },
    foreign: [],
  });
  const under = (numbering: Numbering, ike: string) => (tunnel: TunnelPolicy) => ({
    ...tunnel,
    name: numbering.name,
    ike: { ...tunnel.ike, proposals: [numbered(parseIkeProposal(ike), numbering)] },
    esp: { ...tunnel.esp, proposals: [numbered(parseEspProposal("sm4-sm3"), numbering)] },
  });
  for (const ike of ["sm4-sm3-x25519", "aes128-sha256-x25519"])
    for (const meant of [own("first", 4001), own("second", 4002)]) {
      const pair = createPair({ changeA: under(meant, ike) });
      const [tunnel] = pair.b.policy.tunnels;
      const tunnels = [own("first", 4001), own("second", 4002)].map((numbering) => under(numbering, ike)(tunnel!));
      const policy = { ...pair.b.policy, tunnels };
      Object.assign(pair.b, { policy, endpoint: createEndpoint(policy, 0) });
      pair.pass(1000);
      assert.equal(reportsOf(pair.b, "ikeEstablished")[0]!.tunnel, meant.name, ike);
      assert.equal(pair.b.children.size, 1, ike);
    }
});

test("a child with no common proposal leaves the IKE SA standing; its mapping says why, and is tried again with pauses", () => {
  const pair = createPair({ a: { espProposals: ["aes256gcm16"] }, b: { espProposals: ["aes128-sha1"] } });
  pair.pass(1000);
  assert.equal(ikeSa(pair.a).children.size, 0);
  assert.equal(ikeSa(pair.b).children.size, 0);
  const [here] = reportsOf(pair.a, "failed");
  assert.equal(here!.code, "NO_PROPOSAL_CHOSEN");
  assert.match(here!.detail, /ours: aes256gcm16/);
  assert.match(reportsOf(pair.b, "failed")[0]!.detail, /theirs .*ours /);
  const [child] = view(pair.a).children;
  assert.equal(child!.state, "connecting");
  assert.match(child!.reason, /NO_PROPOSAL_CHOSEN.*next try in \d+ s/);
  pair.pass(120_000);
  const tries = reportsOf(pair.a, "failed").length;
  assert(tries >= 3 && tries <= 8, `${tries} tries in two minutes`);
  assert.equal(reportsOf(pair.a, "ikeEstablished").length, 1);
});

test("selectors without anything in common: TS_UNACCEPTABLE, and the IKE SA stands", () => {
  const pair = createPair({ b: { entries: [["172.16.0.0/16 172.17.0.0/16"]] } });
  pair.pass(1000);
  assert.equal(reportsOf(pair.a, "failed")[0]!.code, "TS_UNACCEPTABLE");
  assert.match(
    reportsOf(pair.b, "failed")[0]!.detail,
    /the peer asks for 10\.1\.0\.0\/16 on its side and 10\.2\.0\.0\/16 on ours/,
  );
  assert.equal(ikeSa(pair.a).children.size, 0);
  assert.equal(view(pair.a).state, "connecting");
});

test("selectors are narrowed to what both sides allow", () => {
  const pair = createPair({ b: { entries: [["10.2.5.0/24 10.1.0.0/20"]] } });
  pair.pass(1000);
  assertMirrored(pair.a, pair.b);
  const [child] = view(pair.a).children;
  assert.deepEqual([child!.local, child!.peer], [["10.1.0.0/20"], ["10.2.5.0/24"]]);
});

test("one mapping that the peer refuses leaves the others up: degraded", () => {
  const pair = createPair({
    entries: [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]],
    b: { entries: [["10.2.0.0/16 10.1.0.0/16"]] },
  });
  pair.pass(2000);
  assert.equal(view(pair.a).state, "degraded");
  assert.match(
    view(pair.a).reason,
    /1 of 2 mappings are up: the peer refuses mapping 2 of 2 \(.*\) with TS_UNACCEPTABLE/,
  );
  assert.equal(view(pair.b).state, "established");
});

test("a pre-shared key that cannot be had is told with its reason, and tried again", () => {
  const pair = createPair();
  pair.a.answer = ({ kind }) => (kind === "psk" ? { kind: "refused", reason: "no such file" } : undefined);
  pair.pass(100);
  const [failed] = reportsOf(pair.a, "failed");
  assert.equal(failed!.code, "PSK");
  assert.match(failed!.detail, /no such file/);
  delete pair.a.answer;
  pair.pass(5000);
  assert.equal(view(pair.a).state, "established");
});

test("an unanswered IKE_AUTH is given up after a minute, with a word about port 4500", () => {
  const pair = createPair();
  pair.wire = ({ from, bytes }) => (from === "A" && bytes[18] === 35 ? [] : [bytes]);
  pair.pass(61_000);
  const [failed] = reportsOf(pair.a, "failed");
  assert.equal(failed!.code, "TIMEOUT");
  assert.match(failed!.detail, /4500/);
});

test("a name that does not resolve is told, and asked for again; one that does is called", () => {
  const named = createPair({ changeA: (tunnel) => ({ ...tunnel, peer: { kind: "name", name: "b.example" } }) });
  named.pass(1);
  assert.match(view(named.a).reason, /no such name: b\.example; next try in \d s/);
  named.a.answer = (question) =>
    question.kind === "resolve"
      ? {
          kind: "resolve",
          addresses: [
            { remote: named.b.policy.tunnels[0]!.localAddress!, local: named.a.policy.tunnels[0]!.localAddress! },
          ],
        }
      : undefined;
  named.pass(5000);
  assert.equal(view(named.a).state, "established");
});
