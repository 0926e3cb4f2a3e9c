/** Connections as our own configuration file: what `import` prints. */
import { stringify } from "yaml";
import { weaknessesOf } from "../../crypto/registry/level.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { formatAddress, formatPrefix, sameAddress } from "../../esp/address.js";
import { type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import { formatIdentity, sameIdentity } from "../../ike/core/identity.js";
import type { Mapping } from "../../ike/core/policy.js";
import { formatDuration, formatSize } from "../config/scalars.js";
import { type Connection, identityAt } from "./connection.js";
import { placeWords, plainName } from "./peer-words.js";
import { ownSecret } from "./secret-words.js";

/** Where the keys of the tunnels go: into the text, or into files with these names. */
export type KeyPlace = (connection: Connection) => string | { readonly file: string };

export const keyInText: KeyPlace = ({ psk, name }) => (psk === undefined ? { file: keyFile(name) } : ownSecret(psk));
export const keyInFile: KeyPlace = ({ name }) => ({ file: keyFile(name) });

export function keyFile(name: string): string {
  return `${plainName(name)}.psk`;
}

/** The whole file; `connections` are our sides, with names that differ (`withOwnNames`). */
export function configurationText(connections: readonly Connection[], key: KeyPlace): string {
  const address = commonAddress(connections);
  return stringify(
    {
      version: 1,
      ...(address && { gateway: { address } }),
      tunnels: connections.map((connection) => tunnelBlock(connection, key, address)),
    },
    { lineWidth: 0 },
  );
}

/** The outer address that all tunnels say, or none. */
function commonAddress(connections: readonly Connection[]): string | undefined {
  const [first, ...others] = connections.map(({ local }) =>
    local.at?.kind === "address" ? local.at.address : undefined,
  );
  if (first === undefined || others.some((other) => other === undefined || !sameAddress(other, first)))
    return undefined;
  return formatAddress(first);
}

/** Names that our file can have, each once, also as names of files. */
export function withOwnNames(connections: readonly Connection[]): readonly Connection[] {
  const taken = new Set<string>();
  return connections.map((connection) => {
    const letters = [...connection.name.replace(/[\p{Cc}\p{Cf}]/gu, " ").trim()];
    const base = letters.slice(0, 50).join("").trim() || "tunnel";
    let name = base;
    for (let count = 2; taken.has(plainName(name)); count++) name = `${base}-${count}`;
    taken.add(plainName(name));
    return { ...connection, name };
  });
}

function tunnelBlock(
  connection: Connection,
  key: KeyPlace,
  gatewayAddress: string | undefined,
): Record<string, unknown> {
  const { name, version = 2, exchange, local, remote, start = "passive", encapsulation, dpd, ike, esp } = connection;
  const own = identityAt(local);
  const theirs = identityAt(remote);
  const theirAddress = remote.at?.kind === "address" ? identityAt({ at: remote.at }) : undefined;
  const nobody = remote.at === undefined || remote.at.kind === "any";
  const legacy =
    (ike.proposals ?? []).some((each) => weaknessesOf(each, "ike").some(({ forbidden }) => forbidden)) ||
    (esp.proposals ?? []).some((each) => weaknessesOf(each, "esp").some(({ forbidden }) => forbidden));
  return {
    name,
    peer: nobody ? "any" : placeWords(remote.at),
    ...(own && formatIdentity(own) !== gatewayAddress && { local_id: formatIdentity(own) }),
    ...(theirs && !(theirAddress && sameIdentity(theirs, theirAddress)) && { peer_id: formatIdentity(theirs) }),
    psk: key(connection),
    start: nobody ? "passive" : start,
    ...(encapsulation === "udp" && { encapsulation }),
    ...(legacy && { legacy }),
    policies: policiesOf(connection.mappings),
    ike: {
      version,
      ...(version === 1 && exchange && { exchange }),
      ...(ike.proposals && { proposals: ike.proposals.map(proposalKeywords) }),
      ...(ike.lifetimeSeconds && { lifetime: formatDuration(ike.lifetimeSeconds) }),
      ...(ike.fragmentation === "off" && { fragmentation: "off" }),
      ...(version === 2 && ike.mobike === false && { mobike: false }),
    },
    ...block("esp", {
      ...espProposals(esp.proposals),
      ...(esp.lifetimeSeconds && { lifetime: formatDuration(esp.lifetimeSeconds) }),
      ...volumeOf(esp.volumeOctets, version),
      ...(esp.replayWindow !== undefined && { replay_window: esp.replayWindow }),
    }),
    ...(dpd === "off" ? { dpd: "off" } : dpd && { dpd: { timeout: formatDuration(withinBounds(dpd.timeoutSeconds)) } }),
  };
}

/** Off is the default of version 2. */
function volumeOf(octets: number | undefined, version: 1 | 2): Record<string, unknown> {
  if (octets === undefined || (octets === 0 && version === 2)) return {};
  return { volume: octets === 0 ? "off" : formatSize(octets).replace(/ octets$/, "") };
}

/** What the configuration allows. */
function withinBounds(timeoutSeconds: number): number {
  return Math.min(300, Math.max(10, timeoutSeconds));
}

function block(key: string, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}

function espProposals(proposals: Connection["esp"]["proposals"]): Record<string, unknown> {
  if (proposals === undefined) return {};
  const pfs = proposals.some(({ keyExchange }) => keyExchange.length > 0);
  return { proposals: proposals.map(proposalKeywords), ...(!pfs && { pfs: "off" }) };
}

/** Mappings as the fewest entries that are plain to read: by what they narrow to, then by local, then by equal peers. */
function policiesOf(mappings: readonly Mapping[]): readonly Record<string, unknown>[] {
  const byLocal = new Map<string, { locals: string[]; narrow: Record<string, unknown>; peers: Set<string> }>();
  for (const { local, peer } of mappings) {
    const narrow = narrowing(local, peer);
    for (const prefix of toPrefixes(local).map(formatPrefix)) {
      const key = `${prefix} ${local.family} ${JSON.stringify(narrow)}`;
      const entry = byLocal.get(key) ?? { locals: [prefix], narrow, peers: new Set<string>() };
      for (const other of toPrefixes(peer).map(formatPrefix)) entry.peers.add(other);
      byLocal.set(key, entry);
    }
  }
  const byPeers = new Map<string, { locals: string[]; narrow: Record<string, unknown>; peers: Set<string> }>();
  for (const entry of byLocal.values()) {
    const key = `${JSON.stringify(entry.narrow)} ${[...entry.peers].sort().join(" ")}`;
    const known = byPeers.get(key);
    if (known === undefined) byPeers.set(key, entry);
    else known.locals.push(...entry.locals);
  }
  return [...byPeers.values()].map(({ locals, peers, narrow }) => ({ local: locals, peer: [...peers], ...narrow }));
}

function narrowing(local: TrafficSelector, peer: TrafficSelector): Record<string, unknown> {
  const protocol = local.protocol || peer.protocol;
  return {
    ...(protocol !== 0 && { protocol }),
    ...ports("local_ports", local),
    ...ports("peer_ports", peer),
  };
}

function ports(key: string, { startPort, endPort }: TrafficSelector): Record<string, unknown> {
  if (startPort === 0 && endPort === 65535) return {};
  return { [key]: startPort === endPort ? startPort : `${startPort}-${endPort}` };
}
