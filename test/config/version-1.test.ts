import assert from "node:assert/strict";
import { test } from "node:test";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import { accepted, inventedHost, oneTunnel, PSK, refused, STRONG, warnings } from "./reading.js";

const tunnel = (text: string, top = ""): TunnelPolicy => accepted(oneTunnel(text, top)).policy.tunnels[0]!;
const problems = (text: string, top = "") =>
  refused(oneTunnel(text, top)).map(({ path, detail }) => `${path}: ${detail}`);
const one = (text: string, top = "") => {
  const found = problems(text, top);
  assert.equal(found.length, 1, found.join("\n"));
  return found[0]!;
};

test("IKEv1 gets defaults of its own: main mode, what has a number there, one group, the KB lifetime", () => {
  const { ike, esp } = tunnel("    ike: { version: 1 }");
  assert.deepEqual(
    { ...ike, proposals: ike.proposals.map(proposalKeywords) },
    {
      version: 1,
      exchange: "main",
      proposals: ["aes256-sha256-ecp256-modp2048"],
      lifetimeSeconds: 86400,
      keepaliveSeconds: 20,
      fragmentation: "auto",
      mobike: false,
      reauth: false,
    },
  );
  assert.deepEqual(
    { ...esp, proposals: esp.proposals.map(proposalKeywords) },
    {
      proposals: ["aes256gcm16-aes128gcm16-modp2048-noesn", "aes256-sha256-modp2048-noesn"],
      lifetimeSeconds: 3600,
      pfsCheck: false,
      volumeOctets: 1843200 * 1024,
      replayWindow: 1024,
    },
  );
  const aggressive = tunnel("    ike: { version: 1, exchange: aggressive }").ike;
  assert.equal(aggressive.exchange, "aggressive");
  assert.deepEqual(aggressive.proposals.map(proposalKeywords), ["aes256-sha256-modp2048"]);
});

test("everything that an IKEv1 tunnel says is taken", () => {
  const { ike, esp } = tunnel(`    legacy: true
    ike: { version: 1, proposals: [3des-md5-modp768], lifetime: 8h, volume: 4GiB }
    esp: { proposals: [3des-md5], pfs: off, volume: 2560KiB, esn: on }`);
  assert.deepEqual(ike.proposals.map(proposalKeywords), ["3des-md5-modp768"]);
  assert.deepEqual([ike.lifetimeSeconds, ike.volumeOctets, esp.volumeOctets], [28800, 4 * 2 ** 30, 2560 * 1024]);
  assert.deepEqual(esp.proposals.map(proposalKeywords), ["3des-md5-esn"]);
  assert.equal(tunnel("    ike: { version: 1, volume: off }\n    esp: { volume: off }").ike.volumeOctets, undefined);
  assert.equal(tunnel("    ike: { version: 1 }\n    esp: { volume: off }").esp.volumeOctets, 0);
});

test("version 1 needs no legacy: true, its weak algorithms do", () => {
  tunnel("    ike: { version: 1, proposals: [aes128-sha1-modp1536] }\n    esp: { proposals: [aes128-sha1] }");
  const [first, second] = problems(
    "    ike: { version: 1, proposals: [3des-md5-modp768] }\n    esp: { proposals: [3des-md5], pfs: off }",
  );
  assert.match(first!, /ike\.proposals\[0\]: md5 is MUST NOT.*modp768 is MUST NOT.*legacy: true/);
  assert.match(second!, /esp\.proposals\[0\]: md5 is MUST NOT/);
});

