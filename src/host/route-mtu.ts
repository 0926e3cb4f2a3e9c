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

/** A child, or a route, as the other one finds it: by the prefix, or by the tunnel that has a device of its own. */
type Key = string;

/** Of the routes that packets for the child may take. */
export function keysOfChild({ tunnel, ranges }: Pick<MeasuredChild, "tunnel" | "ranges">): readonly Key[] {
  return [tunnelKey(tunnel), ...ranges.flatMap(toPrefixes).map(formatPrefix)];
}

export function keyOfRoute({ own, prefix }: PlannedRoute): Key {
  return own === undefined ? formatPrefix(prefix) : tunnelKey(own.tunnel);
}

function tunnelKey(name: string): Key {
  return `tunnel ${name}`;
}

/** A route of the plan as its children carry it, the narrowest of which has `mtu`; without any it keeps the planned value. */
export function routeThrough(plan: HostPlan, route: PlannedRoute, mtu: number | undefined): PlannedRoute {
  if (mtu === undefined) return route;
  const { own, prefix } = route;
  const most = own === undefined ? plan.tunMtu : plan.devices.find(({ name }) => name === own.device)!.mtu;
  return { ...route, mtu: routeMtu(Math.min(mtu, most), prefix.family) };
}

/** The routes with the MTUs of the measured children. */
export function routesWithMtu(plan: HostPlan, children: Iterable<MeasuredChild>): readonly PlannedRoute[] {
  const narrowest = new Map<Key, number>();
  for (const child of children)
    for (const key of keysOfChild(child)) narrowest.set(key, Math.min(child.mtu, narrowest.get(key) ?? child.mtu));
  return plan.routes.map((route) => routeThrough(plan, route, narrowest.get(keyOfRoute(route))));
}
