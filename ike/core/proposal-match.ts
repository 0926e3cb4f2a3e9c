/** One proposal of the peer against one of ours, transform type by transform type (RFC 7296 sections 3.3.2 and 3.3.6). */
import { keywordOf } from "../../crypto/registry/lookup.js";
import { DEFAULT_NUMBERING, type Numbering, numberOf, rowOf, sendsKeyLength } from "../../crypto/registry/numbering.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow, SequenceRow, TransformRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { TRANSFORM_TYPE, type Transform } from "../wire/payloads/sa.js";
import { derived } from "./derived.js";
import { type Attribute, bounded, type Compared } from "./evidence.js";

export type TypeName = keyof typeof TRANSFORM_TYPE;

/** A transform that we accept: as it stands on the wire, and the row behind it. NONE (0) has no row. */
export interface Option {
  readonly id: number;
  /** The Key Length attribute, where the transform has one. */
  readonly keyBits?: number;
  readonly row?: TransformRow;
  /** The key length also where no attribute says it. */
  readonly choice?: EncryptionChoice;
}

/** What one of our proposals wants of one transform type. */
export interface Want {
  readonly type: TypeName;
  /** In our order of preference. */
  readonly options: readonly Option[];
  /** What a proposal means that leaves the type out. Without it such a proposal is not acceptable. */
  readonly absent?: Option;
  /** The type does not count here: what is proposed is passed over, and left out of the answer. */
  readonly ignored?: boolean;
  /** How the peer's numbers are to be read. */
  readonly numbering: Numbering;
}

/** What was picked for each type; `answer` holds the transforms that repeat the peer's. */
export interface Picked {
  readonly encryption: EncryptionChoice;
  readonly integrity?: IntegrityRow;
  readonly prf?: PrfRow;
  readonly keyExchange?: KeyExchangeRow;
  readonly sequence?: SequenceRow;
  readonly numbering: Numbering;
  readonly answer: readonly Transform[];
}

/** A transform type without a common member. */
export interface TypeMismatch {
  readonly type: TypeName | "other";
  readonly theirs: readonly string[];
  readonly ours: readonly string[];
}

export type Match =
  | { readonly kind: "picked"; readonly picked: Picked }
  | { readonly kind: "mismatch"; readonly types: readonly TypeMismatch[] };

/** What an IKE proposal of ours asks of the peer's. */
export const ikeWants = derived(
  ({ encryption, integrity, prf, keyExchange, numbering }: IkeProposal): readonly Want[] => {
    const wire = wireOf(numbering);
    return [
      wire.encryption(encryption),
      wire.integrity(encryption, integrity),
      wire.rows("prf", prf),
      wire.rows("keyExchange", keyExchange),
    ];
  },
);

/** What an ESP proposal of ours asks; `withKeyExchange` is false in IKE_AUTH, where PFS does not count. */
export function espWants(proposal: EspProposal, withKeyExchange: boolean): readonly Want[] {
  return withKeyExchange ? wantsWithKeyExchange(proposal) : wantsOfAuth(proposal);
}

const wantsWithKeyExchange = derived((proposal: EspProposal): readonly Want[] => {
  const { keyExchange, numbering } = proposal;
  const wire = wireOf(numbering);
  return espWantsOf(
    proposal,
    keyExchange.length === 0 ? wire.none("keyExchange") : wire.rows("keyExchange", keyExchange),
  );
});

const wantsOfAuth = derived((proposal: EspProposal): readonly Want[] =>
  espWantsOf(proposal, { ...wireOf(proposal.numbering).none("keyExchange"), ignored: true }),
);

function espWantsOf({ encryption, integrity, sequence, numbering }: EspProposal, keyExchange: Want): readonly Want[] {
  const wire = wireOf(numbering);
  const unextended = sequence.find((row) => !row.extended);
  return [
    wire.encryption(encryption),
    wire.integrity(encryption, integrity),
    keyExchange,
    {
      ...wire.rows("sequence", sequence),
      // RFC 7296 section 3.3.3 makes the type mandatory; peers that leave it out mean 32-bit numbers.
      ...(unextended !== undefined && { absent: wire.option(unextended) }),
    },
  ];
}

