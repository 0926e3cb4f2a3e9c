import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, formatPrefix } from "../../esp/address.js";
import { formatSelector } from "../../esp/selector.js";
import { accepted, PSK, refused } from "./reading.js";

/** Tunnels in route mode unless their lines say otherwise: `name`, and what else stands in each. */
function tunnels(...all: readonly Tunnel[]): string {
  const blocks = all.map(([name, ...lines]) =>
    [
      `  - name: ${name}`,
      `    peer: 198.51.100.${name.length}`,
      `    peer_id: user${name.length}@example.com`,
      `    psk: ${PSK}`,
      ...lines.map((line) => `    ${line}`),
    ].join("\n"),
  );
  return `version: 1\ntunnels:\n${blocks.join("\n")}\n`;
}

function modeOf(text: string, name = "site") {
  const { routeModes, policy } = accepted(text);
  const mode = routeModes.get(name);
  assert.ok(mode);
  const { mappings, entries } = policy.tunnels.find((tunnel) => tunnel.name === name)!;
  return {
    mode,
    selectors: mappings.map(({ local, peer }) => `${formatSelector(local)} ${formatSelector(peer)}`),
    entries,
  };
}

const ROUTES = "routes: [10.0.0.0/8]";

test("routes instead of policies are route mode: everything is negotiated, and the device is named after the tunnel", () => {
  const { mode, selectors, entries } = modeOf(tunnels(["site", ROUTES]));
  assert.equal(mode.device, "cw-site");
  assert.deepEqual(mode.routes.map(formatPrefix), ["10.0.0.0/8"]);
  assert.deepEqual(selectors, ["0.0.0.0/0 0.0.0.0/0"]);
  assert.deepEqual(entries, [{ first: 0, count: 1 }]);
  // A routing daemon may add all of them.
  assert.deepEqual(modeOf(tunnels(["site", "routes: []"])).mode.routes, []);
});

test("::/0 stands beside 0.0.0.0/0 where the tunnel has a route or an address of IPv6", () => {
  const both = ["0.0.0.0/0 0.0.0.0/0", "::/0 ::/0"];
  for (const line of ['routes: [10.0.0.0/8, "fd00::/8"]', 'routes: ["fd00::/8"]']) {
    const { selectors, entries } = modeOf(tunnels(["site", line]));
    assert.deepEqual([selectors, entries], [both, [{ first: 0, count: 2 }]]);
  }
  assert.deepEqual(modeOf(tunnels(["site", ROUTES, 'inner_address: "fd99::1/64"'])).selectors, both);
});

test("the device, its addresses, the table with its rules and the metric are read", () => {
  const { mode } = modeOf(
    tunnels([
      "site",
      ROUTES,
      "tun: hq0",
      'inner_address: [169.254.10.1/30, "fd99::1"]',
      "table: { id: 100, from: [192.168.1.0/24] }",
      "metric: 20",
    ]),
  );
  assert.equal(mode.device, "hq0");
  assert.deepEqual(
    mode.addresses.map(({ address, network }) => [formatAddress(address), formatPrefix(network)]),
    [
      ["169.254.10.1", "169.254.10.0/30"],
      ["fd99::1", "fd99::1/128"],
    ],
  );
  assert.deepEqual([mode.table?.id, mode.table?.from.map(formatPrefix), mode.metric], [100, ["192.168.1.0/24"], 20]);
  assert.deepEqual(modeOf(tunnels(["site", ROUTES, "table: 100"])).mode.table, { id: 100, from: [] });
});

test("names of devices are cut to what the kernel takes, and a second one of a name has a hash", () => {
  const { routeModes } = accepted(
    tunnels(["a-very-long-name-1", ROUTES], ["a-very-long-name-22", "routes: [172.16.0.0/12]"], ["n_ü", "routes: []"]),
  );
  const devices = [...routeModes.values()].map(({ device }) => device);
  assert.equal(devices[0], "cw-a-very-long-");
  assert.match(devices[1]!, /^cw-a-very--[0-9a-f]{4}$/);
  assert.equal(devices[2], "cw-n_-");
});

test("what a tunnel says itself decides between policies and routes, and both are refused", () => {
  const policies = "policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]";
  const inheriting = `version: 1\ndefaults: { ${policies}, metric: 5 }\ntunnels:\n  - { name: site, peer: 198.51.100.2, psk: ${PSK}, ${ROUTES} }\n`;
  assert.equal(modeOf(inheriting).mode.metric, 5);
  const errors = refused(tunnels(["site", policies, ROUTES]));
  assert.deepEqual(
    errors.map(({ path }) => path),
    ["tunnels[0].routes"],
  );
  assert.match(errors[0]!.message, /beside policies/);
});

type Tunnel = readonly [name: string, ...lines: string[]];
const REFUSALS: readonly (readonly [path: string, words: RegExp, ...all: Tunnel[]])[] = [
  [
    "tunnels[0].metric",
    /belongs to route mode/,
    ["site", "policies: [{ local: [10.1.0.0/16], peer: [10.2.0.0/16] }]", "metric: 5"],
  ],
  ["tunnels[0].bypass", /no bypass policies/, ["site", ROUTES, "bypass: [{ peer: [10.9.0.0/16] }]"]],
  [
    "tunnels[1].routes[0]",
    /tunnel site has as well; give one of them another metric/,
    ["site", ROUTES],
    ["other", ROUTES],
  ],
  [
    "tunnels[1].tun",
    /"cw0", which is the device of tunnel site/,
    ["site", ROUTES, "tun: cw0"],
    ["other", "routes: []", "tun: cw0"],
  ],
  ["tunnels[0].tun", /the device of the gateway/, ["site", ROUTES, "tun: causeway0"]],
  [
    "tunnels[0].inner_address",
    /holds 198\.51\.100\.4, the peer of tunnel site/,
    ["site", ROUTES, "inner_address: 198.51.100.1/24"],
  ],
  ["tunnels[0].inner_address", /the name of the network/, ["site", ROUTES, "inner_address: 169.254.10.0/30"]],
  ["tunnels[0].inner_address", /cannot be the address of a device/, ["site", ROUTES, "inner_address: 224.0.0.5/24"]],
  ["tunnels[0].table", /from 1 to 252 or 256 to 429999/, ["site", ROUTES, "table: 254"]],
  ["tunnels[0].table", /from 1 to 252 or 256 to 429999/, ["site", ROUTES, "table: 430001"]],
  ["tunnels[0].metric", /from 1 to 4294967294/, ["site", ROUTES, "metric: 0"]],
  ["tunnels[0].routes[0]", /bits set behind its length/, ["site", "routes: [10.0.0.1/8]"]],
];

test("what two tunnels cannot share, and what would lead a peer's packets into a tunnel, is refused at its place", () => {
  for (const [path, words, ...all] of REFUSALS) {
    const errors = refused(tunnels(...all));
    assert.deepEqual(
      errors.map((error) => error.path),
      [path],
      all.join(" "),
    );
    assert.match(errors[0]!.message, words);
  }
});

test("tunnels may share a route with different metrics or tables, and overlap with mappings", () => {
  accepted(tunnels(["site", ROUTES], ["other", ROUTES, "metric: 10"], ["third0", ROUTES, "table: 9"]));
  accepted(tunnels(["site", ROUTES], ["spoke", "policies: [{ local: [192.168.1.0/24], peer: [10.2.0.0/16] }]"]));
});
