/**
 * From `policies` to mappings: every local range with every peer range of its family. And the rules between the
 * mappings of one gateway, without which a packet would have two tunnels to choose from.
 */
import { formatPrefix, type Prefix, prefixEnd } from "../../esp/address.js";
import { formatSelector, selectorFromPrefix } from "../../esp/selector.js";
import type { Mapping } from "../../ike/core/policy.js";
import { excess, type Limits } from "./limits.js";
import { firstOverlaps } from "./overlap.js";
import { formatPath, type ValuePath } from "./path.js";
import { protocolPorts } from "./protocol-ports.js";
import type { PolicyBlock } from "./schema.js";

/** Adds a problem at a path; the position is found from it. */
export type Complain = (path: ValuePath, message: string) => void;

/** A mapping and where it is written. */
export interface PlacedMapping extends Mapping {
  readonly tunnel: string;
  /** The entry of `policies`: one and the same path for all of its mappings. */
  readonly entry: ValuePath;
  readonly peerPath: ValuePath;
}

export interface ExpandedPolicies {
  readonly mappings: readonly PlacedMapping[];
  readonly entries: readonly { readonly first: number; readonly count: number }[];
}

const ROUTE_MODE_HINT = "route mode (routes) is meant for this";

/** The mappings of one tunnel in the order of the file. `path` is where its `policies` stand. */
export function expandPolicies(
  tunnel: string,
  path: ValuePath,
  policies: readonly PolicyBlock[],
  limits: Limits,
  complain: Complain,
): ExpandedPolicies {
  const tooMany = excess(limits, "policies_per_tunnel", policies.length, "policies in one tunnel");
  if (tooMany !== undefined) complain(path, tooMany);
  const mappings: PlacedMapping[] = [];
  const entries: { first: number; count: number }[] = [];
  for (const [k, policy] of policies.entries()) {
    const found = expandEntry(tunnel, [...path, k], policy, limits, complain);
    entries.push({ first: mappings.length, count: found.length });
    mappings.push(...found);
  }
  return { mappings, entries };
}

function expandEntry(
  tunnel: string,
  entry: ValuePath,
  policy: PolicyBlock,
  limits: Limits,
  complain: Complain,
): readonly PlacedMapping[] {
  const tooMany = excess(limits, "peers_per_policy", policy.peer.length, "peer ranges in one policy");
  if (tooMany !== undefined) {
    complain([...entry, "peer"], tooMany);
    return [];
  }
  const ports = protocolPorts(policy, entry, complain);
  if (ports === undefined) return [];
  complainOfTwins(policy.local, [...entry, "local"], "local ranges of one policy overlap", complain);
  complainOfTwins(policy.peer, [...entry, "peer"], "peer ranges under one local range overlap", complain);
  complainOfLonely(policy.local, policy.peer, [...entry, "local"], "peer", complain);
  complainOfLonely(policy.peer, policy.local, [...entry, "peer"], "local", complain);

  const mappings: PlacedMapping[] = [];
  for (const local of policy.local)
    for (const [j, peer] of policy.peer.entries()) {
      if (local.family !== peer.family) continue;
      const peerPath = [...entry, "peer", j];
      if (rangesOverlap(local, peer)) {
        complain(peerPath, insideEachOther(local, peer));
        continue;
      }
      for (const localPort of ports.local)
        for (const peerPort of ports.peer)
          mappings.push({
            tunnel,
            entry,
            peerPath,
            local: selectorFromPrefix(local, localPort),
            peer: selectorFromPrefix(peer, peerPort),
          });
    }
  return mappings;
}

/** The rules between all mappings of the gateway, over the borders of policies and tunnels. */
export function checkMappings(mappings: readonly PlacedMapping[], limits: Limits, complain: Complain): void {
  const tooMany = excess(limits, "mappings", mappings.length, "mappings in one gateway");
  if (tooMany !== undefined) {
    complain(mappings[limits.mappings]!.peerPath, `${tooMany}; ${ROUTE_MODE_HINT}`);
    return;
  }
  // Those inside one entry have been told where it was expanded.
  const apart = (earlier: number, later: number) => mappings[earlier]!.entry !== mappings[later]!.entry;
  const found = [...firstOverlaps(mappings, apart)].sort(([a], [b]) => a - b);
  for (const [later, earlier] of found) complainOfOverlap(mappings[later]!, mappings[earlier]!, complain);
}

function complainOfOverlap(later: PlacedMapping, earlier: PlacedMapping, complain: Complain): void {
  const same = earlier.tunnel === later.tunnel ? "of the same tunnel" : `of tunnel ${earlier.tunnel}`;
  complain(
    later.peerPath,
    `${describe(later)} of tunnel ${later.tunnel} overlaps ${describe(earlier)} ${same} (${formatPath(earlier.peerPath)}) ` +
      "in both its local and its peer range; make one of the two ranges disjoint, or remove one mapping",
  );
}

function describe({ local, peer }: Mapping): string {
  return `${formatSelector(local)} -> ${formatSelector(peer)}`;
}

function rangesOverlap(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.value <= prefixEnd(b) && b.value <= prefixEnd(a);
}

function insideEachOther(local: Prefix, peer: Prefix): string {
  const pair = `local ${formatPrefix(local)} and peer ${formatPrefix(peer)} overlap`;
  return local.length === peer.length
    ? `${pair}: both sites use the same range; one of them must be renumbered or translated`
    : `${pair}: no address may belong to both sides; name the peer's ranges without ours, or note that ${ROUTE_MODE_HINT}`;
}

function complainOfTwins(ranges: readonly Prefix[], path: ValuePath, what: string, complain: Complain): void {
  for (const [i, later] of ranges.entries()) {
    const earlier = ranges.slice(0, i).find((each) => rangesOverlap(each, later));
    if (earlier !== undefined)
      complain(
        [...path, i],
        `${what}: ${formatPrefix(earlier)} and ${formatPrefix(later)}; keep the one that is meant`,
      );
  }
}

function complainOfLonely(
  ranges: readonly Prefix[],
  partners: readonly Prefix[],
  path: ValuePath,
  other: string,
  complain: Complain,
): void {
  for (const [i, range] of ranges.entries())
    if (!partners.some(({ family }) => family === range.family))
      complain([...path, i], `${formatPrefix(range)} has no ${other} range of IPv${range.family} to go with; add one`);
}
