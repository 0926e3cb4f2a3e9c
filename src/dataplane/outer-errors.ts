/**
 * Raw ICMP sockets: what routers on the way to the peers say about packets that did not fit (RFC 1191, RFC 8201). With them the
 * data plane judges each message itself, by the SPI that it quotes; the kernel would believe any that names our ports.
 */
import type { Arena } from "../../crypto/interfaces.js";
import type { Family } from "../../esp/address.js";
import type { Checksum } from "../../esp/checksum.js";
import { type OuterTooBig, readOuterTooBig } from "../../esp/outer-icmp.js";
import { createBucket } from "./bucket.js";
import { read, SystemError } from "./libc.js";
import { SOCK_RAW, type SocketCalls } from "./socket-options.js";

export interface ErrorSocket {
  readonly fd: number;
  readonly family: Family;
}

const IPPROTO: Readonly<Record<Family, number>> = { 4: 1, 6: 58 };
/** Destination unreachable; packet too big. */
const TYPE: Readonly<Record<Family, number>> = { 4: 3, 6: 2 };
/** A router sends at most a few of them (RFC 1812 section 4.3.2.8); each costs a look at every SA. */
const PER_SECOND = 100;
const MESSAGES = 32;
const BUFFER_BYTES = 2048;
const IHL_MASK = 0x0f;

/** One for each IP version that the host has; undefined without CAP_NET_RAW. */
export function openErrorSockets(calls: SocketCalls): readonly ErrorSocket[] | undefined {
  const opened: ErrorSocket[] = [];
  for (const family of [4, 6] as const) {
    try {
      const fd = calls.open(family, SOCK_RAW, IPPROTO[family]);
      opened.push({ fd, family });
      calls.onlyIcmp(fd, family, TYPE[family]);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code === "EAFNOSUPPORT") continue;
      for (const { fd } of opened) calls.close(fd);
      return undefined;
    }
  }
  return opened;
}

/** Reads what came to a socket, at most some; `found` gets what is about ESP packets. `now`: milliseconds, monotonic. */
export function createErrorReader(
  arena: Arena,
  checksum: Checksum,
  found: (message: OuterTooBig) => void,
): (socket: ErrorSocket, now: number) => void {
  const buffer = arena.alloc(BUFFER_BYTES);
  const bucket = createBucket(PER_SECOND);
  return ({ fd, family }, now) => {
    for (let i = 0; i < MESSAGES; i++) {
      const octets = read(fd, arena.address(buffer, BUFFER_BYTES), BUFFER_BYTES);
      if (octets < 0) return;
      // IPv4 delivers its header, IPv6 does not.
      const header = family === 4 ? (arena.bytes[buffer]! & IHL_MASK) * 4 : 0;
      if (header >= octets) continue;
      const message = readOuterTooBig(arena, checksum, buffer + header, octets - header, family);
      if (message !== undefined && bucket.take(1, now)) found(message);
    }
  };
}
