/** A connection as FortiOS CLI: a phase 1 interface, and a phase 2 for each pair of ranges, as FortiGate wants it. */

import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { formatPrefix } from "../../esp/address.js";
import { formatIdentity, type Identity } from "../../ike/core/identity.js";
import type { CompleteConnection } from "./connection.js";
import {
  deviceKey,
  deviceRemarks,
  hostAddress,
  maskOf,
  networkOf,
  prefixPairs,
  refuseWithoutAddresses,
} from "./devices.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { fitting, refuseLacking, spellingOf, type Words } from "./spelling.js";

const GROUPS: Words = {
  modp768: "1",
  modp1024: "2",
  modp1536: "5",
  modp2048: "14",
  modp3072: "15",
  modp4096: "16",
  modp6144: "17",
  modp8192: "18",
  ecp256: "19",
  ecp384: "20",
  ecp521: "21",
  ecp224bp: "27",
  ecp256bp: "28",
  ecp384bp: "29",
  ecp512bp: "30",
  x25519: "31",
  x448: "32",
};
const HASHES: Words = { md5: "md5", sha1: "sha1", sha256: "sha256", sha384: "sha384", sha512: "sha512" };
const PRFS: Words = {
  prfsha1: "prfsha1",
  prfsha256: "prfsha256",
  prfsha384: "prfsha384",
  prfsha512: "prfsha512",
  prfmd5: "md5",
};
const CIPHERS: Words = { des: "des", "3des": "3des", "aes*": "aes*" };
const AEADS: Words = { aes128gcm16: "aes128gcm", aes256gcm16: "aes256gcm", chacha20poly1305: "chacha20poly1305" };
const SPELLING = spellingOf({
  ike: { ...CIPHERS, ...AEADS, ...HASHES, ...PRFS, ...GROUPS },
  esp: { ...CIPHERS, ...AEADS, null: "null", ...HASHES, ...GROUPS, noesn: "noesn", esn: "esn" },
});

/** Of an interface, which phase 1 becomes. */
const LONGEST_NAME = 15;

export function writeFortigate(connection: CompleteConnection, options: ExportOptions): Exported {
  refuseWithoutAddresses(connection);
  const { version, exchange, local, remote, esp, dpd, encapsulation, start } = connection;
  const ike = fitting(connection.ike.proposals, "ike", SPELLING, options.reduce);
  const suites = fitting(connection.esp.proposals, "esp", SPELLING, options.reduce);
  const pairs = prefixPairs(connection);
  refuseLacking([
    version === 1 &&
      ike.proposals.some(({ encryption }) => encryption.some(({ row }) => row.aead)) &&
      "AEADs in phase 1 of IKEv1",
    ike.proposals.some(
      ({ integrity, prf }) =>
        integrity.length > 0 && !prf.every((row) => integrity.some(({ ownPrf }) => ownPrf.name === row.name)),
    ) && "a PRF other than that of the integrity algorithm in ike.proposals",
    pairs.some(({ localPorts, remotePorts }) => isRange(localPorts) || isRange(remotePorts)) &&
      "ranges of ports in policies",
    connection.mappings.some(({ local: own }) => own.family === 6) &&
      hostAddress(remote)!.includes(".") &&
      "IPv6 ranges in a tunnel between IPv4 addresses",
  ]);
  const name = plainName(connection.name).slice(0, LONGEST_NAME);
  const groups = (proposals: readonly (IkeProposal | EspProposal)[]) =>
    [...new Set(proposals.flatMap(({ keyExchange }) => keyExchange.map((row) => SPELLING("ike", row)!)))].join(" ");
  const pfs = groups(suites.proposals);
  const family = hostAddress(remote)!.includes(":") ? "6" : "";
  const lines = [
    "config vpn ipsec phase1-interface",
    `    edit "${name}"`,
    '        set interface "wan1"',
    ...(family ? ["        set ip-version 6"] : []),
    `        set ike-version ${version}`,
    ...(version === 1 ? [`        set mode ${exchange ?? "main"}`] : []),
    "        set peertype any",
    "        set net-device disable",
    `        set proposal ${ikeWords(ike.proposals)}`,
    `        set dhgrp ${groups(ike.proposals)}`,
    `        set keylife ${Math.min(172800, Math.max(120, connection.ike.lifetimeSeconds))}`,
    ...identityLines(local.id),
    `        set nattraversal ${encapsulation === "udp" ? "forced" : "enable"}`,
    ...(dpd === undefined || dpd === "off"
      ? ["        set dpd disable"]
      : [
          "        set dpd on-idle",
          "        set dpd-retrycount 3",
          `        set dpd-retryinterval ${Math.max(1, Math.floor(dpd.timeoutSeconds / 3))}`,
        ]),
    ...(connection.ike.fragmentation === "off" ? ["        set fragmentation disable"] : []),
    `        set ${family ? "local-gw6" : "local-gw"} ${hostAddress(local)}`,
    `        set ${family ? "remote-gw6" : "remote-gw"} ${hostAddress(remote)}`,
    `        set psksecret "${deviceKey(connection, options, 128)}"`,
    "    next",
    "end",
    "config vpn ipsec phase2-interface",
    ...pairs.flatMap((pair, i) => [
      `    edit "${name}-${i + 1}"`,
      `        set phase1name "${name}"`,
      `        set proposal ${espWords(suites.proposals)}`,
      ...(pfs === "" ? ["        set pfs disable"] : ["        set pfs enable", `        set dhgrp ${pfs}`]),
      ...(esp.volumeOctets
        ? [
            "        set keylife-type both",
            `        set keylifekbs ${Math.max(5120, Math.floor(esp.volumeOctets / 1024))}`,
          ]
        : []),
      `        set keylifeseconds ${Math.min(172800, Math.max(120, esp.lifetimeSeconds))}`,
      `        set auto-negotiate ${start === "active" ? "enable" : "disable"}`,
      ...rangeLines("src", pair.local),
      ...rangeLines("dst", pair.remote),
      ...(pair.protocol === 0 ? [] : [`        set protocol ${pair.protocol}`]),
      ...(pair.localPorts.startPort > 0 ? [`        set src-port ${pair.localPorts.startPort}`] : []),
      ...(pair.remotePorts.startPort > 0 ? [`        set dst-port ${pair.remotePorts.startPort}`] : []),
      "    next",
    ]),
    "end",
    ...(connection.routed ? [] : staticRoutes(name, pairs)),
  ];
  const remarks = deviceRemarks(
    connection,
    "FortiOS",
    options,
    [...ike.leftOut, ...suites.leftOut],
    [
      "put the outer interface where wan1 stands, and add firewall policies for both directions",
      ...(connection.routed ? [`add routes to what lies behind the tunnel, with the device ${name}`] : []),
      ...(plainName(connection.name).length > LONGEST_NAME
        ? [`the name has ${LONGEST_NAME} characters there: ${name}`]
        : []),
    ],
  );
  return { files: [{ name: `${name}.fortios`, text: `${comment(remarks)}${lines.join("\n")}\n` }], remarks };
}

