/**
 * A map that is never changed: `with` and `without` make the next one, which shares with this one all but a small part. So a step of an endpoint
 * with thousands of IKE SAs costs what one with a few costs, and what is derived of a part can be kept for as long as the part lives.
 *
 * Whole iterations go in the order in which the keys came in, like those of a `Map`.
 */

/** Parts of a table; a step copies the list of them, and the entries of one. */
const PARTS = 256;

interface Entry<V> {
  readonly value: V;
  /** Grows with every key that comes in. */
  readonly serial: number;
}

export type Part<K, V> = ReadonlyMap<K, Entry<V>>;

/** The only part without an entry. */
export const NOTHING: ReadonlyMap<unknown, never> = new Map<never, never>();

export class Table<K extends string | number, V> implements ReadonlyMap<K, V> {
  /** Keys of the same spelling are in the part of the same number in every table. */
  readonly parts: readonly Part<K, V>[];
  readonly size: number;
  readonly nextSerial: number;

  private constructor(parts: readonly Part<K, V>[], size: number, nextSerial: number) {
    this.parts = parts;
    this.size = size;
    this.nextSerial = nextSerial;
  }

  static of<K extends string | number, V>(entries: Iterable<readonly [K, V]> = []): Table<K, V> {
    const parts: Map<K, Entry<V>>[] = Array.from({ length: PARTS }, () => NOTHING as unknown as Map<K, Entry<V>>);
    let serial = 0;
    let size = 0;
    for (const [key, value] of entries) {
      const at = partOf(key);
      if (parts[at]!.size === 0) parts[at] = new Map();
      if (!parts[at]!.has(key)) size++;
      parts[at]!.set(key, { value, serial: parts[at]!.get(key)?.serial ?? serial++ });
    }
    return new Table(parts, size, serial);
  }

  get(key: K): V | undefined {
    return this.parts[partOf(key)]!.get(key)?.value;
  }

  has(key: K): boolean {
    return this.parts[partOf(key)]!.has(key);
  }

  with(key: K, value: V): Table<K, V> {
    const at = partOf(key);
    const known = this.parts[at]!.get(key);
    const part = new Map(this.parts[at]!).set(key, { value, serial: known?.serial ?? this.nextSerial });
    const isNew = known === undefined ? 1 : 0;
    return new Table(replaced(this.parts, at, part), this.size + isNew, this.nextSerial + isNew);
  }

  without(key: K): Table<K, V> {
    const at = partOf(key);
    if (!this.parts[at]!.has(key)) return this;
    const part = new Map(this.parts[at]!);
    part.delete(key);
    return new Table(
      replaced(this.parts, at, part.size === 0 ? (NOTHING as Part<K, V>) : part),
      this.size - 1,
      this.nextSerial,
    );
  }

  /** The entries whose keys `other`, an earlier or a later state of the same table, has not. */
  missingIn(other: Table<K, V>): readonly (readonly [K, V])[] {
    const missing: (readonly [K, V])[] = [];
    for (let i = 0; i < PARTS; i++) {
      const part = this.parts[i]!;
      if (part === other.parts[i]) continue;
      for (const [key, { value }] of part) if (!other.parts[i]!.has(key)) missing.push([key, value]);
    }
    return missing;
  }

  /** The place of a key in whole iterations, for comparisons; NaN without it. */
  serial(key: K): number {
    return this.parts[partOf(key)]!.get(key)?.serial ?? Number.NaN;
  }

  entries() {
    const all: [K, V, number][] = [];
    for (const part of this.parts) for (const [key, { value, serial }] of part) all.push([key, value, serial]);
    return all
      .sort((a, b) => a[2] - b[2])
      .map(([key, value]): [K, V] => [key, value])
      .values();
  }

  keys() {
    return [...this.entries()].map(([key]) => key).values();
  }

  values() {
    return [...this.entries()].map(([, value]) => value).values();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  forEach(run: (value: V, key: K, table: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) run(value, key, this);
  }
}

function replaced<T>(list: readonly T[], at: number, one: T): readonly T[] {
  const next = list.slice();
  next[at] = one;
  return next;
}

function partOf(key: string | number): number {
  if (typeof key === "number") return key & (PARTS - 1);
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (PARTS - 1);
}