/**
 * The peer's transforms against our wants. `keGroup`: where that group is acceptable it is taken before those that we like better.
 * `explain: false` spares the words about a mismatch, and everything behind its first type.
 */
export function match(
  transforms: readonly Transform[],
  wants: readonly Want[],
  keGroup?: number,
  explain = true,
): Match {
  const mismatches: TypeMismatch[] = [];
  const picked = new Map<TypeName, Option>();
  const answer: Transform[] = [];
  for (const want of wants) {
    if (want.ignored) continue;
    const theirs = transforms.filter(({ type }) => type === TRANSFORM_TYPE[want.type]);
    const option = theirs.length === 0 ? want.absent : pick(want, theirs, keGroup);
    if (option === undefined) {
      if (!explain) return { kind: "mismatch", types: [] };
      const named = theirs.map((transform) => transformWords(want, transform));
      mismatches.push({ type: want.type, theirs: named, ours: want.options.map(optionWords) });
      continue;
    }
    picked.set(want.type, option);
    if (theirs.length > 0) answer.push(optionTransform(want.type, option));
  }
  const others = transforms.filter(({ type }) => !wants.some((want) => TRANSFORM_TYPE[want.type] === type));
  if (others.length > 0) mismatches.push({ type: "other", theirs: others.map(otherWords), ours: [] });
  if (mismatches.length > 0) return { kind: "mismatch", types: mismatches };
  return { kind: "picked", picked: gather(picked, wants[0]!.numbering, answer) };
}

/**
 * Every transform type of the peer's proposal beside ours, for those who want to see what differs; `names` says what a key exchange is
 * for. As `match` sees it.
 */
export function compareTransforms(
  transforms: readonly Transform[],
  wants: readonly Want[],
  keyExchange: "group" | "pfs",
): readonly Compared[] {
  const rows: Compared[] = [];
  for (const want of wants) {
    if (want.ignored) continue;
    const theirs = transforms.filter(({ type }) => type === TRANSFORM_TYPE[want.type]);
    const fits = (theirs.length === 0 ? want.absent : pick(want, theirs, undefined)) !== undefined;
    rows.push({
      attribute: want.type === "keyExchange" ? keyExchange : ATTRIBUTE_OF[want.type],
      verdict: fits ? "equal" : "different",
      ours: bounded(want.options.map(optionWords)),
      theirs: bounded(theirs.map((transform) => transformWords(want, transform))),
    });
  }
  const others = transforms.filter(({ type }) => !wants.some((want) => TRANSFORM_TYPE[want.type] === type));
  if (others.length > 0)
    rows.push({ attribute: "other", verdict: "different", ours: [], theirs: bounded(others.map(otherWords)) });
  return rows;
}

const ATTRIBUTE_OF = {
  encryption: "encryption",
  integrity: "integrity",
  prf: "prf",
  sequence: "esn",
} as const satisfies Record<Exclude<TypeName, "keyExchange">, Attribute>;

/** Our proposal as the transforms of an offer. A type whose only option is NONE is left out (RFC 7296 section 3.3.3). */
export function offeredTransforms(wants: readonly Want[]): readonly Transform[] {
  return wants.flatMap(({ type, options }) =>
    options.filter((option) => option.row !== undefined).map((option) => optionTransform(type, option)),
  );
}

