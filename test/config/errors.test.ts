import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfiguration } from "../../src/config/load.js";
import { accepted, inventedHost, oneTunnel, PSK, places, refused } from "./reading.js";

test("an error names file, line, column, path, what was found and what is allowed", () => {
  const [error, ...more] = refused(oneTunnel("    esp: { lifetime: 5x }"));
  assert.equal(
    error?.message,
    '/etc/causeway/gateway.yaml:8:22: tunnels[0].esp.lifetime: found "5x"; ' +
      "allowed: a duration such as 90s, 15m, 1h, 7d or plain seconds, from 5s to 365d",
  );
  assert.deepEqual(more, []);
});

test("all errors are told at once, in the order of the file, whatever their kind", () => {
  const text = `version: 2
gatway: {}
gateway:
  address: 300.1.1.1
  ports: { ike: 0 }
defaults:
  esp: { lifetime: 1 }
tunnels:
  - name: a
    peer: 198.51.100.2
    psk: ${PSK}
    esp: { proposals: [aes256gcm17], pfs: off, pfs: off }
    policies: [{ local: [10.0.0.0/8], peer: [10.1.0.0/16] }]
  - name: a
    start: active
    peer: any
    peer_id: "@"
    psk: { file: missing }
    policies: [{ local: [172.16.0.0/16], peer: [172.17.0.0/16], colour: red }]
  - nonsense
`;
  assert.deepEqual(places(text), [
    "1:10 version",
    "2:1 gatway",
    "4:12 gateway.address",
    "5:17 gateway.ports.ike",
    "7:20 defaults.esp.lifetime",
    "12:24 tunnels[0].esp.proposals[0]",
    "12:48 tunnels[0].esp.pfs",
    "13:46 tunnels[0].policies[0].peer[0]",
    "14:11 tunnels[1].name",
    "16:11 tunnels[1].peer",
    "17:14 tunnels[1].peer_id",
    "18:10 tunnels[1].psk",
    "19:65 tunnels[1].policies[0].colour",
    "20:5 tunnels[2]",
  ]);
});

test("a mistake has no consequences that are told as well", () => {
  assert.deepEqual(
    places(`version: 1
tunnels:
  - name: a
    peer: any
    start: pasive
    psk: 5:
    policies: nothing
    ike: { lifetime: 20q, rekey_margin: 30h }
`),
    ["6:10 the file"],
  );
  assert.deepEqual(
    places(`version: 1
tunnels:
  - name: a
    peer: any
    start: pasive
    psk: []
    policies: nothing
    ike: { lifetime: 20q, rekey_margin: 30h }
`),
    ["5:12 tunnels[0].start", "6:10 tunnels[0].psk", "7:15 tunnels[0].policies", "8:22 tunnels[0].ike.lifetime"],
  );
});

test("an unknown key is told with the nearest known one, or with all of them", () => {
  const [near] = refused(oneTunnel("    encapsultaion: auto"));
  assert.match(
    near!.message,
    /:8:5: tunnels\[0\]\.encapsultaion: unknown key "encapsultaion"; did you mean encapsulation\?/,
  );
  const [far] = refused(oneTunnel("    dpd: { colour: red }"));
  assert.match(far!.message, /:8:12: tunnels\[0\]\.dpd\.colour: unknown key "colour"; known here: timeout, action/);
  const [hyphen] = refused(oneTunnel("    peer-id: x"));
  assert.match(hyphen!.message, /did you mean peer_id\?/);
});

test("missing keys are told at the block that lacks them", () => {
  const text = "version: 1\ntunnels:\n  - name: a\n";
  assert.deepEqual(places(text), ["3:5 tunnels[0].peer", "3:5 tunnels[0].psk", "3:5 tunnels[0].policies"]);
  assert.match(refused("tunnels: []\n")[0]!.message, /:1:1: version: is missing; allowed: 1/);
});

test("an error in defaults is told once, where it stands", () => {
  const text = `version: 1
defaults:
  ike: { proposals: [aes256] }
tunnels:
  - { name: a, peer: 198.51.100.2, psk: ${PSK}, policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/24] }] }
  - { name: b, peer: 198.51.100.3, psk: ${PSK}, policies: [{ local: [192.168.1.0/24], peer: [10.1.1.0/24] }] }
`;
  assert.deepEqual(places(text), ["3:22 defaults.ike.proposals[0]"]);
});

