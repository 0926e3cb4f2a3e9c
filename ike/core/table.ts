/**
 * A map that is never changed: `with` and `without` make the next one, which shares with this one all but a small part. So a step of an endpoint
 * with thousands of IKE SAs costs what one with a few costs, and what is derived of a part can be kept for as long as the part lives.
 *
 * Whole iterations go in the order in which the keys came in, like those of a `Map`.
 */

/** A table has so many groups of so many parts each; a step copies the list of groups, one of them, and the entries of one part. */
const WIDTH = 16;

interface Entry<V> {
  readonly value: V;
  /** Grows with every key that comes in. */
  readonly serial: number;
}

export type Part<K, V> = ReadonlyMap<K, Entry<V>>;
export type Group<K, V> = readonly Part<K, V>[];

/** The only part without an entry. */
export const NOTHING: ReadonlyMap<unknown, never> = new Map<never, never>();
/** The only group without one. */
export const NO_PARTS: readonly ReadonlyMap<never, never>[] = Array.from({ length: WIDTH }, () => NOTHING as never);
const NONE: readonly never[] = [];
const NO_GROUPS = Array.from({ length: WIDTH }, () => NO_PARTS);

export class Table<K extends string | number, V> implements ReadonlyMap<K, V> {
  /** Keys of the same spelling are in the part of the same number, of the group of the same number, in every table. */
  readonly groups: readonly Group<K, V>[];
  readonly size: number;
  readonly nextSerial: number;

  private constructor(groups: readonly Group<K, V>[], size: number, nextSerial: number) {
    this.groups = groups;
    this.size = size;
    this.nextSerial = nextSerial;
  }

  static of<K extends string | number, V>(entries: Iterable<readonly [K, V]> = []): Table<K, V> {
    let table = new Table<K, V>(NO_GROUPS, 0, 0);
    for (const [key, value] of entries) table = table.with(key, value);
    return table;
  }

  #entry(key: K): Entry<V> | undefined {
    const at = placeOf(key);
    return this.groups[at >> 4]![at & 15]!.get(key);
  }

  get(key: K): V | undefined {
    return this.#entry(key)?.value;
  }

  has(key: K): boolean {
    return this.#entry(key) !== undefined;
  }

  with(key: K, value: V): Table<K, V> {
    const at = placeOf(key);
    const group = this.groups[at >> 4]!;
    const known = group[at & 15]!.get(key);
    const part = new Map(group[at & 15]!).set(key, { value, serial: known?.serial ?? this.nextSerial });
    const isNew = known === undefined ? 1 : 0;
    const next = replaced(this.groups, at >> 4, replaced(group, at & 15, part));
    return new Table(next, this.size + isNew, this.nextSerial + isNew);
  }

  without(key: K): Table<K, V> {
    const at = placeOf(key);
    const group = this.groups[at >> 4]!;
    if (!group[at & 15]!.has(key)) return this;
    const part = new Map(group[at & 15]!);
    part.delete(key);
    const rest = replaced(group, at & 15, part.size === 0 ? (NOTHING as Part<K, V>) : part);
    const kept = rest.every((each) => each === NOTHING) ? NO_PARTS : rest;
    return new Table(replaced(this.groups, at >> 4, kept), this.size - 1, this.nextSerial);
  }

  /** The entries whose keys `other`, an earlier or a later state of the same table, has not. */
  missingIn(other: Table<K, V>): readonly (readonly [K, V])[] {
    // No key has come in, and none has gone: most steps change values alone.
    if (this.nextSerial === other.nextSerial && this.size === other.size) return NONE;
    const missing: (readonly [K, V])[] = [];
    this.groups.forEach((group, g) => {
      const theirs = other.groups[g]!;
      if (group === theirs) return;
      group.forEach((part, i) => {
        if (part === theirs[i]) return;
        for (const [key, { value }] of part) if (!theirs[i]!.has(key)) missing.push([key, value]);
      });
    });
    return missing;
  }

  /** The place of a key in whole iterations, for comparisons; NaN without it. */
  serial(key: K): number {
    return this.#entry(key)?.serial ?? Number.NaN;
  }

  entries() {
    const all: [K, V, number][] = [];
    for (const group of this.groups)
      if (group !== NO_PARTS)
        for (const part of group) for (const [key, { value, serial }] of part) all.push([key, value, serial]);
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

/** The number of the group in the upper four bits, that of the part in the lower ones. */
function placeOf(key: string | number): number {
  if (typeof key === "number") return key & 255;
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & 255;
}
