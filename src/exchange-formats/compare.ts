/**
 * Will two ends connect? Two descriptions of one tunnel, each from its own side, attribute by attribute: what `lint` tells. Which
 * values of a list are chosen in the end is for the negotiation; here it counts whether there is one that both sides have.
 */
import { equalConstantTime } from "../../crypto/bytes.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import { DEFAULT_NUMBERING } from "../../crypto/registry/numbering.js";
import type { TransformRow } from "../../crypto/registry/row.js";
import { SEQUENCE_32 } from "../../crypto/registry/sequence.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { sameAddress } from "../../esp/address.js";
import { isSubset, sameSelector } from "../../esp/selector.js";
import { formatIdentity, type Identity, sameIdentity } from "../../ike/core/identity.js";
import type { Mapping } from "../../ike/core/policy.js";
import { formatDuration, formatSize } from "../config/scalars.js";
import { type Connection, type End, identityAt } from "./connection.js";
import { placeWords, selectorWords } from "./peer-words.js";

export type Judgement =
  | "equal"
  /** They do not connect, or not for long. */
  | "different"
  /** They connect, and somebody should look. */
  | "warning"
  /** One side leaves it to its product's defaults. */
  | "unknown";

export interface Line {
  /** 1: the IKE SA; 2: its children. */
  readonly phase: 1 | 2;
  readonly attribute: string;
  readonly judgement: Judgement;
  readonly a: string;
  readonly b: string;
  /** What to do about it; where it is not equal. */
  readonly advice?: string;
}

/** `a` and `b` each describe their own side of one tunnel. */
export function compareEnds(a: Connection, b: Connection): readonly Line[] {
  return [
    versionLine(a, b),
    ...modeLine(a, b),
    ...addressLines(a, b),
    ...identityLines(a, b),
    ...startLine(a, b),
    pskLine(a, b),
    ...ikeLines(a, b),
    ...lifetimeLine(1, a, b),
    encapsulationLine(a, b),
    ...dpdLine(a, b),
    ...espLines(a, b),
    ...selectorLines(a, b),
    ...lifetimeLine(2, a, b),
    ...volumeLine(a, b),
  ];
}

const NOT_SAID = "not said";

function versionLine(a: Connection, b: Connection): Line {
  const words = ({ version }: Connection) => (version === undefined ? "IKEv1 or IKEv2" : `IKEv${version}`);
  const clash = a.version !== undefined && b.version !== undefined && a.version !== b.version;
  return {
    phase: 1,
    attribute: "version",
    judgement: clash ? "different" : "equal",
    a: words(a),
    b: words(b),
    ...(clash && { advice: "take the same version of IKE on both sides; 2 where both have it" }),
  };
}

/** The version that they will speak. */
function spoken(a: Connection, b: Connection): 1 | 2 {
  return a.version ?? b.version ?? 2;
}

function modeLine(a: Connection, b: Connection): readonly Line[] {
  if (spoken(a, b) === 2) return [];
  const mode = ({ exchange = "main" }: Connection) => `${exchange} mode`;
  const same = mode(a) === mode(b);
  return [
    {
      phase: 1,
      attribute: "mode",
      judgement: same ? "equal" : "different",
      a: mode(a),
      b: mode(b),
      ...(!same && { advice: "take the same mode on both sides: main, unless one side has only aggressive" }),
    },
  ];
}

/** Where each side expects the other one. */
function addressLines(a: Connection, b: Connection): readonly Line[] {
  const line = (attribute: string, expected: End["at"], own: End["at"], turned: boolean): Line => {
    const known = expected?.kind === "address" && own?.kind === "address";
    const clash = known && !sameAddress(expected.address, own.address);
    const open = expected?.kind === "any" || (!known && own !== undefined && placeWords(own) === placeWords(expected));
    const words = [placeWords(expected), own === undefined ? NOT_SAID : placeWords(own)] as const;
    return {
      phase: 1,
      attribute,
      judgement: clash ? "warning" : known || open ? "equal" : "unknown",
      a: turned ? words[1] : words[0],
      b: turned ? words[0] : words[1],
      ...(clash && {
        advice: "right only if a NAT stands between them; else each side's peer address is the other side's own",
      }),
    };
  };
  return [line("address of B", a.remote.at, b.local.at, false), line("address of A", b.remote.at, a.local.at, true)];
}

