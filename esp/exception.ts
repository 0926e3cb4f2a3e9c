/**
 * Policies without IPsec (RFC 4301 section 4.4.1: BYPASS and DISCARD), as exceptions from what a tunnel's mappings cover. A "drop" goes
 * before a "bypass", and both before the mappings. Traffic that a bypass covers travels beside the tunnel; where it reaches the data
 * plane all the same, from either side, it is dropped: it is neither protected nor taken from protection.
 */
import { DROP } from "./drop-reasons.js";
import { intersect, isSubset, type TrafficSelector } from "./selector.js";

export type ExceptionAction = "drop" | "bypass";

export interface PolicyException {
  readonly action: ExceptionAction;
  readonly local: TrafficSelector;
  readonly peer: TrafficSelector;
}

interface Pair {
  readonly local: TrafficSelector;
  readonly peer: TrafficSelector;
}

export const EXCEPTION_CODE: Readonly<Record<ExceptionAction, number>> = {
  drop: DROP.policyDrop,
  bypass: DROP.policyBypass,
};

/** What of an exception lies inside the mappings; nothing twice. Outside of them it says nothing. */
export function withinMappings(exception: PolicyException, mappings: readonly Pair[]): readonly PolicyException[] {
  const found: PolicyException[] = [];
  for (const mapping of mappings) {
    const local = intersect(exception.local, mapping.local);
    const peer = local && intersect(exception.peer, mapping.peer);
    if (local === undefined || peer === undefined) continue;
    // The protocol of either side holds for both.
    const protocol = local.protocol || peer.protocol;
    found.push({
      action: exception.action,
      local: { ...local, protocol },
      peer: { ...peer, protocol },
    });
  }
  return found;
}

/** Whether nothing of the mapping is left beside the exception. */
export function swallows({ local, peer }: PolicyException, mapping: Pair): boolean {
  return isSubset(mapping.local, local) && isSubset(mapping.peer, peer);
}

/** Drops first. */
export function inOrder(exceptions: readonly PolicyException[]): readonly PolicyException[] {
  return [
    ...exceptions.filter(({ action }) => action === "drop"),
    ...exceptions.filter(({ action }) => action === "bypass"),
  ];
}
