/**
 * The answer to an inner packet that does not fit the tunnel: ICMP "fragmentation needed" (RFC 792, RFC 1191) or ICMPv6 "packet too big"
 * (RFC 4443 section 3.2), written to the TUN device as if a router on the way had sent it.
 *
 * Usually the MTU of the tunnel's routes makes the kernel answer before a packet comes here; these answers fill the time between a path
 * that became narrower and routes that know it.
 */
import type { Arena } from "../../crypto/interfaces.js";
import type { Checksum } from "../../esp/checksum.js";
import type { WriteTun } from "../../esp/coalesce.js";
import { createIpHeader, type IpHeader, PROTOCOL, readIpHeader } from "../../esp/ip-header.js";
import { isFragmentable } from "../../esp/tunnel.js";
import { type Bucket, createBucket } from "./bucket.js";

export interface TooBig {
  /**
   * Answers the packet of `length` octets at `packet`, which was read from that device and of which `mtu` would fit. Nothing happens
   * where no answer is due, or where its sender gets too many. `now`: milliseconds, monotonic.
   */
  answer(packet: number, length: number, mtu: number, device: number, now: number): void;
}

const VIRTIO = 10;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const ICMP_HEADER = 8;
/** What an answer quotes: RFC 1812 section 4.3.2.3 (576 in all), RFC 4443 (1280 in all). */
const IPV4_QUOTE = 576 - IPV4_HEADER - ICMP_HEADER;
const IPV6_QUOTE = 1280 - IPV6_HEADER - ICMP_HEADER;
const HOPS = 64;
/** Internetwork control (RFC 1812 section 4.3.2.5). */
const PRECEDENCE = 0xc0;
/**
 * RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8. A host needs one for each of its destinations. Senders share `SHARES` allowances, so
 * that one of them does not use up what the others need, and nobody's list grows.
 */
const PER_SECOND = 100;
const SHARES = 64;

export function createTooBig(arena: Arena, checksum: Checksum, write: WriteTun): TooBig {
  const { bytes, view } = arena;
  const start = arena.alloc(VIRTIO + 1280);
  const answer = start + VIRTIO;
  const header = createIpHeader();
  const buckets: readonly Bucket[] = Array.from({ length: SHARES }, () => createBucket(PER_SECOND));

  function answer4(packet: number, length: number, mtu: number, device: number): void {
    const quote = Math.min(length, IPV4_QUOTE);
    const total = IPV4_HEADER + ICMP_HEADER + quote;
    bytes.fill(0, start, answer + IPV4_HEADER + ICMP_HEADER);
    view.setUint16(answer, 0x4500 | PRECEDENCE);
    view.setUint16(answer + 2, total);
    view.setUint8(answer + 8, HOPS);
    view.setUint8(answer + 9, PROTOCOL.icmp);
    // From the host that the packet was for: the tunnel has no address of its own.
    bytes.copyWithin(answer + 12, packet + 16, packet + 20);
    bytes.copyWithin(answer + 16, packet + 12, packet + 16);
    view.setUint16(answer + 10, ~checksum.sum(answer, IPV4_HEADER) & 0xffff, true);
    const icmp = answer + IPV4_HEADER;
    view.setUint16(icmp, 0x0304); // destination unreachable: fragmentation needed and DF set
    view.setUint16(icmp + 6, mtu);
    bytes.copyWithin(icmp + ICMP_HEADER, packet, packet + quote);
    view.setUint16(icmp + 2, ~checksum.sum(icmp, ICMP_HEADER + quote) & 0xffff, true);
    write(start, VIRTIO + total, device);
  }

  function answer6(packet: number, length: number, mtu: number, device: number): void {
    const quote = Math.min(length, IPV6_QUOTE);
    const message = ICMP_HEADER + quote;
    bytes.fill(0, start, answer + IPV6_HEADER + ICMP_HEADER);
    bytes.copyWithin(answer + 8, packet + 24, packet + 40);
    bytes.copyWithin(answer + 24, packet + 8, packet + 24);
    const icmp = answer + IPV6_HEADER;
    view.setUint8(icmp, 2); // packet too big
    view.setUint32(icmp + 4, mtu);
    bytes.copyWithin(icmp + ICMP_HEADER, packet, packet + quote);
    // The pseudo-header (RFC 8200 section 8.1) is summed where the rest of the header comes later.
    view.setUint16(answer + 4, message);
    view.setUint16(answer + 6, PROTOCOL.icmpV6);
    view.setUint16(icmp + 2, ~checksum.sum(answer + 4, IPV6_HEADER - 4 + message) & 0xffff, true);
    view.setUint32(answer, 0x60000000 | (PRECEDENCE << 20));
    view.setUint8(answer + 6, PROTOCOL.icmpV6);
    view.setUint8(answer + 7, HOPS);
    write(start, VIRTIO + IPV6_HEADER + message, device);
  }

  /** RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): who must not be answered, or where the answer would have a wrong source. */
  function isDue(packet: number, length: number): boolean {
    if (readIpHeader(arena, packet, length, header) !== 0 || header.laterFragment) return false;
    if (isFragmentable(bytes, packet)) return false;
    return header.family === 4 ? isDue4(header) : isDue6(header);
  }

  return {
    answer(packet, length, mtu, device, now) {
      if (!isDue(packet, length)) return;
      const { source, family } = header;
      const share = Math.imul(source[family === 4 ? 0 : 3]!, 0x9e3779b1) >>> 26;
      if (!buckets[share]!.take(1, now)) return;
      if (family === 4) answer4(packet, length, mtu, device);
      else answer6(packet, length, mtu, device);
    },
  };
}

function isDue4({ source, destination, protocol, sourcePort }: IpHeader): boolean {
  const type = sourcePort >> 8;
  // Anything but a request, an answer, or something newer: errors never answer errors.
  if (protocol === PROTOCOL.icmp && type !== 0 && type !== 8 && type < 13) return false;
  return isUnicast4(source[0]!) && isUnicast4(destination[0]!);
}

/** Neither "this network", loopback, multicast, reserved nor broadcast. */
function isUnicast4(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** Multicast is answered here (RFC 4443 section 2.4 (e.3)), but our answer has the destination as its source. */
function isDue6({ source, destination, protocol, sourcePort }: IpHeader): boolean {
  if (protocol === PROTOCOL.icmpV6 && sourcePort >> 8 < 128) return false;
  return isUnicast6(source) && isUnicast6(destination);
}

function isUnicast6(address: Uint32Array): boolean {
  const [a, b, c, d] = address as unknown as readonly [number, number, number, number];
  return a >>> 24 !== 0xff && !(a === 0 && b === 0 && c === 0 && d <= 1);
}
