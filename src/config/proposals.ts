/** The proposals of a tunnel: keywords to registry rows, PFS and extended sequence numbers folded in. */

import { MODP_2048 } from "../../crypto/registry/key-exchange.js";
import { type Usage, type Weakness, weaknessesOf, weaknessOf, weaknessWords } from "../../crypto/registry/level.js";
import { keywordOf, rowByKeyword } from "../../crypto/registry/lookup.js";
import { isNotYetSupported } from "../../crypto/registry/not-yet.js";
import type { Numbering } from "../../crypto/registry/numbering.js";
import {
  DEFAULT_ESP_PROPOSALS,
  DEFAULT_IKE_PROPOSALS,
  parseEspProposal,
  parseIkeProposal,
} from "../../crypto/registry/proposal.js";
import type { KeyExchangeRow, SequenceRow } from "../../crypto/registry/row.js";
import { SEQUENCE_32, SEQUENCE_ESN } from "../../crypto/registry/sequence.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import { defaultUnderNumbering, underNumbering } from "./numbering.js";
import type { ValuePath } from "./path.js";
import { NOT_YET } from "./scalars.js";
import { complainOfGroupChoice, exchangeOf, type IkeVersion, numberSpace, versionOf } from "./version.js";

export function ikeProposals(
  tunnel: InheritedTunnel,
  numbering: Numbering,
  findings: Findings,
): readonly IkeProposal[] {
  const written = tunnel.block.ike?.proposals;
  const version = versionOf(tunnel);
  const space = numberSpace(version, "ike");
  const isAggressive = exchangeOf(tunnel) === "aggressive";
  if (written === undefined)
    return DEFAULT_IKE_PROPOSALS.flatMap((each) =>
      defaultUnderNumbering(isAggressive ? { ...each, keyExchange: [V1_GROUP] } : each, space, numbering),
    );
  const read = readAll(written, tunnel.where("ike", "proposals"), parseIkeProposal, findings);
  for (const { proposal, path } of read) {
    judge(weaknessesOf(proposal, "ike"), "ike", path, tunnel, findings);
    if (version === 1) complainOfSeparatePrf(proposal, path, findings);
  }
  if (isAggressive)
    complainOfGroupChoice(
      read.map(({ proposal, path }) => ({ groups: proposal.keyExchange, path })),
      "aggressive mode",
      findings,
    );
  return read.flatMap(({ proposal, path }) => underNumbering(proposal, space, numbering, path, findings) ?? []);
}

/** RFC 2409 section 5: the PRF of phase 1 is the HMAC of the negotiated hash. */
function complainOfSeparatePrf({ integrity, prf }: IkeProposal, path: ValuePath, findings: Findings): void {
  const own = new Set(integrity.map(({ ownPrf }) => ownPrf));
  if (integrity.length === 0 || prf.every((row) => own.has(row))) return;
  findings.complain(
    path,
    `found ${prf.map((row) => keywordOf(row)).join(", ")} beside ${integrity.map((row) => keywordOf(row)).join(", ")}; allowed with IKE ` +
      "version 1: no PRF, because one hash serves both purposes there",
  );
}

export function espProposals(
  tunnel: InheritedTunnel,
  numbering: Numbering,
  findings: Findings,
): readonly EspProposal[] {
  const { proposals: written, pfs } = tunnel.block.esp ?? {};
  const version = versionOf(tunnel);
  const space = numberSpace(version, "esp");
  const groups = pfs === "off" ? [] : pfs === undefined ? defaultGroups(version) : pfsGroups(pfs, tunnel, findings);
  const sequence = sequences(tunnel, findings);
  if (written === undefined) {
    if (version === 1) complainOfGroupChoice([{ groups, path: tunnel.where("esp", "pfs") }], "quick mode", findings);
    return DEFAULT_ESP_PROPOSALS.flatMap((each) =>
      defaultUnderNumbering({ ...each, keyExchange: groups, sequence }, space, numbering),
    );
  }

  const groupsPath = tunnel.where("esp", "pfs");
  // A pfs of `defaults` gives way to the groups of the tunnel's own proposals; one beside them must say the same.
  const pfsIsBeside = pfs !== undefined && tunnel.says("esp", "proposals") === tunnel.says("esp", "pfs");
  const read = readAll(written, tunnel.where("esp", "proposals"), parseEspProposal, findings).map(
    ({ proposal, text, path }) => {
      judge(weaknessesOf(proposal, "esp"), "esp", path, tunnel, findings);
      const own = proposal.keyExchange;
      if (own.length > 0 && pfsIsBeside && !sameRows(own, groups))
        findings.complain(
          path,
          `the proposal names its PFS group (${names(own)}) and pfs beside it says ${names(groups)}; keep one of the two`,
        );
      const complete = {
        ...proposal,
        keyExchange: own.length > 0 ? own : groups,
        sequence: namesSequence(text) ? proposal.sequence : sequence,
      };
      return { proposal: complete, path: own.length > 0 ? path : groupsPath, at: path };
    },
  );
  if (version === 1)
    complainOfGroupChoice(
      read.map(({ proposal, path }) => ({ groups: proposal.keyExchange, path })),
      "quick mode",
      findings,
    );
  return read.flatMap(({ proposal, at }) => underNumbering(proposal, space, numbering, at, findings) ?? []);
}

