/**
 * How products spell the algorithms of the registry, and what becomes of a proposal that a product cannot be told: it is refused
 * with every word that is missing, or, where the operator asked for that, reduced to the alternatives that the product has.
 */

import type { Usage } from "../../crypto/registry/level.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import { DEFAULT_NUMBERING } from "../../crypto/registry/numbering.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow, TransformRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, EspProposal, IkeProposal } from "../../crypto/registry/suite.js";

/** A product's words by the row's first keyword ("aes*gcm16") or the printed one ("aes256gcm16"); `*` is the key length. */
export type Words = Readonly<Record<string, string>>;

/** The product's word; undefined: it lacks the algorithm there. */
export type Spelling = (usage: Usage, row: TransformRow, keyBits?: number) => string | undefined;

export function spellingOf(tables: Readonly<Record<Usage, Words>>): Spelling {
  return (usage, row, keyBits) => {
    const table = tables[usage];
    const word = table[keywordOf(row, keyBits)] ?? table[row.keywords[0]!];
    return word?.replace("*", String(keyBits));
  };
}

/** What a product cannot be told, each a phrase: "chacha20poly1305 in ike.proposals". */
export class Lacks extends Error {
  readonly what: readonly string[];

  constructor(what: readonly string[]) {
    super(what.join("; "));
    this.name = "Lacks";
    this.what = what;
  }
}

/** Throws `Lacks` when there is something. */
export function refuseLacking(what: readonly (string | false | undefined)[]): void {
  const found = what.filter((each): each is string => typeof each === "string");
  if (found.length > 0) throw new Lacks(found);
}

/** The proposals that the product can be told, with what was left out; throws `Lacks` unless `reduce` permits to leave out. */
export function fitting<P extends IkeProposal | EspProposal>(
  proposals: readonly P[],
  usage: Usage,
  spelling: Spelling,
  reduce: boolean,
): { readonly proposals: readonly P[]; readonly leftOut: readonly string[] } {
  const missing = new Set<string>();
  const fitted: P[] = [];
  for (const proposal of proposals) {
    if (proposal.numbering !== undefined && proposal.numbering !== DEFAULT_NUMBERING)
      missing.add(`numbering ${proposal.numbering.name}`);
    const keep = <Row extends TransformRow>(row: Row): boolean => {
      const has = spelling(usage, row) !== undefined;
      if (!has) missing.add(`${keywordOf(row)} in ${usage}.proposals`);
      return has;
    };
    const encryption = proposal.encryption.filter(({ row, keyBits }) => {
      const has = spelling(usage, row, keyBits) !== undefined;
      if (!has) missing.add(`${keywordOf(row, keyBits)} in ${usage}.proposals`);
      return has;
    });
    const integrity = proposal.integrity.filter(keep<IntegrityRow>);
    const keyExchange = proposal.keyExchange.filter(keep<KeyExchangeRow>);
    const prf = "prf" in proposal ? proposal.prf.filter(keep<PrfRow>) : [];
    const whole =
      encryption.length > 0 &&
      (proposal.integrity.length === 0 || integrity.length > 0) &&
      (proposal.keyExchange.length === 0 || keyExchange.length > 0) &&
      (!("prf" in proposal) || prf.length > 0);
    if (whole) fitted.push({ ...proposal, encryption, integrity, keyExchange, ...("prf" in proposal && { prf }) });
  }
  const leftOut = [...missing];
  if (leftOut.length > 0 && (!reduce || fitted.length === 0)) throw new Lacks(leftOut);
  return { proposals: fitted, leftOut };
}

/** Every combination as a proposal of its own, in the order of preference: for products and versions that offer no choice inside one. */
export function singleChoices<P extends IkeProposal | EspProposal>(proposals: readonly P[]): readonly P[] {
  return proposals.flatMap((proposal) =>
    proposal.encryption.flatMap((encryption) =>
      orNone(proposal.integrity).flatMap((integrity) =>
        orNone(proposal.keyExchange).flatMap((keyExchange) =>
          prfsFor(proposal, integrity).map((prf) => ({
            ...proposal,
            encryption: [encryption] as readonly EncryptionChoice[],
            integrity: integrity === undefined ? [] : [integrity],
            keyExchange: keyExchange === undefined ? [] : [keyExchange],
            ...("prf" in proposal && { prf: prf === undefined ? [] : [prf] }),
          })),
        ),
      ),
    ),
  );
}

function orNone<Row>(rows: readonly Row[]): readonly (Row | undefined)[] {
  return rows.length === 0 ? [undefined] : rows;
}

/** Beside an integrity its own PRF, where that is offered at all. */
function prfsFor(
  proposal: IkeProposal | EspProposal,
  integrity: IntegrityRow | undefined,
): readonly (PrfRow | undefined)[] {
  if (!("prf" in proposal)) return [undefined];
  const own = proposal.prf.filter((row) => row.name === integrity?.ownPrf.name);
  return own.length > 0 &&
    proposal.prf.every((row) => proposal.integrity.some(({ ownPrf }) => ownPrf.name === row.name))
    ? own
    : proposal.prf;
}
