/**
 * The IKE SAs of an endpoint, by our own SPI, and every way in which they are looked for: nothing that happens to one of them may cost a look
 * at all of them. A way to look is a line in `factsOf`.
 */
import type { Address } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { Child } from "./child.js";
import type { IkeKey } from "./context.js";
import { derived } from "./derived.js";
import { type AnySa, cookiesOf, espSpisOf, isHalfOpen, isHolder, isV1, tunnelOf } from "./sas.js";
import { Table } from "./table.js";

export class SaTable implements ReadonlyMap<IkeKey, AnySa> {
  readonly all: Table<IkeKey, AnySa>;
  /** By tunnel, in the order in which they came; one whose tunnel is not known yet is a unit by itself. */
  readonly units: Table<string, readonly AnySa[]>;
  readonly #index: Table<string, readonly IkeKey[]>;
  /** By the ID and the inbound SPI of a child, and by the inbound SPI of one that is on its way. */
  readonly #children: ByNumber;
  readonly #spis: ByNumber;
  readonly #asked: ByNumber;

  private constructor(
    all: Table<IkeKey, AnySa>,
    units: Table<string, readonly AnySa[]>,
    index: Table<string, readonly IkeKey[]>,
    children: ByNumber,
    spis: ByNumber,
    asked: ByNumber,
  ) {
    this.all = all;
    this.units = units;
    this.#index = index;
    this.#children = children;
    this.#spis = spis;
    this.#asked = asked;
  }

  static of(sas: readonly AnySa[] = []): SaTable {
    const empty = new SaTable(Table.of(), Table.of(), Table.of(), Table.of(), Table.of(), Table.of());
    return sas.reduce<SaTable>((table, sa) => table.with(sa.key, sa), empty);
  }

