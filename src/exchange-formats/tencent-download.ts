/**
 * Tunnels of Tencent Cloud: the answer of its API about a tunnel (DescribeVpnConnections), which describes the cloud's own side; and
 * the configuration download (DownloadCustomerGatewayConfiguration), text for the customer's device in the language of H3C Comware,
 * alone or in the API's answer.
 */
import { utf8 } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";
import { formatAddress, type Prefix } from "../../esp/address.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import type { Mapping } from "../../ike/core/policy.js";
import { cloudEsp, cloudIke, type Word } from "./cloud-words.js";
import type { Connection, End } from "./connection.js";
import { collectNotes, type Notes, quote, UnreadableFile } from "./notes.js";
import { addressOf, identityOfWords, selectorOfWords } from "./peer-words.js";
import type { Readout } from "./readout.js";

export function looksLikeTencent(text: string): boolean {
  return (
    /"(VpnConnectionSet|IKEOptionsSpecification|CustomerGatewayConfiguration)"/.test(text) || looksLikeComware(text)
  );
}

function looksLikeComware(text: string): boolean {
  return (
    /^[^\S\n]*ike (proposal|keychain|profile) \S+/m.test(text) &&
    /^[^\S\n]*ipsec (transform-set|policy) \S+/m.test(text)
  );
}

const MOST_TUNNELS = 1_000;

/** Throws `UnreadableFile`. */
export function readTencentDownload(text: string): Readout {
  if (looksLikeComware(text)) return readComware(text);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new UnreadableFile(1, "this is neither the JSON of the API nor the text of a configuration download");
  }
  const response = field(answer, "Response") ?? answer;
  const download = field(response, "CustomerGatewayConfiguration");
  if (typeof download === "string") return readComware(download.replaceAll("\r\n", "\n"));
  const set = field(response, "VpnConnectionSet") ?? [response];
  if (!Array.isArray(set) || set.length > MOST_TUNNELS)
    throw new UnreadableFile(1, `VpnConnectionSet is no list of at most ${MOST_TUNNELS} tunnels`);
  const notes = collectNotes();
  const lineOf = (tunnel: unknown): number => {
    const id = words(tunnel, "VpnConnectionId");
    const at = id === undefined ? -1 : text.indexOf(`"${id}"`);
    return at < 0 ? 1 : text.slice(0, at).split("\n").length;
  };
  return {
    kind: "Tencent Cloud download",
    describes: "its own gateway",
    connections: set.flatMap((tunnel) => fromApi(tunnel, lineOf(tunnel), notes) ?? []),
    notes: notes.list(),
  };
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function words(value: unknown, key: string): string | undefined {
  const found = field(value, key);
  return typeof found === "string" || typeof found === "number" ? String(found).slice(0, 400) : undefined;
}

function fromApi(tunnel: unknown, line: number, notes: Notes): Connection | undefined {
  const ike = field(tunnel, "IKEOptionsSpecification");
  const esp = field(tunnel, "IPSECOptionsSpecification");
  if (ike === undefined || esp === undefined) {
    notes.add(
      line,
      "an entry without IKEOptionsSpecification and IPSECOptionsSpecification is no tunnel; it is left out",
    );
    return undefined;
  }
  const word = (from: unknown, key: string): Word | undefined => {
    const found = words(from, key);
    return found === undefined ? undefined : { text: found, line };
  };
  const number = (from: unknown, key: string): number | undefined => {
    const found = Number(words(from, key) ?? Number.NaN);
    return Number.isSafeInteger(found) && found > 0 ? found : undefined;
  };
  const version = /2/.test(words(ike, "IKEVersion") ?? "IKEV1") ? 2 : 1;
  const psk = words(tunnel, "PreShareKey");
  const [ikeLifetime, espLifetime, kilobytes] = [
    number(ike, "IKESaLifetimeSeconds"),
    number(esp, "IPSECSaLifetimeSeconds"),
    number(esp, "IPSECSaLifetimeTraffic"),
  ];
  const ikeProposals = cloudIke(
    word(ike, "PropoEncryAlgorithm"),
    word(ike, "PropoAuthenAlgorithm"),
    word(ike, "DhGroupName"),
    notes,
  );
  const espProposals = cloudEsp(
    word(esp, "EncryptAlgorithm"),
    word(esp, "IntegrityAlgorith"),
    word(esp, "PfsDhGroup"),
    notes,
  );
  const dpd = words(tunnel, "DpdEnable");
  const mode = words(esp, "EncapMode");
  if (mode !== undefined && !/tunnel/i.test(mode))
    notes.add(line, `EncapMode ${quote(mode)}: tunnel mode alone is supported`);
  return {
    name: words(tunnel, "VpnConnectionName") || words(tunnel, "VpnConnectionId") || "tencent",
    version,
    ...(version === 1 && { exchange: /aggressive/i.test(words(ike, "ExchangeMode") ?? "") ? "aggressive" : "main" }),
    local: endOf(ike, "Local", line, notes),
    remote: endOf(ike, "Remote", line, notes),
    ...(psk && !/^\*+$/.test(psk) && { psk: new Secret(utf8(psk)) }),
    start: /^(state:)?active$/i.test(words(tunnel, "NegotiationType") ?? "")
      ? "active"
      : /flow/i.test(words(tunnel, "NegotiationType") ?? "")
        ? "on-traffic"
        : "passive",
    encapsulation: "auto",
    dpd: dpd === "0" ? "off" : { timeoutSeconds: number(tunnel, "DpdTimeout") ?? 30 },
    ike: { ...(ikeProposals && { proposals: ikeProposals }), ...(ikeLifetime && { lifetimeSeconds: ikeLifetime }) },
    esp: {
      ...(espProposals && { proposals: espProposals }),
      ...(espLifetime && { lifetimeSeconds: espLifetime }),
      ...(kilobytes && kilobytes < 4294967295 && { volumeOctets: kilobytes * 1024 }),
    },
    mappings: rangesOf(tunnel, line, notes),
  };
}

