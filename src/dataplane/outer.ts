/**
 * Where the packets of an SA go: socket, remote address, and the source address where the socket has none of its own.
 * Each is a record of the arena, given back when its SA goes, so that a long life of rekeys takes no more memory.
 */
import type { Arena } from "../../crypto/interfaces.js";
import { addressWords, formatSocketAddress, isUnspecified, type Path, sameAddress } from "../../esp/address.js";
import type { Encapsulation } from "../../esp/sa.js";
import { controlSpace, sameSocketAddress, writeAddress, writeControlHeader, writeSocketAddress } from "./layout.js";
import { IP_PKTINFO, IPV6_PKTINFO, SOL_IP, SOL_IPV6 } from "./socket-options.js";
import type { Carries, OuterSocket } from "./udp.js";

export interface Outer {
  readonly path: Path;
  readonly encapsulation: Encapsulation;
  readonly tunnel: string;
  readonly socket: OuterSocket;
  /** sockaddr of the remote, at an arena offset. */
  readonly name: number;
  readonly nameLength: number;
  /** Control message with our source address; 0 octets where the socket is bound to it. */
  readonly source: number;
  readonly sourceLength: number;
  /** Largest inner packet; and TCP MSS by inner family, 0: not clamped. */
  innerMtu: number;
  mss4: number;
  mss6: number;
  /** An authenticated packet from here was reported as `moved` already: the sockaddr's text. */
  movedTo: string;
}

const RECORD_BYTES = 128;
const SOURCE_AT = 64;

/** What an Outer is made from, beside the SA's own figures. */
export interface OuterTable {
  /** Throws `RangeError` when no socket is bound to the path's local address. */
  make(path: Path, encapsulation: Encapsulation, tunnel: string): Outer;
  /** The record may be used again: nothing queued may point to it. */
  release(outer: Outer): void;
  /** The socket that carries such packets from the path's local address; undefined: there is none. */
  socketFor(path: Path, carries: Carries): OuterSocket | undefined;
  /** Whether a received packet came from another address or port than the SA sends to. */
  isElsewhere(outer: Outer, name: number): boolean;
  /** Whether an inner packet (IPv4 or IPv6) is addressed to the outer address of any peer. */
  isPeerAddress(packet: number): boolean;
}

export function createOuterTable(arena: Arena, sockets: readonly OuterSocket[]): OuterTable {
  const { view } = arena;
  const free: number[] = [];
  /** Outer addresses of peers by a hash of their words, counted: several SAs have the same peer. */
  const peers = new Map<number, number>();

  function socketFor(path: Path, carries: Carries): OuterSocket | undefined {
    const { address, port } = path.local;
    const fits = (one: OuterSocket) =>
      one.carries === carries && one.family === address.family && (carries === "rawEsp" || one.local.port === port);
    return (
      sockets.find((one) => fits(one) && sameAddress(one.local.address, address)) ??
      sockets.find((one) => fits(one) && one.wildcard)
    );
  }

  function countPeer(outer: Outer, change: 1 | -1): void {
    const { family, value } = outer.path.remote.address;
    const key = hash(addressWords(family, value));
    const count = (peers.get(key) ?? 0) + change;
    if (count > 0) peers.set(key, count);
    else peers.delete(key);
  }

  return {
    make(path, encapsulation, tunnel) {
      const carries = encapsulation === "udp" ? "udpEsp" : "rawEsp";
      const socket = socketFor(path, carries);
      if (socket === undefined)
        throw new RangeError(
          encapsulation === "udp"
            ? `no NAT traversal socket is bound to ${formatSocketAddress(path.local)}`
            : `no raw ESP socket is bound to ${formatSocketAddress(path.local)} (raw ESP needs CAP_NET_RAW)`,
        );
      const name = free.pop() ?? arena.alloc(RECORD_BYTES);
      const remote = encapsulation === "udp" ? path.remote : { ...path.remote, port: 0 };
      const nameLength = writeSocketAddress(arena, name, remote);
      const source = name + SOURCE_AT;
      const sourceLength = socket.wildcard ? writeSource(view, source, path) : 0;
      const outer = {
        path,
        encapsulation,
        tunnel,
        socket,
        name,
        nameLength,
        source,
        sourceLength,
        innerMtu: 0,
        mss4: 0,
        mss6: 0,
        movedTo: "",
      };
      countPeer(outer, 1);
      return outer;
    },
    release(outer) {
      countPeer(outer, -1);
      free.push(outer.name);
    },
    socketFor,
    isElsewhere: (outer, name) => !sameSocketAddress(view, outer.name, name, true),
    isPeerAddress(packet) {
      if (peers.size === 0) return false;
      if (view.getUint8(packet) >> 4 === 4) return peers.has(view.getUint32(packet + 16));
      return peers.has(
        hash4(
          view.getUint32(packet + 24),
          view.getUint32(packet + 28),
          view.getUint32(packet + 32),
          view.getUint32(packet + 36),
        ),
      );
    },
  };
}

/** IP_PKTINFO or IPV6_PKTINFO with the source address that the packet has to leave from. Returns its length. */
export function writeSource(view: DataView, at: number, path: Path): number {
  const { address } = path.local;
  if (isUnspecified(address)) return 0;
  if (address.family === 4) {
    writeControlHeader(view, at, SOL_IP, IP_PKTINFO, 12);
    view.setUint32(at + 16, 0, true); // interface: by route
    writeAddress(view, at + 20, address); // ipi_spec_dst
    view.setUint32(at + 24, 0); // ipi_addr: not used when sending
    return controlSpace(12);
  }
  writeControlHeader(view, at, SOL_IPV6, IPV6_PKTINFO, 20);
  writeAddress(view, at + 16, address);
  view.setUint32(at + 32, 0, true);
  view.setUint32(at + 36, 0, true);
  return controlSpace(20);
}

/** IPv4 addresses are their own hash; IPv6 ones get numbers above 2^32. */
function hash(words: readonly number[]): number {
  return words.length === 1 ? words[0]! : hash4(words[0]!, words[1]!, words[2]!, words[3]!);
}

function hash4(a: number, b: number, c: number, d: number): number {
  return 0x100000000 + ((Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ d) >>> 0);
}