function staticRoutes(name: string, pairs: ReturnType<typeof prefixPairs>): readonly string[] {
  const ipv4 = pairs.filter(({ remote }) => remote.family === 4);
  const different = ipv4.filter(
    ({ remote }, i) => ipv4.findIndex((each) => formatPrefix(each.remote) === formatPrefix(remote)) === i,
  );
  const routes = different.flatMap(({ remote }) => [
    "    edit 0",
    `        set dst ${networkOf(remote)} ${maskOf(remote)}`,
    `        set device "${name}"`,
    "    next",
  ]);
  return ["config router static", ...routes, "end"];
}

function isRange({ startPort, endPort }: { readonly startPort: number; readonly endPort: number }): boolean {
  return startPort !== endPort && !(startPort === 0 && endPort === 65535);
}

function ikeWords(proposals: readonly IkeProposal[]): string {
  return proposals
    .flatMap(({ encryption, integrity, prf }) =>
      encryption.flatMap(({ row, keyBits }) =>
        (integrity.length > 0 ? integrity : prf).map(
          (hash) => `${SPELLING("ike", row, keyBits)}-${SPELLING("ike", hash)}`,
        ),
      ),
    )
    .join(" ");
}

function espWords(proposals: readonly EspProposal[]): string {
  return proposals
    .flatMap(({ encryption, integrity }) =>
      encryption.flatMap(({ row, keyBits }) =>
        integrity.length === 0
          ? [SPELLING("esp", row, keyBits)!]
          : integrity.map((hash) => `${SPELLING("esp", row, keyBits)}-${SPELLING("esp", hash)}`),
      ),
    )
    .join(" ");
}

function identityLines(identity: Identity | undefined): string[] {
  if (identity === undefined) return ["        set localid-type address"];
  const types = {
    fqdn: "fqdn",
    email: "user-fqdn",
    keyId: "keyid",
    ipv4: "address",
    ipv6: "address",
    dn: "asn1dn",
  } as const;
  return [
    `        set localid "${formatIdentity(identity).replace(/^keyid:/, "")}"`,
    `        set localid-type ${types[identity.type]}`,
  ];
}

function rangeLines(side: "src" | "dst", prefix: ReturnType<typeof prefixPairs>[number]["local"]): string[] {
  if (prefix.family === 6)
    return [`        set ${side}-addr-type subnet6`, `        set ${side}-subnet6 ${formatPrefix(prefix)}`];
  return [`        set ${side}-subnet ${networkOf(prefix)} ${maskOf(prefix)}`];
}