function endOf(ike: unknown, side: "Local" | "Remote", line: number, notes: Notes): End {
  const address = addressOf(words(ike, `${side}Address`) ?? "");
  const name = words(ike, `${side}FqdnName`);
  const at: End = address ? { at: { kind: "address", address } } : {};
  if (words(ike, `${side}Identity`) !== "FQDN" || name === undefined) return at;
  const identity = identityOfWords(name);
  if (typeof identity === "object" && "type" in identity) return { ...at, id: identity };
  notes.add(line, `${side}FqdnName ${quote(name)} is no name; it is left out`);
  return at;
}

function rangesOf(tunnel: unknown, line: number, notes: Notes): readonly Mapping[] {
  const rules = field(tunnel, "SecurityPolicyDatabaseSet");
  if (!Array.isArray(rules)) return [];
  const range = (text: unknown) => {
    const selector = typeof text === "string" ? selectorOfWords(text, undefined) : undefined;
    if (selector === undefined) notes.add(line, `${quote(String(text))} is no address range; it is left out`);
    return selector;
  };
  return rules.slice(0, MOST_TUNNELS).flatMap((rule): Mapping[] => {
    const local = range(field(rule, "LocalCidrBlock"));
    const remotes = field(rule, "RemoteCidrBlock");
    if (local === undefined || !Array.isArray(remotes)) return [];
    return remotes.slice(0, MOST_TUNNELS).flatMap((remote) => {
      const peer = range(remote);
      return peer === undefined ? [] : [{ local, peer }];
    });
  });
}

/** Views of Comware, by their first words, each with the lines below it. */
interface View {
  readonly head: string;
  readonly line: number;
  readonly lines: Word[];
}

