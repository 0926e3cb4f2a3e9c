/** Which SA a mapping sends on: the policy database joined with the SAs that were put to use. */
import type { Arena } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";
import type { IpHeader } from "./ip-header.js";
import type { ChildId, SaPair } from "./sa.js";
import { intersect, isSubset } from "./selector.js";
import { createSelectorIndex, type SelectorIndex, type SelectorPair } from "./selector-index.js";
import { createSpd, type MappingRef, type TunnelMappings } from "./spd.js";

/** What routing needs to know of a child. */
export interface Routable {
  readonly id: ChildId;
  readonly tunnel: string;
  readonly mappings: readonly number[];
  readonly selectors: readonly SelectorPair[];
}

export interface Routing<Child extends Routable> {
  /** Children in use keep the mappings that are still there at the same place of the tunnel's list. */
  setTunnels(tunnels: readonly TunnelMappings[]): void;
  /**
   * The pairs that a child carries: negotiated local x remote, restricted to its mappings, because the cross product may be
   * wider than what was configured.
   */
  selectorsOf(child: Pick<SaPair, "tunnel" | "mappings" | "local" | "remote">): readonly SelectorPair[];
  /** The child goes before all others of its mappings, and replaces those that it covers. */
  use(child: Child): void;
  remove(child: Child): void;
  /** The child for an outgoing packet whose header was read; undefined: see `code` and `tunnel`. */
  find(header: IpHeader): Child | undefined;
  /** Why the last `find` found nothing. */
  code(): number;
  /** Whose mapping it was. */
  tunnel(): string | undefined;
}

/** A child on one mapping. */
interface Carrier<Child> {
  readonly child: Child;
  /** What it carries of the mapping; undefined: all of it. */
  readonly part: SelectorIndex | undefined;
}

export function createRouting<Child extends Routable>(arena: Arena): Routing<Child> {
  let spd = createSpd(arena, []);
  /** By index of `spd.mappings`. */
  let carriers: Carrier<Child>[][] = [];
  /** In the order in which they were put to use. */
  const used = new Set<Child>();
  let code = 0;
  let tunnel: string | undefined;

  function mappingsOf({ tunnel, mappings }: Pick<Routable, "tunnel" | "mappings">): number[] {
    return mappings.flatMap((index) => spd.indexOf(tunnel, index) ?? []);
  }

  function attach(child: Child): void {
    for (const i of mappingsOf(child)) {
      const carrier = carry(child, spd.mappings[i]!);
      const others = carriers[i]!.filter((other) => other.child !== child && !replaces(child, other.child));
      carriers[i] = carrier ? [carrier, ...others] : others;
    }
  }

  return {
    setTunnels(tunnels) {
      spd = createSpd(arena, tunnels);
      carriers = spd.mappings.map(() => []);
      for (const child of used) attach(child);
    },
    selectorsOf({ tunnel, mappings, local, remote }) {
      const negotiated = local.flatMap((l) => remote.map((r) => ({ local: l, remote: r })));
      const configured = mappingsOf({ tunnel, mappings }).map((i) => spd.mappings[i]!);
      if (configured.length === 0) return negotiated;
      return configured.flatMap((mapping) => negotiated.flatMap((pair) => restrict(pair, mapping) ?? []));
    },
    use(child) {
      used.delete(child);
      used.add(child);
      attach(child);
    },
    remove(child) {
      used.delete(child);
      for (const i of mappingsOf(child)) carriers[i] = carriers[i]!.filter((carrier) => carrier.child !== child);
    },
    find(header) {
      const i = spd.find(header);
      if (i < 0) {
        code = DROP.noPolicy;
        tunnel = undefined;
        return undefined;
      }
      const list = carriers[i]!;
      for (let k = 0; k < list.length; k++) {
        const { child, part } = list[k]!;
        if (part === undefined || part.findOutbound(header) >= 0) return child;
      }
      code = list.length === 0 ? DROP.noSa : DROP.narrowed;
      tunnel = spd.mappings[i]!.tunnel;
      return undefined;
    },
    code: () => code,
    tunnel: () => tunnel,
  };
}

/** What of a negotiated pair lies inside a mapping. */
function restrict(pair: SelectorPair, mapping: Pick<MappingRef, "local" | "peer">): SelectorPair | undefined {
  const local = intersect(pair.local, mapping.local);
  const remote = intersect(pair.remote, mapping.peer);
  return local && remote && { local, remote };
}

function carry<Child extends Routable>(child: Child, mapping: MappingRef): Carrier<Child> | undefined {
  const pairs = child.selectors.flatMap((pair) => restrict(pair, mapping) ?? []);
  if (pairs.length === 0) return undefined;
  const whole = pairs.some(({ local, remote }) => isSubset(mapping.local, local) && isSubset(mapping.peer, remote));
  return { child, part: whole ? undefined : createSelectorIndex(pairs) };
}

/** Whether everything that `old` carries can go through `young`. */
function replaces(young: Routable, old: Routable): boolean {
  return old.selectors.every((o) =>
    young.selectors.some((y) => isSubset(o.local, y.local) && isSubset(o.remote, y.remote)),
  );
}
