import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { formatAddress } from "../../esp/address.js";
import { USUAL_WRAPPING } from "../../esp/tunnel.js";
import { formatIdentity } from "../../ike/core/identity.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import type { Loaded } from "../../src/config/load.js";
import { accepted, load, oneTunnel, PSK, refused, warnings } from "./reading.js";

const tunnel = (text: string): TunnelPolicy => accepted(text).policy.tunnels[0]!;
const esp = (text: string) => tunnel(oneTunnel(text)).esp.proposals.map(proposalKeywords);
const DEFAULT_ESP = [
  "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-modp2048",
  "aes256-sha256-x25519-ecp256-modp2048",
];

test("a tunnel that says nothing gets the documented defaults", () => {
  const { policy, gateway, wrappings, psk } = accepted(oneTunnel());
  assert.deepEqual(gateway, {
    name: "invented",
    ports: { ike: 500, natT: 4500 },
    tun: { name: "causeway0", mtu: "auto" },
    workers: 1,
    controlSocket: "/run/causeway/control.sock",
    log: { level: "info", format: "json" },
    leakProtection: true,
  });
  assert.deepEqual([...wrappings], [["a", USUAL_WRAPPING]]);
  assert.deepEqual([...psk.keys()], ["a"]);
  assert.deepEqual(policy.ports, { ike: 500, natT: 4500 });
  const { ike, esp, dpd, start, close, encapsulation, localAddress, localId, peerId } = policy.tunnels[0]!;
  assert.deepEqual({ start, close, encapsulation }, { start: "active", close: "restart", encapsulation: "auto" });
  assert.deepEqual([localAddress, localId, peerId], [undefined, undefined, undefined]);
  assert.deepEqual(dpd, { timeoutSeconds: 30, action: "restart" });
  assert.deepEqual(
    { ...ike, proposals: ike.proposals.map(proposalKeywords) },
    {
      version: 2,
      proposals: [
        "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-x25519-ecp256-modp2048",
        "aes256-sha256-x25519-ecp256-modp2048",
      ],
      lifetimeSeconds: 86400,
      keepaliveSeconds: 20,
      reauth: false,
      fragmentation: "auto",
      mobike: true,
    },
  );
  assert.deepEqual(
    { ...esp, proposals: esp.proposals.map(proposalKeywords) },
    { proposals: DEFAULT_ESP, lifetimeSeconds: 3600, volumeOctets: 0, replayWindow: 1024, pfsCheck: true },
  );
});

test("everything that a tunnel says is taken", () => {
  const read = tunnel(
    oneTunnel(
      `    local_id: gw.example.com
    peer_id: "keyid:branch"
    start: passive
    close: none
    encapsulation: udp
    ike: { proposals: [aes128-sha256-modp2048], lifetime: 4h, rekey_margin: 90s, keepalive: off }
    esp: { proposals: [aes128gcm16], lifetime: 30m, rekey_margin: 60, volume: 1800MiB, replay_window: 64, mss_clamp: true }
    dpd: off`,
      "gateway: { address: 203.0.113.1 }",
    ),
  );
  assert.equal(formatIdentity(read.localId!), "gw.example.com");
  assert.equal(formatIdentity(read.peerId!), "keyid:branch");
  assert.equal(formatAddress(read.localAddress!), "203.0.113.1");
  assert.deepEqual([read.start, read.close, read.encapsulation, read.dpd], ["passive", "none", "udp", undefined]);
  assert.deepEqual([read.ike.lifetimeSeconds, read.ike.rekeyMarginSeconds, read.ike.keepaliveSeconds], [14400, 90, 0]);
  assert.deepEqual(
    [read.esp.lifetimeSeconds, read.esp.rekeyMarginSeconds, read.esp.volumeOctets, read.esp.replayWindow],
    [1800, 60, 1800 * 2 ** 20, 64],
  );
});