/** One tunnel: the download is made for one. */
function readComware(text: string): Readout {
  const notes = collectNotes();
  const views: View[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const plain = raw.replace(/\r$/, "").trim();
    if (plain === "" || /^[#!]/.test(plain)) continue;
    const isHead =
      /^(ike (proposal|keychain|profile)|ipsec (transform-set|policy|profile)|acl (advanced|number)|interface|ike identity|quit|return)\b/.test(
        plain,
      );
    if (isHead) views.push({ head: plain, line: index + 1, lines: [] });
    else views.at(-1)?.lines.push({ text: plain, line: index + 1 });
    if (views.length > 2_000) throw new UnreadableFile(index + 1, "more than 2000 views");
  }
  const view = (head: RegExp) => views.find((each) => head.test(each.head));
  const value = (from: View | undefined, pattern: RegExp): Word | undefined => {
    for (const { text: words, line } of from?.lines ?? []) {
      const [, found] = pattern.exec(words) ?? [];
      if (found !== undefined) return { text: found, line };
    }
    return undefined;
  };
  const proposal = view(/^ike proposal/);
  const profile = view(/^ike profile/);
  const keychain = view(/^ike keychain/);
  const transforms = view(/^ipsec transform-set/);
  const policy = view(/^ipsec policy/);
  const number = (word: Word | undefined) => (word && /^\d{1,12}$/.test(word.text) ? Number(word.text) : undefined);
  const key = value(keychain, /^pre-shared-key .*\bkey simple (.+)$/);
  const hidden = value(keychain, /^pre-shared-key .*\bkey cipher (\S)/);
  if (hidden !== undefined)
    notes.add(hidden.line, "the key is encrypted for that device; write the plain one into its file");
  const remote = addressOf(
    value(policy, /^remote-address (\S+)/)?.text ?? value(keychain, /^pre-shared-key address (\S+)/)?.text ?? "",
  );
  const local = addressOf(
    value(policy, /^local-address (\S+)/)?.text ?? value(profile, /^local-identity address (\S+)/)?.text ?? "",
  );
  if (remote === undefined) throw new UnreadableFile(policy?.line ?? 1, "the download names no remote-address");
  const mode = value(profile, /^exchange-mode (\S+)/);
  const ike = cloudIke(
    value(proposal, /^encryption-algorithm (\S+)/) ?? { text: "des-cbc", line: proposal?.line ?? 1 },
    value(proposal, /^authentication-algorithm (\S+)/) ?? { text: "sha", line: proposal?.line ?? 1 },
    value(proposal, /^dh (\S+)/) ?? { text: "group1", line: proposal?.line ?? 1 },
    notes,
  );
  const esp = cloudEsp(
    value(transforms, /^esp encryption-algorithm (\S+)/),
    value(transforms, /^esp authentication-algorithm (\S+)/),
    value(transforms, /^pfs (\S+)/),
    notes,
  );
  const identity = (word: Word | undefined) => {
    const found = word && identityOfWords(word.text);
    return found !== undefined && typeof found === "object" && "type" in found ? { id: found } : {};
  };
  const kilobytes = number(value(policy, /^sa duration traffic-based (\d+)/));
  const [ikeLifetime, espLifetime] = [
    number(value(proposal, /^sa duration (\d+)/)),
    number(value(policy, /^sa duration time-based (\d+)/)),
  ];
  const mappings = views
    .filter(({ head }) => /^acl/.test(head))
    .flatMap(({ lines }) => lines.flatMap((line) => ruleOf(line, notes) ?? []));
  const connection: Connection = {
    name: `tencent-${formatAddress(remote)}`,
    version: 1,
    exchange: /aggressive/.test(mode?.text ?? "") ? "aggressive" : "main",
    local: {
      ...(local && { at: { kind: "address", address: local } }),
      ...identity(value(profile, /^local-identity (?:fqdn|user-fqdn) (\S+)/)),
    },
    remote: {
      at: { kind: "address", address: remote },
      ...identity(value(profile, /^match remote identity (?:fqdn|user-fqdn) (\S+)/)),
    },
    ...(key && { psk: new Secret(utf8(key.text)) }),
    start: "active",
    encapsulation: "auto",
    ike: { ...(ike && { proposals: ike }), ...(ikeLifetime && { lifetimeSeconds: ikeLifetime }) },
    esp: {
      ...(esp && { proposals: esp }),
      ...(espLifetime && { lifetimeSeconds: espLifetime }),
      ...(kilobytes && { volumeOctets: kilobytes * 1024 }),
    },
    mappings,
  };
  return { kind: "Tencent Cloud download", describes: "the customer", connections: [connection], notes: notes.list() };
}

/** "rule 0 permit ip source 10.1.0.0 0.0.0.255 destination 10.2.0.0 0.0.0.255". */
function ruleOf({ text, line }: Word, notes: Notes): Mapping | undefined {
  const [, source, wild, destination, other] =
    /^rule \d+ permit ip(?: vpn-instance \S+)? source (\S+) (\S+) destination (\S+) (\S+)$/.exec(text) ?? [];
  if (source === undefined) return undefined;
  const [local, peer] = [prefixOfWildcard(source, wild!), prefixOfWildcard(destination!, other!)];
  if (local !== undefined && peer !== undefined)
    return { local: selectorFromPrefix(local), peer: selectorFromPrefix(peer) };
  notes.add(line, `${quote(text)} has a mask that is no prefix; it is left out`);
  return undefined;
}

function prefixOfWildcard(words: string, wildcard: string): Prefix | undefined {
  const address = addressOf(words);
  const mask = wildcard === "0" ? 0n : addressOf(wildcard)?.value;
  if (address?.family !== 4 || mask === undefined || ((mask + 1n) & mask) !== 0n) return undefined;
  const length = 32 - mask.toString(2).replace(/^0$/, "").length;
  return { family: 4, value: address.value & ~mask & 0xffff_ffffn, length };
}
