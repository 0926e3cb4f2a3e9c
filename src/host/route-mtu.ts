/**
 * The MTU of the routes, from the children that carry them: a route lets through what the narrowest of its children can
 * carry, so the kernel itself tells inner senders "too big" (decision 26). Pure.
 */
import { formatPrefix } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import { type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import type { HostPlan, PlannedRoute } from "./plan.js";
import { routeMtu } from "./plan.js";

export interface MeasuredChild {
  readonly id: ChildId;
  /** The peer ranges of the mappings that it carries. */
  readonly ranges: readonly TrafficSelector[];
  readonly mtu: number;
}

/** The routes with the MTUs of the measured children; a route without one keeps the planned value. */
export function routesWithMtu(plan: HostPlan, children: Iterable<MeasuredChild>): readonly PlannedRoute[] {
  const narrowest = new Map<string, number>();
  for (const { ranges, mtu } of children)
    for (const prefix of ranges.flatMap(toPrefixes)) {
      const name = formatPrefix(prefix);
      narrowest.set(name, Math.min(mtu, narrowest.get(name) ?? mtu));
    }
  return plan.routes.map((route) => {
    const mtu = narrowest.get(formatPrefix(route.prefix));
    if (mtu === undefined) return route;
    return { ...route, mtu: routeMtu(Math.min(mtu, plan.tunMtu), route.prefix.family) };
  });
}

/** Those of `wanted` that differ from what stands there; both in the order of the plan. */
export function changedRoutes(standing: readonly PlannedRoute[], wanted: readonly PlannedRoute[]): PlannedRoute[] {
  return wanted.filter((route, i) => route.mtu !== standing[i]?.mtu);
}
