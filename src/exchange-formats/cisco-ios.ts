/** A connection as Cisco IOS and IOS XE: a crypto map with an access list, which is what policies are there. */
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { formatIdentity, type Identity } from "../../ike/core/identity.js";
import type { CompleteConnection } from "./connection.js";
import {
  deviceKey,
  deviceRemarks,
  hostAddress,
  maskOf,
  networkOf,
  prefixPairs,
  refuseIpv6Policies,
  refuseWithoutAddresses,
} from "./devices.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { fitting, refuseLacking, singleChoices, spellingOf, type Words } from "./spelling.js";

const GROUPS: Words = {
  modp768: "1",
  modp1024: "2",
  modp1536: "5",
  modp2048: "14",
  modp3072: "15",
  modp4096: "16",
  ecp256: "19",
  ecp384: "20",
  ecp521: "21",
  modp2048s256: "24",
};
const HASHES: Words = { md5: "md5", sha1: "sha1", sha256: "sha256", sha384: "sha384", sha512: "sha512" };
const PRFS: Words = Object.fromEntries(Object.entries(HASHES).map(([hash, word]) => [`prf${hash}`, word]));
const ESP: Words = {
  des: "esp-des",
  "3des": "esp-3des",
  null: "esp-null",
  "aes*": "esp-aes *",
  "aes*gcm16": "esp-gcm *",
  "aes*gmac": "esp-gmac *",
  md5: "esp-md5-hmac",
  sha1: "esp-sha-hmac",
  sha256: "esp-sha256-hmac",
  sha384: "esp-sha384-hmac",
  sha512: "esp-sha512-hmac",
  ...GROUPS,
  noesn: "",
  esn: "esn",
};
const PHASE1 = spellingOf({
  ike: { des: "des", "3des": "3des", "aes*": "aes *", ...HASHES, ...PRFS, sha1: "sha", ...GROUPS },
  esp: ESP,
});
const IKEV2 = spellingOf({
  ike: {
    des: "des",
    "3des": "3des",
    "aes*": "aes-cbc-*",
    aes128gcm16: "aes-gcm-128",
    aes256gcm16: "aes-gcm-256",
    ...HASHES,
    ...PRFS,
    ...GROUPS,
  },
  esp: ESP,
});

export function writeCiscoIos(connection: CompleteConnection, options: ExportOptions): Exported {
  refuseWithoutAddresses(connection);
  refuseIpv6Policies(connection);
  const { version, remote, esp, exchange, encapsulation } = connection;
  const spelling = version === 1 ? PHASE1 : IKEV2;
  const ike = fitting(connection.ike.proposals, "ike", spelling, options.reduce);
  const suites = fitting(connection.esp.proposals, "esp", spelling, options.reduce);
  const groups = new Set(suites.proposals.map(({ keyExchange }) => keyExchange.map(({ name }) => name).join(" ")));
  const extended = suites.proposals.filter(
    ({ sequence }) => sequence.length > 0 && sequence.every((row) => row.extended),
  );
  refuseLacking([
    groups.size > 1 && "PFS that differs between proposals",
    exchange === "aggressive" && "aggressive mode with a key per peer",
    encapsulation === "udp" && "UDP encapsulation where there is no NAT",
    version === 1 && extended.length > 0 && "extended sequence numbers with IKEv1",
  ]);
  const name = plainName(connection.name).toUpperCase();
  const peer = hostAddress(remote)!;
  const leftOut = [...ike.leftOut, ...suites.leftOut];
  const group = suites.proposals[0]!.keyExchange[0];
  const more =
    (suites.proposals[0]!.keyExchange.length ?? 0) > 1 ? ["of several PFS groups IOS takes one: the first"] : [];
  const sets = singleChoices(suites.proposals.map((each) => ({ ...each, keyExchange: [] })));
  const lines = [
    ...(version === 1
      ? ikev1(connection, ike.proposals, peer, options)
      : ikev2(connection, ike.proposals, peer, name, options)),
    ...sets.map((set, i) => `crypto ipsec transform-set ${name}-${i + 1} ${transforms(set)}\n mode tunnel`),
    `ip access-list extended ${name}`,
    ...prefixPairs(connection).map((pair) => {
      const ports =
        pair.localPorts.startPort === 0 && pair.remotePorts.startPort === 0
          ? ["", ""]
          : [portWords(pair.localPorts), portWords(pair.remotePorts)];
      const protocol = pair.protocol === 0 ? "ip" : (PROTOCOLS[pair.protocol] ?? String(pair.protocol));
      return ` permit ${protocol} ${networkOf(pair.local)} ${maskOf(pair.local, true)}${ports[0]} ${networkOf(pair.remote)} ${maskOf(pair.remote, true)}${ports[1]}`;
    }),
    `crypto map ${name} 10 ipsec-isakmp`,
    ` set peer ${peer}`,
    ` set transform-set ${sets.map((_, i) => `${name}-${i + 1}`).join(" ")}`,
    ...(group ? [` set pfs group${GROUPS[group.keywords[0]!]}`] : []),
    ` set security-association lifetime seconds ${esp.lifetimeSeconds}`,
    ...(esp.volumeOctets
      ? [` set security-association lifetime kilobytes ${Math.floor(esp.volumeOctets / 1024)}`]
      : []),
    ...(version === 2 ? [` set ikev2-profile ${name}`] : []),
    ` match address ${name}`,
    "! on the outer interface:",
    `! crypto map ${name}`,
  ];
  const remarks = deviceRemarks(connection, "Cisco IOS and IOS XE", options, leftOut, more);
  return {
    files: [{ name: `${name.toLowerCase()}.ios`, text: `${comment(remarks, "!")}${lines.join("\n")}\n` }],
    remarks,
  };
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 89: "ospf" };