/** Rows as they stand on the wire under a numbering. */
function wireOf(numbering: Numbering = DEFAULT_NUMBERING) {
  const option = (row: TransformRow): Option => {
    const id = numberOf(numbering, row, "ikev2");
    if (id === undefined) throw new RangeError(`${row.name} has no IKEv2 number in numbering ${numbering.name}`);
    return { id, row };
  };
  const none = (type: TypeName): Want => ({ type, options: [NONE], absent: NONE, numbering });
  const rows = (type: TypeName, list: readonly TransformRow[]): Want => ({
    type,
    options: list.map(option),
    numbering,
  });
  return {
    option,
    none,
    rows,
    encryption: (choices: readonly EncryptionChoice[]): Want => ({
      type: "encryption",
      options: choices.map((choice) => ({
        ...option(choice.row),
        choice,
        ...(sendsKeyLength(numbering, choice.row) && { keyBits: choice.keyBits }),
      })),
      numbering,
    }),
    /** AEADs go without an integrity transform, or with NONE (RFC 5282 section 8, RFC 7296 section 3.3.3). */
    integrity: (encryption: readonly EncryptionChoice[], integrity: readonly IntegrityRow[]): Want =>
      encryption.every(({ row }) => row.icvBytes > 0) ? none("integrity") : rows("integrity", integrity),
  };
}

/** The first of our options that the peer offers as well. Transforms with attributes that we do not know are passed over. */
function pick(want: Want, theirs: readonly Transform[], keGroup: number | undefined): Option | undefined {
  const common = want.options.filter((option) =>
    theirs.some(
      ({ id, keyBits, attributes }) => id === option.id && keyBits === option.keyBits && attributes.length === 0,
    ),
  );
  const sent = want.type === "keyExchange" ? common.find(({ id }) => id === keGroup) : undefined;
  return sent ?? common[0];
}

function optionTransform(type: TypeName, { id, keyBits }: Option): Transform {
  return { type: TRANSFORM_TYPE[type], id, ...(keyBits !== undefined && { keyBits }), attributes: [] };
}

function gather(picked: ReadonlyMap<TypeName, Option>, numbering: Numbering, answer: readonly Transform[]): Picked {
  const integrity = picked.get("integrity")?.row as IntegrityRow | undefined;
  const prf = picked.get("prf")?.row as PrfRow | undefined;
  const keyExchange = picked.get("keyExchange")?.row as KeyExchangeRow | undefined;
  const sequence = picked.get("sequence")?.row as SequenceRow | undefined;
  return {
    encryption: picked.get("encryption")!.choice!,
    ...(integrity && { integrity }),
    ...(prf && { prf }),
    ...(keyExchange && { keyExchange }),
    ...(sequence && { sequence }),
    numbering,
    answer,
  };
}

/** As the configuration writes it. */
function optionWords({ row, choice }: Option): string {
  return row === undefined ? "none" : keywordOf(row, choice?.keyBits);
}

/** What we have no row for is told as a number, so that a numbering can be written from the log. */
function transformWords({ type, numbering }: Want, { id, keyBits, attributes }: Transform): string {
  const row = rowOf(numbering, type, "ikev2", id);
  const name = row === undefined ? unknownWords(type, id, keyBits) : knownWords(numbering, row, keyBits);
  return attributes.length === 0 ? name : `${name} with attribute ${attributes[0]!.type}`;
}

function unknownWords(type: TypeName, id: number, keyBits: number | undefined): string {
  return (id === 0 ? "none" : `${type} ${inHex(id)}`) + (keyBits === undefined ? "" : `/${keyBits}`);
}

function knownWords(numbering: Numbering, row: TransformRow, keyBits: number | undefined): string {
  if (row.kind !== "encryption") return keywordOf(row) + (keyBits === undefined ? "" : `/${keyBits}`);
  if (sendsKeyLength(numbering, row))
    return keyBits === undefined ? `${row.name} without key length` : keywordOf(row, keyBits);
  const fixed = keywordOf(row, row.keyBits[0]);
  return keyBits === undefined || keyBits === row.keyBits[0] ? fixed : `${fixed}/${keyBits}`;
}

function otherWords({ type, id }: Transform): string {
  return `type ${type} id ${inHex(id)}`;
}

function inHex(id: number): string {
  return `${id} (0x${id.toString(16)})`;
}

/** NONE of transform types 3 and 4. */
const NONE: Option = { id: 0 };
