/** `causeway check`: every error and warning of a configuration file, and what it would negotiate. */
import { type Usage, type Weakness, weaknessesOf } from "../../crypto/registry/level.js";
import { DEFAULT_NUMBERING } from "../../crypto/registry/numbering.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { formatAddress, formatPrefix } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import { formatSelector } from "../../esp/selector.js";
import { formatIdentity } from "../../ike/core/identity.js";
import type { Mapping, TunnelPolicy } from "../../ike/core/policy.js";
import { type Loaded, loadConfiguration } from "../config/load.js";
import type { Configuration, RouteMode, Warning } from "../config/model.js";
import { profileReport } from "../config/profile-report.js";
import type { ProfileName } from "../config/profiles.js";
import { formatDuration, formatSize } from "../config/scalars.js";
import { thisHost } from "../config/surroundings.js";
import { EXIT, type ExitStatus } from "./exit.js";
import { formatCount } from "./words.js";

/** `strict`: names also what is allowed and may not be meant, and any warning makes the answer no. */
export function runCheck(file: string, options: { readonly json?: boolean; readonly strict?: boolean }): ExitStatus {
  const { strict = false } = options;
  const loaded = loadConfiguration(file, thisHost(), { strict });
  process.stdout.write(options.json ? `${JSON.stringify(checkReport(file, loaded), null, 2)}\n` : render(file, loaded));
  if ("errors" in loaded) return EXIT.usage;
  return strict && loaded.configuration.warnings.length > 0 ? EXIT.failed : EXIT.done;
}

interface CheckedTunnel {
  readonly name: string;
  readonly peer: string;
  readonly start: string;
  /** What the product of the peer adds below the keys of the file, and what it is known to do; null: none was named. */
  readonly profile: ReturnType<typeof profileReport>;
  /** Null: the outer address, known once there is a route to the peer. */
  readonly local_id: string | null;
  readonly peer_id: string | null;
  readonly ike: {
    readonly version: number;
    /** Null in version 2. */
    readonly exchange: string | null;
    readonly proposals: readonly string[];
    readonly lifetime_s: number;
    /** Octets; null: off. */
    readonly volume: number | null;
  };
  readonly esp: { readonly proposals: readonly string[]; readonly lifetime_s: number; readonly volume: number | null };
  /** The profile that numbers SM4 and SM3, or "own table". */
  readonly numbering: string;
  /** What stands below SHOULD, proposal by proposal. */
  readonly weak: readonly WeakMember[];
  readonly mappings: readonly Pair[];
  /** Policies without IPsec, as far as the mappings go. */
  readonly drop: readonly Pair[];
  readonly bypass: readonly Pair[];
  /** Null: policy mode. */
  readonly route_mode: CheckedRoutes | null;
}

interface Pair {
  readonly local: string;
  readonly peer: string;
}

interface CheckedRoutes {
  readonly tun: string;
  readonly inner_address: readonly string[];
  readonly routes: readonly string[];
  /** Null: the gateway's own. */
  readonly table: number | null;
  readonly from: readonly string[];
  readonly metric: number | null;
}

interface WeakMember extends Omit<Weakness, "forbidden"> {
  readonly in: Usage;
  readonly proposal: string;
}

function checkReport(file: string, loaded: Loaded) {
  const valid = !("errors" in loaded);
  return {
    file,
    valid,
    errors: valid
      ? []
      : loaded.errors.map(({ line, column, path, detail }) => ({ line, column, path, message: detail })),
    warnings: warningsOf(loaded),
    tunnels: valid ? checkedTunnels(loaded.configuration) : [],
  };
}

function checkedTunnels({ policy, profiles, exceptions, routeModes }: Configuration): readonly CheckedTunnel[] {
  return policy.tunnels.map((tunnel) =>
    checkedTunnel(tunnel, profiles.get(tunnel.name), exceptions.get(tunnel.name) ?? [], routeModes.get(tunnel.name)),
  );
}

function checkedTunnel(
  tunnel: TunnelPolicy,
  profile: ProfileName | undefined,
  exceptions: readonly PolicyException[],
  mode: RouteMode | undefined,
): CheckedTunnel {
  const { name, start, localId, localAddress, peerId, peer, ike, esp, mappings } = tunnel;
  const ownId = localAddress ? formatAddress(localAddress) : null;
  const theirId = peer.kind === "address" ? formatAddress(peer.address) : null;
  return {
    name,
    peer: peerText(peer),
    start,
    profile: profileReport(profile),
    local_id: localId ? formatIdentity(localId) : ownId,
    peer_id: peerId ? formatIdentity(peerId) : theirId,
    ike: {
      version: ike.version,
      exchange: ike.exchange ?? null,
      proposals: ike.proposals.map(proposalKeywords),
      lifetime_s: ike.lifetimeSeconds,
      volume: ike.volumeOctets ?? null,
    },
    esp: {
      proposals: esp.proposals.map(proposalKeywords),
      lifetime_s: esp.lifetimeSeconds,
      volume: esp.volumeOctets === 0 ? null : esp.volumeOctets,
    },
    numbering: (ike.proposals[0]?.numbering ?? DEFAULT_NUMBERING).name,
    weak: [
      ...ike.proposals.flatMap((each) => weakMembers(each, "ike")),
      ...esp.proposals.flatMap((each) => weakMembers(each, "esp")),
    ],
    mappings: mappings.map(pair),
    drop: exceptions.filter(({ action }) => action === "drop").map(pair),
    bypass: exceptions.filter(({ action }) => action === "bypass").map(pair),
    route_mode: mode ? checkedRoutes(mode) : null,
  };
}

