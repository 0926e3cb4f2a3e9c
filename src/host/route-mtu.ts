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
  readonly tunnel: string;
  /** The peer ranges of the mappings that it carries. */
  readonly ranges: readonly TrafficSelector[];
  readonly mtu: number;
}

/** The routes with the MTUs of the measured children; a route without one keeps the planned value. */
export function routesWithMtu(plan: HostPlan, children: Iterable<MeasuredChild>): readonly PlannedRoute[] {
  const narrowest = new Map<string, number>();
  const note = (name: string, mtu: number) => narrowest.set(name, Math.min(mtu, narrowest.get(name) ?? mtu));
  for (const { tunnel, ranges, mtu } of children) {
    note(`tunnel ${tunnel}`, mtu);
    for (const prefix of ranges.flatMap(toPrefixes)) note(formatPrefix(prefix), mtu);
  }
  const widest = new Map(plan.devices.map(({ name, mtu }) => [name, mtu]));
  return plan.routes.map((route) => {
    const { own, prefix } = route;
    const mtu = narrowest.get(own === undefined ? formatPrefix(prefix) : `tunnel ${own.tunnel}`);
    if (mtu === undefined) return route;
    const most = own === undefined ? plan.tunMtu : widest.get(own.device)!;
    return { ...route, mtu: routeMtu(Math.min(mtu, most), prefix.family) };
  });
}

/** Those of `wanted` that differ from what stands there; both in the order of the plan. */
export function changedRoutes(standing: readonly PlannedRoute[], wanted: readonly PlannedRoute[]): PlannedRoute[] {
  return wanted.filter((route, i) => route.mtu !== standing[i]?.mtu);
}