test("algorithms without a number in IKEv1 are refused by name and phase", () => {
  assert.match(
    one("    ike: { version: 1, proposals: [aes256gcm16-prfsha256-modp2048] }"),
    /ike\.proposals\[0\]: aes\*gcm16: without a number in IKEv1 phase 1, .*or use version: 2$/,
  );
  assert.match(
    one("    ike: { version: 1, proposals: [aes256-sha256-x25519] }"),
    /: x25519: without a number in IKEv1/,
  );
  assert.match(
    one("    ike: { version: 1, proposals: [aes128ctr-aesxcbc-modp2048] }"),
    /aes\*ctr, prfaesxcbc: without/,
  );
  assert.match(
    one("    ike: { version: 1 }\n    esp: { proposals: [chacha20poly1305] }"),
    /esp\.proposals\[0\]: chacha20poly1305: without a number in IKEv1 phase 2/,
  );
  assert.match(
    one("    ike: { version: 1 }\n    esp: { proposals: [aes128-aescmac] }"),
    /aescmac: without a number in IKEv1 phase 2/,
  );
  assert.match(
    one("    ike: { version: 1, proposals: [aes128-sha256-prfsha512-modp2048] }"),
    /found prfsha512 beside sha256; allowed with IKE version 1: no PRF/,
  );
});

test("GM/T 0022 numbers serve IKEv1, and not IKEv2", () => {
  const { ike, esp } = tunnel(`    numbering: gmt0022
    ike: { version: 1, proposals: [sm4-sm3-modp2048] }
    esp: { proposals: [sm4-sm3] }`);
  assert.deepEqual([ike.proposals[0]!.numbering?.name, esp.proposals[0]!.numbering?.name], ["gmt0022", "gmt0022"]);
  assert.match(one("    numbering: gmt0022"), /which numbers IKEv1 alone, and tunnel a speaks IKEv2/);
});

test("one group where KE goes out before the peer can choose", () => {
  assert.match(
    one("    ike: { version: 1, exchange: aggressive, proposals: [aes256-sha256-modp2048, aes128-sha1-modp1024] }"),
    /ike\.proposals\[1\]: found modp1024, and modp2048 before it; aggressive mode of IKEv1 .*cannot offer a choice/,
  );
  assert.match(
    one("    ike: { version: 1, exchange: aggressive, proposals: [aes256-sha256-modp2048-ecp256] }"),
    /found modp2048, ecp256; aggressive mode/,
  );
  tunnel("    ike: { version: 1, proposals: [aes256-sha256-modp2048, aes128-sha1-modp1024] }");
  assert.match(
    one("    ike: { version: 1 }\n    esp: { pfs: [modp2048, modp1536] }"),
    /esp\.pfs: found modp2048, modp1536; quick mode of IKEv1 .*RFC 2409 section 5\.5/,
  );
  assert.match(
    one("    ike: { version: 1 }\n    esp: { proposals: [aes256-sha256-modp1536, aes128-sha1] }"),
    /quick mode/,
  );
  tunnel("    ike: { version: 1 }\n    esp: { proposals: [aes256-sha256-modp1536, aes128-sha1-modp1536] }");
});

test("keys of one version are refused in a tunnel of the other, and skipped in defaults for those that say their version", () => {
  assert.match(one("    ike: { exchange: aggressive }"), /ike\.exchange: found aggressive, which belongs to IKEv1/);
  assert.match(one("    ike: { volume: 4GiB }"), /ike\.volume: found a volume limit/);
  assert.match(one("", "defaults: { ike: { exchange: aggressive } }"), /^defaults\.ike\.exchange: found aggressive/);
  const mixed = tunnel(
    "    ike: { version: 2 }",
    "defaults: { ike: { version: 1, exchange: aggressive, volume: 4GiB } }",
  );
  assert.deepEqual([mixed.ike.version, mixed.ike.exchange, mixed.ike.volumeOctets], [2, undefined, undefined]);
  tunnel("    ike: { exchange: main, volume: off }");
  assert.match(one("    ike: { version: 1, mobike: true }"), /ike\.mobike: found true, which belongs to IKEv2/);
  assert.equal(tunnel("    ike: { version: 1 }", "defaults: { ike: { mobike: true } }").ike.mobike, false);
  assert.match(one("    ike: { version: 3 }"), /ike\.version: found 3; allowed: 1 \| 2/);
  assert.match(one("    ike: { version: 1, volume: 1MiB }"), /at least 2560KiB/);
});

