/**
 * Where the packets of an SA go: socket, remote address, and the source address where the socket has none of its own.
 * Each is a record of the arena, given back when its SA goes, so that a long life of rekeys takes no more memory.
 */
import type { Arena } from "../../crypto/interfaces.js";
import { formatSocketAddress, isUnspecified, type Path, sameAddress } from "../../esp/address.js";
import { MOST_MTU } from "../../esp/mtu.js";
import type { Encapsulation } from "../../esp/sa.js";
import { COPY_DSCP, type Wrapping } from "../../esp/tunnel.js";
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
  readonly wrapping: Wrapping;
  /** Of every outer packet; `COPY_DSCP`: the inner one. */
  readonly dscp: number;
  /** The peer takes fragments of inner packets: its selectors do not look at ports, which only the first one has. */
  readonly takesFragments: boolean;
  /** See `InnerLimits`; an MSS of 0 is not clamped. */
  whole: number;
  mtu4: number;
  mtu6: number;
  mss4: number;
  mss6: number;
  /** The place that was reported as `moved` last. */
  movedTo: string;
}

const RECORD_BYTES = 128;
const SOURCE_AT = 64;

/** Of the SA, what its Outer has to know. */
export type Wrapped = Pick<Outer, "tunnel" | "wrapping" | "takesFragments">;

export interface OuterTable {
  /** Throws `RangeError` when no socket is bound to the path's local address. */
  make(path: Path, encapsulation: Encapsulation, wrapped: Wrapped): Outer;
  /** The record may be used again: nothing queued may point to it. */
  release(outer: Outer): void;
  /** The socket that carries such packets from the path's local address; undefined: there is none. */
  socketFor(path: Path, carries: Carries): OuterSocket | undefined;
  /** Whether a received packet came from another address or port than the SA sends to. */
  isElsewhere(outer: Outer, name: number): boolean;
}

export function createOuterTable(arena: Arena, sockets: readonly OuterSocket[]): OuterTable {
  const { view } = arena;
  const free: number[] = [];
  function socketFor(path: Path, carries: Carries): OuterSocket | undefined {
    const { address, port } = path.local;
    const fits = (one: OuterSocket) =>
      one.carries === carries && one.family === address.family && (carries === "rawEsp" || one.local.port === port);
    return (
      sockets.find((one) => fits(one) && sameAddress(one.local.address, address)) ??
      sockets.find((one) => fits(one) && one.wildcard)
    );
  }

  return {
    make(path, encapsulation, { tunnel, wrapping, takesFragments }) {
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
      return {
        path,
        encapsulation,
        tunnel,
        socket,
        name,
        nameLength,
        source,
        sourceLength,
        wrapping,
        dscp: wrapping.dscp === "copy" ? COPY_DSCP : wrapping.dscp,
        takesFragments,
        whole: MOST_MTU,
        mtu4: MOST_MTU,
        mtu6: MOST_MTU,
        mss4: 0,
        mss6: 0,
        movedTo: "",
      };
    },
    release: (outer) => void free.push(outer.name),
    socketFor,
    isElsewhere: (outer, name) => !sameSocketAddress(view, outer.name, name, true),
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
