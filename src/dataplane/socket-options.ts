/** Socket options by name, with the numbers of Linux (asm-generic; equal on x86-64 and arm64), and the calls around them. */
import type { Arena } from "../../crypto/interfaces.js";
import { type Address, type Family, isUnspecified, type SocketAddress } from "../../esp/address.js";
import type { Descriptors } from "./descriptors.js";
import { addressFamily, type FilterInstruction, SOCKADDR_BYTES, writeFilter, writeSocketAddress } from "./layout.js";
import { bind, checked, connect, getsockopt, SystemError, setsockopt, socket } from "./libc.js";

export const SOL_IP = 0;
export const SOL_UDP = 17;
export const SOL_IPV6 = 41;
const SOL_SOCKET = 1;
const SOL_ICMPV6 = 58;
const SOL_RAW = 255;
const ICMP_FILTER = 1;
const ICMPV6_FILTER = 1;

export const IP_TOS = 1;
export const IP_PKTINFO = 8;
export const IPV6_PKTINFO = 50;
export const IPV6_TCLASS = 67;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_ATTACH_FILTER = 26;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MARK = 36;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const IP_MTU_DISCOVER = 10;
const IP_RECVTOS = 13;
const IP_MTU = 14;
const IPV6_MTU_DISCOVER = 23;
const IPV6_MTU = 24;
const IPV6_RECVERR = 25;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_RECVTCLASS = 66;

/** Values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER. */
const MTU_DISCOVER = { allowed: 0, refusedByKernel: 2, refusedByLink: 3 } as const;

/**
 * Whether a socket's packets may be fragmented. Where they may not, they have DF, and those that are too large are refused
 * with EMSGSIZE: for the path as the kernel knows it from routers, or for the first link alone.
 */
export type Fragmentation = keyof typeof MTU_DISCOVER;

const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;

/** Calls with small structures: one scratch area of the arena serves them all. */
export interface SocketCalls {
  /** A non-blocking socket, noted in `descriptors`. */
  open(family: Family, type: number, protocol: number): number;
  close(fd: number): void;
  /** Throws `SystemError`. */
  bind(fd: number, address: SocketAddress): void;
  set(fd: number, level: number, option: number, value: number): boolean;
  /** SO_MARK; false without CAP_NET_ADMIN. */
  mark(fd: number, mark: number): boolean;
  /** Both queues, in octets, beyond the system's limit where we may. */
  buffers(fd: number, receive: number, send: number): void;
  /** Asks for what each datagram's IP header says: TOS or Traffic Class always, our own address on wildcard sockets. */
  receiveHeaderFields(fd: number, family: Family, ownAddress: boolean): void;
  fragmentation(fd: number, family: Family, wanted: Fragmentation): void;
  reusePort(fd: number): void;
  ipv6Only(fd: number): void;
  /** Which socket of a SO_REUSEPORT group gets a datagram. False: the kernel refused. */
  steer(fd: number, program: readonly FilterInstruction[]): boolean;
  /** Which ICMP or ICMPv6 type a raw socket of that protocol receives: this one alone. */
  onlyIcmp(fd: number, family: Family, type: number): void;
  /** An IPv6 socket that receives nothing but errors, which nobody reads: see `raw-esp.ts`. */
  errorsAlone(fd: number): void;
  /** The path MTU as the kernel knows it now; undefined when there is no route. */
  pathMtu(remote: SocketAddress, local: Address, mark: number): number | undefined;
}

const SCRATCH_BYTES = 512;
/** Classic BPF: how many octets of the packet are wanted. */
const BPF_RETURN = 0x06;

