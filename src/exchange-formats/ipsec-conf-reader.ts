/** ipsec.conf of strongSwan (its starter) and of libreswan as connections. `left` is taken for the file's own side. */

import { rowByKeyword } from "../../crypto/registry/lookup.js";
import { parseEspProposal, parseIkeProposal, proposalKeywords } from "../../crypto/registry/proposal.js";
import { SEQUENCE_32, SEQUENCE_ESN } from "../../crypto/registry/sequence.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { TrafficSelector } from "../../esp/selector.js";
import { selectorFromAddress } from "../../esp/selector.js";
import { formatIdentity } from "../../ike/core/identity.js";
import type { Mapping } from "../../ike/core/policy.js";
import type { Value } from "./braces.js";
import type { Connection, End, Start } from "./connection.js";
import { type Conn, parseIpsecConf } from "./ipsec-conf-sections.js";
import { readIpsecSecrets } from "./ipsec-secrets.js";
import { libreswanWord } from "./libreswan-words.js";
import { collectNotes, type Notes, quote, quoteSetting } from "./notes.js";
import {
  identityOfWords,
  octetsOf,
  placeOf,
  placeWords,
  portsOf,
  protocolOf,
  secondsOf,
  selectorOfWords,
} from "./peer-words.js";
import { readProposals } from "./proposal-words.js";
import { type OwnedSecret, type Readout, secretFor } from "./readout.js";
import { isYes, pairs, strongswanEspProposals, strongswanProposals } from "./swanctl-reader.js";

export type IpsecConfProduct = "strongSwan" | "libreswan";

/** Throws `UnreadableFile` when it is no such file at all. `secrets` is the text of ipsec.secrets. */
export function readIpsecConf(text: string, product: IpsecConfProduct, secrets: string | undefined): Readout {
  const notes = collectNotes();
  const { conns, bases, includes } = parseIpsecConf(text);
  for (const { line, text: what } of includes)
    notes.add(line, `include ${quote(what)} is not followed; import that file, too, or put its text here`);
  const keys = secrets === undefined ? [] : readIpsecSecrets(secrets, ofTheSecrets(notes));
  // What only others take from is no connection.
  const wanted = conns.filter(({ name, own }) => own.has("auto") || !bases.has(name));
  const read = wanted.flatMap((conn) => readConn(conn, product, keys, notes) ?? []);
  return {
    kind: product === "strongSwan" ? "ipsec.conf (strongSwan)" : "ipsec.conf (libreswan)",
    describes: "its own gateway",
    connections: joined(read),
    notes: notes.list(),
  };
}

/** Their lines are those of another file. */
function ofTheSecrets(notes: Notes): Notes {
  return { ...notes, add: (line, message) => notes.add(0, `line ${line} of the secrets: ${message}`) };
}

/** Words that only one of the two has. */
const OF_STRONGSWAN =
  /^[^\S\n]+(keyexchange|leftauth|rightauth|closeaction|margintime|reauth|lifebytes|leftsourceip|ike=.*!|esp=.*!)/gm;
const OF_LIBRESWAN =
  /^[^\S\n]+(ikev2|phase2|phase2alg|pfs|salifetime|rekeymargin|encapsulation|leftsubnets|rightsubnets|ipsec-max-bytes|(?:ike|esp)\s*=.*[;_])/gm;

export function productOf(text: string): IpsecConfProduct {
  const count = (pattern: RegExp) => [...text.matchAll(pattern)].length;
  return count(OF_LIBRESWAN) > count(OF_STRONGSWAN) ? "libreswan" : "strongSwan";
}

/** Local matters of that gateway, or what our side does by itself. */
const SILENT = new Set([
  ...[
    "auto",
    "rekeymargin",
    "margintime",
    "rekeyfuzz",
    "keyingtries",
    "rekey",
    "reauth",
    "leftupdown",
    "rightupdown",
    "closeaction",
  ],
  ...[
    "marginbytes",
    "marginpackets",
    "lifepackets",
    "installpolicy",
    "leftfirewall",
    "lefthostaccess",
    "retransmit-timeout",
  ],
  ...[
    "retransmit-interval",
    "dpdaction",
    "uniqueids",
    "leftnexthop",
    "rightnexthop",
    "priority",
    "leftsendcert",
    "rightsendcert",
  ],
  ...[
    "ikepad",
    "nat-keepalive",
    "nic-offload",
    "metric",
    "mtu",
    "compress",
    "ms-dh-downgrade",
    "decap-dscp",
    "nopmtudisc",
  ],
]);

