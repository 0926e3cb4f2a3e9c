import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { formatSelector } from "../../esp/selector.js";
import { mirrored } from "../../src/exchange-formats/connection.js";
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
