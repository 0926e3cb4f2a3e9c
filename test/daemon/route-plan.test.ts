import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress, parsePrefix, prefixOf } from "../../esp/address.js";
import type { RouteMode } from "../../src/config/model.js";
import { changeLines, linkLines, setUpLines, tearDownLines } from "../../src/host/ip.js";
import { guardScript } from "../../src/host/nft.js";
import { type HostAddress, type HostPlan, planRoutes } from "../../src/host/plan.js";
import { routesWithMtu } from "../../src/host/route-mtu.js";
import { planReload } from "../../src/reload/plan.js";
import { configurationOf } from "./configuration.js";

const WAN: HostAddress = { device: "eth0", address: parseAddress("192.0.2.1"), network: parsePrefix("192.0.2.0/24") };
const LAN: HostAddress = { device: "eth1", address: parseAddress("10.9.0.1"), network: parsePrefix("10.9.0.0/16") };

interface Wish {
  readonly routes?: readonly string[];
  readonly address?: string;
  readonly table?: RouteMode["table"];
  readonly metric?: number;
  readonly device?: string;
}

function configured(modes: Readonly<Record<string, Wish>>, peer = "192.0.2.2") {
  const names = Object.keys(modes);
  const routeModes = Object.entries(modes).map(([name, { routes = [], address, table, metric, device }]) => {
    const [host = "", length = "32"] = address?.split("/") ?? [];
    const own = address === undefined ? [] : [parseAddress(host)];
    const mode: RouteMode = {
      device: device ?? `cw-${name}`,
      addresses: own.map((one) => ({ address: one, network: prefixOf(one, Number(length)) })),
      routes: routes.map(parsePrefix),
      ...(table && { table }),
      ...(metric !== undefined && { metric }),
    };
    return [name, mode] as const;
  });
  const site = { name: "site", peer, mappings: ["10.1.0.0/24 10.2.0.0/16"] };
  const own = names.map((name) => ({ name, peer, mappings: ["0.0.0.0/0 0.0.0.0/0"] }));
  return { ...configurationOf([site, ...own]), routeModes: new Map(routeModes) };
}

function planned(
  modes: Readonly<Record<string, Wish>>,
  peer?: string,
  addresses: readonly HostAddress[] = [WAN],
): HostPlan {
  return planRoutes(configured(modes, peer), { addresses, ipv6: true });
}

const EMPTY = { rules: [], routes: [] };

test("a device is set up with its address, and its routes stand in the gateway's table beside those of mappings", () => {
  const plan = planned({ hq: { routes: ["10.64.0.0/10"], address: "169.254.10.1/30", metric: 20 } });
  const { table, mark } = plan;
  assert.deepEqual(linkLines(plan)[4].slice(1), [
    "link set dev cw-hq mtu 1422 txqueuelen 1000 up",
    "address replace 169.254.10.1/30 dev cw-hq",
  ]);
  assert.deepEqual(setUpLines(plan, EMPTY)[4], [
    `route replace unreachable 10.2.0.0/16 table ${table} metric 4294967295`,
    `route replace unreachable 10.64.0.0/10 table ${table} metric 4294967295`,
    `rule add not fwmark ${mark} table ${table} priority 5200`,
    `route replace 10.2.0.0/16 dev causeway0 table ${table} mtu 1422`,
    `route replace 10.64.0.0/10 dev cw-hq table ${table} metric 20 src 169.254.10.1 mtu 1422`,
  ]);
});

test("a route to everything comes behind the main table's nearer routes, and leaves the peers out", () => {
  const plan = planned({ hq: { routes: ["0.0.0.0/0"] } });
  const { defaultTable, mark } = plan;
  const lines = setUpLines(plan, EMPTY)[4];
  for (const line of [
    `route replace throw 192.0.2.2/32 table ${defaultTable}`,
    `rule add not fwmark ${mark} table 254 suppress_prefixlength 0 priority 5202`,
    `rule add not fwmark ${mark} table ${defaultTable} priority 5203`,
    `route replace 0.0.0.0/0 dev cw-hq table ${defaultTable} mtu 1422`,
  ])
    assert.ok(lines.includes(line), lines.join("\n"));
  assert.ok(lines.indexOf(`route replace throw 192.0.2.2/32 table ${defaultTable}`) < lines.length - 1);
});

