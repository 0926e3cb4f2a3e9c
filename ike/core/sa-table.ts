/**
 * The IKE SAs of an endpoint, by our own SPI, and every way in which they are looked for: nothing that happens to one of them may cost a look
 * at all of them. A way to look is a line in `factsOf`.
 */
import type { Address } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { IkeKey } from "./context.js";
import { type AnySa, cookiesOf, espSpisOf, isHalfOpen, isHolder, isV1, tunnelOf } from "./sas.js";
import { Table } from "./table.js";

export class SaTable implements ReadonlyMap<IkeKey, AnySa> {
  readonly all: Table<IkeKey, AnySa>;
  /** By tunnel, in the order in which they came; one whose tunnel is not known yet is a unit by itself. */
  readonly units: Table<string, readonly AnySa[]>;
  readonly #index: Table<string, readonly IkeKey[]>;

  private constructor(
    all: Table<IkeKey, AnySa>,
    units: Table<string, readonly AnySa[]>,
    index: Table<string, readonly IkeKey[]>,
  ) {
    this.all = all;
    this.units = units;
    this.#index = index;
  }

  static of(sas: readonly AnySa[] = []): SaTable {
    const empty = new SaTable(Table.of(), Table.of(), Table.of());
    return sas.reduce<SaTable>((table, sa) => table.with(sa.key, sa), empty);
  }

  /** The next state of an IKE SA; undefined: it is gone. */
  with(key: IkeKey, sa: AnySa | undefined): SaTable {
    const before = this.all.get(key);
    if (before === sa) return this;
    const all = sa === undefined ? this.all.without(key) : this.all.with(key, sa);
    return new SaTable(all, movedUnits(this.units, before, sa), movedFacts(this.#index, before, sa));
  }

  /** Those of a tunnel, in the order in which they came. */
  of(tunnel: string): readonly AnySa[] {
    return this.units.get(tunnel) ?? [];
  }

  withChild(id: ChildId): readonly AnySa[] {
    return this.#found(FACT.child(id));
  }

  withEspSpi(spi: number): readonly AnySa[] {
    return this.#found(FACT.espSpi(spi));
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
    return (this.#index.get(fact) ?? []).map((key) => this.all.get(key)!);
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
  child: (id: ChildId) => `child ${id}`,
  espSpi: (spi: number) => `esp ${spi}`,
  initiatorSpi: (spi: bigint) => `initiator ${spi}`,
  halfOpen: "half-open",
  halfOpenNear: ({ family, value }: Address) => `half-open ${family} ${family === 6 ? value >> 64n : value}`,
  v1Peer: ({ family, value }: Address) => `v1 ${family} ${value}`,
};

function factsOf(sa: AnySa): readonly string[] {
  const facts = espSpisOf(sa).map(FACT.espSpi);
  if (isHolder(sa)) for (const id of sa.children.keys()) facts.push(FACT.child(id));
  for (const spi of cookiesOf(sa)) facts.push(FACT.initiatorSpi(spi));
  if (isHalfOpen(sa)) facts.push(FACT.halfOpen, FACT.halfOpenNear(sa.path.remote.address));
  if (isV1(sa) && isHolder(sa)) facts.push(FACT.v1Peer(sa.path.remote.address));
  return facts;
}

/** An IKE SA is a value: what it is looked for by is made once. */
const known = new WeakMap<AnySa, ReadonlySet<string>>();

function factSet(sa: AnySa): ReadonlySet<string> {
  let facts = known.get(sa);
  if (facts === undefined) {
    facts = new Set(factsOf(sa));
    known.set(sa, facts);
  }
  return facts;
}

const NO_FACTS: ReadonlySet<string> = new Set();

function movedFacts(
  index: Table<string, readonly IkeKey[]>,
  before: AnySa | undefined,
  after: AnySa | undefined,
): Table<string, readonly IkeKey[]> {
  const old = before === undefined ? NO_FACTS : factSet(before);
  const now = after === undefined ? NO_FACTS : factSet(after);
  let next = index;
  for (const fact of old) {
    if (now.has(fact)) continue;
    const rest = next.get(fact)!.filter((key) => key !== before!.key);
    next = rest.length === 0 ? next.without(fact) : next.with(fact, rest);
  }
  for (const fact of now) if (!old.has(fact)) next = next.with(fact, [...(next.get(fact) ?? []), after!.key]);
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
  if (from !== undefined && from === to)
    return units.with(
      from,
      units.get(from)!.map((sa) => (sa === before ? after! : sa)),
    );
  let next = units;
  if (from !== undefined) {
    const rest = next.get(from)!.filter((sa) => sa !== before);
    next = rest.length === 0 ? next.without(from) : next.with(from, rest);
  }
  return to === undefined ? next : next.with(to, [...(next.get(to) ?? []), after!]);
}
