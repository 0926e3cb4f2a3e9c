/** What the doctor has to know of a configuration, as plain JSON: a running daemon tells it over its socket, a file gives the same. */
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { type Address, formatAddress, formatPrefix, type Prefix } from "../../esp/address.js";
import { anySelector, formatSelector, selectorFromPrefix, type TrafficSelector } from "../../esp/selector.js";
import type { Configuration } from "../config/model.js";
import type { Setup, TunnelSetup } from "../control/diagnosis.js";
import type { HostPlan } from "../host/plan.js";

export function setupOf(
  { gateway, policy, routeModes }: Configuration,
  plan: HostPlan,
  own: readonly Address[],
): Setup {
  return {
    gateway: gateway.name,
    address: gateway.address ? formatAddress(gateway.address) : null,
    ports: gateway.ports,
    tun: plan.tun,
    table: plan.table,
    default_table: plan.defaultTable,
    rules: plan.rules,
    mark: plan.mark,
    tunnels: policy.tunnels.map(({ name, start, peer, ike, encapsulation, mappings }) => ({
      name,
      start,
      peer: peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : null,
      version: ike.version,
      encapsulation,
      proposals: ike.proposals.map(proposalKeywords),
      tun: routeModes.get(name)?.device ?? plan.tun,
      selectors: mappings.map(({ local, peer }) => `${formatSelector(local)} <-> ${formatSelector(peer)}`),
      mappings: routeModes.has(name)
        ? routedInto(name, plan)
        : mappings.map((mapping) => ({
            local: formatSelector(mapping.local),
            peer: formatSelector(mapping.peer),
            family: mapping.peer.family,
            source: sourceIn(mapping.local, own),
            target: firstHost(mapping.peer),
          })),
    })),
  };
}

/** Addresses that nobody has (RFC 5737, RFC 3849): a way to everything leads there as well. */
const ANYWHERE = { 4: "192.0.2.1", 6: "2001:db8::1" } as const;

/** What stands in the operator's own tables is left out: it depends on the operator's rules where it leads. */
function routedInto(tunnel: string, plan: HostPlan): TunnelSetup["mappings"] {
  const device = plan.devices.find((each) => each.tunnel === tunnel)!;
  const networks = device.addresses.flatMap(({ address, network }) => {
    const target = neighbour(address, network);
    return target === undefined ? [] : [{ prefix: network, source: address, target }];
  });
  const routes = plan.routes
    .filter(({ own }) => own?.tunnel === tunnel && (own.table === plan.table || own.table === plan.defaultTable))
    .map(({ prefix, source }) => ({
      prefix,
      source,
      target: prefix.length === 0 ? ANYWHERE[prefix.family] : firstHost(selectorFromPrefix(prefix)),
    }));
  return [...networks, ...routes].map(({ prefix, source, target }) => ({
    local: formatSelector(anySelector(prefix.family)),
    peer: formatPrefix(prefix),
    family: prefix.family,
    source: source ? formatAddress(source) : null,
    target,
  }));
}

/** The first other host of its network: on a line of two it is the peer. */
function neighbour(address: Address, network: Prefix): string | undefined {
  const { family, start, end } = selectorFromPrefix(network);
  const first = end - start > 1n ? start + 1n : start;
  for (const value of [first, first + 1n])
    if (value <= end && value !== address.value) return formatAddress({ family, value });
  return undefined;
}

function sourceIn({ family, start, end }: TrafficSelector, own: readonly Address[]): string | null {
  const inside = own.find((address) => address.family === family && address.value >= start && address.value <= end);
  return inside ? formatAddress(inside) : null;
}

/** The first address is the name of the network, unless there is no other. */
function firstHost({ family, start, end }: TrafficSelector): string {
  return formatAddress({ family, value: end > start ? start + 1n : start });
}