test("a quick mode names one port or all of them", () => {
  const ports = (written: string) => `    ike: { version: 1 }\n    policies: [${written}]`;
  const policies = (written: string) =>
    oneTunnel(ports(written)).replace("    policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]\n", "");
  const single = policies("{ local: [192.168.1.0/24], peer: [10.1.0.0/16], protocol: tcp, peer_ports: [80, 443] }");
  assert.equal(accepted(single).policy.tunnels[0]!.mappings.length, 2);
  const [error] = refused(
    policies("{ local: [192.168.1.0/24], peer: [10.1.0.0/16], protocol: tcp, peer_ports: 80-90 }"),
  );
  assert.equal(error!.path, "tunnels[0].policies[0].peer_ports");
  assert.match(error!.message, /found the range 80-90; allowed with IKE version 1: single ports/);
});

const two = (a: string, b: string) => `version: 1
tunnels:
  - { name: a, psk: { env: KEY }, policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }], ${a} }
  - { name: b, psk: { env: OTHER }, policies: [{ local: [192.168.1.0/24], peer: [10.2.0.0/16] }], ${b} }
`;

test("main mode chooses the key by address: tunnels that an address cannot tell apart must share it", () => {
  const keys = (other: string) => inventedHost({}, { KEY: STRONG, OTHER: other });
  const differ = keys(`${STRONG}!`);
  const any = (name: string, more = "") =>
    `peer: any, peer_id: ${name}.example.com, start: passive, ike: { version: 1${more} }`;
  const [error, ...more] = refused(two(any("a"), any("b")), differ);
  assert.deepEqual([error!.path, more.length], ["tunnels[1].psk", 0]);
  assert.match(error!.message, /differs from the key of tunnel a, .*main mode from any address/);
  assert.ok(!error!.message.includes(STRONG));
  accepted(two(any("a"), any("b")), keys(STRONG));
  accepted(two(any("a", ", exchange: aggressive"), any("b", ", exchange: aggressive")), differ);
  accepted(two(any("a"), any("b").replace("version: 1", "version: 2")), differ);
  const at = (id: string) => `peer: 198.51.100.2, peer_id: ${id}.example.com, ike: { version: 1 }`;
  assert.match(refused(two(at("a"), at("b")), differ)[0]!.message, /main mode from 198\.51\.100\.2/);
  accepted(two(at("a"), any("b")), differ);
  const named = (start: string) => `peer: gw.example.com, start: ${start}, ike: { version: 1 }`;
  assert.match(refused(two(any("a"), named("passive")), differ)[0]!.message, /main mode from any address/);
  accepted(two(any("a"), named("active")), differ);
});

test("one peer may have tunnels of both versions, and they are no twins", () => {
  const at = (version: number) => `peer: 198.51.100.2, ike: { version: ${version} }`;
  const host = inventedHost({}, { KEY: STRONG, OTHER: `${STRONG}!` });
  assert.deepEqual(warnings(two(at(1), at(2)), host), []);
  const [twins] = warnings(two(at(1), at(1)), inventedHost({}, { KEY: STRONG, OTHER: STRONG }));
  assert.match(twins!.message, /the same identities \(IKEv1, /);
});

test("aggressive mode earns a warning, and a weak key in it a loud one", () => {
  const text = oneTunnel("    ike: { version: 1, exchange: aggressive }");
  const [strong, ...rest] = warnings(text);
  assert.deepEqual([strong!.path, rest.length], ["tunnels[0].ike.exchange", 0]);
  assert.match(strong!.message, /hash of the pre-shared key.*search for the key offline/);
  const weak = warnings(text, inventedHost({}, { KEY: "short" })).map(({ message }) => message);
  assert.ok(weak.some((message) => message.startsWith("DANGER, A WEAK KEY IN AGGRESSIVE MODE: ")));
  assert.ok(weak.some((message) => /the key is weak: it has fewer than 16 octets/.test(message)));
  assert.deepEqual(
    warnings(oneTunnel(`    psk: ${PSK}\n    ike: { version: 1 }`).replace(`    psk: ${PSK}\n`, "")),
    [],
  );
});