function readConn(
  conn: Conn,
  product: IpsecConfProduct,
  secrets: readonly OwnedSecret[],
  notes: Notes,
): Connection | undefined {
  const seen = new Set<string>();
  const get = (...keys: string[]): Value | undefined => {
    for (const key of keys) seen.add(key);
    return keys.map((key) => conn.values.get(key)).find((value) => value !== undefined);
  };
  const seconds = (...keys: string[]): number | undefined => {
    const found = get(...keys);
    const value = found && secondsOf(found.text);
    if (found && value === undefined)
      notes.add(found.line, `${keys[0]}=${quote(found.text)} is no duration; it is left out`);
    return value;
  };
  const skip = (at: Value, why: string): undefined => {
    notes.add(at.line, `conn ${conn.name} is left out: ${why}`);
  };
  const isStrongswan = product === "strongSwan";

  const type = get("type");
  if (type !== undefined && type.text !== "tunnel")
    return skip(type, `type=${quote(type.text)}; tunnel mode alone is supported`);
  const phase2 = get("phase2", "auth");
  if (phase2 !== undefined && phase2.text !== "esp")
    return skip(phase2, `${quote(phase2.text)} is not supported, ESP is`);
  const ah = get("ah");
  if (ah !== undefined) return skip(ah, "AH is not supported");
  const stranger = notByKey(get("authby"), get("leftauth"), get("rightauth"), product);
  if (stranger !== undefined)
    return skip(
      stranger === "default" ? { text: "", line: conn.line } : stranger,
      "only pre-shared keys are supported (authby=secret, leftauth=psk)",
    );
  const compress = get("compress");
  if (isYes(compress?.text)) notes.add(compress!.line, "compression (IPComp) is not supported; it is left out");

  const version = isStrongswan
    ? starterVersion(get("keyexchange"), notes)
    : libreswanVersion(get("ikev2", "keyexchange"), notes);
  const aggressive = isYes(get("aggressive", "aggrmode")?.text);
  const local = readEnd("left", get("left"), get("leftid"), notes);
  const remote = readEnd("right", get("right"), get("rightid"), notes);
  const ike = get("ike");
  const esp = get("esp", "phase2alg");
  const ikeProposals =
    ike && (isStrongswan ? strongswanProposals(parseIkeProposal, ike, notes) : libreswanIke(ike, version ?? 2, notes));
  let espProposals = esp && (isStrongswan ? strongswanEspProposals(esp, notes) : libreswanEsp(esp, notes));
  if (!isStrongswan && espProposals)
    espProposals = withLibreswanHabits(espProposals, ikeProposals, get("pfs"), get("esn"));
  for (const key of ["pfs", "esn"]) seen.add(key);

  const ikeLifetime = seconds("ikelifetime");
  const espLifetime = seconds("salifetime", "keylife", "lifetime");
  const volume = get("lifebytes", "ipsec-max-bytes");
  const octets = volume && octetsOf(volume.text);
  const window = get("replay-window", "replay_window");
  const delay = seconds("dpddelay");
  const timeout = seconds("dpdtimeout");
  const action = get("dpdaction")?.text ?? (isStrongswan ? "none" : "hold");
  const fragmentation = get("fragmentation")?.text;
  const mobike = get("mobike")?.text ?? (isStrongswan ? "yes" : "no");
  const encapsulation = get("forceencaps", "encapsulation")?.text;
  const psk = secretFor(secrets, local, remote);
  const connection: Connection = {
    name: conn.name,
    ...(version && { version }),
    ...((version === 1 || aggressive) && { exchange: aggressive ? "aggressive" : "main" }),
    local,
    remote,
    ...(psk && { psk }),
    start: startOf(get("auto")?.text),
    encapsulation: isYes(encapsulation) ? "udp" : "auto",
    ...dpdOf(action, delay, timeout, isStrongswan),
    ike: {
      ...(ikeProposals && ikeProposals.length > 0 && { proposals: ikeProposals }),
      ...(ikeLifetime && { lifetimeSeconds: ikeLifetime }),
      fragmentation: fragmentation === "no" ? "off" : "auto",
      ...(version !== 1 && { mobike: isYes(mobike) }),
    },
    esp: {
      ...(espProposals && espProposals.length > 0 && { proposals: espProposals }),
      ...(espLifetime && { lifetimeSeconds: espLifetime }),
      volumeOctets: octets ?? 0,
      ...(window !== undefined && /^\d{1,5}$/.test(window.text) && { replayWindow: Number(window.text) }),
    },
    mappings: mappingsOf(conn, get, local, remote, notes),
  };
  for (const [key, { text, line }] of conn.values)
    if (!seen.has(key) && !SILENT.has(key))
      notes.add(line, `${quoteSetting(key, text)} has no counterpart; it is left out`);
  return connection;
}