function checkedRoutes({ device, addresses, routes, table, metric }: RouteMode): CheckedRoutes {
  return {
    tun: device,
    inner_address: addresses.map(({ address, network }) => `${formatAddress(address)}/${network.length}`),
    routes: routes.map(formatPrefix),
    table: table?.id ?? null,
    from: table?.from.map(formatPrefix) ?? [],
    metric: metric ?? null,
  };
}

function pair({ local, peer }: Mapping): Pair {
  return { local: formatSelector(local), peer: formatSelector(peer) };
}

function weakMembers(proposal: IkeProposal | EspProposal, usage: Usage): readonly WeakMember[] {
  return weaknessesOf(proposal, usage).map(({ forbidden: _, ...weakness }) => ({
    in: usage,
    proposal: proposalKeywords(proposal),
    ...weakness,
  }));
}

function peerText(peer: TunnelPolicy["peer"]): string {
  return peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : "any";
}

function render(file: string, loaded: Loaded): string {
  const warnings = warningsOf(loaded).map((each) => findingLine(file, "warning", each));
  if ("errors" in loaded) {
    const errors = loaded.errors.map(({ line, column, path, detail }) =>
      findingLine(file, "error", { line, column, path, message: detail }),
    );
    return lines([...errors, ...warnings, `${file}: ${formatCount(errors.length, "error")}, ${tally(warnings)}`]);
  }
  return lines([...warnings, ...renderConfiguration(loaded.configuration), `${file} is valid, ${tally(warnings)}`]);
}

function renderConfiguration(configuration: Configuration): readonly string[] {
  const tunnels = checkedTunnels(configuration);
  const byPolicy = tunnels.filter(({ route_mode }) => route_mode === null);
  const count = byPolicy.reduce((sum, { mappings }) => sum + mappings.length, 0);
  return [
    ...tunnels.flatMap(renderTunnel),
    ...(count === 0
      ? []
      : [
          `${formatCount(count, "mapping")} in ${formatCount(byPolicy.length, "tunnel")}; ` +
            "each peer needs their mirror image: its local ranges are our peer ranges",
        ]),
  ];
}

function renderTunnel(tunnel: CheckedTunnel): readonly string[] {
  const { name, peer, start, profile, local_id, peer_id, ike, esp, mappings, drop, bypass, route_mode } = tunnel;
  const ids = `local id ${local_id ?? "own outer address"}, peer id ${peer_id ?? "the peer's address"}`;
  return [
    `tunnel ${name}: peer ${peer}, ${start}, ${ids}`,
    ...(profile === null
      ? []
      : [
          `  profile ${profile.name} (${profile.title}) fills in what the file does not say; ${profile.source}`,
          ...profile.quirks.map(({ what, remedy }) => `  known of it: it ${what}; ${remedy}`),
        ]),
    `  IKEv${ike.version}${ike.exchange === null ? "" : ` ${ike.exchange} mode`}, ${lifetimeWords(ike)}: ${ike.proposals.join(", ")}`,
    `  ESP, ${lifetimeWords(esp)}: ${esp.proposals.join(", ")}`,
    ...mappings.map(pairLine),
    ...(route_mode === null ? [] : routeLines(route_mode)),
    ...drop.map((each) => `${pairLine(each)}: dropped`),
    ...bypass.map((each) => `${pairLine(each)}: in clear, outside of the tunnel`),
    "",
  ];
}

function routeLines({ tun, inner_address, routes, table, from, metric }: CheckedRoutes): readonly string[] {
  const where = `${table === null ? "" : ` in table ${table}`}${metric === null ? "" : ` with metric ${metric}`}`;
  return [
    `  route mode: device ${tun}${inner_address.length === 0 ? "" : ` with ${inner_address.join(", ")}`}`,
    ...routes.map((route) => `  route ${route} into it${where}`),
    ...(routes.length === 0 ? ["  no routes of its own: a routing daemon, or you, add them"] : []),
    ...from.map((range) => `  packets from ${range} are led to table ${table}`),
    ...(table !== null && from.length === 0 ? [`  nothing leads packets to table ${table} but your own rules`] : []),
  ];
}

function pairLine({ local, peer }: Pair): string {
  return `  ${local} <-> ${peer}`;
}

/** "lifetime 1h or 1800MiB". */
function lifetimeWords({ lifetime_s, volume }: CheckedTunnel["esp"]): string {
  return `lifetime ${formatDuration(lifetime_s)}${volume === null ? "" : ` or ${formatSize(volume)}`}`;
}

function warningsOf(loaded: Loaded): readonly Warning[] {
  return "errors" in loaded ? loaded.warnings : loaded.configuration.warnings;
}

function findingLine(file: string, kind: "error" | "warning", { line, column, path, message }: Warning): string {
  return `${file}:${line}:${column}: ${kind}: ${path}: ${message}`;
}

function tally(warnings: readonly string[]): string {
  return formatCount(warnings.length, "warning");
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
