/** A child SA pair in the life of the IKE SA or the peer that it belongs to: the same in both versions of IKE. */
import type { ChildId, SaPair, VolumeLimits } from "../../esp/sa.js";
import { derived } from "./derived.js";
import type { Moved } from "./policy-change.js";
import type { Instant } from "./types.js";

export interface Child {
  readonly id: ChildId;
  readonly pair: SaPair;
  /** "old": replaced by a rekey or a duplicate; receives until its Delete or hard limit, is not renewed. */
  readonly state: "live" | "old" | "deleting";
  readonly expiresAt: Instant;
  /** When it is to be replaced; absent once that has begun. */
  readonly rekeyAt?: Instant;
  /** Failed attempts to replace it. */
  readonly attempts: number;
  /** Until then we leave it to the peer to use it first; we send on it from then on, at the latest (`decisions.md` 8 and 10). */
  readonly useAt?: Instant;
  /** The child whose place it takes. */
  readonly replaces?: ChildId;
  /** IKEv2: the peer has opened it beside another one; one that makes it redundant in turn before this leaves it to its lifetime. */
  readonly reapAt?: Instant;
  /** IKEv2: who asked for it, and the lower of both nonces, which decides between rivals (RFC 7296 section 2.8.1). */
  readonly origin?: { readonly asked: boolean; readonly lowestNonce: Uint8Array };
}

/** The newest child of each mapping, among those that live and among those that have been replaced. */
type Newest = Readonly<Record<Child["state"], ReadonlyMap<number, ChildId>>>;

const newestByMapping = derived((children: ReadonlyMap<ChildId, Child>): Newest => {
  const found = { live: new Map<number, ChildId>(), old: new Map<number, ChildId>(), deleting: new Map() };
  for (const { id, state, pair } of children.values())
    for (const mapping of pair.mappings) if (!(found[state].get(mapping)! > id)) found[state].set(mapping, id);
  return found;
});

/** Fewer than that are looked through sooner than sorted. */
const FEW = 8;

/** The newest child in this state that carries the mapping. */
export function newestChild(
  children: ReadonlyMap<ChildId, Child>,
  wanted: Child["state"],
  mapping: number,
): ChildId | undefined {
  if (children.size > FEW) return newestByMapping(children)[wanted].get(mapping);
  let newest: ChildId | undefined;
  for (const { id, state, pair } of children.values())
    if (state === wanted && pair.mappings.includes(mapping) && (newest === undefined || id > newest)) newest = id;
  return newest;
}

/** The same child after its mappings got other numbers. */
export function renumberedPair<One extends { readonly pair: SaPair }>(child: One, moved: Moved): One {
  const mappings = child.pair.mappings.flatMap((mapping) => moved(mapping) ?? []).sort((a, b) => a - b);
  return { ...child, pair: { ...child.pair, mappings } };
}

/** The soft limit stands a tenth before the hard one; packets are the data plane's own affair. */
export function volumeLimits(octets: number): VolumeLimits {
  return { softOctets: Math.floor(octets * 0.9), hardOctets: octets, softPackets: 0, hardPackets: 0 };
}

/** An SPI on the wire of an SA payload. */
export function espSpiOctets(spi: number): Uint8Array {
  return new Uint8Array([spi >>> 24, (spi >>> 16) & 0xff, (spi >>> 8) & 0xff, spi & 0xff]);
}

export function espSpiFrom(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}