function identityLines(a: Connection, b: Connection): readonly Line[] {
  const line = (attribute: string, sent: End, expected: End, turned: boolean): Line => {
    const own = identityAt(sent);
    const wanted = identityAt(expected);
    const clash = own !== undefined && wanted !== undefined && !sameIdentity(own, wanted);
    const words = [idWords(own), idWords(wanted)] as const;
    return {
      phase: 1,
      attribute,
      judgement: clash ? "different" : own === undefined || wanted === undefined ? "unknown" : "equal",
      a: turned ? words[1] : words[0],
      b: turned ? words[0] : words[1],
      ...(clash && {
        advice: turned
          ? "make the identity that A expects the one that B sends (peer_id there, local_id here)"
          : "make the identity that B expects the one that A sends (local_id here, peer_id there)",
      }),
    };
  };
  return [line("identity of A", a.local, b.remote, false), line("identity of B", b.local, a.remote, true)];
}

/** With its type: two identities may look alike. */
function idWords(identity: Identity | undefined): string {
  return identity === undefined ? "the address, whatever it is" : `${formatIdentity(identity)} (${identity.type})`;
}

function startLine(a: Connection, b: Connection): readonly Line[] {
  if (a.start === undefined || b.start === undefined) return [];
  const waits = ({ start, remote }: Connection) =>
    start === "passive" || remote.at === undefined || remote.at.kind === "any";
  const nobody = waits(a) && waits(b);
  return [
    {
      phase: 1,
      attribute: "who calls",
      judgement: nobody ? "different" : "equal",
      a: a.start,
      b: b.start,
      ...(nobody && { advice: "both sides wait: let one of them call" }),
    },
  ];
}

/** Never prints one. */
function pskLine(a: Connection, b: Connection): Line {
  const words = ({ psk }: Connection) => (psk === undefined ? "not in the files" : "[secret]");
  const base = { phase: 1, attribute: "pre-shared key", a: words(a), b: words(b) } as const;
  if (a.psk === undefined || b.psk === undefined) return { ...base, judgement: "unknown" };
  const same = equalConstantTime(a.psk.reveal(), b.psk.reveal());
  return {
    ...base,
    judgement: same ? "equal" : "different",
    ...(!same && { advice: "the keys differ: write the same one on both sides" }),
  };
}

interface Part {
  readonly attribute: string;
  readonly a: readonly string[];
  readonly b: readonly string[];
}

/** Whether one proposal of each side fits; else the parts without anything in common, over all proposals. */
function proposalLines<P extends IkeProposal | EspProposal>(
  phase: 1 | 2,
  a: readonly P[] | undefined,
  b: readonly P[] | undefined,
  parts: (proposals: readonly P[]) => readonly (readonly [string, readonly string[]])[],
): readonly Line[] {
  const all: readonly Part[] = parts(a ?? []).map(([attribute, values], i) => ({
    attribute,
    a: values,
    b: parts(b ?? [])[i]![1],
  }));
  const fit = a?.some((one) => b?.some((other) => meets(parts([one]), parts([other])))) ?? false;
  const known = a !== undefined && b !== undefined;
  const lines = all.map(({ attribute, a: mine, b: theirs }): Line => {
    const common = mine.filter((value) => theirs.includes(value));
    const empty = mine.length === 0 && theirs.length === 0;
    const judgement = !known ? "unknown" : common.length > 0 || empty ? "equal" : "different";
    return {
      phase,
      attribute,
      judgement,
      a: a === undefined ? "its defaults" : mine.join(", ") || "none",
      b: b === undefined ? "its defaults" : theirs.join(", ") || "none",
      ...(judgement === "different" && {
        advice: `nothing in common: let both sides have one of ${[...mine, ...theirs].join(", ") || "them"}`,
      }),
    };
  });
  if (!known || fit || lines.some(({ judgement }) => judgement === "different")) return lines;
  return [
    ...lines,
    {
      phase,
      attribute: "proposals",
      judgement: "different",
      a: "each part has something in common,",
      b: "but no single proposal fits",
      advice: "write one proposal that both sides have as a whole",
    },
  ];
}

function meets(
  one: readonly (readonly [string, readonly string[]])[],
  other: readonly (readonly [string, readonly string[]])[],
): boolean {
  return one.every(([, mine], i) => {
    const theirs = other[i]![1];
    return (mine.length === 0 && theirs.length === 0) || mine.some((value) => theirs.includes(value));
  });
}

function ikeLines(a: Connection, b: Connection): readonly Line[] {
  const version = spoken(a, b);
  return proposalLines(1, a.ike.proposals, b.ike.proposals, (proposals) => [
    ["encryption", encryptionWords(proposals)],
    ["integrity", words(proposals, ({ integrity }) => integrity)],
    // In IKEv1 the hash is both.
    ...(version === 2 ? ([["PRF", words(proposals, ({ prf }) => prf)]] as const) : []),
    ["group", words(proposals, ({ keyExchange }) => keyExchange)],
  ]);
}

