/** Finding rows: by number in a number space, by name (messages to workers), by configuration keyword. */
import { ENCRYPTION_ROWS } from "./encryption.js";
import { INTEGRITY_ROWS } from "./integrity.js";
import { KEY_EXCHANGE_ROWS } from "./key-exchange.js";
import { PRF_ROWS } from "./prf.js";
import type { IntegrityRow, SealerSpec, TransformIds, TransformRow } from "./row.js";
import { SEQUENCE_ROWS } from "./sequence.js";

export type NumberSpace = keyof TransformIds;
export type TransformKind = TransformRow["kind"];
export type RowOf<K extends TransformKind> = Extract<TransformRow, { readonly kind: K }>;

/** A keyword's meaning; `keyBits` for encryption alone. */
export interface KeywordMeaning {
  readonly row: TransformRow;
  readonly keyBits?: number;
}

const ROWS: readonly TransformRow[] = [
  ...ENCRYPTION_ROWS,
  ...PRF_ROWS,
  ...INTEGRITY_ROWS,
  ...KEY_EXCHANGE_ROWS,
  ...SEQUENCE_ROWS,
];

const BY_NAME = new Map<string, TransformRow>(ROWS.map((row) => [`${row.kind} ${row.name}`, row]));
const BY_ID = new Map<string, TransformRow>(
  ROWS.flatMap((row) =>
    Object.entries(row.ids).map(([space, id]) => [`${row.kind} ${space} ${id}`, row] as [string, TransformRow]),
  ),
);
const BY_KEYWORD = new Map<string, KeywordMeaning>(ROWS.flatMap(meanings));

/** Every row of the registry. */
export function allRows(): readonly TransformRow[] {
  return ROWS;
}

/** The row with this number, or undefined: never offered and never accepted there. */
export function rowById<K extends TransformKind>(kind: K, space: NumberSpace, id: number): RowOf<K> | undefined {
  return BY_ID.get(`${kind} ${space} ${id}`) as RowOf<K> | undefined;
}

/** The row with this IANA name. Throws `RangeError`: names come from ourselves. */
export function rowByName<K extends TransformKind>(kind: K, name: string): RowOf<K> {
  const row = BY_NAME.get(`${kind} ${name}`);
  if (row === undefined) throw new RangeError(`no ${kind} algorithm is called ${name}`);
  return row as RowOf<K>;
}

/** What a word of a proposal means; case does not count. */
export function rowByKeyword(keyword: string): KeywordMeaning | undefined {
  return BY_KEYWORD.get(keyword.toLowerCase());
}

/** Every keyword with its meaning, aliases included. */
export function allKeywords(): ReadonlyMap<string, KeywordMeaning> {
  return BY_KEYWORD;
}

/** The printed keyword: "aes256gcm16", "sha256", "modp2048". `keyBits` for encryption alone. */
export function keywordOf(row: TransformRow, keyBits = 0): string {
  return row.keywords[0]!.replace("*", String(keyBits));
}

/** The spec that a worker message names (see `src/dataplane/protocol.ts`). */
export function sealerSpecByName(names: {
  readonly encryption: string;
  readonly keyBits: number;
  readonly integrity?: string;
  /** Of the integrity, where a numbering gives it another length than the row. */
  readonly icvBytes?: number;
}): SealerSpec {
  const encryption = rowByName("encryption", names.encryption);
  const { keyBits, icvBytes } = names;
  if (names.integrity === undefined) return { encryption, keyBits };
  const integrity = rowByName("integrity", names.integrity);
  return { encryption, keyBits, integrity: withIcvBytes(integrity, icvBytes ?? integrity.icvBytes) };
}

/** The row with another ICV length (`numbering.ts`); the same object each time, because suites are compared by identity. */
export function withIcvBytes(row: IntegrityRow, icvBytes: number): IntegrityRow {
  if (row.icvBytes === icvBytes) return row;
  const key = `${row.name} ${icvBytes}`;
  const known = ICV_VARIANTS.get(key);
  if (known !== undefined) return known;
  const variant = { ...row, icvBytes };
  ICV_VARIANTS.set(key, variant);
  return variant;
}

const ICV_VARIANTS = new Map<string, IntegrityRow>();

function meanings(row: TransformRow): [string, KeywordMeaning][] {
  if (row.kind !== "encryption") return row.keywords.map((keyword) => [keyword, { row }]);
  return row.keywords.flatMap((keyword) =>
    (keyword.includes("*") ? row.keyBits : row.keyBits.slice(0, 1)).map((keyBits): [string, KeywordMeaning] => [
      keyword.replace("*", String(keyBits)),
      { row, keyBits },
    ]),
  );
}
