/**
 * The UDP sockets: per address one on the IKE port and two on the NAT traversal port.
 *
 * IKE and ESP share the NAT traversal port. The kernel sorts them (SO_REUSEPORT and a filter on the first four octets, which are zero
 * before IKE), so that a flood of ESP fills a queue of its own, and so that the two can differ in how they may be fragmented:
 * IKE by IP, ESP not at all (DF). The sorting is a convenience: a batch that the kernel has merged (UDP_GRO) is
 * sorted by its first datagram, so whoever reads classifies each one.
 */
import { type Family, formatSocketAddress, isUnspecified, type SocketAddress } from "../../esp/address.js";
import type { FilterInstruction } from "./layout.js";
import { SystemError } from "./libc.js";
import { SOCK_DGRAM, SOL_UDP, type SocketCalls, UDP_GRO } from "./socket-options.js";

/** `ike`: the IKE port; `natT`: IKE and keepalives on the NAT traversal port; `udpEsp`: ESP there; `rawEsp`: IP protocol 50. */
export type Carries = "ike" | "natT" | "udpEsp" | "rawEsp";

export interface OuterSocket {
  readonly fd: number;
  readonly family: Family;
  readonly carries: Carries;
  /** As bound; raw sockets have port 0. */
  readonly local: SocketAddress;
  /** Bound to no address: each datagram tells and takes its own. */
  readonly wildcard: boolean;
}

/** Why there is no socket, and what to do about it: for the operator. */
export class SocketError extends Error {}

export interface SocketSettings {
  readonly sockets: readonly SocketAddress[];
  readonly natTPort: number;
  readonly mark: number;
}

/** Received ESP may wait while this thread has no CPU; what is sent waits in the senders instead, so that delay stays short. */
export const ESP_RECEIVE_OCTETS = 8 << 20;
export const SEND_OCTETS = 1 << 20;
const IKE_RECEIVE_OCTETS = 2 << 20;

/** Classic BPF over the UDP payload: socket 0 (IKE) for four zero octets and for what is shorter, socket 1 (ESP) for the rest. */
const STEERING: readonly FilterInstruction[] = [
  { code: 0x20, k: 0 }, // ld [0]: ends with 0 where there are not four octets
  { code: 0x15, jumpTrue: 0, jumpFalse: 1, k: 0 }, // jeq #0
  { code: 0x06, k: 0 }, // ret #0
  { code: 0x06, k: 1 }, // ret #1
];

/** Opens and binds everything. Throws `SocketError`; a host without IPv6 just has no wildcard socket of it. */
export function openUdpSockets(calls: SocketCalls, settings: SocketSettings): readonly OuterSocket[] {
  const opened: OuterSocket[] = [];
  for (const local of settings.sockets) {
    const natT = local.port === settings.natTPort;
    try {
      if (natT) opened.push(...openPair(calls, local, settings.mark));
      else opened.push(openOne(calls, local, "ike", settings.mark, false));
    } catch (error) {
      if (error instanceof SystemError && isUnspecified(local.address) && isMissingFamily(error, local)) continue;
      throw error instanceof SystemError ? new SocketError(advice(error, local)) : error;
    }
  }
  if (opened.length === 0)
    throw new SocketError("no UDP socket could be opened: the host has no IP address family in use");
  return opened;
}

/** The IKE socket first: the filter counts the sockets of the group in the order in which they were bound. */
function openPair(calls: SocketCalls, local: SocketAddress, mark: number): readonly OuterSocket[] {
  refuseTaken(calls, local);
  const natT = openOne(calls, local, "natT", mark, true);
  const udpEsp = openOne(calls, local, "udpEsp", mark, true);
  calls.steer(udpEsp.fd, STEERING);
  return [natT, udpEsp];
}

/** SO_REUSEPORT would let a second gateway of the same user take half of our datagrams: a socket without it finds out. */
function refuseTaken(calls: SocketCalls, local: SocketAddress): void {
  const fd = calls.open(local.address.family, SOCK_DGRAM, 0);
  try {
    if (local.address.family === 6) calls.ipv6Only(fd);
    calls.bind(fd, local);
  } finally {
    calls.close(fd);
  }
}

function openOne(
  calls: SocketCalls,
  local: SocketAddress,
  carries: Carries,
  mark: number,
  reusePort: boolean,
): OuterSocket {
  const { family } = local.address;
  const wildcard = isUnspecified(local.address);
  const fd = calls.open(family, SOCK_DGRAM, 0);
  if (mark !== 0 && !calls.mark(fd, mark)) throw new SystemError("SO_MARK", 1);
  if (family === 6) calls.ipv6Only(fd);
  if (reusePort) calls.reusePort(fd);
  calls.buffers(fd, carries === "udpEsp" ? ESP_RECEIVE_OCTETS : IKE_RECEIVE_OCTETS, SEND_OCTETS);
  calls.receiveHeaderFields(fd, family, wildcard);
  calls.fragmentation(fd, family, carries === "udpEsp" ? "refusedByKernel" : "allowed");
  // Both of a pair: which one the kernel asks before it merges datagrams is a matter of the flow's hash.
  if (carries !== "ike") calls.set(fd, SOL_UDP, UDP_GRO, 1);
  calls.bind(fd, local);
  return { fd, family, carries, local, wildcard };
}

function isMissingFamily(error: SystemError, local: SocketAddress): boolean {
  return local.address.family === 6 && ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(error.code);
}

function advice(error: SystemError, local: SocketAddress): string {
  const where = `UDP ${formatSocketAddress(local)}`;
  switch (error.code) {
    case "EADDRINUSE":
      return `${where} is in use: another IKE daemon or gateway runs (see "ss -ulnp"); stop it, or change gateway.ports or gateway.address`;
    case "EADDRNOTAVAIL":
      return `${where}: no interface of this host has this address (behind a 1:1 NAT, gateway.address is the inner one, and local_id the public one)`;
    case "EACCES":
      return `no permission to bind ${where}: CAP_NET_BIND_SERVICE is missing; run as root, or grant it in the unit ("AmbientCapabilities=CAP_NET_BIND_SERVICE")`;
    case "EPERM":
      return `no permission to mark the packets of ${where} (${error.message}): CAP_NET_ADMIN is missing; run as root, or grant it in the unit ("AmbientCapabilities=CAP_NET_ADMIN")`;
    default:
      return `${where}: ${error.message}`;
  }
}
