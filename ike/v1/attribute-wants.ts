/**
 * What we accept of one attribute of a transform, and how it is told: the parts that `proposal-match.ts` puts together. Numbers come
 * from the registry rows under a numbering.
 */
import { keywordOf } from "../../crypto/registry/lookup.js";
import { type Numbering, numberOf, rowOf, sendsKeyLength } from "../../crypto/registry/numbering.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow, SequenceRow, TransformRow } from "../../crypto/registry/row.js";
import { SEQUENCE_32, SEQUENCE_ESN } from "../../crypto/registry/sequence.js";
import type { EncryptionChoice } from "../../crypto/registry/suite.js";
import { hashKeyword } from "../core/our-values.js";
import type { Attribute } from "../wire/attributes.js";
import type { TransformV1 } from "../wire/payloads/v1/sa.js";
import {
  AUTHENTICATION_METHOD,
  attributeNumber,
  ENCAPSULATION_MODE,
  type EncapsulationMode,
  nameOfValue,
  numberAttribute,
  PHASE2_ATTRIBUTE,
} from "../wire/v1-attributes.js";

/** What both sides have to agree on, in words that operators know. */
export type AttributeName =
  | "encryption"
  | "hash"
  | "authentication method"
  | "group"
  | "authentication algorithm"
  | "PFS group"
  | "encapsulation mode"
  | "sequence numbers"
  | "other";

/** One value that we accept: its attributes when we offer it, and what it is in a suite. */
export interface Option<Part> {
  readonly words: string;
  readonly part: Part;
  readonly attributes: readonly Attribute[];
  fits(view: View): boolean;
}

export interface Want<Part> {
  readonly attribute: AttributeName;
  /** In our order of preference. */
  readonly options: readonly Option<Part>[];
  theirs(view: View): string;
}

/** A transform by attribute class. */
export interface View {
  readonly id: number;
  /** Undefined where the attribute is not there. */
  number(type: number): number | undefined;
}

export function viewOf({ id, attributes }: TransformV1): View {
  const numbers = new Map<number, number>();
  for (const attribute of attributes) {
    const value = attributeNumber(attribute);
    if (value !== undefined && !numbers.has(attribute.type)) numbers.set(attribute.type, value);
  }
  return { id, number: (type) => numbers.get(type) };
}

type Space = "phase1" | "phase2";

export function encryptionWant(
  numbering: Numbering,
  space: Space,
  choices: readonly EncryptionChoice[],
  keyLength: number,
  idOf: (view: View) => number | undefined,
  attributesOf: (id: number) => readonly Attribute[],
): Want<EncryptionChoice> {
  return {
    attribute: "encryption",
    options: choices.flatMap((choice) => {
      const { row, keyBits } = choice;
      const id = numberOf(numbering, row, space);
      if (id === undefined) return [];
      const sends = sendsKeyLength(numbering, row);
      return [
        {
          words: keywordOf(row, keyBits),
          part: choice,
          attributes: [...attributesOf(id), ...(sends ? [numberAttribute(keyLength, keyBits)] : [])],
          fits(view: View) {
            const bits = view.number(keyLength);
            // Where the length is fixed no attribute belongs there (RFC 2407 section 4.5), but one that says the truth does no harm.
            return idOf(view) === id && (bits === keyBits || (bits === undefined && !sends));
          },
        },
      ];
    }),
    theirs(view) {
      const id = idOf(view);
      const row = id === undefined ? undefined : rowOf(numbering, "encryption", space, id);
      const bits = view.number(keyLength);
      if (row === undefined) return id === undefined ? "none" : numberWords("encryption", id) + bitsWords(bits);
      if (sendsKeyLength(numbering, row))
        return bits === undefined ? `${row.name} without key length` : keywordOf(row, bits);
      return keywordOf(row, row.keyBits[0]) + (bits === row.keyBits[0] ? "" : bitsWords(bits));
    },
  };
}

/** An attribute whose value is the number of a registry row. */
export function rowWant<Row extends PrfRow | IntegrityRow | KeyExchangeRow>(
  attribute: AttributeName,
  numbering: Numbering,
  space: Space,
  type: number,
  rows: readonly Row[],
): Want<Row> {
  return {
    attribute,
    options: rows.flatMap((row) => {
      const id = numberOf(numbering, row, space);
      if (id === undefined) return [];
      const fits = (view: View) => view.number(type) === id;
      return [{ words: rowWords(row), part: row, attributes: [numberAttribute(type, id)], fits }];
    }),
    theirs: (view) => valueWords(numbering, space, rows[0]?.kind ?? KINDS[attribute], view.number(type)),
  };
}

