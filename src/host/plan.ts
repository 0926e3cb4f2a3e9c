/**
 * What the host must look like for the configured tunnels, as a value: routes, rules and the ranges that may not travel
 * in clear. Pure; `ip.ts` and `nft.ts` turn it into commands.
 *
 * Everything stands in a routing table of the gateway's own. One rule leads packets to it that do not carry the mark of
 * our own sockets, so that an ESP packet to a peer inside a covered range never comes back to the TUN device:
 *
 *     rule       not fwmark MARK lookup TABLE
 *     TABLE      10.2.0.0/16 dev causeway0 src 10.1.0.1 mtu 1382
 *                unreachable 10.2.0.0/16 metric 4294967295        what is left when the device has gone
 *                throw 10.2.9.0/24                                a network that this host is connected to
 *
 * What a tunnel's bypass policies take out of its mappings carries that mark as well, set by nftables (`nft.ts`).
 *
 * Routes of tunnels in route mode stand there as well, each into the device of its tunnel. One to everything would hide what the main
 * table says of less than everything, so it stands in a second table behind that:
 *
 *     rule       not fwmark MARK lookup main suppress_prefixlength 0
 *     rule       not fwmark MARK lookup DEFAULT TABLE
 *     DEFAULT    0.0.0.0/0 dev cw-site mtu 1382
 *                throw 198.51.100.7/32                            a peer: its way is the one without tunnels
 */
import {
  type Address,
  addressBits,
  compareAddresses,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  prefixContains,
} from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import { innerLimits, LEAST_MTU } from "../../esp/mtu.js";
import type { EspLengths } from "../../esp/packet.js";
import { formatSelector, type TrafficSelector, toPrefixes } from "../../esp/selector.js";
import { USUAL_WRAPPING, type Wrapping } from "../../esp/tunnel.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import type { Configuration, InnerAddress } from "../config/model.js";

/** An address of this host with its network: "10.1.0.1" in "10.1.0.0/24" on "eth1". */
export interface HostAddress {
  readonly device: string;
  readonly address: Address;
  readonly network: Prefix;
}

/** What the plan depends on beside the configuration. */
export interface HostFacts {
  readonly addresses: readonly HostAddress[];
  /** False where the kernel runs without IPv6: there is nothing to route, and nothing to leak. */
  readonly ipv6: boolean;
  /** Octets; of the way to the peers. Ethernet's where it is not given. */
  readonly outerMtu?: number;
}

export interface PlannedRoute {
  readonly prefix: Prefix;
  /** Our own address in the local range, where there is one: what packets of this host carry as source. */
  readonly source?: Address;
  /** Octets of the largest inner packet. */
  readonly mtu: number;
  /** Of a tunnel in route mode, whose device it leads to; absent: to the gateway's, for mappings. */
  readonly own?: { readonly tunnel: string; readonly device: string; readonly table: number; readonly metric?: number };
}

/** The TUN device of a tunnel in route mode. */
export interface PlannedDevice {
  readonly tunnel: string;
  readonly name: string;
  readonly mtu: number;
  readonly addresses: readonly InnerAddress[];
}

/** "not fwmark 430001 table 430001": the words of `ip rule` between the verb and the priority. */
export interface PlannedRule {
  readonly family: Family;
  readonly words: string;
  readonly priority: number;
}

export interface HostPlan {
  readonly tun: string;
  /** Of the device; the routes carry the smaller one of the tunnel. */
  readonly tunMtu: number;
  readonly queueLength: number;
  readonly table: number;
  /** Of routes to everything (0.0.0.0/0, ::/0): it comes behind what the main table says of less than everything. */
  readonly defaultTable: number;
  readonly mark: number;
  readonly devices: readonly PlannedDevice[];
  readonly routes: readonly PlannedRoute[];
  readonly rules: readonly PlannedRule[];
  /** What of a table's ranges goes on to the tables behind it. */
  readonly throws: readonly { readonly prefix: Prefix; readonly table: number }[];
  readonly leakProtection: boolean;
  readonly ports: readonly number[];
  /** Networks of this host's other devices inside a covered range: reached directly, as without the tunnel. */
  readonly direct: readonly Prefix[];
  /** Outer addresses of peers inside the range of a mapping: their packets are no leak. */
  readonly peersInside: readonly Address[];
  /**
   * Everything is routed into a tunnel, and a peer may be anywhere: a strict reverse path filter has to look IKE and ESP up with our mark.
   */
  readonly marksOuter: boolean;
  /** What travels in clear although a mapping covers it, and what may not travel at all; drops first. */
  readonly exceptions: readonly PolicyException[];
  /** What the operator should know, as sentences. */
  readonly notes: readonly string[];
}

