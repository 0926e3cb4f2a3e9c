/**
 * What the two sides of a negotiation have in common and what not, attribute by attribute: the evidence behind a failure, and
 * behind a success. Made from what a peer offers, chooses, says, or leaves unsaid; bounded whatever it sends.
 */

/** Phase 2 of IKEv1 is what IKEv2 calls a child SA; phase 1 is its IKE SA. */
export type Phase = 1 | 2;

export type Attribute =
  | "version"
  | "mode"
  | "authentication"
  | "encryption"
  | "hash"
  | "prf"
  | "integrity"
  | "group"
  | "local-id"
  | "peer-id"
  | "psk"
  | "lifetime"
  | "protocol"
  | "encapsulation"
  | "pfs"
  | "esn"
  | "selectors"
  | "other";

/** "unknown": the peer does not say, or does not come to it. */
export type Verdict = "equal" | "different" | "unknown";

export interface Compared {
  readonly attribute: Attribute;
  readonly verdict: Verdict;
  /** Every value that we accept; what was agreed on, where that is known. Empty: none. */
  readonly ours: readonly string[];
  /** Absent: the peer does not say. Empty: it says none. */
  readonly theirs?: readonly string[];
  /** Unknown, and what happened may lie here. */
  readonly suspect?: true;
}

/** One proposal of the peer (in IKEv1: one transform) beside the closest of ours. */
export interface ComparedProposal {
  /** Proposal Num, and in IKEv1 the Transform #. */
  readonly number: string;
  readonly rows: readonly Compared[];
}

/** An offer of the peer. */
export interface ComparedOffer {
  readonly proposals: readonly ComparedProposal[];
  /** Further proposals of the peer, which were not compared. */
  readonly more: number;
}

export interface Evidence extends ComparedOffer {
  readonly phase: Phase;
  /** What does not depend on a proposal, and, where there are no proposals to compare, everything. */
  readonly rows: readonly Compared[];
}

/** What is known of an attribute beside what we are configured with. */
export type Said =
  | "equal"
  /** Not told, and it may be the reason. */
  | "suspect"
  /** It is the reason, and the peer's value is not told. */
  | "different"
  | {
      readonly theirs: readonly string[];
      /** What came of it; else what was compared with. */
      readonly ours?: readonly string[];
      readonly verdict?: Verdict;
    };

export type SaidAll = { readonly [Name in Attribute]?: Said };

/** Tunnels that a stranger's offer is compared with. */
export const MOST_BLAMED = 4;
/** Proposals of a peer that are compared: strangers send long lists as well, and as often as they like. */
export const MOST_COMPARED = 8;
/** Values told of one attribute, and characters of one. */
const MOST_VALUES = 16;
const LONGEST_VALUE = 200;

/** Rows in the order of `ours`; what is not said stays unknown. */
export function comparedRows(
  ours: readonly (readonly [Attribute, readonly string[]])[],
  said: SaidAll,
): readonly Compared[] {
  return ours.map(([attribute, values]) => {
    const known = said[attribute];
    switch (known) {
      case undefined:
        return { attribute, verdict: "unknown", ours: bounded(values) };
      case "equal":
        return { attribute, verdict: "equal", ours: bounded(values), theirs: bounded(values) };
      case "suspect":
        return { attribute, verdict: "unknown", ours: bounded(values), suspect: true };
      case "different":
        return { attribute, verdict: "different", ours: bounded(values) };
      default: {
        const mine = known.ours ?? values;
        const verdict = known.verdict ?? (known.theirs.some((one) => mine.includes(one)) ? "equal" : "different");
        return { attribute, verdict, ours: bounded(mine), theirs: bounded(known.theirs) };
      }
    }
  });
}

/** So that no list of a peer grows without end. */
export function bounded(values: readonly string[]): readonly string[] {
  const shown = values.slice(0, MOST_VALUES).map(shortened);
  return values.length > MOST_VALUES ? [...shown, `and ${values.length - MOST_VALUES} more`] : shown;
}

function shortened(value: string): string {
  return value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value;
}

/** What differs: of the peer's proposals those of the one that comes closest. */
export function differencesOf({ rows, proposals }: Evidence): readonly Compared[] {
  const common = rows.filter(isDifferent);
  return [...common, ...closestOf(proposals.map((one) => one.rows)).filter(isDifferent)];
}

/** The comparison with the fewest differences; among equals the first. */
export function closestOf(comparisons: readonly (readonly Compared[])[]): readonly Compared[] {
  let closest: readonly Compared[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (const rows of comparisons) {
    const count = rows.filter(isDifferent).length;
    if (count < least) [closest, least] = [rows, count];
  }
  return closest;
}

/** What may differ and is not told. */
export function suspectsOf({ rows }: Evidence): readonly Compared[] {
  return rows.filter(({ suspect }) => suspect);
}

function isDifferent({ verdict }: Compared): boolean {
  return verdict === "different";
}

/** The evidence about one of the tunnels that a peer without a proven identity may be. */
export interface Blamed {
  readonly tunnel: string;
  readonly evidence: Evidence;
}
