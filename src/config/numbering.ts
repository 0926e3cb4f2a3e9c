/** `numbering`: a profile by name, or the operator's own table; and what it means to the proposals of a tunnel. */
import { allRows, keywordOf, type NumberSpace, rowByKeyword } from "../../crypto/registry/lookup.js";
import {
  DEFAULT_NUMBERING,
  doubleNumbers,
  type Numbering,
  numbered,
  numberOf,
  SPACE_WORDS,
  type TransformNumbers,
  whyUnnumbered,
} from "../../crypto/registry/numbering.js";
import { NUMBERING_PROFILES } from "../../crypto/registry/numbering-profiles.js";
import type { TransformRow } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import type { ValuePath } from "./path.js";
import type { GatewayBlock, NumberingBlock } from "./schema.js";
import { numberSpace, versionOf } from "./version.js";

/** The tunnel's own, else the gateway's, else the default. */
export function numberingOf(tunnel: InheritedTunnel, gateway: GatewayBlock, findings: Findings): Numbering {
  const version = versionOf(tunnel);
  const serves = ({ numbers }: Numbering) =>
    Object.values(numbers).some((ids) => ids[numberSpace(version, "ike")] !== undefined);
  const written = tunnel.block.numbering ?? gateway.numbering;
  if (written === undefined) return DEFAULT_NUMBERING;
  const path = tunnel.block.numbering === undefined ? ["gateway", "numbering"] : tunnel.where("numbering");
  const numbering = typeof written === "string" ? NUMBERING_PROFILES[written] : ownTable(written, path, findings);
  if (!serves(numbering) && numbering.name !== OWN_TABLE) {
    const others = Object.values(NUMBERING_PROFILES).filter(serves);
    findings.complain(
      path,
      `found "${numbering.name}", which numbers IKEv${3 - version} alone, and tunnel ${tunnel.name} speaks IKEv${version}; ` +
        `allowed: ${others.map(({ name }) => name).join(" | ")}, or a table`,
    );
    return DEFAULT_NUMBERING;
  }
  return numbering;
}

/** A written proposal under the numbering; undefined, and a complaint, when a member has no number of its own there. */
export function underNumbering<P extends IkeProposal | EspProposal>(
  proposal: P,
  space: NumberSpace,
  numbering: Numbering,
  path: ValuePath,
  findings: Findings,
): P | undefined {
  const rows = members(proposal, space);
  const absent = rows.filter((row) => numberOf(DEFAULT_NUMBERING, row, space) === undefined);
  const reasons = rows.flatMap((row) => (absent.includes(row) ? [] : (whyUnnumbered(numbering, row, space) ?? [])));
  if (reasons.length > 0) findings.complain(path, `${reasons.join("; ")}; remove it, or choose another numbering`);
  const unknown = absent.filter((row) => numberOf(numbering, row, space) === undefined);
  if (unknown.length > 0)
    findings.complain(
      path,
      `${unknown.map((row) => row.keywords[0]).join(", ")}: without a number in ${SPACE_WORDS[space]}, so no peer knows it there; remove it` +
        (space === "ikev2" ? "" : ", or use version: 2"),
    );
  if (reasons.length + unknown.length > 0) return undefined;
  const ours = rows.filter((row) => row.ids[space] === undefined);
  if (ours.length > 0)
    findings.warn(
      path,
      `experimental: IANA has no number for ${ours.map(wireWords(numbering, space)).join(", ")} (numbering ${numbering.name}); ` +
        "the peer must use the same",
    );
  return numbered(proposal, numbering);
}