/** Linux's own default for a device; io in batches makes a longer one unnecessary (decision 32). */
export const QUEUE_LENGTH = 1000;
const ETHERNET_MTU = 1500;
/** Tables and marks of ours lie in FIRST_TABLE .. FIRST_TABLE + TABLES - 1, those of routes to everything TABLES behind. */
const FIRST_TABLE = 430_000;
const TABLES = 10_000;

/** Ahead of the main table (32766), behind the local one (0) and behind the rules that operators usually add. */
const RULE_PRIORITY = { table: 5200, chosen: 5201, main: 5202, defaultTable: 5203 } as const;
/** What `ip` calls main. */
const MAIN_TABLE = 254;

/** The plan for a configuration on such a host. */
export function planRoutes(configuration: Configuration, host: HostFacts): HostPlan {
  const { ipv6 } = host;
  const { gateway, policy, exceptions, routeModes } = configuration;
  const notes: string[] = [];
  const table = FIRST_TABLE + (hash(gateway.tun.name) % TABLES);
  const defaultTable = table + TABLES;
  const tunMtu = deviceMtu(configuration);
  const ours = new Set([gateway.tun.name, ...[...routeModes.values()].map(({ device }) => device)]);
  const addresses = host.addresses.filter(({ device }) => !ours.has(device));
  const mapped = inOrder(mappedRoutes(configuration, { ...host, addresses }, tunMtu, notes));
  const { devices, routes: own } = routeModePlan(configuration, host, { table, defaultTable, tunMtu }, notes);
  const covered = mapped.map(({ prefix }) => prefix);
  const direct = connectedInside(covered, addresses);
  for (const { network, device } of direct)
    notes.push(
      `${formatPrefix(network)} on ${device} lies inside a peer range: packets for it go out on ${device}, without IPsec`,
    );
  const peers = peerAddresses(policy.tunnels);
  const peersInside = peers.filter((peer) => covered.some((prefix) => prefixContains(prefix, peer)));
  const routedHere = own.filter((route) => route.own.table === table).map(({ prefix }) => prefix);
  const aside = [
    ...connectedInside(routedHere, addresses).map(({ network }) => network),
    ...peers.filter((peer) => !peersInside.includes(peer)).map(toHost),
  ];
  const routes = [...mapped, ...inOrder(own)];
  const everything = routes.filter((route) => route.own?.table === defaultTable);
  return {
    tun: gateway.tun.name,
    tunMtu,
    queueLength: QUEUE_LENGTH,
    table,
    defaultTable,
    mark: table,
    devices,
    routes,
    rules: rulesFor(configuration, { table, defaultTable, ipv6 }, routes),
    throws: [
      ...direct.map(({ network }) => ({ prefix: network, table })),
      ...aside
        .filter((prefix) => routedHere.some((route) => prefixContains(route, prefix)))
        .map((prefix) => ({ prefix, table })),
      ...peers
        .filter(({ family }) => everything.some(({ prefix }) => prefix.family === family))
        .map((peer) => ({ prefix: toHost(peer), table: defaultTable })),
    ],
    leakProtection: gateway.leakProtection,
    ports: [gateway.ports.ike, gateway.ports.natT],
    direct: direct.map(({ network }) => network),
    peersInside,
    marksOuter: everything.length > 0 && policy.tunnels.some(({ peer }) => peer.kind !== "address"),
    exceptions: policy.tunnels
      .flatMap(({ name }) => exceptions.get(name) ?? [])
      .filter(({ peer }) => peer.family === 4 || ipv6),
    notes,
  };
}

