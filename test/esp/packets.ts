/** Builds inner packets octet by octet, with naive checksums: what the fast code is compared with. */
import { concat } from "../../crypto/bytes.js";
import { addressOctets, parseAddress } from "../../esp/address.js";

export interface IpFields {
  readonly source: string;
  readonly destination: string;
  readonly tos?: number;
  readonly ttl?: number;
  /** IPv4. */
  readonly id?: number;
  readonly dontFragment?: boolean;
  /** IPv6. */
  readonly flowLabel?: number;
}

export interface TcpFields extends IpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  /** A multiple of four octets. */
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

export interface UdpFields extends IpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload?: Uint8Array;
}

export const TCP = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

const NOTHING = new Uint8Array(0);

/** RFC 1071, word by word, big-endian. */
export function naiveChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** An IPv4 or IPv6 packet around a transport message. */
export function ipPacket(fields: IpFields, protocol: number, message: Uint8Array): Uint8Array {
  const source = addressOctets(parseAddress(fields.source));
  const destination = addressOctets(parseAddress(fields.destination));
  return source.length === 4
    ? concat(ipv4Header(fields, protocol, source, destination, message.length), message)
    : concat(ipv6Header(fields, protocol, source, destination, message.length), message);
}

export function tcpPacket(fields: TcpFields): Uint8Array {
  const options = fields.options ?? NOTHING;
  const message = new Uint8Array(20 + options.length + (fields.payload?.length ?? 0));
  const view = new DataView(message.buffer);
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint32(4, fields.sequence ?? 1);
  view.setUint32(8, fields.acknowledgement ?? 2);
  view.setUint8(12, ((20 + options.length) / 4) << 4);
  view.setUint8(13, fields.flags ?? TCP.ack);
  view.setUint16(14, fields.window ?? 1000);
  message.set(options, 20);
  message.set(fields.payload ?? NOTHING, 20 + options.length);
  view.setUint16(16, transportChecksum(fields, 6, message));
  return ipPacket(fields, 6, message);
}

export function udpPacket(fields: UdpFields): Uint8Array {
  const payload = fields.payload ?? NOTHING;
  const message = new Uint8Array(8 + payload.length);
  const view = new DataView(message.buffer);
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint16(4, message.length);
  message.set(payload, 8);
  view.setUint16(6, transportChecksum(fields, 17, message) || 0xffff);
  return ipPacket(fields, 17, message);
}

/** Type, code, checksum, four octets, and the body (what an error quotes). ICMP for IPv4, ICMPv6 for IPv6. */
export function icmpPacket(fields: IpFields, type: number, code: number, body: Uint8Array): Uint8Array {
  const ipv6 = fields.source.includes(":");
  const message = concat(new Uint8Array([type, code, 0, 0, 0, 0, 0, 0]), body);
  const sum = ipv6 ? transportChecksum(fields, 58, message) : naiveChecksum(message);
  new DataView(message.buffer).setUint16(2, sum);
  return ipPacket(fields, ipv6 ? 58 : 1, message);
}

/** Over the pseudo-header and the message (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export function transportChecksum(fields: IpFields, protocol: number, message: Uint8Array): number {
  return naiveChecksum(concat(pseudoHeader(fields, protocol, message.length), message));
}

/** The folded sum of the pseudo-header: what stands in the checksum field of a packet with a partial checksum. */
export function pseudoHeaderSum(fields: IpFields, protocol: number, length: number): number {
  return ~naiveChecksum(pseudoHeader(fields, protocol, length)) & 0xffff;
}

/** The octets 0, 1, 2, ... */
export function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
}

function pseudoHeader(fields: IpFields, protocol: number, length: number): Uint8Array {
  const source = addressOctets(parseAddress(fields.source));
  const rest = new Uint8Array(source.length === 4 ? 4 : 8);
  const view = new DataView(rest.buffer);
  if (source.length === 4) {
    view.setUint8(1, protocol);
    view.setUint16(2, length);
  } else {
    view.setUint32(0, length);
    view.setUint8(7, protocol);
  }
  return concat(source, addressOctets(parseAddress(fields.destination)), rest);
}

function ipv4Header(
  { tos = 0, ttl = 64, id = 0, dontFragment = false }: IpFields,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
  payload: number,
): Uint8Array {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x45);
  view.setUint8(1, tos);
  view.setUint16(2, 20 + payload);
  view.setUint16(4, id);
  view.setUint16(6, dontFragment ? 0x4000 : 0);
  view.setUint8(8, ttl);
  view.setUint8(9, protocol);
  header.set(source, 12);
  header.set(destination, 16);
  view.setUint16(10, naiveChecksum(header));
  return header;
}

function ipv6Header(
  { tos = 0, ttl = 64, flowLabel = 0 }: IpFields,
  protocol: number,
  source: Uint8Array,
  destination: Uint8Array,
  payload: number,
): Uint8Array {
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint32(0, ((6 << 28) | (tos << 20) | flowLabel) >>> 0);
  view.setUint16(4, payload);
  view.setUint8(6, protocol);
  view.setUint8(7, ttl);
  header.set(source, 8);
  header.set(destination, 24);
  return header;
}