/** An attribute that must not be there. */
export function absentWant(
  attribute: AttributeName,
  type: number,
  numbering: Numbering,
  kind: TransformRow["kind"],
): Want<undefined> {
  const fits = (view: View) => view.number(type) === undefined;
  return {
    attribute,
    options: [{ words: "none", part: undefined, attributes: [], fits }],
    theirs: (view) => valueWords(numbering, "phase2", kind, view.number(type)),
  };
}

export function authMethodWant(type: number): Want<null> {
  const { preSharedKey } = AUTHENTICATION_METHOD;
  return {
    attribute: "authentication method",
    options: [
      {
        words: nameOfValue(AUTHENTICATION_METHOD, preSharedKey),
        part: null,
        attributes: [numberAttribute(type, preSharedKey)],
        fits: (view) => view.number(type) === preSharedKey,
      },
    ],
    theirs: (view) => named(AUTHENTICATION_METHOD, view.number(type)),
  };
}

export function encapsulationWant(modes: readonly EncapsulationMode[]): Want<EncapsulationMode> {
  const type = PHASE2_ATTRIBUTE.encapsulation;
  return {
    attribute: "encapsulation mode",
    options: modes.map((mode) => ({
      words: mode,
      part: mode,
      attributes: [numberAttribute(type, ENCAPSULATION_MODE[mode])],
      // Left out it depends on the host (RFC 2407 section 4.5): ours has one in mind.
      fits: (view) => (view.number(type) ?? ENCAPSULATION_MODE[modes[0]!]) === ENCAPSULATION_MODE[mode],
    })),
    theirs: (view) => named(ENCAPSULATION_MODE, view.number(type)),
  };
}

/** RFC 4304: the attribute is there for extended sequence numbers, and not there without. */
export function sequenceWant(rows: readonly SequenceRow[]): Want<SequenceRow> {
  const type = PHASE2_ATTRIBUTE.sequence;
  const extended = SEQUENCE_ESN.ids.phase2;
  // Offered last: a peer that goes by our order and knows nothing of RFC 4304 has its choice before it.
  const ordered = [...rows].sort((a, b) => Number(a.extended) - Number(b.extended));
  return {
    attribute: "sequence numbers",
    options: ordered.map((row) => ({
      words: keywordOf(row),
      part: row,
      attributes: row.extended ? [numberAttribute(type, extended)] : [],
      fits: (view) => view.number(type) === (row.extended ? extended : undefined),
    })),
    theirs(view) {
      const value = view.number(type);
      if (value === undefined) return keywordOf(SEQUENCE_32);
      return value === extended ? keywordOf(SEQUENCE_ESN) : numberWords("sequence numbers", value);
    },
  };
}

const KINDS: { readonly [Name in AttributeName]?: TransformRow["kind"] } = {
  hash: "prf",
  group: "keyExchange",
  "PFS group": "keyExchange",
  "authentication algorithm": "integrity",
};

/** What we have no row for is told as a number, so that a numbering can be written from the log. */
function valueWords(
  numbering: Numbering,
  space: Space,
  kind: TransformRow["kind"] | undefined,
  value: number | undefined,
): string {
  if (value === undefined) return "none";
  const row = kind === undefined ? undefined : rowOf(numbering, kind, space, value);
  return row === undefined ? numberWords(kind ?? "value", value) : rowWords(row);
}

/** As the configuration writes it; IKEv1 negotiates the hash that its PRF is made of. */
function rowWords(row: TransformRow): string {
  return row.kind === "prf" ? hashKeyword(row) : keywordOf(row);
}

function bitsWords(bits: number | undefined): string {
  return bits === undefined ? "" : `/${bits}`;
}

function named(table: Readonly<Record<string, number>>, value: number | undefined): string {
  return value === undefined ? "none" : nameOfValue(table, value);
}

function numberWords(what: string, id: number): string {
  return `${what} ${id} (0x${id.toString(16)})`;
}
