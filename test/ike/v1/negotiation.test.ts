import assert from "node:assert/strict";
import { test } from "node:test";
import type { SideOptions } from "../../sim/policies.js";
import { assertMirrored, reportsOf, view } from "../v2/pair.js";
import { createPairV1, type Exchange, establishedPairV1, peerOf } from "./pair.js";

const MODES: readonly Exchange[] = ["main", "aggressive"];
const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"], ["2001:db8:1::/48 2001:db8:2::/48"]];

for (const mode of MODES) {
  test(`${mode} mode brings up a tunnel with every mapping, one quick mode after another in their order`, () => {
    const pair = establishedPairV1(mode, { entries: ENTRIES });
    assertMirrored(pair.a, pair.b);
    const mappings = reportsOf(pair.a, "childEstablished").map(({ remote }) => remote[0]);
    assert.deepEqual(mappings, ["10.2.0.0/16", "10.3.0.0/16", "2001:db8:2::/48"]);
    for (const side of [pair.a, pair.b]) {
      const { ike, children } = view(side);
      assert.equal(ike?.version, 1);
      assert.equal(ike?.proposal, "aes128-sha256-modp2048");
      assert(children.every(({ local, peer }) => local.length === 1 && peer.length === 1));
    }
  });

  test(`${mode} mode: each side tells what the other says it is`, () => {
    const pair = establishedPairV1(mode);
    for (const [side, words] of [
      [pair.a, /^the peer answers; it says it is .*dead peer detection/],
      [pair.b, /^a peer asks for an IKE SA( in aggressive mode)?; it says it is .*Causeway/],
    ] as const)
      assert.ok(
        reportsOf(side, "story").some(({ story }) => words.test(story)),
        words.source,
      );
  });

  test(`${mode} mode: with PFS both phases have keys of their own`, () => {
    const esp = { espProposals: ["aes256-sha256-modp1024"] };
    const pair = establishedPairV1(mode, { a: esp, b: esp });
    assertMirrored(pair.a, pair.b);
    assert.equal(view(pair.a).children[0]?.proposal, "aes256-sha256-modp1024");
  });

  test(`${mode} mode: a group for quick mode on one side alone is refused, and both say why`, () => {
    const pair = createPairV1(mode, { a: { espProposals: ["aes128-sha1-modp1024"] } });
    pair.pass(3_000);
    const [theirs] = reportsOf(pair.b, "failed");
    assert.equal(theirs?.code, "NO_PROPOSAL_CHOSEN");
    assert.equal(reportsOf(pair.a, "failed")[0]?.code, "NO_PROPOSAL_CHOSEN");
    assert.equal(view(pair.a).ike?.version, 1);
    assert.equal(pair.a.children.size + pair.b.children.size, 0);
    // The SPI that was reserved for it is free again.
    assert.equal(pair.a.effects.filter(({ kind }) => kind === "releaseSpi").length, 1);
  });

  test(`${mode} mode: no common proposal is told at both ends with both sides' values`, () => {
    const pair = createPairV1(mode, { b: { ikeProposals: ["aes256-sha1-modp2048"] } });
    pair.pass(4_000);
    assert.equal(reportsOf(pair.a, "failed")[0]?.code, "NO_PROPOSAL_CHOSEN");
    const [ours] = reportsOf(pair.b, "failed");
    assert.match(ours!.detail, /AES.*128.*AES.*256|hash|encryption/);
    assert.equal(pair.b.endpoint.sas.size, 0);
    assert.match(view(pair.a).reason, /NO-PROPOSAL-CHOSEN/);
  });

  test(`${mode} mode: pre-shared keys that differ are told as that at both ends, and nothing is installed`, () => {
    const pair = createPairV1(mode, { b: { psk: "another secret" } });
    pair.pass(40_000);
    for (const side of [pair.a, pair.b]) {
      const words = [
        ...reportsOf(side, "failed").map(({ detail }) => detail),
        ...reportsOf(side, "story").map(({ story }) => story),
      ].join("\n");
      assert.match(words, /the pre-shared keys differ/, side.name);
      assert.equal(side.children.size, 0);
    }
    assert.match(view(pair.a).reason, /pre-shared key/);
  });

  test(`${mode} mode: an identity that the peer does not expect gets no tunnel`, () => {
    const pair = createPairV1(mode, { a: { localId: "mallory.example" } });
    pair.pass(10_000);
    assert.match(reportsOf(pair.b, "failed")[0]!.detail, /mallory\.example/);
    assert.equal(pair.b.children.size, 0);
  });

  test(`${mode} mode: the shorter lifetime counts on both sides, in both phases, and both are logged`, () => {
    const kilobytes =
      (esp: number) => (tunnel: Parameters<NonNullable<Parameters<typeof createPairV1>[1]>["changeA"] & {}>[0]) => ({
        ...tunnel,
        esp: { ...tunnel.esp, volumeOctets: esp },
      });
    const lives = (ike: number, child: number): Partial<SideOptions> => ({
      ikeLifetimeSeconds: ike,
      childLifetimeSeconds: child,
    });
    const pair = establishedPairV1(mode, {
      a: lives(86_400, 600),
      b: lives(7_200, 3_600),
      changeA: kilobytes(64 << 20),
      changeB: kilobytes(16 << 20),
    });
    for (const side of [pair.a, pair.b]) {
      const [phase1] = peerOf(side).phase1s;
      const [child] = peerOf(side).children.values();
      assert.equal(phase1!.expiresAt - phase1!.establishedAt, 7_200_000, side.name);
      assert.equal(child!.expiresAt - child!.bornAt, 600_000, side.name);
      assert.equal(child!.pair.volume.hardOctets, 16 << 20, side.name);
      const stories = reportsOf(side, "story").map(({ story }) => story);
      assert(stories.some((story) => /86400 s.*7200 s|7200 s.*86400 s/.test(story)) || side.name === "B", side.name);
      assert(
        stories.some((story) => /lifetimes differ/.test(story)),
        side.name,
      );
    }
  });

  test(`${mode} mode: a NAT is met with UDP on port 4500 on both sides`, () => {
    const pair = establishedPairV1(mode, { a: { encapsulation: "udp" } });
    assert.equal(view(pair.b).ike?.nat, "peer");
    assert.equal(view(pair.b).ike?.local, "198.51.100.2:4500");
    for (const side of [pair.a, pair.b]) assert.equal(view(side).children[0]?.encapsulation, "udp");
  });
}

