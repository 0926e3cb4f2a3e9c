/** Traffic selectors, RFC 7296 section 3.13.1 and RFC 4301 section 4.4.1.1. */
import {
  type Address,
  addressBits,
  type Family,
  formatAddress,
  formatPrefix,
  lastAddress,
  type Prefix,
  prefixEnd,
} from "./address.js";

export interface TrafficSelector {
  readonly family: Family;
  /** IP protocol; 0: any. */
  readonly protocol: number;
  /**
   * For ICMP and ICMPv6 the type stands in the upper octet and the code in the lower one, for the Mobility Header the
   * type in the upper one. 0-65535: any. OPAQUE is 65535-0: only packets whose ports cannot be seen.
   */
  readonly startPort: number;
  readonly endPort: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** Which part of the traffic between two ranges: an IP protocol, and ports where it has them. */
export interface ProtocolPorts {
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
}

export const ANY_PROTOCOL: ProtocolPorts = { protocol: 0, startPort: 0, endPort: 65535 };

export function selectorFromPrefix(prefix: Prefix, ports: ProtocolPorts = ANY_PROTOCOL): TrafficSelector {
  return selectorFromRange(prefix.family, prefix.value, prefixEnd(prefix), ports);
}

/** Both ends are inside. Throws `RangeError` when the end lies before the start. */
export function selectorFromRange(
  family: Family,
  start: bigint,
  end: bigint,
  { protocol, startPort, endPort }: ProtocolPorts = ANY_PROTOCOL,
): TrafficSelector {
  if (start < 0n || start > end || end > lastAddress(family))
    throw new RangeError(`not a range of IPv${family} addresses: ${start}..${end}`);
  return { family, protocol, startPort, endPort, start, end };
}

/** One host with every protocol and port. */
export function selectorFromAddress({ family, value }: Address): TrafficSelector {
  return selectorFromRange(family, value, value);
}

/** Everything of a family: 0.0.0.0/0 or ::/0. */
export function anySelector(family: Family): TrafficSelector {
  return selectorFromRange(family, 0n, lastAddress(family));
}

/** True when every packet that matches `inner` matches `outer`. */
export function isSubset(inner: TrafficSelector, outer: TrafficSelector): boolean {
  return (
    inner.family === outer.family &&
    inner.start >= outer.start &&
    inner.end <= outer.end &&
    (outer.protocol === 0 || inner.protocol === outer.protocol) &&
    (anyPort(outer) ||
      samePorts(inner, outer) ||
      (!isOpaque(inner) && !isOpaque(outer) && inner.startPort >= outer.startPort && inner.endPort <= outer.endPort))
  );
}

/** What both match; `undefined` when that is nothing. */
export function intersect(a: TrafficSelector, b: TrafficSelector): TrafficSelector | undefined {
  if (a.family !== b.family) return undefined;
  if (a.protocol !== 0 && b.protocol !== 0 && a.protocol !== b.protocol) return undefined;
  const start = a.start > b.start ? a.start : b.start;
  const end = a.end < b.end ? a.end : b.end;
  if (start > end) return undefined;
  const ports = intersectPorts(a, b);
  return ports && { family: a.family, protocol: a.protocol || b.protocol, ...ports, start, end };
}

/** Whether the whole selector lies inside the union, of which none needs to hold it alone: a peer may join neighbours into one range. */
export function coversWhole(union: readonly TrafficSelector[], selector: TrafficSelector): boolean {
  if (union.length === 1) return isSubset(selector, union[0]!);
  const ranges = union
    .filter((s) => isSubset({ ...selector, start: s.start, end: s.end }, s))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let next = selector.start;
  for (const { start, end } of ranges) {
    if (start > next) return false;
    if (end >= selector.end) return true;
    if (end >= next) next = end + 1n;
  }
  return false;
}

export function overlaps(a: TrafficSelector, b: TrafficSelector): boolean {
  return intersect(a, b) !== undefined;
}

export function sameSelector(a: TrafficSelector, b: TrafficSelector): boolean {
  return (
    a.family === b.family && a.protocol === b.protocol && samePorts(a, b) && a.start === b.start && a.end === b.end
  );
}

/** True for a selector that its address range alone describes. */
export function isAnyProtocol(selector: TrafficSelector): boolean {
  return selector.protocol === 0 && anyPort(selector);
}

/** The fewest prefixes that cover exactly the range, ascending. Routes and texts are made from them. */
export function toPrefixes({ family, start, end }: TrafficSelector): readonly Prefix[] {
  const bits = addressBits(family);
  // Almost every range is one prefix: host bits all zero at its start, and all one at its end.
  const hosts = end - start;
  if ((hosts & (hosts + 1n)) === 0n && (start & hosts) === 0n)
    return [{ family, value: start, length: bits - (hosts === 0n ? 0 : hosts.toString(2).length) }];
  const prefixes: Prefix[] = [];
  for (let value = start; value <= end; ) {
    let hostBits = 0;
    while (hostBits < bits) {
      const size = 1n << BigInt(hostBits + 1);
      if (value % size !== 0n || value + size - 1n > end) break;
      hostBits++;
    }
    prefixes.push({ family, value, length: bits - hostBits });
    value += 1n << BigInt(hostBits);
  }
  return prefixes;
}

/** "10.1.0.0/16", "10.0.0.1-10.0.0.9", with "[tcp/443]" or "[proto 89]" behind it where it is narrower. */
export function formatSelector(selector: TrafficSelector): string {
  const { family, start, end } = selector;
  const prefixes = toPrefixes(selector);
  const range =
    prefixes.length === 1
      ? formatPrefix(prefixes[0]!)
      : `${formatAddress({ family, value: start })}-${formatAddress({ family, value: end })}`;
  return isAnyProtocol(selector) ? range : `${range}[${formatPorts(selector)}]`;
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 0: "any", 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };

function formatPorts(selector: TrafficSelector): string {
  const { protocol, startPort, endPort } = selector;
  const name = PROTOCOL_NAMES[protocol] ?? `proto ${protocol}`;
  if (anyPort(selector)) return name;
  if (isOpaque(selector)) return `${name}/opaque`;
  return startPort === endPort ? `${name}/${startPort}` : `${name}/${startPort}-${endPort}`;
}

function anyPort({ startPort, endPort }: ProtocolPorts): boolean {
  return startPort === 0 && endPort === 65535;
}

function isOpaque({ startPort, endPort }: ProtocolPorts): boolean {
  return startPort > endPort;
}

function samePorts(a: ProtocolPorts, b: ProtocolPorts): boolean {
  return a.startPort === b.startPort && a.endPort === b.endPort;
}

function intersectPorts(a: ProtocolPorts, b: ProtocolPorts): { startPort: number; endPort: number } | undefined {
  if (anyPort(a) || samePorts(a, b)) return { startPort: b.startPort, endPort: b.endPort };
  if (anyPort(b)) return { startPort: a.startPort, endPort: a.endPort };
  if (isOpaque(a) || isOpaque(b)) return undefined;
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  return startPort > endPort ? undefined : { startPort, endPort };
}