test("durations and sizes are read in every unit", () => {
  for (const [written, seconds] of [
    ["90s", 90],
    ["15m", 900],
    ["1h", 3600],
    ["7d", 604800],
    ["200", 200],
  ] as const)
    assert.equal(tunnel(oneTunnel(`    ike: { lifetime: ${written} }`)).ike.lifetimeSeconds, seconds);
  for (const [written, octets] of [
    ["2560KiB", 2621440],
    ["3MiB", 3145728],
    ["1GiB", 2 ** 30],
    ["3000000", 3000000],
  ] as const)
    assert.equal(tunnel(oneTunnel(`    esp: { volume: ${written} }`)).esp.volumeOctets, octets);
});

test("defaults are inherited key by key, and a tunnel's own word wins", () => {
  const { policy } = accepted(`version: 1
defaults:
  psk: ${PSK}
  start: passive
  ike: { lifetime: 2h, keepalive: 30s }
  esp: { lifetime: 20m, pfs: off }
  dpd: { timeout: 60s, action: clear }
  policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]
tunnels:
  - { name: a, peer: 198.51.100.1 }
  - name: b
    peer: 198.51.100.2
    start: active
    ike: { lifetime: 3h }
    esp: { pfs: [ecp256] }
    dpd: { timeout: 90s }
    policies: [{ local: [192.168.1.0/24], peer: [10.2.0.0/16] }]
  - { name: c, peer: 198.51.100.3, dpd: off, policies: [{ local: [192.168.1.0/24], peer: [10.3.0.0/16] }] }
`);
  const [a, b, c] = policy.tunnels;
  assert.deepEqual([a!.start, b!.start], ["passive", "active"]);
  assert.deepEqual([a!.ike.lifetimeSeconds, b!.ike.lifetimeSeconds, b!.ike.keepaliveSeconds], [7200, 10800, 30]);
  assert.deepEqual([a!.esp.lifetimeSeconds, b!.esp.lifetimeSeconds], [1200, 1200]);
  assert.deepEqual(a!.esp.proposals[0]!.keyExchange, []);
  assert.deepEqual(b!.esp.proposals[0]!.keyExchange.map(({ name }) => name).length, 1);
  assert.deepEqual(
    [a!.dpd, b!.dpd, c!.dpd],
    [{ timeoutSeconds: 60, action: "clear" }, { timeoutSeconds: 90, action: "clear" }, undefined],
  );
  assert.equal(policy.tunnels.length, 3);
});

test("PFS groups go to every ESP proposal that names none", () => {
  assert.deepEqual(esp("    esp: { proposals: [aes256gcm16, aes128-sha256] }"), [
    "aes256gcm16-x25519-ecp256-modp2048",
    "aes128-sha256-x25519-ecp256-modp2048",
  ]);
  assert.deepEqual(esp("    esp: { proposals: [aes256gcm16, aes128-sha256-modp3072] }"), [
    "aes256gcm16-x25519-ecp256-modp2048",
    "aes128-sha256-modp3072",
  ]);
  assert.deepEqual(esp("    esp: { proposals: [aes256gcm16], pfs: [modp2048, x25519] }"), [
    "aes256gcm16-modp2048-x25519",
  ]);
  assert.deepEqual(esp("    esp: { proposals: [aes256gcm16-modp2048], pfs: [dh14] }"), ["aes256gcm16-modp2048"]);
  assert.deepEqual(esp("    esp: { proposals: [aes256gcm16], pfs: off }"), ["aes256gcm16"]);
  assert.deepEqual(esp("    esp: { pfs: off }"), ["aes256gcm16-aes128gcm16-chacha20poly1305", "aes256-sha256"]);
  assert.deepEqual(esp("    esp: { pfs: [ecp384] }")[1], "aes256-sha256-ecp384");
});

test("a group in a proposal wins over an inherited pfs, and contradicts one beside it", () => {
  const inherited = oneTunnel("    esp: { proposals: [aes256gcm16-modp3072] }", "defaults: { esp: { pfs: [x25519] } }");
  assert.deepEqual(tunnel(inherited).esp.proposals.map(proposalKeywords), ["aes256gcm16-modp3072"]);
  const [error] = refused(oneTunnel("    esp: { proposals: [aes256gcm16-modp3072], pfs: [x25519] }"));
  assert.match(error!.message, /names its PFS group \(modp3072\) and pfs beside it says x25519; keep one of the two/);
});

