import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { compareEnds, type Judgement, type Line, pairUp } from "../../src/exchange-formats/compare.js";
import { type Connection, connectionOf } from "../../src/exchange-formats/connection.js";
import { accepted, inventedHost, STRONG } from "../config/reading.js";

type Block = Readonly<Record<string, unknown>>;

const A: Block = {
  peer: "198.51.100.2",
  psk: STRONG,
  policies: [{ local: ["192.168.1.0/24"], peer: ["10.1.0.0/16"] }],
  ike: { proposals: ["aes256-sha256-modp2048"] },
  esp: { proposals: ["aes128gcm16"], pfs: ["ecp256"] },
};
const B: Block = {
  ...A,
  peer: "203.0.113.1",
  start: "passive",
  policies: [{ local: ["10.1.0.0/16"], peer: ["192.168.1.0/24"] }],
};

function end(address: string, tunnel: Block): Connection {
  const text = stringify({ version: 1, gateway: { address }, tunnels: [{ name: "t", ...tunnel }] });
  const { policy, psk } = accepted(text, inventedHost());
  return connectionOf(policy.tunnels[0]!, psk.get("t"));
}

const V1 = {
  ike: { version: 1, proposals: ["aes256-sha256-modp2048"] },
  esp: { proposals: ["aes128-sha256"], pfs: ["modp2048"] },
};
const compare = (a: Block, b: Block): readonly Line[] =>
  compareEnds(end("203.0.113.1", { ...A, ...a }), end("198.51.100.2", { ...B, ...b }));
const notEqual = (lines: readonly Line[]) => lines.filter(({ judgement }) => judgement !== "equal");

test("two ends that mirror each other are equal in everything, in both versions", () => {
  assert.deepEqual(notEqual(compare({}, {})), []);
  assert.deepEqual(notEqual(compare(V1, V1)), []);
});

/** One attribute changed at B, and what alone must be told of it. */
const CHANGES: readonly (readonly [change: Block, attribute: string, judgement: Judgement, common?: Block])[] = [
  [V1, "version", "different"],
  [{ ...V1, ike: { ...V1.ike, exchange: "aggressive" } }, "mode", "different", V1],
  [{ peer: "203.0.113.77", peer_id: "203.0.113.1" }, "address of A", "warning"],
  [{ local_id: "gw.example.com" }, "identity of B", "different"],
  [{ peer_id: "gw.example.com" }, "identity of A", "different"],
  [{ start: "passive" }, "who calls", "different", { start: "passive" }],
  [{ psk: `${STRONG}x` }, "pre-shared key", "different"],
  [{ ike: { proposals: ["aes128-sha256-modp2048"] } }, "encryption", "different"],
  [{ ike: { proposals: ["aes256-sha512-prfsha256-modp2048"] } }, "integrity", "different"],
  [{ ike: { proposals: ["aes256-sha256-prfsha512-modp2048"] } }, "PRF", "different"],
  [{ ike: { proposals: ["aes256-sha256-modp3072"] } }, "group", "different"],
  [{ ike: { ...V1.ike, lifetime: "8h" }, esp: V1.esp }, "lifetime", "warning", V1],
  [{ dpd: "off" }, "dead peer detection", "warning"],
  [{ esp: { proposals: ["aes256gcm16"], pfs: ["ecp256"] } }, "encryption", "different"],
  [{ esp: { proposals: ["aes128gcm16"], pfs: ["ecp384"] } }, "PFS", "different"],
  [{ esp: { proposals: ["aes128gcm16"], pfs: "off" } }, "PFS", "different"],
  [
    { esp: { proposals: ["aes128gcm16"], pfs: ["ecp256"], esn: "on" } },
    "sequence numbers",
    "different",
    { esp: { proposals: ["aes128gcm16"], pfs: ["ecp256"], esn: "off" } },
  ],
  [{ policies: [{ local: ["10.1.7.0/24"], peer: ["192.168.1.0/24"] }] }, "selectors", "warning"],
  [{ ...V1, policies: [{ local: ["10.1.7.0/24"], peer: ["192.168.1.0/24"] }] }, "selectors", "different", V1],
  [{ ...V1, esp: { ...V1.esp, volume: "1GiB" } }, "volume", "warning", V1],
];

for (const [change, attribute, judgement, common = {}] of CHANGES)
  test(`${JSON.stringify(change)} at one end: ${attribute} is ${judgement}, and nothing else`, () => {
    const found = notEqual(compare(common, { ...common, ...change }));
    assert.deepEqual(
      found.map((line) => [line.attribute, line.judgement]),
      attribute === "version" ? found.map((line) => [line.attribute, line.judgement]) : [[attribute, judgement]],
    );
    assert.ok(found.some((line) => line.attribute === attribute && line.judgement === judgement && line.advice));
    assert.ok(!JSON.stringify(found).includes(STRONG), "no key is printed");
  });

test("ranges that nothing mirrors are told from both sides", () => {
  const found = notEqual(compare({}, { policies: [{ local: ["10.2.0.0/16"], peer: ["192.168.1.0/24"] }] }));
  assert.deepEqual(
    found.map(({ attribute, a, b }) => [attribute, a, b]),
    [
      ["selectors", "192.168.1.0/24 -> 10.1.0.0/16", "nothing that mirrors it"],
      ["selectors", "nothing that mirrors it", "10.2.0.0/16 -> 192.168.1.0/24"],
    ],
  );
});

test("parts that are common to different proposals only do not make a suite", () => {
  const found = notEqual(
    compare(
      { ike: { proposals: ["aes256-sha256-modp2048", "aes128-sha512-ecp256"] } },
      { ike: { proposals: ["aes256-sha512-modp2048", "aes128-sha256-ecp256"] } },
    ),
  );
  assert.deepEqual(
    found.map(({ attribute, judgement }) => [attribute, judgement]),
    [["proposals", "different"]],
  );
});

test("what a file leaves to its product is unknown, and no difference", () => {
  const theirs = end("198.51.100.2", B);
  const { psk: _, ...rest } = theirs;
  const found = notEqual(compareEnds(end("203.0.113.1", A), { ...rest, ike: {}, esp: {} }));
  assert.deepEqual(new Set(found.map(({ judgement }) => judgement)), new Set(["unknown"]));
  assert.ok(found.some(({ attribute }) => attribute === "pre-shared key"));
});

test("tunnels of two files are paired by addresses, identities and ranges, not by their order", () => {
  const one = end("203.0.113.1", A);
  const other = end("203.0.113.1", {
    ...A,
    peer: "198.51.100.9",
    policies: [{ local: ["192.168.1.0/24"], peer: ["10.9.0.0/16"] }],
  });
  const peer = end("198.51.100.2", B);
  assert.deepEqual(pairUp([other, one], [peer]), [[one, peer]]);
  assert.deepEqual(pairUp([], [peer]), []);
});

test("algorithms without IANA numbers are equal under one numbering alone", () => {
  const sm4 = { ike: { proposals: ["sm4-sm3-modp2048"] } };
  assert.deepEqual(notEqual(compare(sm4, sm4)), []);
  const other = notEqual(compare(sm4, { ...sm4, numbering: "gmalg" })).map(({ attribute, judgement }) => [
    attribute,
    judgement,
  ]);
  assert.deepEqual(other, [
    ["encryption", "different"],
    ["integrity", "different"],
    ["PRF", "different"],
  ]);
});