function deviceMtu({ gateway, wrappings }: Configuration): number {
  const ownMtus = [...wrappings.values()].map(({ mtu }) => mtu);
  return gateway.tun.mtu === "auto" ? Math.max(ETHERNET_MTU, ...ownMtus) : gateway.tun.mtu;
}

function mappedRoutes(
  { policy, wrappings, routeModes }: Configuration,
  { addresses, ipv6, outerMtu = ETHERNET_MTU }: HostFacts,
  tunMtu: number,
  notes: string[],
): PlannedRoute[] {
  const routes = new Map<string, PlannedRoute>();
  for (const tunnel of policy.tunnels) {
    if (routeModes.has(tunnel.name)) continue;
    const mtu = Math.min(tunnelMtu(tunnel, wrappings.get(tunnel.name) ?? USUAL_WRAPPING, outerMtu), tunMtu);
    for (const { local, peer } of tunnel.mappings) {
      const source = addressInside(local, addresses);
      if (peer.family === 6 && !ipv6) {
        notes.push(`${tunnel.name}: IPv6 is off on this host, so nothing is routed to ${formatSelector(peer)}`);
        continue;
      }
      for (const prefix of toPrefixes(peer)) {
        const name = formatPrefix(prefix);
        const known = routes.get(name);
        const from = known?.source ?? source;
        routes.set(name, {
          prefix,
          ...(from && { source: from }),
          mtu: routeMtu(Math.min(mtu, known?.mtu ?? mtu), prefix.family),
        });
      }
    }
  }
  return [...routes.values()];
}

type OwnRoute = PlannedRoute & Required<Pick<PlannedRoute, "own">>;

function routeModePlan(
  { policy, wrappings, routeModes }: Configuration,
  { ipv6, outerMtu = ETHERNET_MTU }: HostFacts,
  { table, defaultTable, tunMtu }: Pick<HostPlan, "table" | "defaultTable" | "tunMtu">,
  notes: string[],
): { readonly devices: readonly PlannedDevice[]; readonly routes: OwnRoute[] } {
  const devices: PlannedDevice[] = [];
  const routes: OwnRoute[] = [];
  const usable = ({ family }: Address) => family === 4 || ipv6;
  for (const tunnel of policy.tunnels) {
    const mode = routeModes.get(tunnel.name);
    if (mode === undefined) continue;
    const { device, metric } = mode;
    // Routes that others add have no MTU of their own: the device's is theirs.
    const widest = tunnelMtu(tunnel, wrappings.get(tunnel.name) ?? USUAL_WRAPPING, outerMtu);
    const mtu = routeMtu(Math.min(widest, tunMtu), tunnel.mappings.some(({ peer }) => peer.family === 6) ? 6 : 4);
    const addresses = mode.addresses.filter(({ address }) => usable(address));
    devices.push({ tunnel: tunnel.name, name: device, mtu, addresses });
    for (const prefix of mode.routes) {
      if (!usable(prefix)) {
        notes.push(`${tunnel.name}: IPv6 is off on this host, so nothing is routed to ${formatPrefix(prefix)}`);
        continue;
      }
      const source = addresses.find(({ address }) => address.family === prefix.family)?.address;
      const standsIn = mode.table?.id ?? (prefix.length === 0 ? defaultTable : table);
      routes.push({
        prefix,
        ...(source && { source }),
        mtu,
        own: { tunnel: tunnel.name, device, table: standsIn, ...(metric !== undefined && { metric }) },
      });
    }
  }
  return { devices, routes };
}