function portWords({ startPort, endPort }: { readonly startPort: number; readonly endPort: number }): string {
  if (startPort === 0 && endPort === 65535) return "";
  return startPort === endPort ? ` eq ${startPort}` : ` range ${startPort} ${endPort}`;
}

function ikev1(
  connection: CompleteConnection,
  proposals: readonly IkeProposal[],
  peer: string,
  options: ExportOptions,
): string[] {
  const { ike, local, dpd } = connection;
  refuseLacking([
    local.id !== undefined &&
      !isOwnAddress(local.id, connection) &&
      "an identity of its own other than its address with IKEv1 (crypto isakmp identity is for all peers)",
  ]);
  const word = (row: IkeProposal["keyExchange"][number] | IkeProposal["prf"][number]) => PHASE1("ike", row)!;
  return [
    ...singleChoices(proposals).flatMap((each, i) => [
      `crypto isakmp policy ${10 + i * 10}`,
      ` encryption ${PHASE1("ike", each.encryption[0]!.row, each.encryption[0]!.keyBits)!}`,
      ` hash ${word(each.prf[0]!).replace("sha1", "sha")}`,
      " authentication pre-share",
      ` group ${word(each.keyExchange[0]!)}`,
      ` lifetime ${Math.min(ike.lifetimeSeconds, 86400)}`,
    ]),
    `crypto isakmp key ${deviceKey(connection, options, 127)} address ${peer}`,
    ...(dpd && dpd !== "off"
      ? [`crypto isakmp keepalive ${Math.max(10, Math.floor(dpd.timeoutSeconds / 3))} 3 periodic`]
      : []),
  ];
}

function ikev2(
  connection: CompleteConnection,
  proposals: readonly IkeProposal[],
  peer: string,
  name: string,
  options: ExportOptions,
): string[] {
  const { ike, local, remote, dpd } = connection;
  return [
    ...proposals.flatMap((each, i) => [
      `crypto ikev2 proposal ${name}-${i + 1}`,
      ` encryption ${each.encryption.map(({ row, keyBits }) => IKEV2("ike", row, keyBits)!).join(" ")}`,
      ...(each.integrity.length > 0 ? [` integrity ${each.integrity.map((row) => IKEV2("ike", row)!).join(" ")}`] : []),
      ` prf ${each.prf.map((row) => IKEV2("ike", row)!).join(" ")}`,
      ` group ${each.keyExchange.map((row) => IKEV2("ike", row)!).join(" ")}`,
    ]),
    `crypto ikev2 policy ${name}`,
    ...proposals.map((_, i) => ` proposal ${name}-${i + 1}`),
    `crypto ikev2 keyring ${name}`,
    " peer causeway",
    `  address ${peer}`,
    `  pre-shared-key ${deviceKey(connection, options, 127)}`,
    `crypto ikev2 profile ${name}`,
    ` match identity remote ${identityWords(remote.id, peer, true)}`,
    ` identity local ${identityWords(local.id, hostAddress(local)!, false)}`,
    " authentication remote pre-share",
    " authentication local pre-share",
    ` keyring local ${name}`,
    ` lifetime ${Math.min(ike.lifetimeSeconds, 86400)}`,
    ...(dpd && dpd !== "off" ? [` dpd ${Math.max(10, Math.floor(dpd.timeoutSeconds / 3))} 3 periodic`] : []),
  ];
}

function isOwnAddress(identity: Identity, { local }: CompleteConnection): boolean {
  return formatIdentity(identity) === hostAddress(local);
}

function identityWords(identity: Identity | undefined, address: string, match: boolean): string {
  if (identity === undefined) return `address ${address}${match ? " 255.255.255.255" : ""}`;
  switch (identity.type) {
    case "fqdn":
      return `fqdn ${formatIdentity(identity)}`;
    case "email":
      return `email ${formatIdentity(identity)}`;
    case "keyId":
      return `key-id ${formatIdentity(identity).replace(/^keyid:/, "")}`;
    default:
      return `address ${formatIdentity(identity)}${match && identity.type === "ipv4" ? " 255.255.255.255" : ""}`;
  }
}

function transforms({ encryption, integrity, sequence }: EspProposal): string {
  const cipher = encryption[0]!;
  const extended = sequence.length > 0 && sequence.every((row) => row.extended);
  return [
    IKEV2("esp", cipher.row, cipher.keyBits)!,
    ...integrity.map((row) => IKEV2("esp", row)!),
    ...(extended ? ["esn"] : []),
  ].join(" ");
}
