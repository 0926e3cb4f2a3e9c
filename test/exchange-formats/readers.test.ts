import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { anySelector, formatSelector } from "../../esp/selector.js";
import { formatIdentity } from "../../ike/core/identity.js";
import { mirrored } from "../../src/exchange-formats/connection.js";
import { placeWords } from "../../src/exchange-formats/peer-words.js";
import { kindOf, readForeign } from "../../src/exchange-formats/read-file.js";
import type { Readout } from "../../src/exchange-formats/readout.js";
import { configurationText, keyInText, withOwnNames } from "../../src/exchange-formats/tunnel-yaml.js";
import { accepted } from "../config/reading.js";
import { SAMPLES } from "./samples.js";

function read(name: string): Readout {
  const { kind, text, secrets } = SAMPLES[name]!;
  return readForeign(text, kind, secrets);
}

/** The tunnels that our loader makes of it, from our side. */
function tunnelsOf({ connections, describes }: Readout) {
  const ours = describes === "the customer" ? connections : connections.map((each) => mirrored(each));
  return accepted(configurationText(withOwnNames(ours), keyInText)).policy.tunnels.map(
    ({ name, start, ike, esp, mappings, dpd }) => ({
      name,
      start,
      version: ike.version,
      ike: ike.proposals.map(proposalKeywords),
      esp: esp.proposals.map(proposalKeywords),
      lifetimes: [ike.lifetimeSeconds, esp.lifetimeSeconds],
      dpd: dpd?.timeoutSeconds,
      mappings: mappings.map(({ local, peer }) => `${formatSelector(local)} <-> ${formatSelector(peer)}`),
    }),
  );
}

const linesOf = ({ notes }: Readout) => notes.map(({ line }) => line);

test("swanctl.conf: references, several addresses, narrowed selectors and base64 keys are understood, the rest is noted with its line", () => {
  const readout = read("swanctl.conf");
  assert.deepEqual(tunnelsOf(readout), [
    {
      name: "branch",
      start: "on-traffic",
      version: 2,
      ike: ["aes256-sha256-modp2048"],
      esp: ["aes128gcm16-ecp256"],
      lifetimes: [15840, 3600],
      dpd: 30,
      mappings: [
        "192.168.1.0/24[tcp/443] <-> 10.9.1.0/24[tcp]",
        "192.168.1.0/24[tcp/443] <-> 10.9.2.7/32[tcp]",
        "192.168.2.0/24 <-> 10.9.3.0/24",
      ],
    },
  ]);
  assert.deepEqual(linesOf(readout), [3, 9, 13, 21, 27, 32, 38, 44, 45, 57, 59]);
  assert.equal(String.fromCharCode(...readout.connections[0]!.psk!.reveal()), "12345678901234567890");
});

test("strongSwan's ipsec.conf: %default, also and roadside roles are understood, conns of one peer become one tunnel", () => {
  const readout = read("strongSwan's ipsec.conf");
  assert.deepEqual(tunnelsOf(readout), [
    {
      name: "lan",
      start: "passive",
      version: 1,
      ike: ["aes256-sha1-modp1024"],
      esp: ["aes256-sha1-noesn", "3des-md5-noesn"],
      lifetimes: [8 * 3600, 3600],
      dpd: 150,
      mappings: ["192.168.1.0/24 <-> 10.9.0.0/16", "192.168.2.0/24 <-> 10.9.0.0/16"],
    },
  ]);
  assert.deepEqual(linesOf(readout), [0, 35]);
  assert.match(readout.notes[0]!.message, /^line 3 of the secrets: a secret of kind "RSA"/);
});

test("libreswan's ipsec.conf: alternatives, open key lengths, its own defaults for hash, group and PFS are understood", () => {
  const readout = read("libreswan's ipsec.conf");
  const groups = "ecp256-modp2048-modp3072-modp4096-modp8192-ecp384-ecp521-x25519";
  assert.deepEqual(tunnelsOf(readout), [
    {
      name: "mysubnet",
      start: "passive",
      version: 2,
      ike: [
        "aes256-sha512-sha256-ecp256-modp2048",
        "aes128gcm16-modp2048-modp3072-modp4096-modp8192-ecp256-ecp384-ecp521-x25519",
      ],
      esp: [`aes256gcm16-${groups}`, `aes256-aes192-aes128-sha256-${groups}`],
      lifetimes: [4 * 3600, 8 * 3600],
      dpd: 60,
      mappings: ["192.168.1.0/24 <-> 10.9.1.0/24", "192.168.1.0/24 <-> 10.9.2.0/24"],
    },
  ]);
  assert.deepEqual(linesOf(readout), [23]);
});

