/** What the packet path reads from an inner IPv4 or IPv6 header, without allocating. */
import type { Arena } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";

/** One is made per user and filled again for each packet. */
export interface IpHeader {
  /** Arena offset of the packet. */
  at: number;
  family: 4 | 6;
  /** IPv4: Total Length; IPv6: 40 + Payload Length. */
  totalBytes: number;
  /** Type of Service or Traffic Class: DSCP (6 bits) and ECN (2 bits). */
  tos: number;
  /** TTL or Hop Limit. */
  ttl: number;
  /** Of what stands behind the IPv4 header or the IPv6 extension headers. */
  protocol: number;
  /** Any fragment, the first included. */
  fragment: boolean;
  /** The packet is a fragment, and not the first one: it has no ports. */
  laterFragment: boolean;
  /** Arena offset of the transport header. */
  transport: number;
  /** TCP, UDP, SCTP, UDP-Lite, DCCP ports; for ICMP and ICMPv6 both are type * 256 + code; -1: none to be seen. */
  sourcePort: number;
  destinationPort: number;
  /** Most significant word first; IPv4 uses the first word. */
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
}

export const PROTOCOL = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  icmpV6: 58,
  sctp: 132,
  mobility: 135,
  udpLite: 136,
} as const;

export function createIpHeader(): IpHeader {
  return {
    at: 0,
    family: 4,
    totalBytes: 0,
    tos: 0,
    ttl: 0,
    protocol: 0,
    fragment: false,
    laterFragment: false,
    transport: 0,
    sourcePort: -1,
    destinationPort: -1,
    source: new Uint32Array(4),
    destination: new Uint32Array(4),
  };
}

/**
 * Reads the packet that stands in `length` octets at `at`; it may be shorter than that (`totalBytes`). 0, or the drop
 * code `malformed`.
 */
export function readIpHeader(arena: Arena, at: number, length: number, header: IpHeader): number {
  return read(arena, at, length, header, false);
}

/** Reads the start of a packet as an ICMP error quotes it: the rest may be cut off. */
export function readQuotedHeader(arena: Arena, at: number, length: number, header: IpHeader): number {
  return read(arena, at, length, header, true);
}

function read(arena: Arena, at: number, length: number, header: IpHeader, quoted: boolean): number {
  if (length < 20) return DROP.malformed;
  header.at = at;
  const version = arena.bytes[at]! >> 4;
  if (version === 4) return readIpv4(arena, at, length, header, quoted);
  if (version === 6) return readIpv6(arena, at, length, header, quoted);
  return DROP.malformed;
}

function readIpv4({ bytes, view }: Arena, at: number, length: number, header: IpHeader, quoted: boolean): number {
  const headerBytes = (bytes[at]! & 15) * 4;
  const total = view.getUint16(at + 2);
  if (headerBytes < 20 || headerBytes > length || total < headerBytes) return DROP.malformed;
  if (total > length && !quoted) return DROP.malformed;
  header.family = 4;
  header.totalBytes = total;
  header.tos = bytes[at + 1]!;
  header.ttl = bytes[at + 8]!;
  header.protocol = bytes[at + 9]!;
  const fragmentField = view.getUint16(at + 6);
  header.fragment = (fragmentField & 0x3fff) !== 0;
  header.laterFragment = (fragmentField & 0x1fff) !== 0;
  header.source[0] = view.getUint32(at + 12);
  header.destination[0] = view.getUint32(at + 16);
  header.transport = at + headerBytes;
  readPorts(bytes, view, at + Math.min(total, length), header);
  return 0;
}

function readIpv6({ bytes, view }: Arena, at: number, length: number, header: IpHeader, quoted: boolean): number {
  const total = 40 + (length < 40 ? 0 : view.getUint16(at + 4));
  if (length < 40 || (total > length && !quoted)) return DROP.malformed;
  header.family = 6;
  header.totalBytes = total;
  header.tos = (view.getUint16(at) >> 4) & 0xff;
  header.ttl = bytes[at + 7]!;
  header.fragment = false;
  header.laterFragment = false;
  for (let i = 0; i < 4; i++) {
    header.source[i] = view.getUint32(at + 8 + 4 * i);
    header.destination[i] = view.getUint32(at + 24 + 4 * i);
  }
  const end = at + Math.min(total, length);
  let next = bytes[at + 6]!;
  let position = at + 40;
  // Each extension header has at least eight octets, so the walk ends with the packet. RFC 8200 section 4.
  while (isExtension(next)) {
    if (position + 8 > end) {
      if (!quoted) return DROP.malformed;
      position = end;
      break;
    }
    const following = bytes[position]!;
    if (next === 44) {
      header.fragment = true;
      header.laterFragment = (view.getUint16(position + 2) & 0xfff8) !== 0;
      position += 8;
    } else if (next === 51) position += (bytes[position + 1]! + 2) * 4;
    else position += (bytes[position + 1]! + 1) * 8;
    next = following;
    if (header.laterFragment) break;
  }
  if (position > end) {
    if (!quoted) return DROP.malformed;
    position = end;
  }
  header.protocol = next;
  header.transport = position;
  readPorts(bytes, view, end, header);
  return 0;
}

/** Hop-by-Hop Options, Routing, Fragment, Authentication Header, Destination Options, HIP, Shim6. */
function isExtension(next: number): boolean {
  return next === 0 || next === 43 || next === 44 || next === 51 || next === 60 || next === 139 || next === 140;
}

function readPorts(bytes: Uint8Array, view: DataView, end: number, header: IpHeader): void {
  const at = header.transport;
  header.sourcePort = -1;
  header.destinationPort = -1;
  if (header.laterFragment) return;
  switch (header.protocol) {
    case PROTOCOL.tcp:
    case PROTOCOL.udp:
    case PROTOCOL.udpLite:
    case PROTOCOL.sctp:
    case PROTOCOL.dccp:
      if (at + 4 > end) return;
      header.sourcePort = view.getUint16(at);
      header.destinationPort = view.getUint16(at + 2);
      return;
    case PROTOCOL.icmp:
    case PROTOCOL.icmpV6:
      if (at + 2 > end) return;
      header.sourcePort = view.getUint16(at);
      header.destinationPort = header.sourcePort;
      return;
    case PROTOCOL.mobility:
      // RFC 4301 section 4.4.1.1: the MH type, in the upper octet.
      if (at + 3 > end) return;
      header.sourcePort = bytes[at + 2]! << 8;
      header.destinationPort = header.sourcePort;
      return;
  }
}

/**
 * Whether the packet is for one link alone: from or to a link-local address, or to link-local multicast or the limited broadcast
 * (RFC 3927, RFC 5771 section 4, RFC 919; RFC 4291 sections 2.5.6 and 2.7).
 */
export function isLinkLocal({ family, source, destination }: IpHeader): boolean {
  const to = destination[0]!;
  const from = source[0]!;
  if (family === 4) return to >>> 8 === 0xe00000 || to === 0xffffffff || to >>> 16 === 0xa9fe || from >>> 16 === 0xa9fe;
  const scope = (to >>> 16) & 0xf;
  return (to >>> 24 === 0xff && scope <= 2) || to >>> 22 === 0x3fa || from >>> 22 === 0x3fa;
}
