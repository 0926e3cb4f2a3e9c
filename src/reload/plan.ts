/** The difference between the configuration that runs and another one, before anything is done about it. Pure. */
import { equal } from "../../crypto/bytes.js";
import { USUAL_WRAPPING } from "../../esp/tunnel.js";
import { comparePolicies, mappingWords, sameValue, type TunnelChange } from "../../ike/core/policy-change.js";
import type { Refused } from "../config/load.js";
import type { Configuration, GatewaySettings, RouteMode, Warning } from "../config/model.js";
import type { ConfigError } from "../config/problem.js";
import type { ConfigurationProblem, PlannedTunnel, ReloadPlan } from "./plan-model.js";

interface GatewayRow {
  readonly key: string;
  /** Whether it can change while the gateway runs. */
  readonly live: boolean;
  readonly value: (configuration: Configuration) => unknown;
}

const row = (key: string, live: boolean, value: (settings: GatewaySettings) => unknown): GatewayRow => ({
  key: `gateway.${key}`,
  live,
  value: ({ gateway }) => value(gateway),
});

const ROWS: readonly GatewayRow[] = [
  row("name", true, ({ name }) => name),
  row("address", false, ({ address }) => address),
  row("ports", false, ({ ports }) => ports),
  row("tun.name", false, ({ tun }) => tun.name),
  row("tun.mtu", true, ({ tun }) => tun.mtu),
  row("control.socket", false, ({ controlSocket }) => controlSocket),
  row("http", false, ({ http }) => http && [http.listen, http.token?.reveal()]),
  row("log", false, ({ log }) => log),
  row("leak_protection", true, ({ leakProtection }) => leakProtection),
  row("dataplane.workers", false, ({ workers }) => workers),
  row("state_dir", false, ({ stateDir }) => stateDir),
  { key: "gateway.limits", live: true, value: ({ policy }) => policy.limits },
];

export interface Difference {
  readonly plan: ReloadPlan;
  /** Tunnels whose pre-shared key is another one. */
  readonly newKeys: ReadonlySet<string>;
}

/** What `loaded` would change. */
export function planReload(
  running: Configuration,
  loaded: { readonly configuration: Configuration } | Refused,
  file: string,
): Difference {
  if ("errors" in loaded) {
    const errors = loaded.errors.map(problemOfError);
    return { plan: { ...nothing(file), errors, warnings: problems(file, loaded.warnings) }, newKeys: new Set() };
  }
  const next = loaded.configuration;
  const changed = ROWS.filter(({ value }) => !sameValue(value(running), value(next)));
  const known = changed.length > 0 || sameValue(running.gateway, next.gateway);
  const needsRestart = changed.filter(({ live }) => !live).map(({ key }) => key);
  if (!known) needsRestart.push("gateway");
  const newKeys = changedKeys(running, next);
  const tunnels = comparePolicies(running.policy.tunnels, next.policy.tunnels, newKeys).map((change) =>
    plannedTunnel(withKeysOfHost(change, running, next)),
  );
  const plan: ReloadPlan = {
    file,
    possible: needsRestart.length === 0,
    errors: [],
    warnings: problems(file, next.warnings),
    needs_restart: needsRestart,
    gateway: changed.filter(({ live }) => live).map(({ key }) => key),
    tunnels,
  };
  return { plan, newKeys };
}

/** Whether applying it would do anything. */
export function changesNothing({ gateway, needs_restart, tunnels }: ReloadPlan): boolean {
  return gateway.length === 0 && needs_restart.length === 0 && tunnels.every(({ treatment }) => treatment === "kept");
}

function nothing(file: string): ReloadPlan {
  return { file, possible: false, errors: [], warnings: [], needs_restart: [], gateway: [], tunnels: [] };
}

function changedKeys(running: Configuration, next: Configuration): ReadonlySet<string> {
  const names = [...next.psk].filter(([name, key]) => {
    const before = running.psk.get(name);
    return before !== undefined && !equal(before.reveal(), key.reveal());
  });
  return new Set(names.map(([name]) => name));
}

/** Keys of route mode: what they say is of this host. */
const ROUTE_ROWS: readonly { readonly key: string; readonly value: (mode: RouteMode | undefined) => unknown }[] = [
  { key: "tun", value: (mode) => mode?.device },
  { key: "inner_address", value: (mode) => mode?.addresses ?? [] },
  { key: "routes", value: (mode) => mode?.routes },
  { key: "table", value: (mode) => mode?.table },
  { key: "metric", value: (mode) => mode?.metric },
];

/** How packets are wrapped, where they are routed, and which have no policy, is no affair of IKE, and changes at once. */
function withKeysOfHost(change: TunnelChange, running: Configuration, next: Configuration): TunnelChange {
  const { name, treatment, keys } = change;
  if (treatment === "added" || treatment === "removed") return change;
  const before = running.wrappings.get(name) ?? USUAL_WRAPPING;
  const after = next.wrappings.get(name) ?? USUAL_WRAPPING;
  const named = { mtu: "mtu", df: "df", dscp: "dscp", clampMss: "mss_clamp", tfcPadding: "tfc_padding" } as const;
  const exempt = (configuration: Configuration, wanted: "bypass" | "drop") =>
    (configuration.exceptions.get(name) ?? []).filter(({ action }) => action === wanted);
  const wrapped = (Object.keys(named) as (keyof typeof named)[])
    .filter((key) => before[key] !== after[key])
    .map((key) => `esp.${named[key]}`);
  const exempted = (["bypass", "drop"] as const).filter(
    (each) => !sameValue(exempt(running, each), exempt(next, each)),
  );
  const [modeBefore, modeAfter] = [running.routeModes.get(name), next.routeModes.get(name)];
  const routed = ROUTE_ROWS.filter(({ value }) => !sameValue(value(modeBefore), value(modeAfter)));
  const others = [...wrapped, ...exempted, ...routed.map(({ key }) => key)].map((key) => ({
    key,
    effect: "now" as const,
  }));
  if (others.length === 0) return change;
  return { ...change, treatment: treatment === "kept" ? "changed" : treatment, keys: [...keys, ...others] };
}

function plannedTunnel({ name, treatment, keys, added, removed }: TunnelChange): PlannedTunnel {
  return {
    name,
    treatment,
    keys,
    mappings_added: added.map(mappingWords),
    mappings_removed: removed.map(mappingWords),
  };
}

function problemOfError({ file, line, column, path, detail }: ConfigError): ConfigurationProblem {
  return { file, line, column, path, message: detail };
}

function problems(file: string, warnings: readonly Warning[]): readonly ConfigurationProblem[] {
  return warnings.map((warning) => ({ file, ...warning }));
}