/** The one group of a default where IKEv1 cannot offer a choice: the strongest that all of its peers have. */
const V1_GROUP = MODP_2048;

/** The groups that a default IKE SA is made with. */
function defaultGroups(version: IkeVersion): readonly KeyExchangeRow[] {
  if (version === 1) return [V1_GROUP];
  return [...new Set(DEFAULT_IKE_PROPOSALS.flatMap(({ keyExchange }) => keyExchange))];
}

function pfsGroups(words: readonly string[], tunnel: InheritedTunnel, findings: Findings): readonly KeyExchangeRow[] {
  const groups: KeyExchangeRow[] = [];
  for (const [i, word] of words.entries()) {
    const path = [...tunnel.where("esp", "pfs"), i];
    const row = rowByKeyword(word)?.row;
    if (row?.kind !== "keyExchange")
      findings.complain(
        path,
        `found "${word}"; ${isNotYetSupported(word) ? `${NOT_YET}; ` : ""}allowed: a group such as x25519, ecp256 or modp2048`,
      );
    else if (groups.includes(row)) findings.complain(path, `found "${word}", a group that stands here already`);
    else {
      groups.push(row);
      const weakness = weaknessOf(row, "esp");
      if (weakness !== undefined) judge([weakness], "esp", path, tunnel, findings);
    }
  }
  return groups;
}

/** Refuses what MUST NOT be used unless `legacy: true` stands there, and warns of the rest; one sentence per proposal. */
function judge(
  weaknesses: readonly Weakness[],
  usage: Usage,
  path: ValuePath,
  tunnel: InheritedTunnel,
  findings: Findings,
): void {
  const legacy = tunnel.block.legacy ?? tunnel.garbled("legacy");
  const words = (some: readonly Weakness[]) => some.map(weaknessWords).join("; ");
  const refused = legacy ? [] : weaknesses.filter(({ forbidden }) => forbidden);
  const warned = weaknesses.filter((each) => !refused.includes(each));
  if (refused.length > 0)
    findings.complain(
      path,
      `${words(refused)}; not for ${usage.toUpperCase()}: take a stronger algorithm, or write legacy: true into the tunnel`,
    );
  if (warned.length > 0) findings.warn(path, `weak: ${words(warned)}`);
}

/** Which sequence numbers are offered where the proposal does not say it (RFC 7296 section 3.3.2, transform type 5). */
function sequences(tunnel: InheritedTunnel, findings: Findings): readonly SequenceRow[] {
  const { esn = "auto", replay_window: replayWindow } = tunnel.block.esp ?? {};
  const withoutReplayProtection = replayWindow === 0;
  if (esn === "on" && withoutReplayProtection)
    findings.warn(
      tunnel.where("esp", "esn"),
      "extended sequence numbers need replay protection to stay in step (RFC 4303 section 3.3.3); raise replay_window or turn esn off",
    );
  if (esn === "on") return [SEQUENCE_ESN];
  // In IKEv1 they are an attribute that many implementations do not know (RFC 4304): only on request.
  if (esn === "off" || withoutReplayProtection || versionOf(tunnel) === 1) return [SEQUENCE_32];
  return [SEQUENCE_ESN, SEQUENCE_32];
}

function namesSequence(text: string): boolean {
  return text.split("-").some((word) => rowByKeyword(word)?.row.kind === "sequence");
}

interface Placed<P> {
  readonly proposal: P;
  readonly text: string;
  readonly path: ValuePath;
}

function readAll<P>(
  written: readonly string[],
  path: ValuePath,
  read: (text: string) => P,
  findings: Findings,
): readonly Placed<P>[] {
  return written.flatMap((text, i) => {
    try {
      return [{ proposal: read(text), text, path: [...path, i] }];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      findings.complain([...path, i], `found "${text}"; ${error.message}`);
      return [];
    }
  });
}

function sameRows(a: readonly KeyExchangeRow[], b: readonly KeyExchangeRow[]): boolean {
  return a.length === b.length && a.every((row) => b.includes(row));
}

function names(rows: readonly KeyExchangeRow[]): string {
  return rows.length === 0 ? "off" : rows.map((row) => keywordOf(row)).join(", ");
}
