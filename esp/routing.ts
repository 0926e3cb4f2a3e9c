/** Which SA a mapping sends on: the policy database joined with the SAs that were put to use. */
import type { Arena } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";
import { type IpHeader, isLinkLocal } from "./ip-header.js";
import type { SaPair } from "./sa.js";
import { intersect, isSubset } from "./selector.js";
import { createSelectorIndex, type SelectorIndex, type SelectorPair } from "./selector-index.js";
import { createSpd, type MappingRef, type TunnelMappings } from "./spd.js";

/** What routing needs to know of a child. */
export type Routable = Pick<SaPair, "id" | "tunnel" | "mappings" | "local" | "remote">;

export interface Routing<Child extends Routable> {
  /**
   * Children stay on those of their mappings that are still there, wherever these stand now: `renumber` is called for each child
   * of which that is true. Gives every mapping, in order, and where a mapping of the list before (by its index) stands now.
   */
  setTunnels(
    tunnels: readonly TunnelMappings[],
    children: Iterable<Child>,
    renumber: (child: Child, mappings: readonly number[]) => void,
  ): { readonly mappings: readonly MappingRef[]; readonly moved: (index: number) => number | undefined };
  /**
   * The pairs that a child carries: negotiated local x remote, restricted to its mappings, because the cross product
   * may be wider than what was configured.
   */
  selectorsOf(child: Routable): readonly SelectorPair[];
  /** The child goes before all others of its mappings, and replaces those that it covers. Gives these mappings. */
  use(child: Child): readonly number[];
  remove(child: Child): void;
  /** The child for an outgoing packet from that TUN device, whose header was read; undefined: see `code` and `tunnel`. */
  find(header: IpHeader, device: number): Child | undefined;
  /** Why the last `find` found nothing. */
  code(): number;
  /** Whose mapping it was. */
  tunnel(): string | undefined;
  /** Which mapping it was, as an index of what `setTunnels` gave; negative: none. */
  mapping(): number;
  /** See `Spd.refusesInbound`. */
  refusesInbound(header: IpHeader): number;
}

/** A child on one mapping. */
interface Carrier<Child> {
  readonly child: Child;
  /** What it carries of the mapping. */
  readonly pairs: readonly SelectorPair[];
  /** The same, to be searched; undefined: all of the mapping. */
  readonly part: SelectorIndex | undefined;
}

export function createRouting<Child extends Routable>(arena: Arena): Routing<Child> {
  let spd = createSpd(arena, []);
  /** By index of `spd.mappings`; the child that was put to use last comes first. */
  let carriers: Carrier<Child>[][] = [];
  /** In the order in which they were put to use. */
  const used = new Set<Child>();
  let code = 0;
  let tunnel: string | undefined;
  let mapping = -1;

  function mappingsOf({ tunnel, mappings }: Routable): number[] {
    return mappings.flatMap((index) => spd.indexOf(tunnel, index) ?? []);
  }

  function attach(child: Child): readonly number[] {
    const indices = mappingsOf(child);
    for (const i of indices) {
      const ref = spd.mappings[i]!;
      const pairs = partOf(child, ref);
      const others = carriers[i]!.filter((other) => other.child !== child && !covers(pairs, other.pairs));
      carriers[i] = pairs.length === 0 ? others : [carrier(child, ref, pairs), ...others];
    }
    return indices;
  }

  return {
    setTunnels(tunnels, children, renumber) {
      const before = spd;
      const next = createSpd(arena, tunnels);
      const moved = (index: number) => next.placeOf(before.mappings[index]!);
      for (const child of children) {
        const places = mappingsOf(child).flatMap((index) => moved(index) ?? []);
        renumber(
          child,
          places.map((place) => next.mappings[place]!.index),
        );
      }
      spd = next;
      carriers = spd.mappings.map(() => []);
      for (const child of used) attach(child);
      return { mappings: spd.mappings, moved };
    },
    selectorsOf(child) {
      const mappings = mappingsOf(child);
      if (mappings.length === 0) return product(child.local, child.remote);
      return mappings.flatMap((i) => partOf(child, spd.mappings[i]!));
    },
    use(child) {
      used.delete(child);
      used.add(child);
      return attach(child);
    },
    remove(child) {
      used.delete(child);
      for (const i of mappingsOf(child)) carriers[i] = carriers[i]!.filter((carrier) => carrier.child !== child);
    },
    find(header, device) {
      const i = spd.find(header, device);
      mapping = i;
      if (i < 0) {
        const refusal = i === -1 ? undefined : spd.refusal(i);
        code = refusal?.code ?? (isLinkLocal(header) ? DROP.linkLocal : DROP.noPolicy);
        tunnel = refusal?.tunnel;
        return undefined;
      }
      const list = carriers[i]!;
      for (let k = 0; k < list.length; k++) {
        const { child, part } = list[k]!;
        if (part === undefined || spd.findIn(part, header) >= 0) return child;
      }
      code = list.length === 0 ? DROP.noSa : DROP.narrowed;
      tunnel = spd.mappings[i]!.tunnel;
      return undefined;
    },
    code: () => code,
    tunnel: () => tunnel,
    mapping: () => mapping,
    refusesInbound: (header) => spd.refusesInbound(header),
  };
}

/** What of a mapping a child carries. */
function partOf(child: Pick<SaPair, "local" | "remote">, mapping: MappingRef): readonly SelectorPair[] {
  return product(
    child.local.flatMap((local) => intersect(local, mapping.local) ?? []),
    child.remote.flatMap((remote) => intersect(remote, mapping.peer) ?? []),
  );
}

function product(local: SaPair["local"], remote: SaPair["remote"]): readonly SelectorPair[] {
  return local.flatMap((l) => remote.filter((r) => r.family === l.family).map((r) => ({ local: l, remote: r })));
}

function carrier<Child>(child: Child, mapping: MappingRef, pairs: readonly SelectorPair[]): Carrier<Child> {
  const whole = covers(pairs, [{ local: mapping.local, remote: mapping.peer }]);
  return { child, pairs, part: whole ? undefined : createSelectorIndex(pairs) };
}

/** Whether each of the inner pairs lies inside one of the outer ones. */
function covers(outer: readonly SelectorPair[], inner: readonly SelectorPair[]): boolean {
  return inner.every((i) => outer.some((o) => isSubset(i.local, o.local) && isSubset(i.remote, o.remote)));
}
