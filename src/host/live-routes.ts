/** Keeps the MTU of the standing routes in step with the children that carry them. */
import type { ChildId } from "../../esp/sa.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { ToWorker } from "../dataplane/protocol.js";
import type { HostPlan, PlannedRoute } from "./plan.js";
import { keyOfRoute, keysOfChild, type MeasuredChild, routesWithMtu, routeThrough } from "./route-mtu.js";

export interface LiveRoutes {
  /** Every message to the data plane passes here: it tells which child carries what. */
  posted(message: ToWorker): void;
  measured(child: ChildId, mtu: number): void;
  /** The routes stand as planned again, and no child lives. */
  reset(): void;
  /**
   * To another plan. `apply` gets both, with the MTUs that were measured; it may reject, and nothing has changed then. No other route is
   * changed meanwhile.
   */
  replan(next: HostPlan, apply: (before: HostPlan, after: HostPlan) => Promise<void>): Promise<void>;
}

/**
 * `rangesOf` gives the peer ranges of a tunnel's mappings; `change` puts changed routes in place, one batch at a time. A child costs a look
 * at its own routes alone: there may be thousands of others.
 */
export function createLiveRoutes(
  first: HostPlan,
  rangesOf: (tunnel: string, mappings: readonly number[]) => readonly TrafficSelector[],
  change: (routes: readonly PlannedRoute[]) => Promise<void>,
): LiveRoutes {
  interface Carrier extends Omit<MeasuredChild, "id" | "mtu"> {
    readonly keys: readonly string[];
    mtu?: number;
  }
  const children = new Map<ChildId, Carrier>();
  /** Those of one key, in no order. */
  const carriers = new Map<string, Set<Carrier>>();
  /** What is to be looked at again. */
  const stale = new Set<string>();
  let plan = first;
  let standing = [...plan.routes];
  let places = placesOf(plan);
  let changing: Promise<void> | undefined;

  function update(): void {
    if (changing === undefined) void exclusively(settle);
  }

  function exclusively(work: () => Promise<void>): Promise<void> {
    const doing = work().finally(() => {
      changing = undefined;
    });
    changing = doing.catch(() => undefined);
    return doing;
  }

  async function settle(): Promise<void> {
    // First a turn of the loop: the children of one negotiation come together.
    await new Promise((resolve) => setImmediate(resolve));
    for (let changed = takeChanged(); changed.length > 0; changed = takeChanged()) await change(changed);
  }

  /** The routes that are not as they should be, in the order of the plan; they count as standing from now on. */
  function takeChanged(): readonly PlannedRoute[] {
    const changed: number[] = [];
    for (const key of stale)
      for (const place of places.get(key) ?? []) {
        const wanted = routeThrough(plan, plan.routes[place]!, narrowest(key));
        if (wanted.mtu === standing[place]!.mtu) continue;
        standing[place] = wanted;
        changed.push(place);
      }
    stale.clear();
    return changed.sort((a, b) => a - b).map((place) => standing[place]!);
  }

  function narrowest(key: string): number | undefined {
    let found: number | undefined;
    for (const { mtu } of carriers.get(key) ?? [])
      if (mtu !== undefined && (found === undefined || mtu < found)) found = mtu;
    return found;
  }

  function note(id: ChildId, tunnel: string, ranges: readonly TrafficSelector[]): void {
    forget(id);
    const carrier: Carrier = { tunnel, ranges, keys: keysOfChild({ tunnel, ranges }) };
    children.set(id, carrier);
    for (const key of carrier.keys) {
      const same = carriers.get(key);
      if (same === undefined) carriers.set(key, new Set([carrier]));
      else same.add(carrier);
    }
  }

  function forget(id: ChildId): void {
    const carrier = children.get(id);
    if (carrier === undefined) return;
    children.delete(id);
    for (const key of carrier.keys) {
      const same = carriers.get(key);
      same?.delete(carrier);
      if (same?.size === 0) carriers.delete(key);
      stale.add(key);
    }
  }

  function measuredChildren(): readonly MeasuredChild[] {
    const measured: MeasuredChild[] = [];
    for (const [id, { tunnel, ranges, mtu }] of children)
      if (mtu !== undefined) measured.push({ id, tunnel, ranges, mtu });
    return measured;
  }

  return {
    posted(message) {
      if (message.kind === "installChild") {
        const { id, tunnel, mappings } = message.child;
        note(id, tunnel, rangesOf(tunnel, mappings));
      } else if (message.kind === "removeChild") forget(message.id);
    },
    measured(id, mtu) {
      const child = children.get(id);
      if (child === undefined || child.mtu === mtu) return;
      child.mtu = mtu;
      for (const key of child.keys) stale.add(key);
      update();
    },
    reset() {
      children.clear();
      carriers.clear();
      stale.clear();
      standing = [...plan.routes];
    },
    async replan(next, apply) {
      while (changing !== undefined) await changing;
      await exclusively(async () => {
        const after = { ...next, routes: routesWithMtu(next, measuredChildren()) };
        await apply({ ...plan, routes: [...standing] }, after);
        plan = next;
        standing = [...after.routes];
        places = placesOf(next);
      });
      update();
    },
  };
}

/** Where the routes of each key stand in the plan. */
function placesOf({ routes }: HostPlan): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [place, route] of routes.entries()) {
    const key = keyOfRoute(route);
    const same = places.get(key);
    if (same === undefined) places.set(key, [place]);
    else same.push(place);
  }
  return places;
}