/** What leads packets without our mark, which are not the gateway's own, to the tables. */
function rulesFor(
  { routeModes }: Configuration,
  { table, defaultTable, ipv6 }: Pick<HostPlan, "table" | "defaultTable"> & { readonly ipv6: boolean },
  routes: readonly PlannedRoute[],
): readonly PlannedRule[] {
  const mark = table;
  const rules: PlannedRule[] = [];
  for (const family of [4, 6] as const) {
    const has = (wanted: number) =>
      routes.some(({ prefix, own }) => prefix.family === family && (own?.table ?? table) === wanted);
    if (has(table)) rules.push({ family, words: `not fwmark ${mark} table ${table}`, priority: RULE_PRIORITY.table });
    if (!has(defaultTable)) continue;
    rules.push(
      // A route of the main table to anything less than everything is nearer.
      {
        family,
        words: `not fwmark ${mark} table ${MAIN_TABLE} suppress_prefixlength 0`,
        priority: RULE_PRIORITY.main,
      },
      { family, words: `not fwmark ${mark} table ${defaultTable}`, priority: RULE_PRIORITY.defaultTable },
    );
  }
  const chosen = new Map<string, PlannedRule>();
  for (const { table: named } of routeModes.values())
    for (const from of named?.from ?? []) {
      // As the kernel tells it: from everything is no condition.
      const source = from.length === 0 ? "" : `from ${formatPrefix(from)} `;
      const words = `not ${source}fwmark ${mark} table ${named!.id}`;
      const { family } = from;
      if (family === 4 || ipv6) chosen.set(`${family} ${words}`, { family, words, priority: RULE_PRIORITY.chosen });
    }
  return [...rules, ...chosen.values()];
}

function inOrder<Route extends PlannedRoute>(routes: readonly Route[]): Route[] {
  return [...routes].sort((a, b) => compareAddresses(a.prefix, b.prefix) || a.prefix.length - b.prefix.length);
}

function toHost(address: Address): Prefix {
  return { ...address, length: addressBits(address.family) };
}

/** The inner MTU with the longest of the configured suites in UDP: right for whatever will be negotiated. */
export function tunnelMtu(tunnel: TunnelPolicy, wrapping: Wrapping, outerMtu: number): number {
  const outerFamily: Family = tunnel.peer.kind === "address" ? tunnel.peer.address.family : 6;
  const fits = overheads(tunnel).map((overhead) => innerLimits(outerMtu, outerFamily, "udp", overhead, wrapping).mtu4);
  return Math.max(fits.length === 0 ? LEAST_MTU[6] : Math.min(...fits), LEAST_MTU[4]);
}

function overheads(tunnel: TunnelPolicy): EspLengths[] {
  return tunnel.esp.proposals.flatMap(({ encryption, integrity }) =>
    encryption.flatMap(({ row }) => {
      const { ivBytes, blockBytes } = row;
      if (row.icvBytes > 0) return [{ ivBytes, blockBytes, icvBytes: row.icvBytes }];
      return integrity.map(({ icvBytes }) => ({ ivBytes, blockBytes, icvBytes }));
    }),
  );
}

export function routeMtu(mtu: number, family: Family): number {
  return family === 6 ? Math.max(mtu, LEAST_MTU[6]) : mtu;
}

function addressInside(range: TrafficSelector, addresses: readonly HostAddress[]): Address | undefined {
  return addresses.find(
    ({ address }) => address.family === range.family && address.value >= range.start && address.value <= range.end,
  )?.address;
}

/** Networks that are part of a covered range, not all of it: a management network, say. */
function connectedInside(covered: readonly Prefix[], addresses: readonly HostAddress[]): HostAddress[] {
  const found = new Map<string, HostAddress>();
  for (const one of addresses) {
    if (one.device === "lo") continue;
    if (covered.some((prefix) => one.network.length > prefix.length && prefixContains(prefix, one.network)))
      found.set(formatPrefix(one.network), one);
  }
  return [...found.values()];
}

function peerAddresses(tunnels: readonly TunnelPolicy[]): Address[] {
  const found = new Map<string, Address>();
  for (const { peer } of tunnels) if (peer.kind === "address") found.set(formatAddress(peer.address), peer.address);
  return [...found.values()];
}

/** FNV-1a: the same table for the same TUN name in every run, so that a new run finds what a crashed one left. */
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
