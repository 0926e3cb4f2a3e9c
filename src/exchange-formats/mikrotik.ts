/** A connection as commands of MikroTik RouterOS 7. */
import { formatPrefix } from "../../esp/address.js";
import { formatIdentity, type Identity } from "../../ike/core/identity.js";
import type { CompleteConnection } from "./connection.js";
import { deviceKey, deviceRemarks, hostAddress, prefixPairs, refuseWithoutAddresses } from "./devices.js";
import { comment, type Exported, type ExportOptions } from "./export-options.js";
import { plainName } from "./peer-words.js";
import { fitting, refuseLacking, spellingOf, type Words } from "./spelling.js";

const GROUPS: Words = {
  ...Object.fromEntries(
    [
      "modp768",
      "modp1024",
      "modp1536",
      "modp2048",
      "modp3072",
      "modp4096",
      "modp6144",
      "modp8192",
      "ecp256",
      "ecp384",
      "ecp521",
      "x25519",
    ].map((word) => [word, word]),
  ),
};
const HASHES: Words = { md5: "md5", sha1: "sha1", sha256: "sha256", sha512: "sha512" };
const SPELLING = spellingOf({
  ike: {
    des: "des",
    "3des": "3des",
    "aes*": "aes-*",
    "camellia*": "camellia-*",
    ...HASHES,
    sha384: "sha384",
    ...Object.fromEntries(Object.entries({ ...HASHES, sha384: "sha384" }).map(([hash, word]) => [`prf${hash}`, word])),
    ...GROUPS,
  },
  esp: {
    des: "des",
    "3des": "3des",
    null: "null",
    "aes*": "aes-*-cbc",
    "aes*ctr": "aes-*-ctr",
    "aes*gcm16": "aes-*-gcm",
    "camellia*": "camellia-*",
    ...HASHES,
    ...GROUPS,
    noesn: "noesn",
  },
});

export function writeMikrotik(connection: CompleteConnection, options: ExportOptions): Exported {
  refuseWithoutAddresses(connection);
  const { version, exchange, local, remote, esp, dpd, encapsulation, start } = connection;
  const ike = fitting(connection.ike.proposals, "ike", SPELLING, options.reduce);
  // It never asks for extended sequence numbers, so that nothing is lacking where 32-bit ones are allowed as well.
  const plain = connection.esp.proposals.map((each) => ({
    ...each,
    sequence: each.sequence.filter((row) => !row.extended),
  }));
  const suites = fitting(plain, "esp", SPELLING, options.reduce);
  const hashes = [...new Set(ike.proposals.flatMap(({ integrity }) => integrity.map((row) => SPELLING("ike", row)!)))];
  const groups = [
    ...new Set(suites.proposals.flatMap(({ keyExchange }) => keyExchange.map((row) => SPELLING("esp", row)!))),
  ];
  const pairs = prefixPairs(connection);
  refuseLacking([
    hashes.length > 1 && !options.reduce && "several hashes in ike.proposals",
    groups.length > 1 && !options.reduce && "several PFS groups in esp.proposals",
    connection.esp.proposals.some(({ sequence }) => sequence.length > 0 && sequence.every((row) => row.extended)) &&
      "extended sequence numbers",
    encapsulation === "udp" && "UDP encapsulation where there is no NAT",
    ike.proposals.some(
      ({ integrity, prf }) => !prf.every((row) => integrity.some(({ ownPrf }) => ownPrf.name === row.name)),
    ) && "a PRF other than that of the integrity algorithm in ike.proposals",
    pairs.some(({ localPorts, remotePorts }) => isRange(localPorts) || isRange(remotePorts)) &&
      "ranges of ports in policies",
  ]);
  const name = plainName(connection.name);
  const list = (words: readonly string[]) => [...new Set(words)].join(",");
  const ciphers = list(
    ike.proposals.flatMap(({ encryption }) => encryption.map(({ row, keyBits }) => SPELLING("ike", row, keyBits)!)),
  );
  const espCiphers = list(
    suites.proposals.flatMap(({ encryption }) => encryption.map(({ row, keyBits }) => SPELLING("esp", row, keyBits)!)),
  );
  const espHashes = list(suites.proposals.flatMap(({ integrity }) => integrity.map((row) => SPELLING("esp", row)!)));
  const mode = version === 2 ? "ike2" : (exchange ?? "main");
  const lines = [
    `/ip ipsec profile add name=${name} enc-algorithm=${ciphers} hash-algorithm=${hashes[0]} dh-group=${list(ike.proposals.flatMap(({ keyExchange }) => keyExchange.map((row) => SPELLING("ike", row)!)))}` +
      ` lifetime=${connection.ike.lifetimeSeconds}s nat-traversal=yes` +
      (dpd && dpd !== "off"
        ? ` dpd-interval=${Math.max(2, Math.floor(dpd.timeoutSeconds / 3))}s dpd-maximum-failures=3`
        : " dpd-interval=disable-dpd"),
    `/ip ipsec proposal add name=${name} enc-algorithms=${espCiphers} auth-algorithms=${espHashes === "" ? "null" : espHashes} lifetime=${esp.lifetimeSeconds}s pfs-group=${groups[0] ?? "none"}`,
    `/ip ipsec peer add name=${name} address=${hostAddress(remote)} local-address=${hostAddress(local)} exchange-mode=${mode} profile=${name} passive=${start === "passive" ? "yes" : "no"}`,
    `/ip ipsec identity add peer=${name} auth-method=pre-shared-key secret="${deviceKey(connection, options, 128, /["\\$\s?]/)}" my-id=${identityWords(local.id, hostAddress(local)!)} remote-id=${identityWords(remote.id, hostAddress(remote)!)}`,
    ...pairs.map((pair) => {
      const protocol = pair.protocol === 0 ? "" : ` protocol=${pair.protocol}`;
      const ports =
        (pair.localPorts.startPort > 0 ? ` src-port=${pair.localPorts.startPort}` : "") +
        (pair.remotePorts.startPort > 0 ? ` dst-port=${pair.remotePorts.startPort}` : "");
      return `/ip ipsec policy add peer=${name} tunnel=yes proposal=${name} level=unique src-address=${formatPrefix(pair.local)} dst-address=${formatPrefix(pair.remote)}${protocol}${ports}`;
    }),
  ];
  const remarks = deviceRemarks(
    connection,
    "RouterOS 7",
    options,
    [...ike.leftOut, ...suites.leftOut],
    [
      "the ranges of the policies must not be translated: accept them in srcnat before any masquerade rule",
      ...(hashes.length > 1 ? [`of several hashes RouterOS takes one: ${hashes[0]}`] : []),
      ...(groups.length > 1 ? [`of several PFS groups RouterOS takes one: ${groups[0]}`] : []),
      ...(esp.volumeOctets ? ["RouterOS has no volume lifetime; ours ends a child earlier"] : []),
    ],
  );
  return { files: [{ name: `${name}.rsc`, text: `${comment(remarks)}${lines.join("\n")}\n` }], remarks };
}

function isRange({ startPort, endPort }: { readonly startPort: number; readonly endPort: number }): boolean {
  return startPort !== endPort && !(startPort === 0 && endPort === 65535);
}

function identityWords(identity: Identity | undefined, address: string): string {
  if (identity === undefined) return `address:${address}`;
  const words = formatIdentity(identity);
  const prefixes = {
    fqdn: "fqdn:",
    email: "user-fqdn:",
    keyId: "key-id:",
    ipv4: "address:",
    ipv6: "address:",
    dn: "dn:",
  } as const;
  return `${prefixes[identity.type]}${words.replace(/^keyid:/, "")}`;
}
