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
}

/**
 * `rangesOf` gives the peer ranges of a tunnel's mappings; `change` puts changed routes in place, one batch at a time.
 */
export function createLiveRoutes(
  plan: HostPlan,
  rangesOf: (tunnel: string, mappings: readonly number[]) => readonly TrafficSelector[],
  change: (routes: readonly PlannedRoute[]) => Promise<void>,
): LiveRoutes {
  const children = new Map<ChildId, { readonly ranges: readonly TrafficSelector[]; mtu?: number }>();
  let standing = plan.routes;
  let changing = false;

  function update(): void {
    if (changing) return;
    changing = true;
    void settle().finally(() => {
      changing = false;
    });
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

  function wantedRoutes(): readonly PlannedRoute[] | undefined {
    const measured: MeasuredChild[] = [];
    for (const [id, { ranges, mtu }] of children) if (mtu !== undefined) measured.push({ id, ranges, mtu });
    const wanted = routesWithMtu(plan, measured);
    return changedRoutes(standing, wanted).length > 0 ? wanted : undefined;
  }

  return {
    posted(message) {
      if (message.kind === "installChild") {
        const { id, tunnel, mappings } = message.child;
        children.set(id, { ranges: rangesOf(tunnel, mappings) });
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
  };
}
