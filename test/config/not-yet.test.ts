import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, oneTunnel, refused } from "./reading.js";

/** Everything of the contract that this version lacks: the key's path, and the text that asks for it. */
const TUNNEL_KEYS: readonly (readonly [path: string, text: string])[] = [
  ["ike.proposals[0]", "ike: { proposals: [aes256-sha1-ecp192] }"],
  ["esp.pfs[0]", "esp: { pfs: [mlkem768] }"],
  ["esp.proposals[0]", "esp: { proposals: [aes128-sha256_96] }"],
  ["group", "group: site"],
  ["priority", "priority: 1"],
  ["health_check", "health_check: { peer: 169.254.128.2 }"],
  ["bandwidth", "bandwidth: 10Mbit"],
  ["local_id", "local_id: 'CN=gw, O=Example'"],
];

const GATEWAY_KEYS: readonly (readonly [path: string, text: string])[] = [
  ["bandwidth", "bandwidth: 1Gbit"],
  ["alarms", "alarms: [{ when: down }]"],
];

test("a key of a tunnel whose feature is missing is refused by name, in the tunnel and in defaults", () => {
  for (const [path, text] of TUNNEL_KEYS)
    for (const [where, file] of [
      [`tunnels[0].${path}`, oneTunnel(`    ${text}`)],
      [`defaults.${path}`, oneTunnel("", `defaults: { ${text} }`)],
    ] as const) {
      const errors = refused(file);
      assert.deepEqual([errors.length, errors[0]!.path], [1, where], text);
      assert.match(errors[0]!.message, /not supported yet/, text);
    }
});

test("a key of the gateway whose feature is missing is refused by name", () => {
  for (const [path, text] of GATEWAY_KEYS) {
    const errors = refused(oneTunnel("", `gateway: { ${text} }`));
    assert.deepEqual([errors.length, errors[0]!.path], [1, `gateway.${path}`], text);
    assert.match(errors[0]!.message, /not supported yet/, text);
  }
});

test("values that ask for nothing are accepted", () => {
  accepted(
    oneTunnel(
      `    routes: []
    bypass: []
    drop: []
    split: auto
    health_check: off
    bandwidth: off
    ike: { version: 2, exchange: main, volume: off, fragmentation: off, mobike: false, reauth: false }
    esp: { volume: off, pfs_check: false }`,
      "gateway: { http: off, dataplane: { workers: 2 }, bandwidth: off, alarms: [] }",
    ),
  );
});
