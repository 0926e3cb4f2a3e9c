/** What the packet path reads from an inner IPv4 or IPv6 header, without allocating. */
import type { Arena } from "../crypto/interfaces.js";

/** One is made per user and filled again for each packet. */
export interface IpHeader {
  family: 4 | 6;
  /** IPv4: Total Length; IPv6: 40 + Payload Length. */
  totalBytes: number;
  /** Type of Service or Traffic Class: DSCP (6 bits) and ECN (2 bits). */
  tos: number;
  /** TTL or Hop Limit. */
  ttl: number;
  /** Of what stands behind the IPv4 header or the IPv6 extension headers. */
  protocol: number;
  /** The packet is a fragment, and not the first one: it has no ports. */
  laterFragment: boolean;
  /** Any fragment, the first included. */
  fragment: boolean;
  /** Arena offset of the transport header. */
  transport: number;
  /** TCP, UDP, SCTP, UDP-Lite, DCCP ports; for ICMP, ICMPv6 both are type * 256 + code; -1: none to be seen. */
  sourcePort: number;
  destinationPort: number;
  /** Most significant word first; IPv4 uses the first word. */
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
}

export declare function createIpHeader(): IpHeader;

/** Reads the packet of `length` octets at `at`. 0, or the drop code `malformed`. */
export declare function readIpHeader(arena: Arena, at: number, length: number, header: IpHeader): number;