function espLines(a: Connection, b: Connection): readonly Line[] {
  const version = spoken(a, b);
  const lines = proposalLines(2, a.esp.proposals, b.esp.proposals, (proposals) => [
    ["encryption", encryptionWords(proposals)],
    ["integrity", words(proposals, ({ integrity }) => integrity)],
    ["PFS", pfsWords(proposals)],
    // IKEv1 has them on request alone.
    ...(version === 2
      ? ([
          ["sequence numbers", words(proposals, ({ sequence }) => (sequence.length === 0 ? [SEQUENCE_32] : sequence))],
        ] as const)
      : []),
  ]);
  return lines.map((line) =>
    line.attribute === "PFS" && line.judgement === "different" && version === 2
      ? { ...line, advice: `the tunnel comes up and dies at its first rekey; ${line.advice}` }
      : line,
  );
}

function pfsWords(proposals: readonly EspProposal[]): readonly string[] {
  return distinct(
    proposals.flatMap((proposal) =>
      proposal.keyExchange.length === 0 ? ["off"] : proposal.keyExchange.map((row) => wordOf(row, proposal)),
    ),
  );
}

function encryptionWords(proposals: readonly (IkeProposal | EspProposal)[]): readonly string[] {
  return distinct(
    proposals.flatMap((proposal) => proposal.encryption.map(({ row, keyBits }) => wordOf(row, proposal, keyBits))),
  );
}

function words<P extends IkeProposal | EspProposal>(
  proposals: readonly P[],
  rows: (proposal: P) => readonly TransformRow[],
): readonly string[] {
  return distinct(proposals.flatMap((proposal) => rows(proposal).map((row) => wordOf(row, proposal))));
}

