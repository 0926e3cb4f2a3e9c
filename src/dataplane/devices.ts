/**
 * What the data plane reads and writes: the TUN device and the sockets. One worker opens them; where there are two, the other one is given
 * their descriptors, which belong to the process.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { SocketAddress } from "../../esp/address.js";
import type { Descriptors } from "./descriptors.js";
import { type ErrorSocket, openErrorSockets } from "./outer-errors.js";
import type { DataplaneSettings } from "./protocol.js";
import { openRawEspSockets } from "./raw-esp.js";
import type { SocketCalls } from "./socket-options.js";
import { openTun, TUN_REQUEST_BYTES, type Tun } from "./tun.js";
import { type OuterSocket, openUdpSockets } from "./udp.js";

/** Structured-clonable. */
export interface Devices {
  readonly tun: Tun;
  readonly sockets: readonly OuterSocket[];
  /** The addresses and ports of the UDP sockets. */
  readonly bound: readonly SocketAddress[];
  readonly rawEsp: boolean;
  /** Of ICMP; undefined without CAP_NET_RAW. */
  readonly errors: readonly ErrorSocket[] | undefined;
  /** How ESP packets that may not be fragmented are kept whole. */
  readonly whole: "refusedByLink" | "refusedByKernel";
}

/** Throws `TunError`, `SocketError`, `SystemError`; whatever was opened until then is in `descriptors`. */
export function openDevices(
  arena: ArenaMemory,
  descriptors: Descriptors,
  calls: SocketCalls,
  settings: DataplaneSettings,
): Devices {
  const tun = openTun(arena, descriptors, arena.alloc(TUN_REQUEST_BYTES), {
    name: settings.tunName,
    key: "gateway.tun.name",
    most: settings.tunOffload,
  });
  const udp = openUdpSockets(calls, settings);
  const bound = udp.filter(({ carries }) => carries !== "udpEsp").map(({ local }) => local);
  const raw = settings.rawEsp ? openRawEspSockets(calls, bound, settings.mark) : undefined;
  const sockets = [...udp, ...(raw ?? [])];
  const errors = raw && openErrorSockets(calls);
  const whole = errors ? "refusedByLink" : "refusedByKernel";
  for (const { fd, family, carries } of sockets)
    if (carries === "udpEsp" || carries === "rawEsp") calls.fragmentation(fd, family, whole);
  return { tun, sockets, bound, rawEsp: raw !== undefined, errors, whole };
}