/** What says that the tunnel is not authenticated by a key; "default" when nothing says that it is. */
function notByKey(
  authby: Value | undefined,
  left: Value | undefined,
  right: Value | undefined,
  product: IpsecConfProduct,
): Value | "default" | undefined {
  if (authby !== undefined && !/^(secret|psk)$/.test(authby.text)) return authby;
  for (const each of [left, right]) if (each !== undefined && !/^(psk|secret)$/.test(each.text)) return each;
  if (authby !== undefined || (left !== undefined && right !== undefined)) return undefined;
  return product === "strongSwan" || left === undefined ? "default" : undefined;
}

function starterVersion(found: Value | undefined, notes: Notes): 1 | 2 | undefined {
  switch (found?.text) {
    case "ikev1":
      return 1;
    case "ikev2":
      return 2;
    case undefined:
    case "ike":
      return undefined;
    default:
      notes.add(found!.line, `keyexchange=${quote(found!.text)} is none; both versions are assumed`);
      return undefined;
  }
}

function libreswanVersion(found: Value | undefined, notes: Notes): 1 | 2 | undefined {
  if (found === undefined || /^(yes|insist|propose|ikev2)$/.test(found.text)) return 2;
  if (/^(no|never|ikev1)$/.test(found.text)) return 1;
  if (found.text === "permit") return undefined;
  notes.add(found.line, `ikev2=${quote(found.text)} is none; version 2 is assumed`);
  return 2;
}

function readEnd(side: "left" | "right", at: Value | undefined, id: Value | undefined, notes: Notes): End {
  const place = at && placeOf(at.text);
  if (at && place === undefined)
    notes.add(at.line, `${side}=${quote(at.text)} is no address of a host; it is left out`);
  const identity = id === undefined ? "any" : identityOfWords(id.text);
  if (typeof identity === "object" && "problem" in identity) {
    notes.add(id!.line, `${side}id=${quote(id!.text)} is left out: ${identity.problem}`);
    return place ? { at: place } : {};
  }
  return { ...(place && { at: place }), ...(identity !== "any" && { id: identity }) };
}

function startOf(auto: string | undefined): Start {
  if (auto === "start" || auto === "up" || auto === "keep") return "active";
  return auto === "route" || auto === "ondemand" || auto === "trap" ? "on-traffic" : "passive";
}

function dpdOf(
  action: string,
  delay: number | undefined,
  timeout: number | undefined,
  isStrongswan: boolean,
): Pick<Connection, "dpd"> {
  if (isStrongswan)
    return action === "none" ? { dpd: "off" } : { dpd: { timeoutSeconds: timeout ?? (delay ?? 30) * 3 } };
  // libreswan needs both.
  return delay === undefined || timeout === undefined ? { dpd: "off" } : { dpd: { timeoutSeconds: timeout } };
}

function mappingsOf(
  conn: Conn,
  get: (...keys: string[]) => Value | undefined,
  local: End,
  remote: End,
  notes: Notes,
): readonly Mapping[] {
  const side = (name: "left" | "right", end: End): readonly TrafficSelector[] => {
    const own = end.at?.kind === "address" ? end.at.address : undefined;
    const found = get(`${name}subnet`, `${name}subnets`);
    const narrower = get(`${name}protoport`);
    const words =
      found?.text
        .replace(/^\{|\}$/g, "")
        .split(/[\s,]+/)
        .filter((word) => word !== "") ?? [];
    const selectors = words.flatMap((word) => {
      const selector = selectorOfWords(word, own);
      if (selector === undefined)
        notes.add(found!.line, `${name}subnet: ${quote(word)} cannot be taken over: name the address range`);
      return selector ?? [];
    });
    const all = found === undefined && own !== undefined ? [selectorFromAddress(own)] : selectors;
    if (found === undefined && own === undefined)
      notes.add(conn.line, `conn ${conn.name} has no ${name}subnet, and the address of that end is not known`);
    return narrower === undefined ? all : narrowed(all, narrower, notes);
  };
  return pairs(side("left", local), side("right", remote));
}