export function createSocketCalls(arena: Arena, descriptors: Descriptors): SocketCalls {
  const scratch = arena.alloc(SCRATCH_BYTES);

  function set(fd: number, level: number, option: number, value: number): boolean {
    arena.view.setInt32(scratch, value, true);
    return setsockopt(fd, level, option, arena.address(scratch, 4), 4) >= 0;
  }

  function open(family: Family, type: number, protocol: number): number {
    return descriptors.keep(
      checked(socket(addressFamily(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), "socket"),
    );
  }

  function bindTo(fd: number, address: SocketAddress): void {
    const length = writeSocketAddress(arena, scratch, address);
    checked(bind(fd, arena.address(scratch, SOCKADDR_BYTES), length), "bind");
  }

  function attach(fd: number, option: number, program: readonly FilterInstruction[]): boolean {
    writeFilter(arena, scratch, program);
    return setsockopt(fd, SOL_SOCKET, option, arena.address(scratch, 16), 16) >= 0;
  }

  return {
    open,
    close: (fd) => descriptors.close(fd),
    bind: bindTo,
    set,
    mark: (fd, mark) => set(fd, SOL_SOCKET, SO_MARK, mark),
    buffers(fd, receive, send) {
      if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive)) set(fd, SOL_SOCKET, SO_RCVBUF, receive);
      if (!set(fd, SOL_SOCKET, SO_SNDBUFFORCE, send)) set(fd, SOL_SOCKET, SO_SNDBUF, send);
    },
    receiveHeaderFields(fd, family, ownAddress) {
      if (family === 4) {
        set(fd, SOL_IP, IP_RECVTOS, 1);
        if (ownAddress) set(fd, SOL_IP, IP_PKTINFO, 1);
      } else {
        set(fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
        if (ownAddress) set(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
      }
    },
    fragmentation(fd, family, wanted) {
      const value = MTU_DISCOVER[wanted];
      if (family === 4) set(fd, SOL_IP, IP_MTU_DISCOVER, value);
      else set(fd, SOL_IPV6, IPV6_MTU_DISCOVER, value);
    },
    reusePort: (fd) => void set(fd, SOL_SOCKET, SO_REUSEPORT, 1),
    ipv6Only: (fd) => void set(fd, SOL_IPV6, IPV6_V6ONLY, 1),
    steer: (fd, program) => attach(fd, SO_ATTACH_REUSEPORT_CBPF, program),
    onlyIcmp(fd, family, type) {
      // A bit for each type, set: blocked.
      const octets = family === 4 ? 4 : 32;
      arena.bytes.fill(0xff, scratch, scratch + octets);
      arena.view.setUint32(scratch, ~(1 << type) >>> 0, true);
      const [level, option] = family === 4 ? [SOL_RAW, ICMP_FILTER] : [SOL_ICMPV6, ICMPV6_FILTER];
      checked(setsockopt(fd, level, option, arena.address(scratch, octets), octets), "ICMP_FILTER");
    },
    errorsAlone(fd) {
      attach(fd, SO_ATTACH_FILTER, [{ code: BPF_RETURN, k: 0 }]);
      set(fd, SOL_SOCKET, SO_RCVBUF, 1);
      set(fd, SOL_IPV6, IPV6_RECVERR, 1);
    },
    pathMtu(remote, local, mark) {
      const { family } = remote.address;
      const fd = open(family, SOCK_DGRAM, 0);
      try {
        if (mark !== 0) set(fd, SOL_SOCKET, SO_MARK, mark);
        if (!isUnspecified(local)) bindTo(fd, { address: local, port: 0 });
        const length = writeSocketAddress(arena, scratch, remote);
        checked(connect(fd, arena.address(scratch, SOCKADDR_BYTES), length), "connect");
        arena.view.setUint32(scratch + 8, 4, true);
        const [level, option] = family === 4 ? [SOL_IP, IP_MTU] : [SOL_IPV6, IPV6_MTU];
        checked(getsockopt(fd, level, option, arena.address(scratch, 4), arena.address(scratch + 8, 4)), "IP_MTU");
        return arena.view.getInt32(scratch, true);
      } catch (error) {
        if (error instanceof SystemError) return undefined;
        throw error;
      } finally {
        descriptors.close(fd);
      }
    },
  };
}
