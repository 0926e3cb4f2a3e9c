/** What the doctor has to know of a configuration, as plain JSON: a running daemon tells it over its socket, a file gives the same. */
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { type Address, formatAddress } from "../../esp/address.js";
import { formatSelector, type TrafficSelector } from "../../esp/selector.js";
import type { Configuration } from "../config/model.js";
import type { Setup } from "../control/diagnosis.js";
import type { HostPlan } from "../host/plan.js";

export function setupOf({ gateway, policy }: Configuration, plan: HostPlan, own: readonly Address[]): Setup {
  return {
    gateway: gateway.name,
    address: gateway.address ? formatAddress(gateway.address) : null,
    ports: gateway.ports,
    tun: plan.tun,
    table: plan.table,
    mark: plan.mark,
    tunnels: policy.tunnels.map(({ name, start, peer, ike, encapsulation, mappings }) => ({
      name,
      start,
      peer: peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : null,
      version: ike.version,
      encapsulation,
      proposals: ike.proposals.map(proposalKeywords),
      mappings: mappings.map((mapping) => ({
        local: formatSelector(mapping.local),
        peer: formatSelector(mapping.peer),
        family: mapping.peer.family,
        source: sourceIn(mapping.local, own),
        target: firstHost(mapping.peer),
      })),
    })),
  };
}

function sourceIn({ family, start, end }: TrafficSelector, own: readonly Address[]): string | null {
  const inside = own.find((address) => address.family === family && address.value >= start && address.value <= end);
  return inside ? formatAddress(inside) : null;
}

/** The first address is the name of the network, unless there is no other. */
function firstHost({ family, start, end }: TrafficSelector): string {
  return formatAddress({ family, value: end > start ? start + 1n : start });
}
