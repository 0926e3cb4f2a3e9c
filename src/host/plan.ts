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
 */
import {
  type Address,
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
import type { Configuration } from "../config/model.js";

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
}

export interface HostPlan {
  readonly tun: string;
  /** Of the device; the routes carry the smaller one of the tunnel. */
  readonly tunMtu: number;
  readonly queueLength: number;
  readonly table: number;
  readonly mark: number;
  readonly routes: readonly PlannedRoute[];
  readonly leakProtection: boolean;
  readonly ports: readonly number[];
  /** Networks of this host's other devices inside a covered range: reached directly, as without the tunnel. */
  readonly direct: readonly Prefix[];
  /** Outer addresses of peers inside a covered range: their packets are no leak. */
  readonly peersInside: readonly Address[];
  /** What travels in clear although a mapping covers it, and what may not travel at all; drops first. */
  readonly exceptions: readonly PolicyException[];
  /** What the operator should know, as sentences. */
  readonly notes: readonly string[];
}

/** Linux's own default for a device; io in batches makes a longer one unnecessary (decision 32). */
export const QUEUE_LENGTH = 1000;
const ETHERNET_MTU = 1500;
/** Tables and marks of ours lie in FIRST_TABLE .. FIRST_TABLE + TABLES - 1. */
const FIRST_TABLE = 430_000;
const TABLES = 10_000;

/** The plan for a configuration on such a host. */
export function planRoutes(configuration: Configuration, host: HostFacts): HostPlan {
  const { addresses, ipv6, outerMtu = ETHERNET_MTU } = host;
  const { gateway, policy, wrappings, exceptions } = configuration;
  const notes: string[] = [];
  const routes = new Map<string, PlannedRoute>();
  const { mtu: deviceMtu } = gateway.tun;
  const ownMtus = [...wrappings.values()].map(({ mtu }) => mtu);
  const tunMtu = deviceMtu === "auto" ? Math.max(ETHERNET_MTU, ...ownMtus) : deviceMtu;
  for (const tunnel of policy.tunnels) {
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
  const ordered = [...routes.values()].sort(
    (a, b) => compareAddresses(a.prefix, b.prefix) || a.prefix.length - b.prefix.length,
  );
  const covered = ordered.map(({ prefix }) => prefix);
  const direct = connectedInside(covered, addresses, gateway.tun.name);
  for (const { network, device } of direct)
    notes.push(
      `${formatPrefix(network)} on ${device} lies inside a peer range: packets for it go out on ${device}, without IPsec`,
    );
  const table = FIRST_TABLE + (hash(gateway.tun.name) % TABLES);
  return {
    tun: gateway.tun.name,
    tunMtu,
    queueLength: QUEUE_LENGTH,
    table,
    mark: table,
    routes: ordered,
    leakProtection: gateway.leakProtection,
    ports: [gateway.ports.ike, gateway.ports.natT],
    direct: direct.map(({ network }) => network),
    peersInside: peerAddresses(policy.tunnels).filter((peer) => covered.some((prefix) => prefixContains(prefix, peer))),
    exceptions: policy.tunnels
      .flatMap(({ name }) => exceptions.get(name) ?? [])
      .filter(({ peer }) => peer.family === 4 || ipv6),
    notes,
  };
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
function connectedInside(covered: readonly Prefix[], addresses: readonly HostAddress[], tun: string): HostAddress[] {
  const found = new Map<string, HostAddress>();
  for (const one of addresses) {
    if (one.device === tun || one.device === "lo") continue;
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
