/** A connection as Terraform of Tencent Cloud: the customer gateway that we are, and a tunnel of theirs. */

import { text } from "../../crypto/bytes.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { formatPrefix } from "../../esp/address.js";
import { formatIdentity } from "../../ike/core/identity.js";
import type { CompleteConnection, End } from "./connection.js";
import {
  deviceRemarks,
  hostAddress,
  KEY_PLACEHOLDER,
  prefixPairs,
  refuseIpv6Policies,
  refuseNarrowPolicies,
  refuseWithoutAddresses,
} from "./devices.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { typedSecret } from "./secret-words.js";
import { fitting, refuseLacking, singleChoices, spellingOf, type Words } from "./spelling.js";

const CIPHERS: Words = {
  des: "DES-CBC",
  "3des": "3DES-CBC",
  "aes*": "AES-CBC-*",
  sm4: "SM4",
  "aes*gcm16": "AES*GCM128",
};
const GROUPS: Words = {
  modp768: "GROUP1",
  modp1024: "GROUP2",
  modp1536: "GROUP5",
  modp2048: "GROUP14",
  modp2048s256: "GROUP24",
};
const HASHES: Words = { md5: "MD5", sha256: "SHA-256", sha384: "SHA-384", sha512: "SHA-512", sm3: "SM3" };
const SPELLING = spellingOf({
  ike: {
    ...CIPHERS,
    ...HASHES,
    sha1: "SHA",
    ...Object.fromEntries(Object.entries({ ...HASHES, sha1: "SHA" }).map(([hash, word]) => [`prf${hash}`, word])),
    ...GROUPS,
  },
  esp: {
    ...CIPHERS,
    ...HASHES,
    sha1: "SHA1",
    ...Object.fromEntries(Object.entries(GROUPS).map(([group, word]) => [group, `DH-${word}`])),
    noesn: "noesn",
    null: "NULL",
  },
});

