import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { exported, loaded, type RoundTripProduct, readBack, sharedFacts } from "./round-trip.js";

const PRODUCTS: readonly RoundTripProduct[] = ["strongswan", "strongswan-ipsec", "libreswan"];

/** Words that all three products have. */
const GROUPS = ["modp2048", "modp3072", "ecp256", "ecp384", "modp1536"] as const;
const some = <T>(values: readonly T[], most = 3) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: most });

const aeadIke = fc
  .tuple(some(["aes256gcm16", "aes128gcm16", "chacha20poly1305"]), some(["prfsha256", "prfsha384"], 2), some(GROUPS))
  .map((parts) => parts.flat().join("-"));
const cbcIke = fc
  .tuple(some(["aes256", "aes128", "3des", "camellia256"]), some(["sha256", "sha384", "sha512", "sha1"]), some(GROUPS))
  .map((parts) => parts.flat().join("-"));
const cbcIkeV1 = fc
  .tuple(some(["aes256", "aes128", "3des"], 2), some(["sha256", "sha1", "md5"], 2), some(GROUPS, 2))
  .map((parts) => parts.flat().join("-"));
const aeadEsp = some(["aes256gcm16", "aes128gcm16", "aes192ccm16"]).map((words) => words.join("-"));
const cbcEsp = fc
  .tuple(some(["aes256", "aes128", "3des", "null"]), some(["sha256", "sha1", "sha512"]))
  .map((parts) => parts.flat().join("-"));

const ids = fc.constantFrom(
  undefined,
  "gw.example.com",
  "office@example.com",
  "keyid:0x00ff23",
  "198.51.100.77",
  "lonely",
);
const psk = fc.oneof(
  fc
    .string({ minLength: 1, maxLength: 40 })
    .filter((text) => text.trim() === text && !/^0[xs]/.test(text) && !/\p{Cc}/u.test(text)),
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((key) => `0s${Buffer.from(key).toString("base64")}`),
);
const policies = fc.constantFrom(
  [{ local: ["192.168.1.0/24"], peer: ["10.1.0.0/16"] }],
  [
    { local: ["192.168.1.0/24", "192.168.2.0/25"], peer: ["10.1.0.0/16", "10.2.0.0/16", "10.9.9.9/32"] },
    { local: ["fd00:1::/64"], peer: ["fd00:2::/64"] },
  ],
  [
    { local: ["192.168.1.0/24"], peer: ["10.1.0.0/16"], protocol: "tcp", peer_ports: [443, 8443] },
    { local: ["192.168.7.0/24"], peer: ["10.7.0.0/16"], protocol: "udp", local_ports: 53 },
    { local: ["192.168.8.0/24"], peer: ["10.8.0.0/16"], protocol: 47 },
  ],
);

const shared = {
  psk,
  localId: ids,
  peerId: ids,
  policies,
  start: fc.constantFrom("active", "on-traffic", "passive"),
  encapsulation: fc.constantFrom("auto", "udp"),
  dpd: fc.oneof(
    fc.constant("off" as const),
    fc.integer({ min: 10, max: 300 }).map((timeout) => ({ timeout })),
  ),
  ikeLifetime: fc.integer({ min: 300, max: 86400 }),
  espLifetime: fc.integer({ min: 300, max: 86400 }),
  volume: fc.constantFrom("off" as const, 2560 * 1024, 1843200 * 1024, 5_000_000_001),
  fragmentation: fc.constantFrom("auto", "off"),
};

const version2 = fc.record({
  ...shared,
  peer: fc.constantFrom("198.51.100.2", "peer.example.com"),
  ike: fc.array(fc.oneof(aeadIke, cbcIke), { minLength: 1, maxLength: 3 }),
  esp: fc.array(fc.oneof(aeadEsp, cbcEsp), { minLength: 1, maxLength: 3 }),
  pfs: fc.oneof(fc.constant("off" as const), some(GROUPS)),
  esn: fc.constantFrom("auto", "on", "off"),
  mobike: fc.boolean(),
});
const version1 = fc.record({
  ...shared,
  peer: fc.constant("198.51.100.2"),
  ike: fc.array(cbcIkeV1, { minLength: 1, maxLength: 2 }),
  esp: fc.array(cbcEsp, { minLength: 1, maxLength: 2 }),
  pfs: fc.oneof(fc.constant("off" as const), some(GROUPS, 1)),
});

type Tunnel2 = typeof version2 extends fc.Arbitrary<infer T> ? T : never;
type Tunnel1 = typeof version1 extends fc.Arbitrary<infer T> ? T : never;

function file(tunnel: Tunnel1 | Tunnel2): string {
  const isV2 = "esn" in tunnel;
  return stringify({
    version: 1,
    gateway: { address: "203.0.113.1" },
    tunnels: [
      {
        name: "there",
        peer: tunnel.peer,
        ...(tunnel.localId && { local_id: tunnel.localId }),
        ...(tunnel.peerId && { peer_id: tunnel.peerId }),
        psk: tunnel.psk,
        start: tunnel.start,
        encapsulation: tunnel.encapsulation,
        legacy: true,
        policies: tunnel.policies,
        ike: {
          version: isV2 ? 2 : 1,
          proposals: tunnel.ike,
          lifetime: tunnel.ikeLifetime,
          fragmentation: tunnel.fragmentation,
          ...(isV2 && { mobike: tunnel.mobike }),
        },
        esp: {
          proposals: tunnel.esp,
          pfs: tunnel.pfs,
          lifetime: tunnel.espLifetime,
          volume: tunnel.volume,
          ...(isV2 && { esn: tunnel.esn }),
        },
        dpd: tunnel.dpd,
      },
    ],
  });
}

for (const product of PRODUCTS)
  for (const [version, arbitrary] of [
    [2, version2],
    [1, version1],
  ] as const)
    test(`IKEv${version}: what is written for ${product} reads back as the same tunnel`, () => {
      fc.assert(
        fc.property(arbitrary as fc.Arbitrary<Tunnel1 | Tunnel2>, (tunnel) => {
          const before = loaded(file(tunnel));
          const { text, notes } = readBack(product, exported(product, before));
          assert.deepEqual(notes, []);
          assert.deepEqual(sharedFacts(loaded(text)), sharedFacts(before));
        }),
        { numRuns: 60 },
      );
    });