/** "tcp/443", "17/%any", "6". */
function narrowed(
  selectors: readonly TrafficSelector[],
  { text, line }: Value,
  notes: Notes,
): readonly TrafficSelector[] {
  const [name = "", port = ""] = text.split("/");
  const protocol = protocolOf(name);
  const ports = portsOf(port);
  if (protocol === undefined || ports === undefined) {
    notes.add(line, `${quote(text)} is no protocol and port; it is left out`);
    return selectors;
  }
  return selectors.map((selector) => ({ ...selector, protocol, ...ports }));
}

/** What pluto adds by itself where a proposal names no hash or no group. */
const LIBRESWAN_HASHES = ["sha2_512", "sha2_256"];
const LIBRESWAN_GROUPS = {
  1: ["modp2048", "modp1536"],
  2: ["modp2048", "modp3072", "modp4096", "modp8192", "dh19", "dh20", "dh21", "dh31"],
};

function libreswanIke({ text, line }: Value, version: 1 | 2, notes: Notes): readonly IkeProposal[] {
  const lists = libreswanLists(text).map((words) => {
    const kinds = new Set(
      words.flatMap((word) => (libreswanWord(word) ?? []).map((each) => rowByKeyword(each)?.row.kind)),
    );
    return [
      ...words,
      ...(kinds.has("integrity") ? [] : LIBRESWAN_HASHES),
      ...(kinds.has("keyExchange") ? [] : LIBRESWAN_GROUPS[version]),
    ];
  });
  return readProposals(parseIkeProposal, lists, libreswanWord, line, notes);
}

function libreswanEsp({ text, line }: Value, notes: Notes): readonly EspProposal[] {
  return readProposals(parseEspProposal, libreswanLists(text), libreswanWord, line, notes);
}

function libreswanLists(text: string): readonly (readonly string[])[] {
  return text
    .replace(/!\s*$/, "")
    .split(",")
    .map((proposal) =>
      proposal
        .trim()
        .split(/[-;+]/)
        .filter((word) => word !== ""),
    )
    .filter((words) => words.length > 0);
}

/** PFS is on unless it is turned off, with the groups of IKE where none are named; ESN is a key of its own. */
function withLibreswanHabits(
  proposals: readonly EspProposal[],
  ike: readonly IkeProposal[] | undefined,
  pfs: Value | undefined,
  esn: Value | undefined,
): readonly EspProposal[] {
  const off = pfs !== undefined && !isYes(pfs.text);
  const groups = [...new Set((ike ?? []).flatMap(({ keyExchange }) => keyExchange))];
  const sequence =
    esn === undefined || esn.text === "either"
      ? [SEQUENCE_ESN, SEQUENCE_32]
      : isYes(esn.text)
        ? [SEQUENCE_ESN]
        : [SEQUENCE_32];
  return proposals.map((proposal) => ({
    ...proposal,
    sequence,
    keyExchange: off ? [] : proposal.keyExchange.length > 0 ? proposal.keyExchange : groups,
  }));
}

/** Conns that differ in their selectors alone are children of one tunnel, as both products make them. */
function joined(connections: readonly Connection[]): readonly Connection[] {
  const found = new Map<string, Connection[]>();
  for (const connection of connections) {
    const key = keyOf(connection);
    const same = found.get(key);
    if (same === undefined) found.set(key, [connection]);
    else same.push(connection);
  }
  return [...found.values()].map((same) => ({
    ...same[0]!,
    name: same[0]!.name.replace(/-1$/, ""),
    mappings: same.flatMap(({ mappings }) => mappings),
  }));
}

function keyOf({ name: _, mappings: __, psk, local, remote, ike, esp, ...rest }: Connection): string {
  const end = ({ at, id }: End) => [placeWords(at), id ? `${id.type} ${formatIdentity(id)}` : ""];
  const words = (proposals: readonly (IkeProposal | EspProposal)[] | undefined) => proposals?.map(proposalKeywords);
  return JSON.stringify([
    rest,
    end(local),
    end(remote),
    { ...ike, proposals: words(ike.proposals) },
    { ...esp, proposals: words(esp.proposals) },
  ]);
}