test("a peer inside a route, and a network of this host there, are reached as without the tunnel", () => {
  const plan = planned({ hq: { routes: ["192.0.0.0/8", "10.0.0.0/8"] } }, "192.0.2.2", [WAN, LAN]);
  const throws = setUpLines(plan, EMPTY)[4].filter((line) => line.includes("throw"));
  assert.deepEqual(
    throws.map((line) => line.split(" ")[3]),
    ["192.0.2.0/24", "10.9.0.0/16", "192.0.2.2/32"],
  );
  assert.deepEqual(plan.notes, [], "that a nearer route wins is what routes are for");
});

test("a chosen table has the routes, rules for the sources that were asked for, and nothing that leads nowhere", () => {
  const from = [parsePrefix("10.1.0.0/24")];
  const plan = planned({ hq: { routes: ["0.0.0.0/0"], table: { id: 100, from } } });
  const lines = setUpLines(plan, EMPTY)[4].filter((line) => line.includes("table 100"));
  assert.deepEqual(lines, [
    `rule add not from 10.1.0.0/24 fwmark ${plan.mark} table 100 priority 5201`,
    "route replace 0.0.0.0/0 dev cw-hq table 100 mtu 1422",
  ]);
  const found = { rules: plan.rules, routes: [] };
  assert.ok(tearDownLines(plan, found)[4].some((line) => line.startsWith("rule del not from 10.1.0.0/24")));
});

test("cleartext from what is only routed into a tunnel is no leak; with peers anywhere IKE and ESP carry the mark", () => {
  const plan = planned({ hq: { routes: ["0.0.0.0/0"] } });
  assert.ok(!guardScript(plan)!.includes("0.0.0.0/0"));
  assert.ok(!guardScript(plan)!.includes("meta l4proto esp meta mark"));
  const anywhere = planned({ hq: { routes: ["0.0.0.0/0"] } }, "any");
  assert.ok(guardScript(anywhere)!.includes(`meta l4proto esp meta mark set ${anywhere.mark} accept`));
});

test("routes have the MTU of their tunnel's children, and never more than the device", () => {
  const plan = planned({ hq: { routes: ["10.64.0.0/10"] }, dr: { routes: ["10.64.0.0/10"], metric: 9 } });
  const mtus = (measured: number) =>
    routesWithMtu(plan, [{ id: 1, tunnel: "hq", ranges: [], mtu: measured }])
      .filter(({ own }) => own !== undefined)
      .map(({ own, mtu }) => [own!.tunnel, mtu]);
  assert.deepEqual(mtus(1300), [
    ["hq", 1300],
    ["dr", 1422],
  ]);
  assert.deepEqual(mtus(1438)[0], ["hq", 1422]);
});

test("from one plan to another one only what differs changes: what comes first, what goes afterwards", () => {
  const before = planned({ hq: { routes: ["10.64.0.0/10"], address: "169.254.10.1/30" } });
  const after = planned({ hq: { routes: ["10.64.0.0/10", "0.0.0.0/0"], address: "169.254.10.5/30", device: "hq0" } });
  const { coming, going } = changeLines(before, after);
  assert.deepEqual(coming[4].slice(0, 2), [
    "link set dev hq0 mtu 1422 txqueuelen 1000 up",
    "address replace 169.254.10.5/30 dev hq0",
  ]);
  assert.ok(coming[4].some((line) => line.startsWith("route replace 10.64.0.0/10 dev hq0")));
  assert.ok(!coming[4].some((line) => line.includes("10.2.0.0/16")));
  assert.deepEqual(going[4], ["address del 169.254.10.1/30 dev cw-hq"]);
  const back = changeLines(after, before);
  assert.equal(back.going[4].filter((line) => line.startsWith("rule del")).length, 2);
  assert.ok(back.going[4].includes(`route del 0.0.0.0/0 table ${before.defaultTable}`));
});

test("plan says that keys of route mode change at once, and that another mode is another mapping", () => {
  const change = (before: Readonly<Record<string, Wish>>, after: Readonly<Record<string, Wish>>) => {
    const { tunnels } = planReload(configured(before), { configuration: configured(after) }, "f").plan;
    return tunnels.map(({ name, treatment, keys }) => [
      name,
      treatment,
      keys.map(({ key, effect }) => `${key} ${effect}`),
    ]);
  };
  const was = { hq: { routes: ["10.64.0.0/10"] } };
  assert.deepEqual(change(was, { hq: { routes: ["10.65.0.0/16"], address: "169.254.10.1/30", metric: 3 } })[1], [
    "hq",
    "changed",
    ["inner_address now", "routes now", "metric now"],
  ]);
  assert.deepEqual(change(was, was)[1], ["hq", "kept", []]);
  assert.deepEqual(change(was, { ...was, dr: {} })[2], ["dr", "added", []]);
});