test("extended sequence numbers follow esn, the proposal's own word, and the replay window", () => {
  const extended = (text: string) =>
    tunnel(oneTunnel(`    esp: ${text}`)).esp.proposals.map(({ sequence }) => sequence.map(({ extended }) => extended));
  assert.deepEqual(extended("{ proposals: [aes256gcm16] }"), [[true, false]]);
  assert.deepEqual(extended("{ proposals: [aes256gcm16], esn: on }"), [[true]]);
  assert.deepEqual(extended("{ proposals: [aes256gcm16], esn: off }"), [[false]]);
  assert.deepEqual(extended("{ proposals: [aes256gcm16], esn: false }"), [[false]]);
  assert.deepEqual(extended("{ proposals: [aes256gcm16-esn, aes256gcm16-noesn], esn: auto }"), [[true], [false]]);
  assert.deepEqual(extended("{ proposals: [aes256gcm16], replay_window: 0 }"), [[false]]);
});

test("where there is nobody to call, DPD restart means clear", () => {
  assert.equal(tunnel(oneTunnel("    start: passive")).dpd?.action, "clear");
  assert.equal(tunnel(oneTunnel("    start: passive").replace("198.51.100.2", "any")).dpd?.action, "clear");
});

test("short lifetimes earn warnings below 60 s for IKE and 180 s for ESP", () => {
  const told = (text: string) => warnings(oneTunnel(text)).map(({ path }) => path);
  assert.deepEqual(told("    ike: { lifetime: 59s }\n    esp: { lifetime: 179 }"), [
    "tunnels[0].ike.lifetime",
    "tunnels[0].esp.lifetime",
  ]);
  assert.deepEqual(told("    ike: { lifetime: 60s }\n    esp: { lifetime: 180 }"), []);
});

test("two tunnels with one pair of identities earn a warning", () => {
  const two = (more: string) => `version: 1
defaults: { psk: ${PSK}, peer_id: hub.example.com }
tunnels:
  - { name: a, peer: 198.51.100.1, policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }] }
  - { name: b, peer: 198.51.100.2, policies: [{ local: [192.168.1.0/24], peer: [10.2.0.0/16] }]${more} }
`;
  const [warning, ...more] = warnings(two(""));
  assert.deepEqual([warning?.path, warning?.line, more.length], ["tunnels[1]", 5, 0]);
  assert.match(warning!.message, /tunnels a and b have the same identities .*hub\.example\.com/);
  assert.deepEqual(warnings(two(", local_id: second.example.com")), []);
});

test("an outer address on no interface earns a warning with the remedy", () => {
  const [warning] = warnings(oneTunnel("", "gateway: { address: 203.0.113.99 }"));
  assert.equal(warning?.path, "gateway.address");
  assert.match(warning!.message, /203\.0\.113\.99 is on no interface.*local_id/);
  assert.deepEqual(warnings(oneTunnel("", "gateway: { address: 203.0.113.1 }")), []);
});

test("no tunnels at all is a warning", () => {
  assert.equal(warnings("version: 1\n").length, 1);
  assert.equal(warnings("version: 1\ntunnels: []\n").length, 1);
});

test("what is there and wrong is told once, and not that it is missing as well", () => {
  for (const [text, told] of [
    ["version: 1\ngateway: { http: { listen: 'localhost:9500' } }\ntunnels: []\n", /not an IP address with a port/],
    ["version: 1\ngateway: { http: {} }\ntunnels: []\n", /is missing/],
    ["version: 1\ntunnels: {}\n", /tunnels/],
  ] as const) {
    const { errors, warnings: also } = load(text) as Extract<Loaded, { errors: unknown }>;
    assert.equal(errors.length, 1, text);
    assert.match(errors[0]!.message, told);
    assert.equal(also.filter(({ message }) => /no tunnels/.test(message)).length, text.includes("[]") ? 1 : 0);
  }
});

