import assert from "node:assert/strict";
import { test } from "node:test";
import { type FilteredPacket, filter } from "../../src/doctor/firewall.js";

const IKE: FilteredPacket = {
  hook: "input",
  family: 4,
  protocol: "udp",
  source: "198.51.100.1",
  destination: "192.0.2.1",
  sourcePort: 500,
  destinationPort: 500,
  in: "wan",
  state: "new",
};

const chain = (name: string, more: object = {}) => ({
  chain: { family: "inet", table: "filter", name, handle: 1, ...more },
});
const base = (policy: string) => chain("input", { type: "filter", hook: "input", prio: 0, policy });
const rule = (...expr: object[]) => ({ rule: { family: "inet", table: "filter", chain: "input", handle: 2, expr } });
const match = (left: object, right: unknown, op = "==") => ({ match: { op, left, right } });
const dport = (right: unknown, op?: string) => match({ payload: { protocol: "udp", field: "dport" } }, right, op);
const ruleset = (...items: object[]) => ({ nftables: [{ metainfo: {} }, ...items] });

const ROWS: readonly (readonly [
  what: string,
  ruleset: unknown,
  packet: FilteredPacket,
  verdict: string,
  words?: RegExp,
])[] = [
  ["nothing", ruleset(), IKE, "accepted"],
  ["a policy that drops", ruleset(base("drop")), IKE, "dropped", /chain input: policy drop/],
  [
    "a rule in front of it that accepts the port",
    ruleset(base("drop"), rule(dport({ set: [500, 4500] }), { accept: null })),
    IKE,
    "accepted",
  ],
  [
    "a rule that drops a range of ports",
    ruleset(base("accept"), rule(dport({ range: [1, 1023] }), { counter: {} }, { drop: null })),
    IKE,
    "dropped",
    /udp dport 1-1023 drop/,
  ],
  [
    "a rule about ESP",
    ruleset(base("accept"), rule(match({ meta: { key: "l4proto" } }, "esp"), { drop: null })),
    IKE,
    "accepted",
  ],
  [
    "the same for an ESP packet",
    ruleset(base("accept"), rule(match({ meta: { key: "l4proto" } }, 50), { drop: null })),
    { ...IKE, protocol: "esp" },
    "dropped",
  ],
  [
    "what belongs to a connection, and a policy that drops the rest",
    ruleset(base("drop"), rule(match({ ct: { key: "state" } }, ["established", "related"], "in"), { accept: null })),
    { ...IKE, state: "established" },
    "accepted",
  ],
  [
    "the same for a packet that begins one",
    ruleset(base("drop"), rule(match({ ct: { key: "state" } }, ["established", "related"], "in"), { accept: null })),
    IKE,
    "dropped",
  ],
  [
    "another device",
    ruleset(base("accept"), rule(match({ meta: { key: "iifname" } }, "lan*"), { drop: null })),
    IKE,
    "accepted",
  ],
  [
    "every device but one",
    ruleset(base("accept"), rule(match({ meta: { key: "iifname" } }, "lo", "!="), { reject: {} })),
    IKE,
    "dropped",
  ],
  [
    "a prefix that has the peer",
    ruleset(
      base("accept"),
      rule(match({ payload: { protocol: "ip", field: "saddr" } }, { prefix: { addr: "198.51.100.0", len: 24 } }), {
        drop: null,
      }),
    ),
    IKE,
    "dropped",
  ],
  [
    "a named set, which nobody looked into",
    ruleset(base("accept"), rule(match({ payload: { protocol: "ip", field: "saddr" } }, "@blocked"), { drop: null })),
    IKE,
    "unsure",
    /@blocked/,
  ],
  [
    "a jump to a chain that drops",
    ruleset(base("accept"), chain("deny"), rule({ jump: { target: "deny" } }), {
      rule: { family: "inet", table: "filter", chain: "deny", expr: [{ drop: null }] },
    }),
    IKE,
    "dropped",
    /chain deny: drop/,
  ],
  [
    "a jump to a chain that returns",
    ruleset(base("accept"), chain("deny"), rule({ jump: { target: "deny" } }), {
      rule: { family: "inet", table: "filter", chain: "deny", expr: [{ return: null }] },
    }),
    IKE,
    "accepted",
  ],
  ["what is no ruleset", "nonsense", IKE, "unsure"],
];

for (const [what, rules, packet, verdict, words] of ROWS)
  test(`the packet filter with ${what}: ${verdict}`, () => {
    const result = filter(rules, packet);
    assert.equal(result.verdict, verdict, JSON.stringify(result));
    if (words) assert.match(result.rule ?? "", words);
  });

test("masquerading of what leaves through the tunnel is seen, and so is the exemption in front of it", () => {
  const packet: FilteredPacket = {
    hook: "postrouting",
    family: 4,
    protocol: "icmp",
    source: "10.1.0.5",
    destination: "10.2.0.1",
    out: "causeway0",
    state: "new",
  };
  const nat = {
    chain: { family: "ip", table: "nat", name: "post", type: "nat", hook: "postrouting", prio: 100, policy: "accept" },
  };
  const at = (...expr: object[]) => ({ rule: { family: "ip", table: "nat", chain: "post", expr } });
  assert.equal(filter(ruleset(nat, at({ masquerade: null })), packet).verdict, "translated");
  const exempt = at(match({ meta: { key: "oifname" } }, "causeway0"), { accept: null });
  assert.equal(filter(ruleset(nat, exempt, at({ masquerade: null })), packet).verdict, "accepted");
});