/** SM4 and SM3 are the same on both sides only under the same numbers. */
function wordOf(row: TransformRow, { numbering }: IkeProposal | EspProposal, keyBits?: number): string {
  const word = keywordOf(row, keyBits);
  return row.ids.ikev2 === undefined ? `${word} (numbering ${(numbering ?? DEFAULT_NUMBERING).name})` : word;
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

/** Not negotiated in IKEv2; in IKEv1 the shorter counts, where the responder does not refuse a longer one. */
function lifetimeLine(phase: 1 | 2, a: Connection, b: Connection): readonly Line[] {
  const of = (one: Connection) => (phase === 1 ? one.ike.lifetimeSeconds : one.esp.lifetimeSeconds);
  const [mine, theirs] = [of(a), of(b)];
  if (mine === undefined && theirs === undefined) return [];
  const base = { phase, attribute: "lifetime", a: lifeWords(mine), b: lifeWords(theirs) } as const;
  if (mine === undefined || theirs === undefined) return [{ ...base, judgement: "unknown" }];
  if (mine === theirs || spoken(a, b) === 2) return [{ ...base, judgement: "equal" }];
  return [
    {
      ...base,
      judgement: "warning",
      advice: "in IKEv1 some products refuse a lifetime that is not theirs; make them equal",
    },
  ];
}

function lifeWords(seconds: number | undefined): string {
  return seconds === undefined ? "its default" : formatDuration(seconds);
}

function volumeLine(a: Connection, b: Connection): readonly Line[] {
  const [mine, theirs] = [a.esp.volumeOctets, b.esp.volumeOctets];
  if (mine === undefined || theirs === undefined || (mine === 0 && theirs === 0)) return [];
  const sizes = (octets: number) => (octets === 0 ? "off" : formatSize(octets));
  const differ = spoken(a, b) === 1 && mine !== theirs;
  return [
    {
      phase: 2,
      attribute: "volume",
      judgement: differ ? "warning" : "equal",
      a: sizes(mine),
      b: sizes(theirs),
      ...(differ && { advice: "in IKEv1 some products refuse another volume lifetime; make them equal" }),
    },
  ];
}

function encapsulationLine(a: Connection, b: Connection): Line {
  const words = ({ encapsulation = "auto" }: Connection) =>
    encapsulation === "udp" ? "UDP always" : "ESP, or UDP behind a NAT";
  return { phase: 1, attribute: "encapsulation", judgement: "equal", a: words(a), b: words(b) };
}

function dpdLine(a: Connection, b: Connection): readonly Line[] {
  if (a.dpd === undefined && b.dpd === undefined) return [];
  const words = ({ dpd }: Connection) =>
    dpd === undefined ? "its default" : dpd === "off" ? "off" : `dead after ${formatDuration(dpd.timeoutSeconds)}`;
  const off = a.dpd === "off" || b.dpd === "off";
  return [
    {
      phase: 1,
      attribute: "dead peer detection",
      judgement: off ? "warning" : "equal",
      a: words(a),
      b: words(b),
      ...(off && { advice: "the side where it is off keeps a dead tunnel until its lifetime ends; turn it on" }),
    },
  ];
}

/** Each mapping of a side beside the other side's, mirrored. */
function selectorLines(a: Connection, b: Connection): readonly Line[] {
  const theirs = b.mappings.map(({ local, peer }): Mapping => ({ local: peer, peer: local }));
  if (a.mappings.length === 0 || b.mappings.length === 0) {
    const words = (mappings: readonly Mapping[]) =>
      mappings.length === 0 ? NOT_SAID : mappings.map(mappingWords).join(", ");
    return [{ phase: 2, attribute: "selectors", judgement: "unknown", a: words(a.mappings), b: words(b.mappings) }];
  }
  const version = spoken(a, b);
  const lines = a.mappings.map((mapping): Line => {
    const base = { phase: 2, attribute: "selectors", a: mappingWords(mapping) } as const;
    if (theirs.some((other) => sameMapping(mapping, other)))
      return { ...base, judgement: "equal", b: mappingWords({ local: mapping.peer, peer: mapping.local }) };
    const near = theirs.find((other) => within(mapping, other) || within(other, mapping));
    if (near === undefined)
      return {
        ...base,
        judgement: "different",
        b: "nothing that mirrors it",
        advice: "write the mirror image on the other side: its local range is this side's peer range",
      };
    const shown = { ...base, b: mappingWords({ local: near.peer, peer: near.local }) };
    return version === 2
      ? {
          ...shown,
          judgement: "warning",
          advice:
            "one is a part of the other: it works only with a peer that narrows (RFC 7296 section 2.9); make them mirror images",
        }
      : { ...shown, judgement: "different", advice: "IKEv1 does not narrow: make them mirror images" };
  });
  const left = theirs.filter(
    (other) =>
      !a.mappings.some((mapping) => sameMapping(mapping, other) || within(mapping, other) || within(other, mapping)),
  );
  return [
    ...lines,
    ...left.map(
      (other): Line => ({
        phase: 2,
        attribute: "selectors",
        judgement: "different",
        a: "nothing that mirrors it",
        b: mappingWords({ local: other.peer, peer: other.local }),
        advice: "write the mirror image on the other side: its local range is this side's peer range",
      }),
    ),
  ];
}

function sameMapping(a: Mapping, b: Mapping): boolean {
  return sameSelector(a.local, b.local) && sameSelector(a.peer, b.peer);
}

function within(a: Mapping, b: Mapping): boolean {
  return isSubset(a.local, b.local) && isSubset(a.peer, b.peer);
}

function mappingWords({ local, peer }: Mapping): string {
  return `${selectorWords(local)} -> ${selectorWords(peer)}`;
}

/** Which tunnel of one file is which of the other: the pairs that fit best, each used once. */
export function pairUp(
  as: readonly Connection[],
  bs: readonly Connection[],
): readonly (readonly [Connection, Connection])[] {
  if (as.length === 1 && bs.length === 1) return [[as[0]!, bs[0]!]];
  const scored = as
    .flatMap((a) => bs.map((b) => ({ a, b, score: likeness(a, b) })))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score);
  const pairs: [Connection, Connection][] = [];
  for (const { a, b } of scored) if (!pairs.some(([left, right]) => left === a || right === b)) pairs.push([a, b]);
  return pairs;
}

function likeness(a: Connection, b: Connection): number {
  const at = (expected: End["at"], own: End["at"]) =>
    expected?.kind === "address" && own?.kind === "address" && sameAddress(expected.address, own.address) ? 2 : 0;
  const id = (one: End, other: End) => {
    const [mine, theirs] = [identityAt(one), identityAt(other)];
    return mine !== undefined && theirs !== undefined && sameIdentity(mine, theirs) ? 2 : 0;
  };
  const mirrorImages = a.mappings.filter(({ local, peer }) =>
    b.mappings.some((other) => sameMapping({ local: other.peer, peer: other.local }, { local, peer })),
  ).length;
  return (
    at(a.remote.at, b.local.at) +
    at(b.remote.at, a.local.at) +
    id(a.local, b.remote) +
    id(b.local, a.remote) +
    Math.min(mirrorImages, 3)
  );
}
