/**
 * Finds which of many pairs of traffic selectors covers a packet. The pairs of a gateway seldom overlap, so the address
 * space falls into intervals with few candidates each: a binary search over the remote (or local) addresses, a second
 * one over the others where many pairs share a range, and a comparison of the candidates that are left.
 */
import { addressWords, type Family, lastAddress } from "./address.js";
import type { IpHeader } from "./ip-header.js";
import type { TrafficSelector } from "./selector.js";

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

/** So many candidates are compared one by one; more are searched. */
const FEW = 8;

export function createSelectorIndex(pairs: readonly SelectorPair[]): SelectorIndex {
  const rules = pairs.map(compile);
  const root = (family: Family) => {
    const members = [...pairs.keys()].filter(
      (i) => pairs[i]!.local.family === family && pairs[i]!.remote.family === family,
    );
    return build(pairs, members, family, ["remote", "local"]);
  };
  const roots = [root(4), root(6)] as const;

  function find(
    header: IpHeader,
    local: Uint32Array,
    remote: Uint32Array,
    localPort: number,
    remotePort: number,
  ): number {
    let node = header.family === 4 ? roots[0] : roots[1];
    while (node.side !== "leaf") node = descend(node, node.side === "remote" ? remote : local);
    for (let i = 0; i < node.candidates.length; i++) {
      const candidate = node.candidates[i]!;
      if (covers(rules[candidate]!, header.protocol, local, remote, localPort, remotePort)) return candidate;
    }
    return -1;
  }

  return {
    findOutbound: (h) => find(h, h.source, h.destination, h.sourcePort, h.destinationPort),
    findInbound: (h) => find(h, h.destination, h.source, h.destinationPort, h.sourcePort),
  };
}

/** A pair in the numbers that a packet is compared with. Addresses are words, most significant first. */
interface Rule {
  readonly words: number;
  readonly localStart: Uint32Array;
  readonly localEnd: Uint32Array;
  readonly remoteStart: Uint32Array;
  readonly remoteEnd: Uint32Array;
  readonly anyProtocolAndPort: boolean;
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
}

function compile({ local, remote }: SelectorPair): Rule {
  const words = (value: bigint) => Uint32Array.from(addressWords(local.family, value));
  const anything = (s: TrafficSelector) => s.protocol === 0 && s.startPort === 0 && s.endPort === 65535;
  return {
    words: local.family === 4 ? 1 : 4,
    localStart: words(local.start),
    localEnd: words(local.end),
    remoteStart: words(remote.start),
    remoteEnd: words(remote.end),
    anyProtocolAndPort: anything(local) && anything(remote),
    local,
    remote,
  };
}

function covers(
  rule: Rule,
  protocol: number,
  local: Uint32Array,
  remote: Uint32Array,
  localPort: number,
  remotePort: number,
): boolean {
  const { words } = rule;
  return (
    compareWords(remote, rule.remoteStart, 0, words) >= 0 &&
    compareWords(remote, rule.remoteEnd, 0, words) <= 0 &&
    compareWords(local, rule.localStart, 0, words) >= 0 &&
    compareWords(local, rule.localEnd, 0, words) <= 0 &&
    (rule.anyProtocolAndPort ||
      (coversPort(rule.local, protocol, localPort) && coversPort(rule.remote, protocol, remotePort)))
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

type Side = "local" | "remote";

/** One shape for inner nodes and leaves, which keeps the descent fast. */
interface Node {
  readonly side: Side | "leaf";
  readonly words: number;
  /** Where each interval starts, ascending; the first one starts at address zero. */
  readonly starts: Uint32Array;
  readonly below: readonly Node[];
  readonly candidates: Int32Array;
}

function descend(node: Node, address: Uint32Array): Node {
  let low = 0;
  let high = node.below.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (compareWords(address, node.starts, middle * node.words, node.words) >= 0) low = middle;
    else high = middle - 1;
  }
  return node.below[low]!;
}

function build(
  pairs: readonly SelectorPair[],
  members: readonly number[],
  family: Family,
  sides: readonly Side[],
): Node {
  const words = family === 4 ? 1 : 4;
  if (members.length <= FEW || sides.length === 0)
    return { side: "leaf", words, starts: new Uint32Array(0), below: [], candidates: Int32Array.from(members) };
  // The side on which the pairs overlap less.
  const cuts = sides.map((side) => ({ side, intervals: cut(pairs, members, family, side) }));
  const best = cuts.reduce((a, b) => (weight(b.intervals) < weight(a.intervals) ? b : a));
  const left = sides.filter((side) => side !== best.side);
  return {
    side: best.side,
    words,
    starts: Uint32Array.from(best.intervals.flatMap(({ start }) => addressWords(family, start))),
    below: best.intervals.map((interval) => build(pairs, interval.members, family, left)),
    candidates: new Int32Array(0),
  };
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
  const points = new Set<bigint>([0n]);
  for (const i of members) {
    points.add(pairs[i]![side].start);
    if (pairs[i]![side].end < last) points.add(pairs[i]![side].end + 1n);
  }
  const starts = [...points].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const position = new Map(starts.map((start, i) => [start, i]));
  const intervals: Interval[] = starts.map((start) => ({ start, members: [] }));
  for (const i of members) {
    const { start, end } = pairs[i]![side];
    const stop = end < last ? position.get(end + 1n)! : intervals.length;
    for (let k = position.get(start)!; k < stop; k++) intervals[k]!.members.push(i);
  }
  return intervals;
}