test("aggressive mode is called what it is: a story at both ends says that its key can be searched offline", () => {
  const pair = establishedPairV1("aggressive");
  for (const side of [pair.a, pair.b])
    assert(
      reportsOf(side, "story").some(({ story }) => /offline/.test(story)),
      side.name,
    );
});

test("a peer that asks for what no mapping holds is refused with both sides' networks", () => {
  const pair = createPairV1("main", { b: { entries: [["10.2.0.0/16 10.9.0.0/16"]] } });
  pair.pass(3_000);
  const [refused] = reportsOf(pair.b, "failed");
  assert.equal(refused?.code, "TS_UNACCEPTABLE");
  assert.match(refused!.detail, /10\.1\.0\.0\/16.*10\.9\.0\.0\/16/);
  assert.equal(reportsOf(pair.a, "failed")[0]?.code, "TS_UNACCEPTABLE");
  // It is asked for again, after a pause that grows.
  pair.pass(60_000);
  const asked = reportsOf(pair.b, "failed").length;
  assert(asked > 2 && asked < 9, `${asked} times`);
});

test("a tunnel of the other mode, or of IKEv2, is not this one", () => {
  const other = createPairV1("main", { b: { exchange: "aggressive" } });
  other.pass(3_000);
  assert.match(reportsOf(other.b, "failed")[0]!.detail, /main mode/);
  assert.equal(other.sent.filter(({ from }) => from === "B").length, 0, "whom no tunnel expects hears nothing");
  const { exchange: _, ...v2 } = { exchange: undefined };
  const newer = createPairV1("main", { changeB: (t) => ({ ...t, ike: { ...t.ike, ...v2, version: 2 } }) });
  newer.pass(3_000);
  assert.match(reportsOf(newer.b, "failed")[0]!.detail, /no tunnel of IKEv1 .* t speaks IKEv2/);
  assert.equal(newer.sent.filter(({ from }) => from === "B").length, 0, "it hears nothing either");
});

test("the octets of messages 5 and 6 and of quick mode are encrypted, and the first four are not", () => {
  const pair = establishedPairV1("main");
  const flags = pair.sent.map(({ bytes }) => bytes[19]! & 1);
  assert.deepEqual(flags.slice(0, 4), [0, 0, 0, 0]);
  assert(flags.slice(4).every((flag) => flag === 1));
});
