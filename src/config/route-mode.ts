/**
 * Route mode: a tunnel with a TUN device of its own, into which this host routes what the peer is to have. Its selectors are
 * everything, so the rules between mappings do not apply; what must not be is that two tunnels are given the same device or route, or
 * that the way to a peer leads into a tunnel.
 */
import { createHash } from "node:crypto";
import {
  type Address,
  addressBits,
  formatAddress,
  formatPrefix,
  parseAddress,
  prefixContains,
  prefixOf,
  sameAddress,
} from "../../esp/address.js";
import { anySelector, toPrefixes } from "../../esp/selector.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import type { ExpandedPolicies } from "./mappings.js";
import type { GatewaySettings, InnerAddress, RouteMode } from "./model.js";
import type { ValuePath } from "./path.js";
import type { BuiltTunnel } from "./tunnel.js";

/** Before it is known how the other devices are called. */
export interface WrittenRouteMode extends Omit<RouteMode, "device"> {
  readonly device?: string;
  readonly routesPath: ValuePath;
  readonly addressPath: ValuePath;
  readonly devicePath: ValuePath;
}

/** "169.254.10.1/30"; without a length the address is alone. Throws `RangeError`. */
export function parseInnerAddress(text: string): InnerAddress {
  const [host = "", length, ...more] = text.split("/");
  const address = parseAddress(host);
  const bits = addressBits(address.family);
  if (more.length > 0 || (length !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits)))
    throw new RangeError(`not an address with a length: "${text}" (the length goes from 0 to ${bits})`);
  const network = prefixOf(address, length === undefined ? bits : Number(length));
  if (!isUnicast(address)) throw new RangeError(`${formatAddress(address)} cannot be the address of a device`);
  if (network.length < bits - 1 && sameAddress(network, address))
    throw new RangeError(
      `${formatAddress(address)} is the name of the network ${formatPrefix(network)}, not an address in it`,
    );
  return { address, network };
}

/** Neither unspecified, loopback nor multicast. */
function isUnicast({ family, value }: Address): boolean {
  if (value === 0n) return false;
  if (family === 6) return value !== 1n && value >> 120n !== 0xffn;
  const first = Number(value >> 24n);
  return first !== 0 && first !== 127 && first < 224;
}

const ONLY_THERE = ["tun", "inner_address", "table", "metric"] as const;
const NOT_THERE = ["bypass", "drop"] as const;

/** Whether the tunnel is in route mode: what it says itself goes before what it inherits. */
export function isRouteMode({ block, says }: InheritedTunnel): boolean {
  if (block.routes === undefined) return false;
  if (block.policies === undefined) return true;
  return says("routes") && !says("policies") && block.routes.length > 0;
}

/** Keys that mean nothing in the mode of this tunnel. */
export function complainOfOtherMode(tunnel: InheritedTunnel, findings: Findings): void {
  const { block, says, where } = tunnel;
  if (isRouteMode(tunnel)) {
    for (const key of NOT_THERE)
      if ((block[key]?.length ?? 0) > 0 && says(key))
        findings.complain(
          where(key),
          `route mode has no ${key} policies: this host's routes say what goes into the tunnel; leave such packets to another route, or to nftables`,
        );
    return;
  }
  if ((block.routes?.length ?? 0) > 0 && block.policies !== undefined && (says("routes") || !says("policies")))
    findings.complain(
      where("routes"),
      "stands beside policies; allowed: policies (policy mode: what they cover goes into the tunnel), or routes (route mode: what is " +
        "routed into the tunnel's own device)",
    );
  for (const key of ONLY_THERE)
    if (block[key] !== undefined && says(key) && block.policies !== undefined && !((block.routes?.length ?? 0) > 0))
      findings.complain(where(key), "belongs to route mode; allowed: beside routes, instead of policies");
}

/** What the tunnel asks of the host. */
export function routeModeOf({ block, where }: InheritedTunnel): WrittenRouteMode {
  const { tun, inner_address: addresses = [], routes = [], metric, table } = block;
  return {
    ...(tun !== undefined && { device: tun }),
    addresses,
    routes,
    ...(metric !== undefined && { metric }),
    ...(table !== undefined && { table: typeof table === "number" ? { id: table, from: [] } : { from: [], ...table } }),
    routesPath: where("routes"),
    addressPath: where("inner_address"),
    devicePath: where("tun"),
  };
}