const WRONG: readonly (readonly [string, string])[] = [
  ["    start: soon", "8:12 tunnels[0].start"],
  ["    close: maybe", "8:12 tunnels[0].close"],
  ["    encapsulation: tcp", "8:20 tunnels[0].encapsulation"],
  ["    dpd: { timeout: 9s }", "8:21 tunnels[0].dpd.timeout"],
  ["    dpd: { timeout: 301 }", "8:21 tunnels[0].dpd.timeout"],
  ["    dpd: { action: hold }", "8:20 tunnels[0].dpd.action"],
  ["    dpd: on", "8:10 tunnels[0].dpd"],
  ["    dpd:", "8:9 tunnels[0].dpd"],
  ["    ike: { lifetime: 4s }", "8:22 tunnels[0].ike.lifetime"],
  ["    ike: { lifetime: 1.5h }", "8:22 tunnels[0].ike.lifetime"],
  ["    ike: { lifetime: -5 }", "8:22 tunnels[0].ike.lifetime"],
  ["    ike: { lifetime: 1h, rekey_margin: 1h }", "8:40 tunnels[0].ike.rekey_margin"],
  ["    ike: { proposals: [] }", "8:23 tunnels[0].ike.proposals"],
  ["    ike: { proposals: aes256-sha256-modp2048 }", "8:23 tunnels[0].ike.proposals"],
  ["    ike: { proposals: [aes256-sha256] }", "8:24 tunnels[0].ike.proposals[0]"],
  ["    ike: { version: 3 }", "8:21 tunnels[0].ike.version"],
  ["    esp: { volume: 1MiB }", "8:20 tunnels[0].esp.volume"],
  ["    esp: { volume: 5GB }", "8:20 tunnels[0].esp.volume"],
  ["    esp: { replay_window: -1 }", "8:27 tunnels[0].esp.replay_window"],
  ["    esp: { esn: maybe }", "8:17 tunnels[0].esp.esn"],
  ["    esp: { pfs: [modp2049] }", "8:18 tunnels[0].esp.pfs[0]"],
  ["    esp: { pfs: [aes256] }", "8:18 tunnels[0].esp.pfs[0]"],
  ["    esp: { pfs: [] }", "8:17 tunnels[0].esp.pfs"],
  ["    esp: { proposals: [aes256gcm16-modp2048], pfs: off }", "8:24 tunnels[0].esp.proposals[0]"],
  ["    local_id: 300.300.1.1.", "8:15 tunnels[0].local_id"],
];

test("wrong values are refused where they stand", () => {
  for (const [line, place] of WRONG) assert.deepEqual(places(oneTunnel(line)), [place], line);
});

const WRONG_GATEWAY: readonly (readonly [string, string])[] = [
  ["gateway: { name: '' }", "2:18 gateway.name"],
  ["gateway: { address: vpn.example.com }", "2:21 gateway.address"],
  ["gateway: { ports: { ike: 4500 } }", "2:19 gateway.ports"],
  ["gateway: { ports: { nat_t: 70000 } }", "2:28 gateway.ports.nat_t"],
  ["gateway: { tun: { name: much-too-long-name } }", "2:25 gateway.tun.name"],
  ["gateway: { tun: { mtu: 576 } }", "2:24 gateway.tun.mtu"],
  ["gateway: { control: { socket: relative.sock } }", "2:31 gateway.control.socket"],
  [`gateway: { control: { socket: /${"x".repeat(107)} } }`, "2:31 gateway.control.socket"],
  ["gateway: { log: { level: loud } }", "2:26 gateway.log.level"],
  ["gateway: { limits: { tunnels: 0 } }", "2:31 gateway.limits.tunnels"],
  ["gateway: []", "2:10 gateway"],
];

test("wrong values of the gateway are refused where they stand", () => {
  for (const [line, place] of WRONG_GATEWAY) assert.deepEqual(places(oneTunnel("", line)), [place], line);
});

test("peers that cannot be called are refused", () => {
  for (const peer of [
    "any",
    "0.0.0.0",
    "224.0.0.1",
    "ff02::1",
    "300.1.1.1",
    "host_.-",
    "a b",
    "10.0.0",
    "203.0.113.1",
    "::1",
  ]) {
    const text = oneTunnel("", "gateway: { address: 203.0.113.1 }").replace("198.51.100.2", `"${peer}"`);
    assert.deepEqual(places(text), ["5:11 tunnels[0].peer"], peer);
  }
  for (const peer of ["vpn.example.com", "peer", "198.51.100.9"]) accepted(oneTunnel().replace("198.51.100.2", peer));
  accepted(oneTunnel("    start: passive").replace("198.51.100.2", "any"));
});

test("tunnel names have 1 to 60 characters and are unique", () => {
  const named = (name: string) => oneTunnel().replace("name: a", `name: ${name}`);
  accepted(named("广".repeat(60)));
  accepted(named("a/b c"));
  for (const name of ["广".repeat(61), "''", "' a'", "7", '"a\\tb"', "[]"])
    assert.deepEqual(places(named(name)), ["4:11 tunnels[0].name"], name);
});

test("a file that is empty, missing, a folder, or no text is one error", () => {
  assert.match(refused("")[0]!.message, /gateway\.yaml:1:1: the file: the file is empty/);
  assert.match(refused("# nothing\n")[0]!.message, /the file is empty/);
  assert.deepEqual(places("just words"), ["1:1 the file"]);
  const folder = mkdtempSync(join(tmpdir(), "causeway-config-"));
  try {
    writeFileSync(join(folder, "binary"), Uint8Array.of(0xff, 0xfe, 0x00));
    for (const name of ["", "missing", "binary"]) {
      const loaded = loadConfiguration(join(folder, name), inventedHost());
      assert.ok("errors" in loaded && loaded.errors.length === 1, name);
      assert.match(loaded.errors[0]!.message, /cannot be read/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
