/** The security policy database of outgoing traffic: which mapping of which tunnel a packet belongs to (RFC 4301 section 4.4.1). */
import type { Arena } from "../crypto/interfaces.js";
import { EXCEPTION_CODE, inOrder, type PolicyException } from "./exception.js";
import { withFlowCache } from "./flow-cache.js";
import { readIcmpQuote } from "./icmp-error.js";
import { createIpHeader, type IpHeader } from "./ip-header.js";
import { formatSelector, type TrafficSelector } from "./selector.js";
import { createSelectorIndex, type SelectorIndex, type SelectorPair } from "./selector-index.js";

export interface TunnelMappings {
  readonly name: string;
  readonly mappings: readonly { readonly local: TrafficSelector; readonly peer: TrafficSelector }[];
  /** Inside the mappings, and before them. */
  readonly exceptions?: readonly PolicyException[];
  /** A packet for a mapping without an SA asks for one, and waits for it. */
  readonly onTraffic?: boolean;
  /** The number of the tunnel's own TUN device: its mappings are for what is read there, and nothing else is. Absent: `SHARED_DEVICE`. */
  readonly device?: number;
}

/** The TUN device of all tunnels that have none of their own. */
export const SHARED_DEVICE = 0;

export interface MappingRef {
  readonly tunnel: string;
  /** Index in the tunnel's list. */
  readonly index: number;
  readonly local: TrafficSelector;
  readonly peer: TrafficSelector;
  readonly onTraffic: boolean;
}

/** A packet that is neither protected nor let in: why, and whose policy says so. */
export interface Refusal {
  readonly tunnel: string;
  /** A drop code. */
  readonly code: number;
}

export interface Spd {
  /** Every mapping of every tunnel, those with a device of their own last: what `find` gives an index of. */
  readonly mappings: readonly MappingRef[];
  /** Where a mapping of another list stands in this one, by its tunnel and its ranges; undefined: it is not there. */
  placeOf(mapping: MappingRef): number | undefined;
  /** Which of them a tunnel's mapping is; undefined: there is none of that number. */
  indexOf(tunnel: string, index: number): number | undefined;
  /**
   * The mapping for an outgoing packet, whose header has been read, from that TUN device; -1: none; below that `refusal` says why it is
   * dropped.
   */
  find(header: IpHeader, device: number): number;
  refusal(found: number): Refusal;
  /** The same among other pairs: what `part` says of the packet, or of the one that it is an ICMP error about. */
  findIn(part: SelectorIndex, header: IpHeader): number;
  /** The drop code for an incoming packet that came protected and is covered by an exception; 0: none is. */
  refusesInbound(header: IpHeader): number;
}

const NONE = -1;

/** The mappings of one device do not overlap (the configuration is checked for it); where they do, the first one counts. */
export function createSpd(arena: Arena, tunnels: readonly TunnelMappings[]): Spd {
  const refsOf = ({ name, mappings, onTraffic = false }: TunnelMappings): MappingRef[] =>
    mappings.map((mapping, index) => ({ tunnel: name, index, ...mapping, onTraffic }));
  const shared = tunnels.filter(({ device = SHARED_DEVICE }) => device === SHARED_DEVICE).flatMap(refsOf);
  const mappings = [...shared];
  /** By device; `first`: where its mappings begin. */
  const own = new Map<number, { readonly first: number; readonly index: SelectorIndex }>();
  for (const tunnel of tunnels) {
    const { device = SHARED_DEVICE } = tunnel;
    if (device === SHARED_DEVICE) continue;
    const refs = refsOf(tunnel);
    own.set(device, { first: mappings.length, index: createSelectorIndex(refs.map(toPair)) });
    mappings.push(...refs);
  }
  const exceptions = tunnels.flatMap(({ name, exceptions = [] }) =>
    inOrder(exceptions).map((exception) => ({ tunnel: name, ...exception, code: EXCEPTION_CODE[exception.action] })),
  );
  const count = exceptions.length;
  const pairs = [...exceptions, ...shared].map(toPair);
  const index = cached(createSelectorIndex(pairs), pairs.length);
  const exceptionIndex = count === 0 ? undefined : createSelectorIndex(exceptions.map(toPair));
  const quoted = createIpHeader();
  const positions = new Map<string, number>();
  let places: Map<string, number> | undefined;
  for (const [i, { tunnel, index }] of mappings.entries()) if (index === 0) positions.set(tunnel, i);

  function findIn(part: SelectorIndex, header: IpHeader): number {
    const found = part.findOutbound(header);
    return found < 0 && readIcmpQuote(arena, header, quoted) ? part.findInbound(quoted) : found;
  }

  return {
    mappings,
    placeOf(mapping) {
      places ??= new Map(mappings.map((each, i) => [placeWords(each), i]));
      return places.get(placeWords(mapping));
    },
    indexOf(tunnel, index) {
      const i = (positions.get(tunnel) ?? Number.NaN) + index;
      return mappings[i]?.tunnel === tunnel ? i : undefined;
    },
    find(header, device) {
      if (device !== SHARED_DEVICE) {
        const one = own.get(device);
        const found = one === undefined ? NONE : findIn(one.index, header);
        return found < 0 ? NONE : one!.first + found;
      }
      const found = findIn(index, header);
      if (found >= count) return found - count;
      return found < 0 ? NONE : NONE - 1 - found;
    },
    refusal: (found) => exceptions[NONE - 1 - found]!,
    findIn,
    refusesInbound(header) {
      if (exceptionIndex === undefined) return 0;
      const found = exceptionIndex.findInbound(header);
      return found < 0 ? 0 : exceptions[found]!.code;
    },
  };
}

function placeWords({ tunnel, local, peer }: MappingRef): string {
  return `${tunnel} ${formatSelector(local)} ${formatSelector(peer)}`;
}

/** Among a few pairs a search costs less than to remember it. */
const MANY = 16;

function cached(index: SelectorIndex, pairs: number): SelectorIndex {
  return pairs < MANY ? index : { ...index, findOutbound: withFlowCache(index.findOutbound) };
}

function toPair({ local, peer }: { readonly local: TrafficSelector; readonly peer: TrafficSelector }): SelectorPair {
  return { local, remote: peer };
}