/** Everything of IPv4 to everything, and of IPv6 where the tunnel has an address or a route of it: one entry. */
export function routeModeMappings(tunnel: InheritedTunnel): ExpandedPolicies {
  const { addresses, routes, routesPath } = routeModeOf(tunnel);
  const ipv6 = [...routes, ...addresses.map(({ network }) => network)].some(({ family }) => family === 6);
  const mappings = ([4, 6] as const)
    .filter((family) => family === 4 || ipv6)
    .map((family) => ({
      tunnel: tunnel.name,
      entry: routesPath,
      peerPath: routesPath,
      local: anySelector(family),
      peer: anySelector(family),
    }));
  return { mappings, entries: [{ first: 0, count: mappings.length }] };
}

/** Names the devices, and complains of what the tunnels of one gateway cannot share. */
export function settleRouteModes(
  built: readonly BuiltTunnel[],
  gateway: Pick<GatewaySettings, "tun">,
  findings: Findings,
): ReadonlyMap<string, RouteMode> {
  const settled = new Map<string, RouteMode>();
  const taken = new Map<string, string>([[gateway.tun.name, "the device of the gateway (gateway.tun.name)"]]);
  for (const { policy, routeMode } of built) {
    const device = routeMode?.device;
    if (device === undefined) continue;
    const owner = taken.get(device);
    if (owner === undefined) taken.set(device, `the device of tunnel ${policy.name}`);
    else
      findings.complain(
        routeMode!.devicePath,
        `found "${device}", which is ${owner}; every tunnel in route mode has its own`,
      );
  }
  for (const { policy, routeMode } of built) {
    if (routeMode === undefined) continue;
    const { routesPath: _, addressPath: __, devicePath: ___, ...mode } = routeMode;
    const device = mode.device ?? freeName(policy.name, taken);
    taken.set(device, `the device of tunnel ${policy.name}`);
    settled.set(policy.name, { ...mode, device });
  }
  complainOfSharedRoutes(built, findings);
  complainOfPeersBehindDevices(built, findings);
  return settled;
}

const DEVICE_OCTETS = 15;

/** "cw-" and the tunnel's name as far as it fits; where another tunnel has that already, with a hash of the name. */
function freeName(tunnel: string, taken: ReadonlyMap<string, string>): string {
  const plain = `cw-${tunnel.replace(/[^A-Za-z0-9_.-]/g, "-")}`;
  const short = plain.slice(0, DEVICE_OCTETS);
  if (!taken.has(short)) return short;
  const hash = createHash("sha256").update(tunnel).digest("hex");
  for (let digits = 4; digits <= 12; digits++) {
    const name = `${plain.slice(0, DEVICE_OCTETS - 1 - digits)}-${hash.slice(0, digits)}`;
    if (!taken.has(name)) return name;
  }
  return `cw-${hash.slice(-12)}`;
}

/** In one table a route with one metric leads to one device. */
function complainOfSharedRoutes(built: readonly BuiltTunnel[], findings: Findings): void {
  const known = new Map<string, string>();
  for (const { policy, mappings, routeMode } of built)
    if (routeMode === undefined)
      for (const { peer } of mappings)
        for (const prefix of toPrefixes(peer)) known.set(`own 0 ${formatPrefix(prefix)}`, policy.name);
  for (const { policy, routeMode } of built)
    for (const [i, route] of (routeMode?.routes ?? []).entries()) {
      const { table, metric = 0, routesPath } = routeMode!;
      const key = `${table?.id ?? "own"} ${metric} ${formatPrefix(route)}`;
      const other = known.get(key);
      if (other === undefined) known.set(key, policy.name);
      else
        findings.complain(
          [...routesPath, i],
          other === policy.name
            ? `found ${formatPrefix(route)} twice`
            : `found ${formatPrefix(route)}, which tunnel ${other} has as well; give one of them another metric (the lower one is used), or another table`,
        );
    }
}

/** A device's network is a route into it, which the gateway's own packets would take. */
function complainOfPeersBehindDevices(built: readonly BuiltTunnel[], findings: Findings): void {
  const peers = built.flatMap(({ policy }) =>
    policy.peer.kind === "address" ? [{ ...policy, at: policy.peer.address }] : [],
  );
  for (const { routeMode } of built)
    for (const { network } of routeMode?.addresses ?? []) {
      const inside = peers.find(
        ({ at }) => network.length < addressBits(network.family) && prefixContains(network, at),
      );
      if (inside !== undefined)
        findings.complain(
          routeMode!.addressPath,
          `the network ${formatPrefix(network)} holds ${formatAddress(inside.at)}, the peer of tunnel ${inside.name}: the packets to that ` +
            "peer would go into the tunnel; allowed: a network of which no peer's outer address is part",
        );
    }
}
