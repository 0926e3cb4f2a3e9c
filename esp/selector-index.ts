/**
 * Finds which of many pairs of traffic selectors covers a packet. The pairs of a gateway seldom overlap, so the address
 * space falls into intervals with few candidates each: a binary search over the remote (or local) addresses, a second
 * one over the others where many pairs share a range, and a comparison of the candidates that are left. Everything that
 * a look-up touches stands in a few typed arrays, because with ten thousand pairs the cost is that of cache misses.
 */
import { addressWords, type Family, lastAddress } from "./address.js";
import type { IpHeader } from "./ip-header.js";
import { isAnyProtocol, type TrafficSelector } from "./selector.js";

export interface SelectorPair {
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
}

export interface SelectorIndex {
  /** The first pair that covers a packet which leaves from local to remote; -1: none. */
  findOutbound(header: IpHeader): number;
  /** The first pair that covers a packet which comes from remote to local; -1: none. */
  findInbound(header: IpHeader): number;
}

export function createSelectorIndex(pairs: readonly SelectorPair[]): SelectorIndex {
  const trees = [createTree(pairs, 4), createTree(pairs, 6)] as const;
  return {
    findOutbound: (h) =>
      find(h.family === 4 ? trees[0] : trees[1], h.protocol, h.source, h.destination, h.sourcePort, h.destinationPort),
    findInbound: (h) =>
      find(h.family === 4 ? trees[0] : trees[1], h.protocol, h.destination, h.source, h.destinationPort, h.sourcePort),
  };
}

/** So many candidates are compared one by one; more are searched. */
const FEW = 8;

/**
 * A place to look: the number of a pair, or `NOTHING`, or below that the number of a node, as `nodeTarget` codes it.
 */
type Target = number;
const NOTHING: Target = -1;
const nodeTarget = (node: number): Target => -2 - node;

type Side = "local" | "remote";

/** One shape for both kinds, which keeps the descent fast. */
interface Node {
  /** By which address to go on; "list": compare the pairs in `targets`. */
  readonly side: Side | "list";
  /** Where each interval starts, ascending, in words; the first one starts at address zero. */
  readonly starts: Uint32Array;
  readonly targets: Int32Array;
}

interface Tree {
  /** Words of an address: 1 or 4. */
  readonly words: number;
  readonly root: Target;
  readonly nodes: readonly Node[];
  /** Per pair: remote start, remote end, local start, local end. */
  readonly ranges: Uint32Array;
  /** Per pair: 1 when the addresses decide alone. */
  readonly anyProtocol: Uint8Array;
  readonly pairs: readonly SelectorPair[];
}

function find(
  tree: Tree,
  protocol: number,
  local: Uint32Array,
  remote: Uint32Array,
  localPort: number,
  remotePort: number,
): number {
  let target = tree.root;
  while (target < NOTHING) {
    const node = tree.nodes[-2 - target]!;
    if (node.side === "list") {
      for (let i = 0; i < node.targets.length; i++)
        if (covers(tree, node.targets[i]!, protocol, local, remote, localPort, remotePort)) return node.targets[i]!;
      return NOTHING;
    }
    target = descend(node, node.side === "remote" ? remote : local, tree.words);
  }
  if (target === NOTHING) return NOTHING;
  return covers(tree, target, protocol, local, remote, localPort, remotePort) ? target : NOTHING;
}

/** The target of the interval that holds the address. */
function descend(node: Node, address: Uint32Array, words: number): Target {
  let low = 0;
  let high = node.targets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (compareWords(address, node.starts, middle * words, words) >= 0) low = middle;
    else high = middle - 1;
  }
  return node.targets[low]!;
}

function covers(
  { words, ranges, anyProtocol, pairs }: Tree,
  pair: number,
  protocol: number,
  local: Uint32Array,
  remote: Uint32Array,
  localPort: number,
  remotePort: number,
): boolean {
  const at = pair * 4 * words;
  return (
    compareWords(remote, ranges, at, words) >= 0 &&
    compareWords(remote, ranges, at + words, words) <= 0 &&
    compareWords(local, ranges, at + 2 * words, words) >= 0 &&
    compareWords(local, ranges, at + 3 * words, words) <= 0 &&
    (anyProtocol[pair] === 1 ||
      (coversPort(pairs[pair]!.local, protocol, localPort) && coversPort(pairs[pair]!.remote, protocol, remotePort)))
  );
}

