/** Narrowing of traffic selectors, RFC 7296 section 2.9, between the configured mappings and the peer's TSi and TSr. */
import {
  coversWhole,
  formatSelector,
  intersect,
  isSubset,
  sameSelector,
  type TrafficSelector,
} from "../../esp/selector.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import { selectorWords } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import type { TsPayload } from "../wire/payloads/ts.js";

declare const narrowed: unique symbol;

/** Selectors that both sides allow. Only this file makes them. */
export interface NarrowedSelectors {
  readonly [narrowed]: true;
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  /** The mappings that are carried, wholly or in part, ascending. */
  readonly mappings: readonly number[];
}

/** Selectors as we offer them: the cross product of both lists is exactly these mappings. */
export interface SelectorOffer {
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  readonly mappings: readonly number[];
}

type Mappings = Pick<TunnelPolicy, "mappings" | "entries"> & Partial<Pick<TunnelPolicy, "split">>;

/** What we offer for these mappings, which must be a full cross product (`ike/core/joint.ts`). */
export function offerFor({ mappings }: Pick<Mappings, "mappings">, indices: readonly number[]): SelectorOffer {
  return {
    local: distinct(indices.map((i) => mappings[i]!.local)),
    remote: distinct(indices.map((i) => mappings[i]!.peer)),
    mappings: indices,
  };
}

/** TSi or TSr of an offer or of an answer; at most 255 selectors. */
export function tsPayload(selectors: readonly TrafficSelector[]): TsPayload {
  return { selectors, unknown: [] };
}

export interface ResponderOptions {
  /** Mappings that a live child carries already: an entry that brings new ones is preferred. */
  readonly live?: ReadonlySet<number>;
  /** The child that is being rekeyed carries this mapping: only its entry counts (section 2.9.2). */
  readonly rekeyed?: number;
  /** What a refusal rests on; `theirs`: what the peer asks for, our side first. */
  readonly grounds?: (theirs: string) => Grounds;
}

export interface ResponderChoice {
  readonly selectors: NarrowedSelectors;
  /** Another entry fits as well: ADDITIONAL_TS_POSSIBLE. */
  readonly more: boolean;
}

/**
 * Responder: the entry that fits best, cut down to what the peer asked for. It is the one that holds the first selectors
 * of both payloads (they may be those of the packet that triggered the request); then the one with the most new mappings,
 * the most mappings, the most addresses; among equals the first. Throws `ProtocolError` TS_UNACCEPTABLE.
 */
export function narrowAsResponder(
  policy: Mappings,
  tsi: TsPayload,
  tsr: TsPayload,
  { live = new Set(), rekeyed, grounds }: ResponderOptions = {},
): ResponderChoice {
  const fits = unitsOf(policy)
    .filter(({ first, count }) => rekeyed === undefined || (rekeyed >= first && rekeyed < first + count))
    .filter((entry) => mayFit(policy, entry, tsi.selectors, tsr.selectors))
    .map((entry) => fit(policy, entry, tsi.selectors, tsr.selectors, live))
    .filter((candidate) => candidate !== undefined);
  const [start, ...others] = fits;
  if (start === undefined) {
    const because = grounds?.(selectorWords(tsr.selectors, tsi.selectors));
    throw new ProtocolError("TS_UNACCEPTABLE", nothingInCommon(policy, tsi, tsr), undefined, because);
  }
  const best = others.reduce((a, b) => (better(b.score, a.score) ? b : a), start);
  return { selectors: best.selectors, more: fits.length > 1 };
}

/** An answer that lies inside the offer. */
export interface Answered {
  readonly selectors: NarrowedSelectors;
  /** Offered mappings that are carried in part. */
  readonly cut: readonly number[];
}

/**
 * Initiator: the answer must lie inside the offer and hold something. Throws `ProtocolError` TS_UNACCEPTABLE. Offered mappings
 * that `selectors.mappings` lacks may be asked for again.
 */
export function checkAnswer(policy: Mappings, offer: SelectorOffer, tsi: TsPayload, tsr: TsPayload): Answered {
  inside("TSi", tsi, offer.local);
  inside("TSr", tsr, offer.remote);
  const local = largest(tsi.selectors);
  const remote = largest(tsr.selectors);
  const carried = offer.mappings.filter((i) => carries(policy, i, local, remote));
  if (carried.length === 0)
    throw new ProtocolError("TS_UNACCEPTABLE", "the answer covers none of the offered mappings");
  const cut = carried.filter((i) => {
    const mapping = policy.mappings[i]!;
    return !(coversWhole(local, mapping.local) && coversWhole(remote, mapping.peer));
  });
  return { selectors: proven(local, remote, carried), cut };
}

/** What may share an SA when the peer asks for it: an entry, or each mapping alone. */
function unitsOf({ mappings, entries, split }: Mappings): Mappings["entries"] {
  return split === "always" ? mappings.map((_, first) => ({ first, count: 1 })) : entries;
}

interface Fit {
  readonly selectors: NarrowedSelectors;
  /** Compared from the first number on; larger is better. */
  readonly score: readonly bigint[];
}

