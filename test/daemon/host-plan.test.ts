import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPrefix, parseAddress, parsePrefix } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import { USUAL_WRAPPING, type Wrapping } from "../../esp/tunnel.js";
import { linkLines, setUpLines, type TableState, tearDownLines } from "../../src/host/ip.js";
import { guardScript, removeScript } from "../../src/host/nft.js";
import { type HostAddress, type HostPlan, planRoutes } from "../../src/host/plan.js";
import { routesWithMtu } from "../../src/host/route-mtu.js";
import { configurationOf } from "./configuration.js";

const NOTHING: TableState = { rules: [], routes: [] };

function host(device: string, address: string, network: string): HostAddress {
  return { device, address: parseAddress(address), network: parsePrefix(network) };
}

const LAN = host("eth1", "10.1.0.1", "10.1.0.0/24");
const OUTER = host("eth0", "192.0.2.1", "192.0.2.0/24");

function sitePlan(addresses: readonly HostAddress[] = [LAN, OUTER]): HostPlan {
  return planRoutes(configurationOf([{ name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16"] }]), {
    addresses,
    ipv6: true,
  });
}

test("a peer range becomes a route with our own address of the local range as source, over an unreachable one", () => {
  const plan = sitePlan();
  const { table, mark } = plan;
  assert.deepEqual(linkLines(plan), { 4: ["link set dev causeway0 mtu 1500 txqueuelen 1000 up"], 6: [] });
  assert.deepEqual(setUpLines(plan, NOTHING), {
    4: [
      `route replace unreachable 10.2.0.0/16 table ${table} metric 4294967295`,
      `rule add not fwmark ${mark} table ${table} priority 5200`,
      `route replace 10.2.0.0/16 dev causeway0 table ${table} src 10.1.0.1 mtu ${plan.routes[0]!.mtu}`,
    ],
    6: [],
  });
  assert.deepEqual(plan.notes, []);
});

test("without an address of our own in the local range the route has no source", () => {
  const plan = sitePlan([OUTER]);
  assert.equal(plan.routes[0]!.source, undefined);
  assert.ok(setUpLines(plan, NOTHING)[4].every((line) => !line.includes(" src ")));
});

test("the source of a shared peer range comes from whichever mapping has an address of ours", () => {
  const configuration = configurationOf([
    { name: "site", peer: "192.0.2.2", mappings: ["10.9.0.0/24 10.2.0.0/16", "10.1.0.0/24 10.2.0.0/16"] },
  ]);
  const plan = planRoutes(configuration, { addresses: [LAN, OUTER], ipv6: true });
  assert.equal(plan.routes.length, 1);
  assert.deepEqual(plan.routes[0]!.source, LAN.address);
});

test("the routes' MTU leaves room for the longest configured suite in UDP, and IPv6 routes keep at least 1280", () => {
  const configuration = configurationOf([
    { name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16", "fd00:1::/64 fd00:2::/64"] },
  ]);
  const wide = planRoutes(configuration, { addresses: [LAN], ipv6: true });
  // AES-256-CBC with HMAC-SHA2-256-128: 1500 - 20 - 8 - 8 - 16 - 16 = 1432, of whole blocks 1424, without the trailer 1422.
  assert.deepEqual(
    wide.routes.map(({ mtu }) => mtu),
    [1422, 1422],
  );
  const narrow = planRoutes(configuration, { addresses: [LAN], ipv6: true, outerMtu: 1300 });
  assert.deepEqual(
    narrow.routes.map(({ mtu }) => mtu),
    [1230, 1280],
  );
  const fixed = planRoutes(
    configurationOf([{ name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16"] }], {
      tun: { name: "cw1", mtu: 1350 },
    }),
    { addresses: [LAN], ipv6: true },
  );
  assert.equal(fixed.tunMtu, 1350);
  assert.equal(fixed.routes[0]!.mtu, 1350);
});

test("a tunnel's own MTU bounds its routes; with df: clear it may exceed the path, and the device takes it", () => {
  const planned = (wrapping: Partial<Wrapping>) =>
    planRoutes(
      {
        ...configurationOf([{ name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16"] }]),
        wrappings: new Map([["site", { ...USUAL_WRAPPING, ...wrapping }]]),
      },
      { addresses: [LAN], ipv6: true },
    );
  const [own, large, cleared] = [{ mtu: 1300 }, { mtu: 2000 }, { mtu: 2000, df: "clear" as const }].map(planned);
  assert.deepEqual([own!.routes[0]!.mtu, own!.tunMtu], [1300, 1500]);
  assert.deepEqual([large!.routes[0]!.mtu, large!.tunMtu], [1422, 2000]);
  assert.deepEqual([cleared!.routes[0]!.mtu, cleared!.tunMtu], [2000, 2000]);
});

test("a connected network inside a peer range stays direct, in the routes and in the guard", () => {
  const plan = sitePlan([LAN, host("eth2", "10.2.9.1", "10.2.9.0/24")]);
  assert.deepEqual(plan.direct.map(formatPrefix), ["10.2.9.0/24"]);
  assert.equal(setUpLines(plan, NOTHING)[4][0], `route replace throw 10.2.9.0/24 table ${plan.table}`);
  assert.match(
    guardScript(plan)!,
    /ip saddr \{ 10\.2\.9\.0\/24 \} accept\n.*ip saddr \{ 10\.2\.0\.0\/16 \} counter drop/,
  );
  assert.match(plan.notes.join("\n"), /10\.2\.9\.0\/24 on eth2/);
});

test("a peer inside a covered range is marked for the reverse path filter, and is no leak", () => {
  const plan = planRoutes(
    configurationOf([{ name: "site", peer: "10.2.0.5", mappings: ["10.1.0.0/24 10.2.0.0/16"] }]),
    { addresses: [LAN], ipv6: true },
  );
  assert.deepEqual(plan.peersInside, [parseAddress("10.2.0.5")]);
  assert.match(guardScript(plan)!, new RegExp(`ip saddr \\{ 10\\.2\\.0\\.5 \\} meta mark set ${plan.mark} accept`));
});

test("the guard drops cleartext from covered ranges of both families, without overlapping intervals", () => {
  const plan = planRoutes(
    configurationOf([
      {
        name: "site",
        peer: "192.0.2.2",
        mappings: ["10.1.0.0/24 10.2.0.0/16", "10.8.0.0/24 10.2.3.0/24", "fd00:1::/64 fd00:2::/64"],
      },
    ]),
    { addresses: [LAN], ipv6: true },
  );
  assert.equal(
    guardScript(plan),
    [
      "add table inet causeway-causeway0",
      "delete table inet causeway-causeway0",
      "table inet causeway-causeway0 {",
      "  chain cleartext {",
      "    type filter hook prerouting priority mangle; policy accept;",
      '    iifname { "causeway0", "lo" } accept',
      "    udp dport { 500, 4500 } accept",
      "    meta l4proto esp accept",
      "    ip saddr { 10.2.0.0/16 } counter drop",
      "    ip6 saddr { fd00:2::/64 } counter drop",
      "  }",
      "}",
      "",
    ].join("\n"),
  );
  assert.equal(removeScript("causeway0"), "add table inet causeway-causeway0\ndelete table inet causeway-causeway0\n");
});

test("where IPv6 is off there are no IPv6 routes, and the operator is told", () => {
  const plan = planRoutes(
    configurationOf([
      { name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16", "fd00:1::/64 fd00:2::/64"] },
    ]),
    { addresses: [LAN], ipv6: false },
  );
  assert.deepEqual(
    plan.routes.map(({ prefix }) => formatPrefix(prefix)),
    ["10.2.0.0/16"],
  );
  assert.match(plan.notes.join("\n"), /IPv6 is off .* fd00:2::\/64/);
});

test("leak_protection: false leaves out the unreachable routes and the guard", () => {
  const plan = planRoutes(
    configurationOf([{ name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16"] }], {
      leakProtection: false,
    }),
    { addresses: [LAN], ipv6: true },
  );
  assert.equal(guardScript(plan), undefined);
  assert.ok(setUpLines(plan, NOTHING)[4].every((line) => !line.includes("unreachable")));
});

test("what a crashed run left is used where it fits, and removed after the rest is in place", () => {
  const plan = sitePlan();
  const left: TableState = {
    rules: [
      { family: 4, priority: 5200, words: `not fwmark ${plan.mark} table ${plan.table}` },
      { family: 6, priority: 5200, words: `not fwmark ${plan.mark} table ${plan.table}` },
    ],
    routes: [
      { family: 4, table: plan.table, destination: "10.2.0.0/16", type: "unreachable" },
      { family: 4, table: plan.table, destination: "10.7.0.1", type: "unreachable" },
      { family: 6, table: plan.table, destination: "fd00:7::/64", type: "unreachable", device: "lo" },
    ],
  };
  const lines = setUpLines(plan, left);
  assert.ok(!lines[4].some((line) => line.startsWith("rule add")));
  assert.equal(lines[4].at(-1), `route del unreachable 10.7.0.1/32 table ${plan.table}`);
  assert.deepEqual(lines[6], [
    `rule del not fwmark ${plan.mark} table ${plan.table} priority 5200`,
    `route del unreachable fd00:7::/64 table ${plan.table}`,
  ]);
});

test("tearing down removes what is there, and nothing the second time", () => {
  const plan = sitePlan();
  const standing: TableState = {
    rules: [{ family: 4, priority: 5200, words: `not fwmark ${plan.mark} table ${plan.table}` }],
    routes: [{ family: 4, table: plan.table, destination: "10.2.0.0/16", type: "unreachable" }],
  };
  assert.deepEqual(tearDownLines(plan, standing), {
    4: [`rule del not fwmark ${plan.mark} table ${plan.table} priority 5200`, `route flush table ${plan.table}`],
    6: [],
  });
  assert.deepEqual(tearDownLines(plan, NOTHING), { 4: [], 6: [] });
});

test("a bypass is marked past the tunnel's routes in both directions, a drop is not, and comes first", () => {
  const range = (text: string, startPort = 0, endPort = 65535) =>
    selectorFromPrefix(parsePrefix(text), { protocol: 6, startPort, endPort });
  const exceptions: readonly PolicyException[] = [
    { action: "drop", local: range("10.1.0.0/24"), peer: range("10.2.0.9/32", 25, 26) },
    { action: "bypass", local: range("10.1.0.0/24"), peer: range("10.2.0.0/24", 25, 25) },
  ];
  const site = configurationOf([{ name: "site", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16"] }]);
  const plan = planRoutes(
    { ...site, exceptions: new Map([["site", exceptions]]) },
    { addresses: [LAN, OUTER], ipv6: true },
  );
  const script = guardScript(plan)!;
  const out = [
    "    ip saddr 10.1.0.0-10.1.0.255 ip daddr 10.2.0.9 meta l4proto 6 th dport 25-26 accept",
    `    ip saddr 10.1.0.0-10.1.0.255 ip daddr 10.2.0.0-10.2.0.255 meta l4proto 6 th dport 25 meta mark set ${plan.mark} accept`,
  ];
  const back = [
    "    ip saddr 10.2.0.9 ip daddr 10.1.0.0-10.1.0.255 meta l4proto 6 th sport 25-26 counter drop",
    `    ip saddr 10.2.0.0-10.2.0.255 ip daddr 10.1.0.0-10.1.0.255 meta l4proto 6 th sport 25 meta mark set ${plan.mark} accept`,
  ];
  const [forwarded, own] = script.split("chain own {");
  assert.ok(forwarded!.includes([...out, ...back].join("\n")), script);
  assert.ok(forwarded!.indexOf(back[1]!) < forwarded!.indexOf("ip saddr { 10.2.0.0/16 } counter drop"));
  assert.ok(own!.includes(["    type route hook output priority mangle; policy accept;", ...out].join("\n")));
  // Without leak protection there is nothing to guard, and still something to lead past the tunnel.
  const open = guardScript({ ...plan, leakProtection: false })!;
  assert.ok(open.includes(out[1]!) && !open.includes("{ 10.2.0.0/16 }"));
});

test("the same TUN name has the same table in every run, and another name another one", () => {
  assert.equal(sitePlan().table, sitePlan([OUTER]).table);
  const other = planRoutes(configurationOf([], { tun: { name: "causeway1", mtu: "auto" } }), {
    addresses: [],
    ipv6: true,
  });
  assert.notEqual(other.table, sitePlan().table);
});

test("a route follows the narrowest of its children, and returns to the plan without them", () => {
  const plan = sitePlan();
  const ranges = configurationOf([{ name: "s", peer: "any", mappings: ["10.1.0.0/24 10.2.0.0/16"] }]).policy.tunnels[0]!
    .mappings;
  const peer = ranges[0]!.peer;
  const measured = routesWithMtu(plan, [
    { id: 1, tunnel: "site", ranges: [peer], mtu: 1438 },
    { id: 2, tunnel: "site", ranges: [peer], mtu: 1390 },
  ]);
  assert.equal(measured[0]!.mtu, 1390);
  assert.equal(measured.filter((route, i) => route.mtu !== plan.routes[i]!.mtu).length, 1);
  assert.deepEqual(routesWithMtu(plan, []), plan.routes);
});