  /** The next state of an IKE SA; undefined: it is gone. */
  with(key: IkeKey, sa: AnySa | undefined): SaTable {
    const before = this.all.get(key);
    if (before === sa) return this;
    const all = sa === undefined ? this.all.without(key) : this.all.with(key, sa);
    const { gone, come } = movedChildren(before, sa);
    const isStill = gone.length === 0 && come.length === 0;
    const asked = movedSpis(before, sa);
    return new SaTable(
      all,
      movedUnits(this.units, before, sa),
      movedFacts(this.#index, before, sa),
      isStill ? this.#children : movedNumbers(this.#children, key, gone.map(idOf), come.map(idOf)),
      isStill ? this.#spis : movedNumbers(this.#spis, key, gone.map(spiOf), come.map(spiOf)),
      movedNumbers(this.#asked, key, asked.gone, asked.come),
    );
  }

  /** Those of a tunnel, in the order in which they came. */
  of(tunnel: string): readonly AnySa[] {
    return this.units.get(tunnel) ?? [];
  }

  withChild(id: ChildId): readonly AnySa[] {
    return this.#children.get(id)?.map((key) => this.all.get(key)!) ?? NONE;
  }

  withEspSpi(spi: number): readonly AnySa[] {
    const keys = new Set([...(this.#spis.get(spi) ?? NONE), ...(this.#asked.get(spi) ?? NONE)]);
    return keys.size === 0 ? NONE : [...keys].map((key) => this.all.get(key)!);
  }

  /** Of IKEv2 those of which we are the responder. */
  withInitiatorSpi(spi: bigint): readonly AnySa[] {
    return this.#found(FACT.initiatorSpi(spi));
  }

  /** How many unfinished handshakes others began. */
  get halfOpen(): number {
    return this.#index.get(FACT.halfOpen)?.length ?? 0;
  }

  /** Those of an address, or of the IPv6 network of 64 bits that it is in: whoever has one address there has all of them. */
  halfOpenNear(address: Address): readonly AnySa[] {
    return this.#found(FACT.halfOpenNear(address));
  }

  /** Peers of IKEv1 at an address. */
  v1PeersAt(address: Address): readonly AnySa[] {
    return this.#found(FACT.v1Peer(address));
  }

  #found(fact: string): readonly AnySa[] {
    return this.#index.get(fact)?.map((key) => this.all.get(key)!) ?? NONE;
  }

  get size(): number {
    return this.all.size;
  }

  get(key: IkeKey): AnySa | undefined {
    return this.all.get(key);
  }

  has(key: IkeKey): boolean {
    return this.all.has(key);
  }

  entries() {
    return this.all.entries();
  }

  keys() {
    return this.all.keys();
  }

  values() {
    return this.all.values();
  }

  [Symbol.iterator]() {
    return this.all.entries();
  }

  forEach(run: (sa: AnySa, key: IkeKey, table: ReadonlyMap<IkeKey, AnySa>) => void): void {
    for (const [key, sa] of this.all) run(sa, key, this);
  }
}

/** What an IKE SA is looked for by, as keys of one index. */
const FACT = {
  initiatorSpi: (spi: bigint) => `initiator ${spi}`,
  halfOpen: "half-open",
  halfOpenNear: ({ family, value }: Address) => `half-open ${family} ${family === 6 ? value >> 64n : value}`,
  v1Peer: ({ family, value }: Address) => `v1 ${family} ${value}`,
};

function factsOf(sa: AnySa): readonly string[] {
  const facts: string[] = [];
  for (const spi of cookiesOf(sa)) facts.push(FACT.initiatorSpi(spi));
  if (isHalfOpen(sa)) facts.push(FACT.halfOpen, FACT.halfOpenNear(sa.path.remote.address));
  if (isV1(sa) && isHolder(sa)) facts.push(FACT.v1Peer(sa.path.remote.address));
  return facts;
}

const NONE: readonly never[] = [];

/** An IKE SA is a value: what it is looked for by is made once. */
const factSet = derived((sa: AnySa): readonly string[] => distinct(factsOf(sa)));

function distinct(facts: readonly string[]): readonly string[] {
  return facts.length < 2 ? facts : [...new Set(facts)];
}

function movedFacts(
  index: Table<string, readonly IkeKey[]>,
  before: AnySa | undefined,
  after: AnySa | undefined,
): Table<string, readonly IkeKey[]> {
  const old = before === undefined ? NONE : factSet(before);
  const now = after === undefined ? NONE : factSet(after);
  if (old.length === now.length && old.every((fact, i) => fact === now[i])) return index;
  let next = index;
  for (const fact of old) {
    if (now.includes(fact)) continue;
    const rest = next.get(fact)!.filter((key) => key !== before!.key);
    next = rest.length === 0 ? next.without(fact) : next.with(fact, rest);
  }
  for (const fact of now) if (!old.includes(fact)) next = next.with(fact, [...(next.get(fact) ?? []), after!.key]);
  return next;
}

type ByNumber = Table<number, readonly IkeKey[]>;

const NO_CHILDREN: ReadonlyMap<ChildId, Child> = new Map();

/** The children that are gone, and those that have come. Most steps leave them as they are, and then they are not looked at. */
function movedChildren(before: AnySa | undefined, after: AnySa | undefined): Record<"gone" | "come", readonly Child[]> {
  const old = before !== undefined && isHolder(before) ? before.children : NO_CHILDREN;
  const now = after !== undefined && isHolder(after) ? after.children : NO_CHILDREN;
  if (old === now) return { gone: NONE, come: NONE };
  const without = (one: ReadonlyMap<ChildId, Child>, other: ReadonlyMap<ChildId, Child>): readonly Child[] => {
    const missing: Child[] = [];
    for (const child of one.values()) if (!other.has(child.id)) missing.push(child);
    return missing;
  };
  return { gone: without(old, now), come: without(now, old) };
}

/** The same of the SPIs that are on their way. */
function movedSpis(before: AnySa | undefined, after: AnySa | undefined): Record<"gone" | "come", readonly number[]> {
  const old = before === undefined ? NONE : espSpisOf(before);
  const now = after === undefined ? NONE : espSpisOf(after);
  if (old === now || (old.length === 0 && now.length === 0)) return { gone: NONE, come: NONE };
  const [was, is] = [new Set<number>(old), new Set<number>(now)];
  return { gone: [...was].filter((spi) => !is.has(spi)), come: [...is].filter((spi) => !was.has(spi)) };
}

const idOf = ({ id }: Child) => id;
const spiOf = ({ pair }: Child) => pair.spiIn;

function movedNumbers(table: ByNumber, owner: IkeKey, gone: readonly number[], come: readonly number[]): ByNumber {
  let next = table;
  for (const number of gone) {
    const rest = (next.get(number) ?? NONE).filter((key) => key !== owner);
    next = rest.length === 0 ? next.without(number) : next.with(number, rest);
  }
  for (const number of come) next = next.with(number, [...(next.get(number) ?? NONE), owner]);
  return next;
}

/** A tunnel's name cannot begin so. */
function unitOf(sa: AnySa): string {
  return tunnelOf(sa) ?? `\0${sa.key}`;
}

function movedUnits(
  units: Table<string, readonly AnySa[]>,
  before: AnySa | undefined,
  after: AnySa | undefined,
): Table<string, readonly AnySa[]> {
  const from = before && unitOf(before);
  const to = after && unitOf(after);
  if (from !== undefined && from === to) {
    const known = units.get(from)!;
    return units.with(from, known.length === 1 ? [after!] : known.map((sa) => (sa === before ? after! : sa)));
  }
  let next = units;
  if (from !== undefined) {
    const rest = next.get(from)!.filter((sa) => sa !== before);
    next = rest.length === 0 ? next.without(from) : next.with(from, rest);
  }
  return to === undefined ? next : next.with(to, [...(next.get(to) ?? []), after!]);
}