/** `port` -1: it cannot be seen, which only "any" and OPAQUE cover (RFC 4301 section 4.4.1.1). */
function coversPort(selector: TrafficSelector, protocol: number, port: number): boolean {
  if (selector.protocol !== 0 && selector.protocol !== protocol) return false;
  if (selector.startPort === 0 && selector.endPort === 65535) return true;
  if (port < 0) return selector.startPort > selector.endPort;
  return port >= selector.startPort && port <= selector.endPort;
}

/** Compares an address with the `count` words of `table` at `from`. */
function compareWords(address: Uint32Array, table: Uint32Array, from: number, count: number): number {
  for (let i = 0; i < count; i++) {
    const a = address[i]!;
    const b = table[from + i]!;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}

/** Of a family without pairs: every SA has one such. */
const NO_TREE: Tree = {
  words: 1,
  root: NOTHING,
  nodes: [],
  ranges: new Uint32Array(0),
  anyProtocol: new Uint8Array(0),
  pairs: [],
};

function createTree(pairs: readonly SelectorPair[], family: Family): Tree {
  const words = family === 4 ? 1 : 4;
  const members = [...pairs.keys()].filter((i) => isOfFamily(pairs[i]!, family));
  if (members.length === 0) return NO_TREE;
  const ranges = new Uint32Array(pairs.length * 4 * words);
  for (const i of members) {
    const { local, remote } = pairs[i]!;
    for (const [k, value] of [remote.start, remote.end, local.start, local.end].entries())
      ranges.set(addressWords(family, value), (4 * i + k) * words);
  }
  const nodes: Node[] = [];
  const root = plant(pairs, members, family, ["remote", "local"], nodes);
  const anyProtocol = Uint8Array.from(pairs, ({ local, remote }) =>
    Number(isAnyProtocol(local) && isAnyProtocol(remote)),
  );
  return { words, root, nodes, ranges, anyProtocol, pairs };
}

function isOfFamily({ local, remote }: SelectorPair, family: Family): boolean {
  return local.family === family && remote.family === family;
}

/** Adds the nodes that find one of `members`; where the search begins. */
function plant(
  pairs: readonly SelectorPair[],
  members: readonly number[],
  family: Family,
  sides: readonly Side[],
  nodes: Node[],
): Target {
  if (members.length <= 1) return members[0] ?? NOTHING;
  if (members.length <= FEW || sides.length === 0)
    return nodeTarget(nodes.push({ side: "list", starts: new Uint32Array(0), targets: Int32Array.from(members) }) - 1);
  // The side on which the pairs overlap less.
  const cuts = sides.map((side) => ({ side, intervals: cut(pairs, members, family, side) }));
  const { side, intervals } = cuts.reduce((a, b) => (weight(b.intervals) < weight(a.intervals) ? b : a));
  const others = sides.filter((other) => other !== side);
  const starts = Uint32Array.from(intervals.flatMap(({ start }) => addressWords(family, start)));
  const targets = Int32Array.from(intervals, (interval) => plant(pairs, interval.members, family, others, nodes));
  return nodeTarget(nodes.push({ side, starts, targets }) - 1);
}

interface Interval {
  readonly start: bigint;
  readonly members: number[];
}

function weight(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, { members }) => sum + members.length, 0);
}

/** Cuts the addresses of one side wherever a pair begins or ends. */
function cut(pairs: readonly SelectorPair[], members: readonly number[], family: Family, side: Side): Interval[] {
  const last = lastAddress(family);
  const points = [0n];
  for (const i of members) {
    const { start, end } = pairs[i]![side];
    points.push(start);
    if (end < last) points.push(end + 1n);
  }
  const intervals: Interval[] = points
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .filter((point, i) => i === 0 || point !== points[i - 1])
    .map((start) => ({ start, members: [] }));
  for (const i of members) {
    const { start, end } = pairs[i]![side];
    for (let k = indexOf(intervals, start); k < intervals.length && intervals[k]!.start <= end; k++)
      intervals[k]!.members.push(i);
  }
  return intervals;
}

/** Where the interval that starts at `start` stands. Not a map: engines hash only the low digits of a bigint. */
function indexOf(intervals: readonly Interval[], start: bigint): number {
  let low = 0;
  let high = intervals.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (intervals[middle]!.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
