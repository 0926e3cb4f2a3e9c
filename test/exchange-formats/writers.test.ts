import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionOf, mirrored } from "../../src/exchange-formats/connection.js";
import { PRODUCTS } from "../../src/exchange-formats/products.js";
import { Lacks } from "../../src/exchange-formats/spelling.js";
import { accepted, oneTunnel, STRONG } from "../config/reading.js";

const GATEWAY = "gateway: { address: 203.0.113.1 }";

function write(product: string, tunnel: string, options: { withSecrets?: boolean; reduce?: boolean } = {}): string {
  const { policy, psk } = accepted(oneTunnel(tunnel, GATEWAY));
  const peer = mirrored(connectionOf(policy.tunnels[0]!, psk.get("a")));
  const { files } = PRODUCTS[product]!.write(peer, { withSecrets: false, reduce: false, ...options });
  return files.map(({ text }) => text).join("\n");
}

const lacking = (product: string, tunnel: string): readonly string[] => {
  try {
    write(product, tunnel);
  } catch (error) {
    if (error instanceof Lacks) return error.what;
    throw error;
  }
  return [];
};

test("no product's file has the key unless it is asked for", () => {
  for (const product of Object.keys(PRODUCTS)) {
    const tunnel =
      "    ike: { proposals: [aes256-sha256-modp2048] }\n    esp: { proposals: [aes256-sha256], pfs: [modp2048] }";
    assert.ok(!write(product, tunnel).includes(STRONG), product);
    assert.ok(write(product, tunnel, { withSecrets: true }).includes(STRONG), product);
  }
});

test("an algorithm or a feature that a product lacks is refused by name", () => {
  assert.deepEqual(lacking("strongswan", "    ike: { proposals: [sm4-sm3-modp2048] }"), [
    "sm4 in ike.proposals",
    "sm3 in ike.proposals",
    "prfsm3 in ike.proposals",
  ]);
  assert.deepEqual(lacking("libreswan", "    ike: { proposals: [aes256-sha256-x448-modp2048] }\n    legacy: true"), [
    "x448 in ike.proposals",
  ]);
  assert.deepEqual(lacking("libreswan", "    ike: { proposals: [aes256-sha256-prfsha384-modp2048] }"), [
    "a PRF other than that of the integrity algorithm in ike.proposals",
  ]);
});

test("what a product lacks is left out on request, where alternatives remain, and told in the file", () => {
  const some = write("libreswan", "    ike: { proposals: [aes256-sha256-x448-modp2048] }", { reduce: true });
  assert.match(some, /^ +ike=aes256-sha2_256;modp2048$/m);
  assert.match(some, /^# left out, because libreswan lacks it: x448 in ike\.proposals$/m);
  assert.throws(() => write("libreswan", "    ike: { proposals: [aes256-sha256-x448] }", { reduce: true }), Lacks);
});

test("whoever calls on our side is answered on the other one", () => {
  assert.doesNotMatch(write("strongswan", ""), /start_action/);
  assert.match(write("strongswan", "    start: passive"), /start_action = start/);
  assert.match(write("strongswan", "    start: on-traffic"), /start_action = trap/);
  assert.match(write("libreswan", "    start: passive"), /auto=start/);
});
