import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionOf, mirrored } from "../../src/exchange-formats/connection.js";
import { PRODUCTS } from "../../src/exchange-formats/products.js";
import { Lacks } from "../../src/exchange-formats/spelling.js";
import { accepted, inventedHost, oneTunnel, STRONG } from "../config/reading.js";

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

/** A tunnel that every product can be told. */
const PLAIN = `    ike: { proposals: [aes256-sha256-modp2048] }
    esp: { proposals: [aes128-sha1], pfs: [modp1536], lifetime: 30m, volume: 1GiB }`;

/** What has to stand in each product's file: peer's address, ours, algorithms, PFS, lifetimes, ranges. */
const FACTS: Readonly<Record<string, readonly RegExp[]>> = {
  "cisco-ios": [
    /^ {2}address 203\.0\.113\.1$/m,
    /^ encryption aes-cbc-256\n integrity sha256\n prf sha256\n group 14$/m,
    /esp-aes 128 esp-sha-hmac$/m,
    /^ set pfs group5$/m,
    /^ set security-association lifetime seconds 1800$/m,
    /^ set security-association lifetime kilobytes 1048576$/m,
    /^ permit ip 10\.1\.0\.0 0\.0\.255\.255 192\.168\.1\.0 0\.0\.0\.255$/m,
  ],
  fortigate: [
    /set remote-gw 203\.0\.113\.1$/m,
    /set ike-version 2$/m,
    /set proposal aes256-sha256\n +set dhgrp 14$/m,
    /set proposal aes128-sha1\n +set pfs enable\n +set dhgrp 5$/m,
    /set keylifeseconds 1800$/m,
    /set keylifekbs 1048576$/m,
    /set src-subnet 10\.1\.0\.0 255\.255\.0\.0\n +set dst-subnet 192\.168\.1\.0 255\.255\.255\.0$/m,
  ],
  juniper: [
    /ike gateway a address 203\.0\.113\.1$/m,
    /ike gateway a version v2-only$/m,
    /encryption-algorithm aes-256-cbc$/m,
    /ike proposal a-1 authentication-algorithm sha-256$/m,
    /ipsec proposal a-1 authentication-algorithm hmac-sha1-96$/m,
    /perfect-forward-secrecy keys group5$/m,
    /ipsec proposal a-1 lifetime-seconds 1800$/m,
    /lifetime-kilobytes 1048576$/m,
    /traffic-selector ts1 local-ip 10\.1\.0\.0\/16 remote-ip 192\.168\.1\.0\/24$/m,
  ],
  mikrotik: [
    /peer add name=a address=203\.0\.113\.1 local-address=198\.51\.100\.2 exchange-mode=ike2 /,
    /enc-algorithm=aes-256 hash-algorithm=sha256 dh-group=modp2048 /,
    /enc-algorithms=aes-128-cbc auth-algorithms=sha1 lifetime=1800s pfs-group=modp1536$/m,
    /src-address=10\.1\.0\.0\/16 dst-address=192\.168\.1\.0\/24$/m,
  ],
  "terraform-tencent": [
    /public_ip_address = "203\.0\.113\.1"$/m,
    /ike_version += "IKEV2"$/m,
    /ike_proto_encry_algorithm += "AES-CBC-256"$/m,
    /ike_proto_authen_algorithm += "SHA-256"$/m,
    /ike_dh_group_name += "GROUP14"$/m,
    /ipsec_integrity_algorithm += "SHA1"$/m,
    /ipsec_pfs_dh_group += "DH-GROUP5"$/m,
    /ipsec_sa_lifetime_traffic += 1048576$/m,
    /local_cidr_block {2}= "10\.1\.0\.0\/16"\n +remote_cidr_block = \["192\.168\.1\.0\/24"\]$/m,
  ],
};

for (const [product, facts] of Object.entries(FACTS))
  test(`${product}: the peer's side, with its algorithms, lifetimes and ranges in its own words`, () => {
    const text = write(product, PLAIN);
    for (const fact of facts) assert.match(text, fact);
  });

test("devices refuse what they lack by name", () => {
  const cases: readonly (readonly [product: string, tunnel: string, lacks: RegExp])[] = [
    ["cisco-ios", "    ike: { proposals: [camellia256-sha256-modp2048] }", /^camellia256 in ike\.proposals/],
    ["cisco-ios", `${PLAIN}\n    encapsulation: udp`, /^UDP encapsulation/],
    ["fortigate", "    ike: { proposals: [aes192gcm16-modp2048] }", /^aes192gcm16 in ike\.proposals/],
    ["juniper", "    ike: { proposals: [aes256-sha256-x25519] }", /^x25519 in ike\.proposals/],
    ["mikrotik", "    ike: { proposals: [aes256gcm16-modp2048] }", /^aes256gcm16 in ike\.proposals/],
    [
      "mikrotik",
      "    ike: { proposals: [aes256-sha256-sha1-modp2048] }\n    esp: { pfs: off, proposals: [aes256-sha256] }",
      /^several hashes/,
    ],
    ["terraform-tencent", "    ike: { proposals: [aes256-sha256-modp3072] }", /^modp3072 in ike\.proposals/],
    ["terraform-tencent", `${PLAIN}\n    peer_id: office@example.com`, /^identities other than/],
  ];
  for (const [product, tunnel, lacks] of cases) assert.match(lacking(product, tunnel)[0] ?? "nothing", lacks, product);
});

test("a key that a device's command line cannot take is refused there, and its octets never appear", () => {
  for (const product of ["cisco-ios", "fortigate", "juniper", "mikrotik", "terraform-tencent"]) {
    const { policy, psk } = accepted(oneTunnel(PLAIN, GATEWAY), inventedHost({}, { KEY: "0s/wD/AP8=" }));
    const peer = mirrored(connectionOf(policy.tunnels[0]!, psk.get("a")));
    assert.throws(() => PRODUCTS[product]!.write(peer, { withSecrets: true, reduce: false }), Lacks, product);
  }
});

test("--common makes the default proposals fit every product", () => {
  for (const product of Object.keys(PRODUCTS)) {
    if (product === "mikrotik") continue; // of the defaults it has one, and PFS with one group
    assert.notEqual(write(product, "", { reduce: true }), "", product);
  }
});
