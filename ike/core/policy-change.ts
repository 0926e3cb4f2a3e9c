/**
 * What another configuration means for a tunnel that runs: which keys differ, and how much of the tunnel each of them touches.
 * The operator is shown this beforehand, and the endpoint does exactly this.
 *
 *     now             takes effect at once, and touches no SA
 *     next            the SAs stay; counts from the next negotiation on
 *     rekeyChildren   every child SA is renewed, the old one serves until then
 *     rekeyIke        likewise the IKE SA
 *     reauthenticate  a new IKE SA proves both identities and takes the place of the old one, which serves until then
 *     restart         the SAs are deleted at the peer, and negotiated anew
 */
import { formatSelector } from "../../esp/selector.js";
import type { Mapping, TunnelPolicy } from "./policy.js";

export type KeyEffect = "now" | "next" | "rekeyChildren" | "rekeyIke" | "reauthenticate" | "restart";

export type Treatment = "kept" | "changed" | "rekeyed" | "restarted" | "removed" | "added";

export interface KeyChange {
  /** As the configuration file writes it: "esp.lifetime". */
  readonly key: string;
  readonly effect: KeyEffect;
}

export interface TunnelChange {
  readonly name: string;
  readonly treatment: Treatment;
  readonly keys: readonly KeyChange[];
  /** Of policies: what is there besides, and what is gone. Their SAs come and go; those of the other mappings stay. */
  readonly added: readonly Mapping[];
  readonly removed: readonly Mapping[];
}

interface Row {
  readonly key: string;
  readonly effect: KeyEffect;
  readonly value: (tunnel: TunnelPolicy) => unknown;
}

const row = (key: string, effect: KeyEffect, value: (tunnel: TunnelPolicy) => unknown): Row => ({ key, effect, value });

/** Every key of a tunnel but its policies and its key; what stands in no row would be a restart. */
const ROWS: readonly Row[] = [
  row("peer", "restart", ({ peer }) => peer),
  row("gateway.address", "restart", ({ localAddress }) => localAddress),
  row("local_id", "restart", ({ localId }) => localId),
  row("peer_id", "restart", ({ peerId }) => peerId),
  row("encapsulation", "restart", ({ encapsulation }) => encapsulation),
  row("ike.version", "restart", ({ ike }) => ike.version),
  row("ike.exchange", "restart", ({ ike }) => ike.exchange),
  row("start", "now", ({ start }) => start),
  row("split", "next", ({ split }) => split),
  row("close", "now", ({ close }) => close),
  row("duplicates", "now", ({ duplicates }) => duplicates),
  row("split", "next", ({ split }) => split),
  row("dpd", "now", ({ dpd }) => dpd),
  row("ike.keepalive", "now", ({ ike }) => ike.keepaliveSeconds),
  row("ike.reauth", "now", ({ ike }) => ike.reauth),
  row("ike.lifetime", "next", ({ ike }) => ike.lifetimeSeconds),
  row("ike.rekey_margin", "next", ({ ike }) => ike.rekeyMarginSeconds),
  row("ike.volume", "next", ({ ike }) => ike.volumeOctets),
  row("ike.fragmentation", "next", ({ ike }) => ike.fragmentation),
  row("ike.mobike", "next", ({ ike }) => ike.mobike),
  row("ike.proposals", "rekeyIke", ({ ike }) => ike.proposals),
  row("esp.lifetime", "next", ({ esp }) => esp.lifetimeSeconds),
  row("esp.rekey_margin", "next", ({ esp }) => esp.rekeyMarginSeconds),
  row("esp.pfs_check", "next", ({ esp }) => esp.pfsCheck),
  row("esp.proposals", "rekeyChildren", ({ esp }) => esp.proposals),
  row("esp.volume", "rekeyChildren", ({ esp }) => esp.volumeOctets),
  row("esp.replay_window", "rekeyChildren", ({ esp }) => esp.replayWindow),
];

/** How one tunnel changes. `newKey`: its pre-shared key is another one. */
export function compareTunnels(before: TunnelPolicy, after: TunnelPolicy, newKey: boolean): TunnelChange {
  const keys: KeyChange[] = [];
  for (const { key, effect, value } of ROWS) if (!sameValue(value(before), value(after))) keys.push({ key, effect });
  if (newKey) keys.push({ key: "psk", effect: canCall(after) ? "reauthenticate" : "next" });
  const added = without(after.mappings, before.mappings);
  const removed = without(before.mappings, after.mappings);
  if (!sameValue(before.mappings, after.mappings) || !sameValue(before.entries, after.entries))
    keys.push({ key: "policies", effect: "now" });
  if (keys.length === 0 && !sameValue(before, after)) keys.push({ key: "others", effect: "restart" });
  return { name: after.name, treatment: treatmentOf(keys), keys, added, removed };
}

/** How all of them change, in the order of the new configuration; what is gone comes last. */
export function comparePolicies(
  before: readonly TunnelPolicy[],
  after: readonly TunnelPolicy[],
  newKeys: ReadonlySet<string>,
): readonly TunnelChange[] {
  const known = new Map(before.map((tunnel) => [tunnel.name, tunnel]));
  const changes = after.map((tunnel): TunnelChange => {
    const old = known.get(tunnel.name);
    known.delete(tunnel.name);
    if (old !== undefined) return compareTunnels(old, tunnel, newKeys.has(tunnel.name));
    return { name: tunnel.name, treatment: "added", keys: [], added: tunnel.mappings, removed: [] };
  });
  const gone = [...known.values()].map(
    ({ name, mappings }): TunnelChange => ({ name, treatment: "removed", keys: [], added: [], removed: mappings }),
  );
  return [...changes, ...gone];
}

/** The most that any of its keys asks for. */
export function treatmentOf(keys: readonly KeyChange[]): Treatment {
  const has = (...effects: readonly KeyEffect[]) => keys.some(({ effect }) => effects.includes(effect));
  if (has("restart")) return "restarted";
  if (has("rekeyChildren", "rekeyIke", "reauthenticate")) return "rekeyed";
  return keys.length > 0 ? "changed" : "kept";
}

/** Where a mapping stands now; undefined: it is gone. */
export type Moved = (mapping: number) => number | undefined;

/** Undefined: each one that there was stands where it stood. */
export function movedMappings(before: readonly Mapping[], after: readonly Mapping[]): Moved | undefined {
  const places = new Map(after.map((mapping, i) => [mappingWords(mapping), i]));
  const moved = before.map((mapping) => places.get(mappingWords(mapping)));
  return moved.every((place, i) => place === i) ? undefined : (mapping) => moved[mapping];
}

/** Whether a call can come from here. */
function canCall({ start, peer }: TunnelPolicy): boolean {
  return start !== "passive" && peer.kind !== "any";
}

/** "10.1.0.0/16 -> 10.2.0.0/16": the same for the same ranges alone. */
export function mappingWords({ local, peer }: Mapping): string {
  return `${formatSelector(local)} -> ${formatSelector(peer)}`;
}

function without(these: readonly Mapping[], others: readonly Mapping[]): readonly Mapping[] {
  const known = new Set(others.map(mappingWords));
  return these.filter((mapping) => !known.has(mappingWords(mapping)));
}

/** Plain values, however deep; functions (of registry rows) are the same only when they are one. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [inA, inB] = [Object.entries(a), Object.entries(b)].map((all) =>
    all.filter(([, value]) => value !== undefined),
  );
  const others = new Map(inB);
  return (
    inA!.length === inB!.length && inA!.every(([key, value]) => others.has(key) && sameValue(value, others.get(key)))
  );
}
