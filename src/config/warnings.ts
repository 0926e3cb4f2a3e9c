/** What works but should be looked at, seen over all tunnels and this host. */

import { formatAddress } from "../../esp/address.js";
import { ANY_PROTOCOL, formatSelector, overlaps, type TrafficSelector } from "../../esp/selector.js";
import { formatIdentity, type Identity } from "../../ike/core/identity.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import type { PlacedMapping } from "./mappings.js";
import { formatPath } from "./path.js";
import type { Surroundings } from "./surroundings.js";
import type { BuiltTunnel } from "./tunnel.js";

/** Two tunnels with one identity pair: the newer IKE SA takes the place of the older one (RFC 7296 section 2.4, INITIAL_CONTACT). */
export function warnOfIdentities(
  tunnels: readonly InheritedTunnel[],
  built: readonly BuiltTunnel[],
  findings: Findings,
): void {
  const first = new Map<string, string>();
  for (const { policy } of built) {
    const pair = identityPair(policy);
    const earlier = first.get(pair);
    if (earlier === undefined) first.set(pair, policy.name);
    else
      findings.warn(
        tunnels.find(({ name }) => name === policy.name)!.path,
        `tunnels ${earlier} and ${policy.name} have the same identities (${pair}): a peer cannot say which one it means, ` +
          "and one can end the other; give them different local_id or peer_id, or make them one tunnel with two policies",
      );
  }
}

function identityPair({ localId, localAddress, peerId, peer, ike }: TunnelPolicy): string {
  const own = localAddress === undefined ? "own address" : formatAddress(localAddress);
  const other = peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : "any";
  const words = (identity: Identity | undefined, otherwise: string) =>
    identity ? formatIdentity(identity) : otherwise;
  return `IKEv${ike.version}, local ${words(localId, own)}, peer ${words(peerId, other)}`;
}

/** Routes carry a source address from the local range, so that the gateway's own packets match the mapping. */
export function warnOfMissingSources(built: readonly BuiltTunnel[], host: Surroundings, findings: Findings): void {
  for (const { mappings } of built) {
    const told = new Set<string>();
    for (const { local, entry } of mappings) {
      const range = formatSelector(withoutPorts(local));
      const key = `${formatPath(entry)} ${range}`;
      const here = host.addresses.some(
        ({ family, value }) => family === local.family && value >= local.start && value <= local.end,
      );
      if (here || told.has(key)) continue;
      told.add(key);
      findings.warn(
        [...entry, "local"],
        `this host has no address in ${range}: hosts behind it are served, but what the gateway itself sends to the peer ranges ` +
          "is dropped; give an interface an address of that range if it should send",
      );
    }
  }
}

/**
 * Local ranges that overlap with others without being the same: allowed, because the peer ranges keep the mappings apart, and often a
 * slip of the prefix length. Each is named once, with the first one that it overlaps.
 */
export function warnOfNestedLocals(built: readonly BuiltTunnel[], findings: Findings): void {
  const ranges: { readonly local: TrafficSelector; readonly mapping: PlacedMapping }[] = [];
  const seen = new Set<string>();
  for (const mapping of built.flatMap(({ mappings }) => mappings)) {
    const local = withoutPorts(mapping.local);
    const key = formatSelector(local);
    if (seen.has(key)) continue;
    seen.add(key);
    const wider = ranges.find((each) => overlaps(each.local, local));
    ranges.push({ local, mapping });
    if (wider === undefined) continue;
    findings.warn(
      [...mapping.entry, "local"],
      `${key} overlaps the local range ${formatSelector(wider.local)} of tunnel ${wider.mapping.tunnel} ` +
        `(${formatPath([...wider.mapping.entry, "local"])}); that is allowed, since their peer ranges differ: look whether both prefix ` +
        "lengths are meant, and whether both peers know which of the two they have to expect",
    );
  }
}

function withoutPorts(selector: TrafficSelector): TrafficSelector {
  return { ...selector, ...ANY_PROTOCOL };
}