export function writeTerraformTencent(connection: CompleteConnection, options: ExportOptions): Exported {
  refuseWithoutAddresses(connection);
  refuseIpv6Policies(connection);
  refuseNarrowPolicies(connection);
  const { version, exchange, local, remote, esp, dpd, encapsulation, start } = connection;
  const ike = fitting(connection.ike.proposals, "ike", SPELLING, options.reduce);
  const plain = connection.esp.proposals.map((each) => ({
    ...each,
    sequence: each.sequence.filter((row) => !row.extended),
  }));
  const suites = fitting(plain, "esp", SPELLING, options.reduce);
  const phase1 = singleChoices<IkeProposal>(ike.proposals);
  const phase2 = singleChoices<EspProposal>(suites.proposals);
  refuseLacking([
    connection.esp.proposals.some(({ sequence }) => sequence.length > 0 && sequence.every((row) => row.extended)) &&
      "extended sequence numbers",
    encapsulation === "udp" && "UDP encapsulation where there is no NAT",
    [local, remote].some(({ id }) => id !== undefined && !["ipv4", "fqdn"].includes(id.type)) &&
      "identities other than IPv4 addresses and names",
    phase1.length > 1 && !options.reduce && "a choice of algorithms in ike.proposals (one of each kind)",
    phase2.length > 1 && !options.reduce && "a choice of algorithms in esp.proposals (one of each kind)",
  ]);
  const [ikeSuite, espSuite] = [phase1[0]!, phase2[0]!];
  // An identifier of HCL begins with a letter.
  const name = plainName(connection.name).replace(/^(?=[^A-Za-z_])/, "vpn-");
  const [cipher, espCipher] = [ikeSuite.encryption[0]!, espSuite.encryption[0]!];
  const quoted = (words: string) => JSON.stringify(words);
  const lines: (readonly [string, string] | string)[] = [
    ["name", quoted(name)],
    ["vpc_id", "var.vpc_id"],
    ["vpn_gateway_id", "var.vpn_gateway_id"],
    ["customer_gateway_id", `tencentcloud_vpn_customer_gateway.${name}.id`],
    ["pre_share_key", keyWords(connection, options)],
    ["negotiation_type", quoted(start === "active" ? "active" : start === "on-traffic" ? "flowTrigger" : "passive")],
    ["ike_version", quoted(`IKEV${version}`)],
    ["ike_exchange_mode", quoted(exchange === "aggressive" ? "AGGRESSIVE" : "MAIN")],
    ["ike_proto_encry_algorithm", quoted(SPELLING("ike", cipher.row, cipher.keyBits)!)],
    ["ike_proto_authen_algorithm", quoted(SPELLING("ike", ikeSuite.integrity[0] ?? ikeSuite.prf[0]!)!)],
    ["ike_dh_group_name", quoted(SPELLING("ike", ikeSuite.keyExchange[0]!)!)],
    ...identity("local", local),
    ...identity("remote", remote),
    ["ike_sa_lifetime_seconds", String(Math.min(604800, Math.max(60, connection.ike.lifetimeSeconds)))],
    ["ipsec_encrypt_algorithm", quoted(SPELLING("esp", espCipher.row, espCipher.keyBits)!)],
    ["ipsec_integrity_algorithm", quoted(espSuite.integrity[0] ? SPELLING("esp", espSuite.integrity[0])! : "SHA1")],
    ["ipsec_pfs_dh_group", quoted(espSuite.keyExchange[0] ? SPELLING("esp", espSuite.keyExchange[0])! : "NULL")],
    ["ipsec_sa_lifetime_seconds", String(Math.min(604800, Math.max(180, esp.lifetimeSeconds)))],
    [
      "ipsec_sa_lifetime_traffic",
      String(esp.volumeOctets ? Math.max(2560, Math.floor(esp.volumeOctets / 1024)) : 4294967295),
    ],
    ["dpd_enable", dpd === undefined || dpd === "off" ? "0" : "1"],
    ...(dpd === undefined || dpd === "off"
      ? []
      : ([
          ["dpd_timeout", quoted(String(Math.min(60, Math.max(30, dpd.timeoutSeconds))))],
          ["dpd_action", quoted(dpd.action === "restart" ? "restart" : "clear")],
        ] as const)),
    ["route_type", quoted("Policy")],
  ];
  const width = Math.max(...lines.map((line) => (typeof line === "string" ? 0 : line[0].length)));
  const attributes = lines.map((line) => (typeof line === "string" ? line : `  ${line[0].padEnd(width)} = ${line[1]}`));
  const byLocal = new Map<string, string[]>();
  for (const pair of prefixPairs(connection)) {
    const own = formatPrefix(pair.local);
    byLocal.set(own, [...(byLocal.get(own) ?? []), formatPrefix(pair.remote)]);
  }
  const policies = [...byLocal].flatMap(([own, theirs]) => [
    "  security_group_policy {",
    `    local_cidr_block  = ${quoted(own)}`,
    `    remote_cidr_block = [${theirs.map(quoted).join(", ")}]`,
    "  }",
  ]);
  const remarks = deviceRemarks(
    connection,
    "Tencent Cloud (Terraform)",
    options,
    [...ike.leftOut, ...suites.leftOut],
    [
      ...(/SM[34]/.test(JSON.stringify(lines))
        ? ["how SM4 and SM3 are numbered there is not published: see numbering"]
        : []),
      ...(phase1.length > 1 || phase2.length > 1
        ? ["of several algorithms the gateway takes one of each kind: the first of ours"]
        : []),
      ...(local.at === undefined
        ? []
        : [`the gateway var.vpn_gateway_id has to have the address ${hostAddress(local)}`]),
    ],
  );
  const body = [
    'variable "vpc_id" { type = string }',
    'variable "vpn_gateway_id" { type = string }',
    ...(options.withSecrets
      ? []
      : [`variable "pre_share_key" {\n  type      = string\n  sensitive = true # ${KEY_PLACEHOLDER}\n}`]),
    "",
    `resource "tencentcloud_vpn_customer_gateway" "${name}" {`,
    `  name              = ${quoted(name)}`,
    `  public_ip_address = ${quoted(hostAddress(remote)!)}`,
    "}",
    "",
    `resource "tencentcloud_vpn_connection" "${name}" {`,
    ...attributes,
    ...policies,
    "}",
  ];
  return { files: [{ name: `${name}.tf`, text: `${comment(remarks)}${body.join("\n")}\n` }], remarks };
}

function keyWords({ psk }: CompleteConnection, { withSecrets }: ExportOptions): string {
  if (!withSecrets || psk === undefined) return "var.pre_share_key";
  const typed = typedSecret(psk, 128, /["\\]|\$\{|%\{/);
  refuseLacking([typed === undefined && "a key that is no printable text of at most 128 characters"]);
  return JSON.stringify(text(psk.reveal()));
}

function identity(side: "local" | "remote", end: End): (readonly [string, string])[] {
  const { id } = end;
  if (id?.type === "fqdn")
    return [
      [`ike_${side}_identity`, '"FQDN"'],
      [`ike_${side}_fqdn_name`, JSON.stringify(formatIdentity(id))],
    ];
  return [
    [`ike_${side}_identity`, '"ADDRESS"'],
    [`ike_${side}_address`, JSON.stringify(id ? formatIdentity(id) : hostAddress(end)!)],
  ];
}