test("each tunnel says how its packets are wrapped", () => {
  const wrapping = (esp: string) => accepted(oneTunnel(`    esp: { ${esp} }`)).wrappings.get("a");
  assert.deepEqual(wrapping("mss_clamp: false"), { ...USUAL_WRAPPING, clampMss: false });
  assert.deepEqual(wrapping("mtu: 1400, df: clear, dscp: 46, tfc_padding: mtu"), {
    mtu: 1400,
    df: "clear",
    dscp: 46,
    clampMss: true,
    tfcPadding: "mtu",
  });
  assert.deepEqual(wrapping("mtu: 576, df: set, dscp: 0, tfc_padding: 512"), {
    ...USUAL_WRAPPING,
    mtu: 576,
    df: "set",
    dscp: 0,
    tfcPadding: 512,
  });
  for (const inert of ["mtu: auto, df: copy, dscp: copy, tfc_padding: off", "tfc_padding: 0", "tfc_padding: false"])
    assert.deepEqual(wrapping(inert), USUAL_WRAPPING);
});

test("values that no packet can have are refused, and an MTU below 1280 where a policy has IPv6 ranges", () => {
  for (const [path, text, allowed] of [
    ["mtu", "mtu: 575", /found 575; allowed: .*from 576 to 65535/],
    ["mtu", "mtu: none", /allowed: auto/],
    ["dscp", "dscp: 64", /found 64; allowed: .*from 0 to 63/],
    ["df", "df: keep", /allowed: copy | set | clear/],
    ["tfc_padding", "tfc_padding: some", /allowed: off, mtu, or the least size/],
  ] as const) {
    const [error] = refused(oneTunnel(`    esp: { ${text} }`));
    assert.equal(error!.path, `tunnels[0].esp.${path}`);
    assert.match(error!.message, allowed);
  }
  const both = oneTunnel("    esp: { mtu: 1279 }").replace(
    "policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]",
    'policies: [{ local: ["fd00:1::/64"], peer: ["fd00:2::/64"] }]',
  );
  assert.match(refused(both)[0]!.message, /found 1279; allowed: at least 1280, which every IPv6 link carries/);
});

test("a weak algorithm is accepted with one warning per proposal that says what is weak and why", () => {
  const found = warnings(oneTunnel("    ike: { proposals: [aes256-sha1-modp2048] }")).filter(({ path }) =>
    path.startsWith("tunnels[0].ike"),
  );
  assert.deepEqual(
    found.map(({ path }) => path),
    ["tunnels[0].ike.proposals[0]"],
  );
  assert.match(found[0]!.message, /^weak: sha1 is MUST- \(RFC 8247 section 2\.3\): .*; prfsha1 is MUST- /);
});

test("what MUST NOT be used is refused by name, RFC and key, and with legacy: true only warned of", () => {
  const text = (legacy: string) =>
    oneTunnel(`${legacy}    ike: { proposals: [aes256-sha256-modp768] }\n    esp: { pfs: [modp768] }`);
  const errors = refused(text("")).map(({ path, detail }) => `${path}: ${detail}`);
  assert.equal(errors.length, 2);
  assert.match(errors[0]!, /^tunnels\[0\]\.ike\.proposals\[0\]: modp768 is MUST NOT \(RFC 8247 section 2\.4\): /);
  assert.match(errors[0]!, /write legacy: true into the tunnel$/);
  assert.match(errors[1]!, /^tunnels\[0\]\.esp\.pfs\[0\]: modp768 is MUST NOT/);
  const weak = warnings(text("    legacy: true\n")).filter(({ message }) =>
    message.startsWith("weak: modp768 is MUST NOT"),
  );
  assert.equal(weak.length, 2);
  assert.equal(
    accepted(oneTunnel("    ike: { proposals: [aes256-sha256-modp768] }", "defaults: { legacy: true }")).psk.size,
    1,
  );
});

test("traffic may bring a tunnel up at first and after each loss; where the peer is to call, that means to wait for it", () => {
  const text = "    start: on-traffic\n    close: on-traffic\n    dpd: { action: on-traffic }\n    duplicates: keep";
  const { start, close, dpd, duplicates } = accepted(oneTunnel(text)).policy.tunnels[0]!;
  assert.deepEqual([start, close, dpd?.action, duplicates], ["on-traffic", "on-traffic", "on-traffic", "keep"]);
  const waits = accepted(oneTunnel("    start: passive\n    dpd: { action: on-traffic }")).policy.tunnels[0]!;
  assert.equal(waits.dpd?.action, "clear");
});
