/** A connection as set commands of Junos (SRX): a route-based VPN with a traffic selector for each pair of ranges. */
import { formatPrefix } from "../../esp/address.js";
import { formatIdentity, type Identity } from "../../ike/core/identity.js";
import type { CompleteConnection } from "./connection.js";
import {
  deviceKey,
  deviceRemarks,
  hostAddress,
  prefixPairs,
  refuseNarrowPolicies,
  refuseWithoutAddresses,
} from "./devices.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { fitting, refuseLacking, singleChoices, spellingOf, type Words } from "./spelling.js";

const GROUPS: Words = {
  modp768: "group1",
  modp1024: "group2",
  modp1536: "group5",
  modp2048: "group14",
  modp3072: "group15",
  modp4096: "group16",
  ecp256: "group19",
  ecp384: "group20",
  ecp521: "group21",
  modp2048s256: "group24",
};
const CIPHERS: Words = { des: "des-cbc", "3des": "3des-cbc", "aes*": "aes-*-cbc" };
const HASHES: Words = { md5: "md5", sha1: "sha1", sha256: "sha-256", sha384: "sha-384", sha512: "sha-512" };
const SPELLING = spellingOf({
  ike: {
    ...CIPHERS,
    aes128gcm16: "aes-128-gcm",
    aes256gcm16: "aes-256-gcm",
    ...HASHES,
    ...Object.fromEntries(Object.entries(HASHES).map(([hash, word]) => [`prf${hash}`, word])),
    ...GROUPS,
  },
  esp: {
    ...CIPHERS,
    "aes*gcm16": "aes-*-gcm",
    md5: "hmac-md5-96",
    sha1: "hmac-sha1-96",
    sha256: "hmac-sha-256-128",
    sha384: "hmac-sha-384",
    sha512: "hmac-sha-512",
    ...GROUPS,
    noesn: "noesn",
    esn: "esn",
  },
});

