/** Which mappings overlap, among ten thousand as well: a sweep along the side on which they overlap less. */
import { overlaps, type TrafficSelector } from "../../esp/selector.js";
import type { Mapping } from "../../ike/core/policy.js";

type Side = keyof Mapping;

/** For each mapping that overlaps an earlier one in both its local and its peer range: the first of those. */
export function firstOverlaps(
  mappings: readonly Mapping[],
  apart: (earlier: number, later: number) => boolean,
): ReadonlyMap<number, number> {
  const first = new Map<number, number>();
  for (const family of [4, 6] as const) {
    const members = [...mappings.keys()].filter((i) => mappings[i]!.local.family === family);
    const side = together(mappings, members, "local") < together(mappings, members, "peer") ? "local" : "peer";
    const other = side === "local" ? "peer" : "local";
    sweep(mappings, members, side, (i, j) => {
      const [earlier, later] = i < j ? [i, j] : [j, i];
      if (earlier >= (first.get(later) ?? later) || !apart(earlier, later)) return;
      const [a, b] = [mappings[earlier]!, mappings[later]!];
      if (overlaps(a[other], b[other]) && overlaps(a[side], b[side])) first.set(later, earlier);
    });
  }
  return first;
}

/** Calls `pair` for any two whose address ranges on this side have an address in common. */
function sweep(
  mappings: readonly Mapping[],
  members: readonly number[],
  side: Side,
  pair: (i: number, j: number) => void,
): void {
  let open: number[] = [];
  for (const i of sorted(mappings, members, side)) {
    const { start } = mappings[i]![side];
    open = open.filter((j) => mappings[j]![side].end >= start);
    for (const j of open) pair(i, j);
    open.push(i);
  }
}

/** How many such pairs there are, without looking at each. */
function together(mappings: readonly Mapping[], members: readonly number[], side: Side): number {
  const ranges = members.map((i) => mappings[i]![side]);
  const starts = ranges.map(({ start }) => start).sort(ascending);
  const ends = ranges.map(({ end }) => end).sort(ascending);
  let pairs = 0;
  let closed = 0;
  for (const [opened, start] of starts.entries()) {
    while (ends[closed]! < start) closed++;
    pairs += opened - closed;
  }
  return pairs;
}

function sorted(mappings: readonly Mapping[], members: readonly number[], side: Side): readonly number[] {
  const startOf = (i: number): TrafficSelector["start"] => mappings[i]![side].start;
  return [...members].sort((a, b) => ascending(startOf(a), startOf(b)));
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
