/**
 * Which number stands for an algorithm on the wire. For nearly all of them it is IANA's, which the row holds; SM4 and SM3 have
 * none, and products disagree. A numbering gives such rows numbers, says whether the Key Length attribute goes with them and
 * how long the ICV is; inside it its own numbers come before IANA's (`decisions.md` 38).
 */
import { allRows, type NumberSpace, type RowOf, rowById, type TransformKind, withIcvBytes } from "./lookup.js";
import { PRIVATE_PROFILE } from "./numbering-profiles.js";
import type { EncryptionRow, IntegrityRow, TransformIds, TransformRow } from "./row.js";
import type { EspProposal, IkeProposal } from "./suite.js";

/** What a numbering says of one algorithm; a number space that is left out has no number for it. */
export interface TransformNumbers extends TransformIds {
  /** Whether the Key Length attribute is sent and required. Left out: as the row says. */
  readonly keyLengthAttribute?: boolean;
  /** Octets of the ICV, for integrity alone. Left out: as the row says. */
  readonly icvBytes?: number;
}

export interface Numbering {
  /** Of the profile; "own table" for the operator's. */
  readonly name: string;
  /** By the printed keyword of the row ("sm4", "aes*"). */
  readonly numbers: Readonly<Record<string, TransformNumbers>>;
  /** Numbers that stand for algorithms which we do not have: IANA's meaning is gone there. */
  readonly foreign: readonly ForeignNumber[];
}

export interface ForeignNumber {
  readonly kind: TransformKind;
  readonly space: NumberSpace;
  readonly id: number;
  readonly name: string;
}

/** IANA's numbers, and private-use ones of ours where there are none. */
export const DEFAULT_NUMBERING: Numbering = PRIVATE_PROFILE;

/** The wire number of a row; undefined: it cannot be offered there. */
export function numberOf(numbering: Numbering, row: TransformRow, space: NumberSpace): number | undefined {
  const own = numbering.numbers[row.keywords[0]!];
  if (own !== undefined) return own[space];
  const id = row.ids[space];
  return id === undefined || takenBy(numbering, row.kind, space, id) !== undefined ? undefined : id;
}

/** The row that a wire number stands for; undefined: an algorithm that we do not have. */
export function rowOf<K extends TransformKind>(
  numbering: Numbering,
  kind: K,
  space: NumberSpace,
  id: number,
): RowOf<K> | undefined {
  const taken = takenBy(numbering, kind, space, id);
  if (taken !== undefined) return taken.row as RowOf<K> | undefined;
  const row = rowById(kind, space, id);
  return row !== undefined && numbering.numbers[row.keywords[0]!] === undefined ? row : undefined;
}

/** Whether the Key Length attribute (14) goes with the row's number. */
export function sendsKeyLength(numbering: Numbering, row: EncryptionRow): boolean {
  return numbering.numbers[row.keywords[0]!]?.keyLengthAttribute ?? row.keyLengthAttribute;
}

/** A proposal under a numbering: its ICV lengths, and its numbers when it is sent or read. */
export function numbered<P extends IkeProposal | EspProposal>(proposal: P, numbering: Numbering): P {
  if (numbering === DEFAULT_NUMBERING && !proposal.integrity.some((row) => icvBytesOf(numbering, row) !== row.icvBytes))
    return proposal;
  const integrity = proposal.integrity.map((row) => withIcvBytes(row, icvBytesOf(numbering, row)));
  return { ...proposal, integrity, ...(numbering !== DEFAULT_NUMBERING && { numbering }) };
}

/** Why a member of a proposal cannot be sent: "sha512: 14 stands for sm3 in numbering gmalg"; undefined when it can. */
export function whyUnnumbered(numbering: Numbering, row: TransformRow, space: NumberSpace): string | undefined {
  if (numberOf(numbering, row, space) !== undefined) return undefined;
  const word = row.keywords[0]!;
  const id = row.ids[space];
  const taken = id === undefined ? undefined : takenBy(numbering, row.kind, space, id);
  if (taken === undefined || numbering.numbers[row.keywords[0]!] !== undefined)
    return `${word} has no ${SPACE_WORDS[space]} number in numbering ${numbering.name}`;
  return `${word} collides: its ${SPACE_WORDS[space]} number ${id} stands for ${taken.name} in numbering ${numbering.name}`;
}

/** Two algorithms of one kind with one number: sentences, empty when there are none. */
export function doubleNumbers({ numbers }: Numbering): readonly string[] {
  const rows = allRows().filter((row) => numbers[row.keywords[0]!] !== undefined);
  return (["ikev2", "phase1", "phase2"] as const).flatMap((space) =>
    rows.flatMap((row, i) => {
      const id = numbers[row.keywords[0]!]![space];
      const twin = rows.slice(0, i).find((each) => each.kind === row.kind && numbers[each.keywords[0]!]![space] === id);
      if (id === undefined || twin === undefined) return [];
      return [`${twin.keywords[0]} and ${row.keywords[0]} have the same ${SPACE_WORDS[space]} number ${id}`];
    }),
  );
}

/** The number spaces as sentences name them. */
export const SPACE_WORDS = { ikev2: "IKEv2", phase1: "IKEv1 phase 1", phase2: "IKEv1 phase 2" } as const;

function icvBytesOf(numbering: Numbering, row: IntegrityRow): number {
  return numbering.numbers[row.keywords[0]!]?.icvBytes ?? row.icvBytes;
}

/** What the numbering itself puts under a number. */
function takenBy(
  { numbers, foreign }: Numbering,
  kind: TransformKind,
  space: NumberSpace,
  id: number,
): { readonly row?: TransformRow; readonly name: string } | undefined {
  for (const row of allRows())
    if (row.kind === kind && numbers[row.keywords[0]!]?.[space] === id) return { row, name: row.keywords[0]! };
  return foreign.find((each) => each.kind === kind && each.space === space && each.id === id);
}