export function writeJuniper(connection: CompleteConnection, options: ExportOptions): Exported {
  refuseWithoutAddresses(connection);
  refuseNarrowPolicies(connection);
  const { version, exchange, local, remote, esp, dpd, encapsulation, start } = connection;
  const ike = fitting(connection.ike.proposals, "ike", SPELLING, options.reduce);
  const suites = fitting(connection.esp.proposals, "esp", SPELLING, options.reduce);
  const groups = [
    ...new Set(suites.proposals.flatMap(({ keyExchange }) => keyExchange.map((row) => SPELLING("esp", row)!))),
  ];
  refuseLacking([
    encapsulation === "udp" && "UDP encapsulation where there is no NAT",
    suites.proposals.some(({ keyExchange }) => keyExchange.length === 0) &&
      groups.length > 0 &&
      "PFS in some of esp.proposals only",
    ike.proposals.some(
      ({ integrity, prf }) =>
        integrity.length > 0 && !prf.every((row) => integrity.some(({ ownPrf }) => ownPrf.name === row.name)),
    ) && "a PRF other than that of the integrity algorithm in ike.proposals",
  ]);
  const name = plainName(connection.name);
  const phase1 = singleChoices(ike.proposals);
  const phase2 = singleChoices(suites.proposals.map((each) => ({ ...each, keyExchange: [] })));
  const seconds = (value: number) => Math.min(86400, Math.max(180, value));
  const set = (words: string) => `set security ${words}`;
  const lines = [
    ...phase1.flatMap((each, i) => {
      const proposal = (words: string) => set(`ike proposal ${name}-${i + 1} ${words}`);
      const { row, keyBits } = each.encryption[0]!;
      return [
        proposal("authentication-method pre-shared-keys"),
        proposal(`dh-group ${SPELLING("ike", each.keyExchange[0]!)}`),
        proposal(`encryption-algorithm ${SPELLING("ike", row, keyBits)}`),
        // With an AEAD the PRF is what this names.
        proposal(`authentication-algorithm ${SPELLING("ike", each.integrity[0] ?? each.prf[0]!)}`),
        proposal(`lifetime-seconds ${seconds(connection.ike.lifetimeSeconds)}`),
      ];
    }),
    ...(version === 1 ? [set(`ike policy ${name} mode ${exchange ?? "main"}`)] : []),
    set(`ike policy ${name} proposals [ ${phase1.map((_, i) => `${name}-${i + 1}`).join(" ")} ]`),
    set(`ike policy ${name} pre-shared-key ascii-text "${deviceKey(connection, options, 255)}"`),
    set(`ike gateway ${name} ike-policy ${name}`),
    set(`ike gateway ${name} address ${hostAddress(remote)}`),
    set(`ike gateway ${name} local-address ${hostAddress(local)}`),
    set(`ike gateway ${name} local-identity ${identityWords(local.id, hostAddress(local)!)}`),
    set(`ike gateway ${name} remote-identity ${identityWords(remote.id, hostAddress(remote)!)}`),
    set(`ike gateway ${name} external-interface ge-0/0/0.0`),
    set(`ike gateway ${name} version ${version === 1 ? "v1-only" : "v2-only"}`),
    ...(connection.ike.fragmentation === "off" && version === 2
      ? [set(`ike gateway ${name} fragmentation disable`)]
      : []),
    ...(dpd && dpd !== "off"
      ? [
          set(`ike gateway ${name} dead-peer-detection probe-idle-tunnel`),
          set(
            `ike gateway ${name} dead-peer-detection interval ${Math.min(60, Math.max(2, Math.floor(dpd.timeoutSeconds / 3)))}`,
          ),
          set(`ike gateway ${name} dead-peer-detection threshold 3`),
        ]
      : []),
    ...phase2.flatMap((each, i) => {
      const proposal = (words: string) => set(`ipsec proposal ${name}-${i + 1} ${words}`);
      const { row, keyBits } = each.encryption[0]!;
      const extended = each.sequence.length > 0 && each.sequence.every((one) => one.extended);
      return [
        proposal("protocol esp"),
        proposal(`encryption-algorithm ${SPELLING("esp", row, keyBits)}`),
        ...(each.integrity[0] ? [proposal(`authentication-algorithm ${SPELLING("esp", each.integrity[0])}`)] : []),
        proposal(`lifetime-seconds ${seconds(esp.lifetimeSeconds)}`),
        ...(esp.volumeOctets
          ? [proposal(`lifetime-kilobytes ${Math.max(64, Math.floor(esp.volumeOctets / 1024))}`)]
          : []),
        ...(extended ? [proposal("extended-sequence-number")] : []),
      ];
    }),
    ...(groups.length > 0 ? [set(`ipsec policy ${name} perfect-forward-secrecy keys ${groups[0]}`)] : []),
    set(`ipsec policy ${name} proposals [ ${phase2.map((_, i) => `${name}-${i + 1}`).join(" ")} ]`),
    set(`ipsec vpn ${name} bind-interface st0.0`),
    set(`ipsec vpn ${name} ike gateway ${name}`),
    set(`ipsec vpn ${name} ike ipsec-policy ${name}`),
    // Of its traffic selectors Junos makes routes; without any, 0.0.0.0/0 is negotiated.
    ...(connection.routed ? [] : prefixPairs(connection)).map((pair, i) =>
      set(
        `ipsec vpn ${name} traffic-selector ts${i + 1} local-ip ${formatPrefix(pair.local)} remote-ip ${formatPrefix(pair.remote)}`,
      ),
    ),
    set(
      `ipsec vpn ${name} establish-tunnels ${start === "active" ? "immediately" : start === "on-traffic" ? "on-traffic" : "responder-only"}`,
    ),
  ];
  const remarks = deviceRemarks(
    connection,
    "Junos (SRX)",
    options,
    [...ike.leftOut, ...suites.leftOut],
    [
      "put the outer interface where ge-0/0/0.0 stands and a free unit where st0.0 stands; add security policies for both directions",
      ...(connection.routed ? ["add routes to what lies behind the tunnel, with that unit as next hop"] : []),
      ...(groups.length > 1 ? ["of several PFS groups Junos takes one: the first"] : []),
    ],
  );
  return { files: [{ name: `${name}.junos`, text: `${comment(remarks)}${lines.join("\n")}\n` }], remarks };
}

function identityWords(identity: Identity | undefined, address: string): string {
  if (identity === undefined) return `inet${address.includes(":") ? "6" : ""} ${address}`;
  const words = formatIdentity(identity);
  switch (identity.type) {
    case "fqdn":
      return `hostname ${words}`;
    case "email":
      return `user-at-hostname "${words}"`;
    case "keyId":
      return `key-id "${words.replace(/^keyid:/, "")}"`;
    default:
      return `inet${words.includes(":") ? "6" : ""} ${words}`;
  }
}
