/** A plan as an operator reads it. */
import { changesNothing } from "./plan.js";
import type { PlannedTunnel, ReloadPlan } from "./plan-model.js";

const EFFECTS: Readonly<Record<PlannedTunnel["keys"][number]["effect"], string>> = {
  now: "at once",
  next: "from the next negotiation on",
  rekeyChildren: "the child SAs are renewed, the old ones serve until then",
  rekeyIke: "the IKE SA is renewed, the old one serves until then",
  reauthenticate: "a new IKE SA takes over, the old one serves until then",
  restart: "the SAs are deleted and negotiated anew",
};

const HEADS: Readonly<Record<PlannedTunnel["treatment"], string>> = {
  kept: "stays as it is",
  changed: "changes; the SAs of what stays are kept",
  rekeyed: "is renewed; no packet is lost",
  restarted: "is RESTARTED; packets are lost until it is up again",
  removed: "is REMOVED; its SAs are deleted at the peer",
  added: "is added",
};

/** Kept tunnels are counted, not listed. */
export function planLines(plan: ReloadPlan): readonly string[] {
  const { file, errors, needs_restart, gateway, tunnels, warnings } = plan;
  if (errors.length > 0)
    return [
      ...errors.map(
        ({ file: at, line, column, path, message }) => `${at}:${line}:${column}: error: ${path}: ${message}`,
      ),
      `${file} cannot be used: nothing would be changed`,
    ];
  const told = tunnels.filter(({ treatment }) => treatment !== "kept");
  const kept = tunnels.length - told.length;
  return [
    ...warnings.map(
      ({ file: at, line, column, path, message }) => `${at}:${line}:${column}: warning: ${path}: ${message}`,
    ),
    ...needs_restart.map((key) => `${key} cannot change while the gateway runs: restart it, or put the old value back`),
    ...gateway.map((key) => `${key} changes at once`),
    ...told.flatMap(tunnelLines),
    changesNothing(plan) ? `nothing changes; ${tunnelCount(kept, "stay")}` : `${tunnelCount(kept, "stay")} as they are`,
    ...(needs_restart.length > 0 ? ["so nothing would be changed"] : []),
  ];
}

function tunnelLines({ name, treatment, keys, mappings_added, mappings_removed }: PlannedTunnel): readonly string[] {
  const listed = treatment === "added" || treatment === "removed";
  return [
    `tunnel ${name} ${HEADS[treatment]}`,
    ...keys.map(({ key, effect }) => `  ${key}: ${EFFECTS[effect]}`),
    ...(listed ? [] : mappings_removed.map((mapping) => `  - ${mapping}: its SA is deleted`)),
    ...(listed ? [] : mappings_added.map((mapping) => `  + ${mapping}: is negotiated`)),
  ];
}

function tunnelCount(count: number, verb: string): string {
  return count === 1 ? `1 tunnel ${verb}s` : `${count} tunnels ${verb}`;
}
