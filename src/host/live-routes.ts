/** Keeps the MTU of the standing routes in step with the children that carry them. */
import type { ChildId } from "../../esp/sa.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { ToWorker } from "../dataplane/protocol.js";
import type { HostPlan, PlannedRoute } from "./plan.js";
import { changedRoutes, type MeasuredChild, routesWithMtu } from "./route-mtu.js";

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
 * `rangesOf` gives the peer ranges of a tunnel's mappings; `change` puts changed routes in place, one batch at a time.
 */
export function createLiveRoutes(
  first: HostPlan,
  rangesOf: (tunnel: string, mappings: readonly number[]) => readonly TrafficSelector[],
  change: (routes: readonly PlannedRoute[]) => Promise<void>,
): LiveRoutes {
  const children = new Map<ChildId, Omit<MeasuredChild, "id" | "mtu"> & { mtu?: number }>();
  let plan = first;
  let standing = plan.routes;
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
    for (let wanted = wantedRoutes(); wanted !== undefined; wanted = wantedRoutes()) {
      const changed = changedRoutes(standing, wanted);
      standing = wanted;
      await change(changed);
    }
  }

  function measuredChildren(): readonly MeasuredChild[] {
    const measured: MeasuredChild[] = [];
    for (const [id, { tunnel, ranges, mtu }] of children)
      if (mtu !== undefined) measured.push({ id, tunnel, ranges, mtu });
    return measured;
  }

  function wantedRoutes(): readonly PlannedRoute[] | undefined {
    const wanted = routesWithMtu(plan, measuredChildren());
    return changedRoutes(standing, wanted).length > 0 ? wanted : undefined;
  }

  return {
    posted(message) {
      if (message.kind === "installChild") {
        const { id, tunnel, mappings } = message.child;
        children.set(id, { tunnel, ranges: rangesOf(tunnel, mappings) });
      } else if (message.kind === "removeChild") children.delete(message.id);
    },
    measured(id, mtu) {
      const child = children.get(id);
      if (child === undefined || child.mtu === mtu) return;
      child.mtu = mtu;
      update();
    },
    reset() {
      children.clear();
      standing = plan.routes;
    },
    async replan(next, apply) {
      while (changing !== undefined) await changing;
      await exclusively(async () => {
        const after = { ...next, routes: routesWithMtu(next, measuredChildren()) };
        await apply({ ...plan, routes: standing }, after);
        plan = next;
        standing = after.routes;
      });
      update();
    },
  };
}