/** Whether any mapping meets both payloads: most of many do not, and are told so without further work. */
function mayFit(
  { mappings }: Mappings,
  { first, count }: { readonly first: number; readonly count: number },
  tsi: readonly TrafficSelector[],
  tsr: readonly TrafficSelector[],
): boolean {
  for (let i = first; i < first + count; i++) {
    const { local, peer } = mappings[i]!;
    if (tsr.some((s) => meetsRange(s, local)) && tsi.some((s) => meetsRange(s, peer))) return true;
  }
  return false;
}

function meetsRange(a: TrafficSelector, b: TrafficSelector): boolean {
  return a.family === b.family && a.start <= b.end && b.start <= a.end;
}

function fit(
  policy: Mappings,
  { first, count }: { readonly first: number; readonly count: number },
  tsi: readonly TrafficSelector[],
  tsr: readonly TrafficSelector[],
  live: ReadonlySet<number>,
): Fit | undefined {
  const indices = Array.from({ length: count }, (_, i) => first + i);
  const { local: ourSide, remote: theirSide } = offerFor(policy, indices);
  const local = common(ourSide, tsr);
  const remote = common(theirSide, tsi);
  const carried = indices.filter((i) => carries(policy, i, local, remote));
  if (carried.length === 0) return undefined;
  const score = [
    meets(tsi[0]!, remote) && meets(tsr[0]!, local) ? 1n : 0n,
    BigInt(carried.filter((i) => !live.has(i)).length),
    BigInt(carried.length),
    addresses(local) * addresses(remote),
  ];
  return { selectors: proven(local, remote, carried), score };
}

/** The one maker of the proof. */
function proven(
  local: readonly TrafficSelector[],
  remote: readonly TrafficSelector[],
  mappings: readonly number[],
): NarrowedSelectors {
  return { local, remote, mappings } as unknown as NarrowedSelectors;
}

function better(a: readonly bigint[], b: readonly bigint[]): boolean {
  const i = a.findIndex((value, k) => value !== b[k]);
  return i >= 0 && a[i]! > b[i]!;
}

/** Every non-empty intersection of one of ours with one of theirs; of a peer that sends hundreds, the first thousand. */
function common(ours: readonly TrafficSelector[], theirs: readonly TrafficSelector[]): readonly TrafficSelector[] {
  const found: TrafficSelector[] = [];
  for (const mine of ours)
    for (const other of theirs) {
      const both = found.length < MOST_INTERSECTIONS ? intersect(mine, other) : undefined;
      if (both !== undefined) found.push(both);
    }
  return largest(found);
}

/** Without those that lie inside another one; at most as many as a payload can hold. */
function largest(selectors: readonly TrafficSelector[]): readonly TrafficSelector[] {
  const once = distinct(selectors);
  return once.filter((s) => !once.some((other) => other !== s && isSubset(s, other))).slice(0, MOST_SELECTORS);
}

function distinct(selectors: readonly TrafficSelector[]): readonly TrafficSelector[] {
  const once: TrafficSelector[] = [];
  for (const s of selectors) if (!once.some((other) => sameSelector(s, other))) once.push(s);
  return once;
}

function carries(
  { mappings }: Mappings,
  index: number,
  local: readonly TrafficSelector[],
  remote: readonly TrafficSelector[],
): boolean {
  const mapping = mappings[index]!;
  return meets(mapping.local, local) && meets(mapping.peer, remote);
}

function meets(selector: TrafficSelector, others: readonly TrafficSelector[]): boolean {
  return others.some((other) => intersect(selector, other) !== undefined);
}

function inside(name: "TSi" | "TSr", answer: TsPayload, offered: readonly TrafficSelector[]): void {
  if (answer.unknown.length > 0)
    throw new ProtocolError("TS_UNACCEPTABLE", `the answer's ${name} holds a selector type that we did not offer`);
  for (const selector of answer.selectors)
    if (!coversWhole(offered, selector))
      throw new ProtocolError(
        "TS_UNACCEPTABLE",
        `the answer's ${name} holds ${formatSelector(selector)}, we offered ${list(offered)}`,
      );
}

function addresses(selectors: readonly TrafficSelector[]): bigint {
  return selectors.reduce((sum, { start, end }) => sum + (end - start + 1n), 0n);
}

function nothingInCommon({ mappings }: Mappings, tsi: TsPayload, tsr: TsPayload): string {
  const ours = mappings.slice(0, 8).map(({ local, peer }) => `${formatSelector(local)} <-> ${formatSelector(peer)}`);
  const more = mappings.length > 8 ? ` and ${mappings.length - 8} more` : "";
  return (
    `the peer asks for ${list(tsi.selectors)} on its side and ${list(tsr.selectors)} on ours; ` +
    `our mappings (ours <-> its) are ${ours.join(", ")}${more}`
  );
}

function list(selectors: readonly TrafficSelector[]): string {
  const shown = selectors.slice(0, 8).map(formatSelector).join(", ");
  return selectors.length > 8 ? `${shown} and ${selectors.length - 8} more` : shown || "nothing that we understand";
}

/** What comparing them all with each other may cost. */
const MOST_INTERSECTIONS = 1000;
/** Number of TSs is one octet. */
const MOST_SELECTORS = 255;