/** What a download says, with ranges where it has none. */
function download(name: string) {
  const { connections, describes, notes } = read(name);
  const ranges = { local: anySelector(4), peer: anySelector(4) };
  return {
    describes,
    lines: notes.map(({ line }) => line),
    tunnels: connections.map(
      ({ name: called, version, exchange, local, remote, psk, start, dpd, ike, esp, mappings }) => ({
        called,
        version: exchange ? `${version} ${exchange}` : version,
        ends: [placeWords(local.at), placeWords(remote.at)],
        ids: [local.id, remote.id].map((id) => id && formatIdentity(id)),
        psk: psk && String.fromCharCode(...psk.reveal()),
        start,
        dpd,
        ike: [ike.proposals?.map(proposalKeywords), ike.lifetimeSeconds],
        esp: [
          esp.proposals?.map((each) => proposalKeywords({ ...each, sequence: [] })),
          esp.lifetimeSeconds,
          esp.volumeOctets,
        ],
        mappings: (mappings.length > 0 ? mappings : [ranges]).map(
          (each) => `${formatSelector(each.local)} <-> ${formatSelector(each.peer)}`,
        ),
      }),
    ),
  };
}

test("AWS's text: both tunnels, from the customer's side", () => {
  const one = {
    version: 2,
    ids: [undefined, undefined],
    start: "active",
    dpd: { timeoutSeconds: 30 },
    ike: [["aes256-sha256-modp2048"], 28800],
    esp: [["aes256-sha256-modp2048"], 3600, 0],
    mappings: ["0.0.0.0/0 <-> 0.0.0.0/0"],
  };
  assert.deepEqual(download("AWS's text"), {
    describes: "the customer",
    lines: [],
    tunnels: [
      { ...one, called: "vpn-0123456789abcdef0-1", ends: ["203.0.113.1", "52.0.2.10"], psk: "keyOfTheFirstTunnel" },
      { ...one, called: "vpn-0123456789abcdef0-2", ends: ["203.0.113.1", "52.0.2.20"], psk: "keyOfTheSecondTunnel" },
    ],
  });
});

test("AWS's XML: entities are read, and the version that it does not say is noted", () => {
  const { tunnels, lines } = download("AWS's XML");
  assert.deepEqual(tunnels, [
    {
      called: "vpn-0123456789abcdef0-1",
      version: 2,
      ends: ["203.0.113.1", "52.0.2.10"],
      ids: [undefined, undefined],
      psk: "key&with<signs",
      start: "active",
      dpd: { timeoutSeconds: 30 },
      ike: [["aes128-sha1-modp1024"], 28800],
      esp: [["aes128-sha1-modp1024"], 3600, 0],
      mappings: ["0.0.0.0/0 <-> 0.0.0.0/0"],
    },
  ]);
  assert.deepEqual(lines, [18]);
});

test("Tencent Cloud's API: the cloud's own side, with its SPD and lifetimes in kilobytes", () => {
  assert.deepEqual(download("Tencent Cloud's API"), {
    describes: "its own gateway",
    lines: [],
    tunnels: [
      {
        called: "to-idc",
        version: "1 main",
        ends: ["198.51.100.22", "203.0.113.1"],
        ids: [undefined, "idc.example.com"],
        psk: "key of the cloud tunnel",
        start: "on-traffic",
        dpd: { timeoutSeconds: 30 },
        ike: [["3des-md5-modp768"], 86400],
        esp: [["aes128-sha1"], 3600, 1843200 * 1024],
        mappings: ["10.0.0.0/24 <-> 192.168.0.0/24", "10.0.0.0/24 <-> 192.168.1.0/24"],
      },
    ],
  });
});

test("Tencent Cloud's download for a device, alone or in the API's answer: the customer's side; a mask that is no prefix is noted", () => {
  const expected = {
    describes: "the customer",
    lines: [20],
    tunnels: [
      {
        called: "tencent-198.51.100.22",
        version: "1 main",
        ends: ["203.0.113.1", "198.51.100.22"],
        ids: [undefined, undefined],
        psk: "keyOfTheDevice",
        start: "active",
        dpd: undefined,
        ike: [["aes128-sha1-modp1024"], 86400],
        esp: [["aes128-sha1"], 3600, 1843200 * 1024],
        mappings: ["192.168.0.0/24 <-> 10.0.0.0/24"],
      },
    ],
  };
  assert.deepEqual(download("Tencent Cloud's download"), expected);
  const answer = JSON.stringify({
    Response: { CustomerGatewayConfiguration: SAMPLES["Tencent Cloud's download"]!.text.replaceAll("\n", "\r\n") },
  });
  assert.equal(kindOf(answer), "tencent");
  assert.equal(readForeign(answer, undefined).connections.length, 1);
});

test("the kind of a file shows in its text", () => {
  for (const { kind, text } of Object.values(SAMPLES)) assert.equal(kindOf(text), kind);
  assert.equal(kindOf("version: 1\ntunnels: []\n"), undefined);
});

test("without --own the file's right side is ours, with it the left one", () => {
  const { connections } = read("libreswan's ipsec.conf");
  const own = configurationText(connections, keyInText);
  const theirs = configurationText(
    connections.map((each) => mirrored(each)),
    keyInText,
  );
  assert.match(own, /address: 198\.51\.100\.7[\s\S]*peer: 203\.0\.113\.1[\s\S]*start: active/);
  assert.match(theirs, /address: 203\.0\.113\.1[\s\S]*peer: 198\.51\.100\.7[\s\S]*start: passive/);
});