/** A default proposal: members that the numbering leaves without a number are not offered. */
export function defaultUnderNumbering<P extends IkeProposal | EspProposal>(
  proposal: P,
  space: NumberSpace,
  numbering: Numbering,
): P[] {
  const has = (row: TransformRow) => numberOf(numbering, row, space) !== undefined;
  const offered: P = {
    ...proposal,
    encryption: proposal.encryption.filter(({ row }) => has(row)),
    integrity: proposal.integrity.filter((row) => space === "phase1" || has(row)),
    keyExchange: proposal.keyExchange.filter(has),
    ...("prf" in proposal && { prf: proposal.prf.filter(has) }),
  };
  const complete = offered.encryption.length > 0 && (offered.integrity.length > 0 || proposal.integrity.length === 0);
  if (!complete) return [];
  const whole = members(offered, space).length === members(proposal, space).length;
  return [numbered(whole ? proposal : offered, numbering)];
}

const OWN_TABLE = "own table";

function ownTable(written: Exclude<NumberingBlock, string>, path: ValuePath, findings: Findings): Numbering {
  const numbers: Record<string, TransformNumbers> = {};
  for (const [word, { ikev2, phase1, phase2, key_length_attribute, icv }] of Object.entries(written)) {
    const at = [...path, word];
    const row = rowByKeyword(word)?.row;
    if (row === undefined || !NUMBERED_KINDS.has(row.kind)) {
      findings.complain(
        at,
        `found "${word}"; allowed: the keyword of an encryption, integrity or PRF, such as ${hint()}`,
      );
      continue;
    }
    if (icv !== undefined && !(row.kind === "integrity" && icv <= row.ownPrf.outputBytes))
      findings.complain(
        [...at, "icv"],
        row.kind === "integrity"
          ? `found ${icv}; allowed: at most the ${row.ownPrf.outputBytes} octets that ${word} gives`
          : `only an integrity algorithm has an ICV length to choose; ${word} is none`,
      );
    if (key_length_attribute !== undefined && row.kind !== "encryption")
      findings.complain([...at, "key_length_attribute"], `only encryption has one; ${word} is none`);
    if (phase1 !== undefined && row.kind === "integrity")
      findings.complain(
        [...at, "phase1"],
        `the hash of IKEv1 phase 1 stands under the PRF: write it under ${keywordOf(row.ownPrf)}`,
      );
    numbers[row.keywords[0]!] = {
      ...(ikev2 !== undefined && { ikev2 }),
      ...(phase1 !== undefined && { phase1 }),
      ...(phase2 !== undefined && { phase2 }),
      ...(key_length_attribute !== undefined && { keyLengthAttribute: key_length_attribute }),
      ...(icv !== undefined && { icvBytes: icv }),
    };
  }
  const numbering: Numbering = { name: OWN_TABLE, numbers, foreign: [] };
  for (const problem of doubleNumbers(numbering)) findings.complain(path, problem);
  return numbering;
}

/** Groups keep IANA's numbers: nobody else numbers them. */
const NUMBERED_KINDS: ReadonlySet<TransformRow["kind"]> = new Set(["encryption", "integrity", "prf"]);

function hint(): string {
  const unnumbered = allRows().filter(({ ids }) => Object.keys(ids).length === 0);
  return (unnumbered.length > 0 ? unnumbered : allRows().slice(0, 1)).map(({ keywords }) => keywords[0]!).join(", ");
}

/** What of a proposal goes by a number. IKEv1 phase 1 has one hash for integrity and PRF, numbered in the row of the PRF. */
function members(proposal: IkeProposal | EspProposal, space: NumberSpace): readonly TransformRow[] {
  const { encryption, integrity, keyExchange } = proposal;
  const rows = [
    ...encryption.map(({ row }) => row),
    ...(space === "phase1" ? [] : integrity),
    ...("prf" in proposal ? proposal.prf : []),
    ...keyExchange,
  ];
  return [...new Set<TransformRow>(rows)];
}

/** "sm4 (sent as 1031)". */
function wireWords(numbering: Numbering, space: NumberSpace): (row: TransformRow) => string {
  return (row) => `${row.keywords[0]} (sent as ${numberOf(numbering, row, space)})`;
}
