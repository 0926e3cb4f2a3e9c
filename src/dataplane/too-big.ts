/**
 * The answer to an inner packet that does not fit the tunnel: ICMP "fragmentation needed" (RFC 792, RFC 1191) or ICMPv6 "packet too big"
 * (RFC 4443 section 3.2), written to the TUN device as if a router on the way had sent it.
 *
 * Usually the MTU of the tunnel's routes makes the kernel answer before a packet comes here; these answers fill the time between a path
 * that became narrower and routes that know it.
 */
import type { Arena } from "../../crypto/interfaces.js";
import type { Checksum } from "../../esp/checksum.js";

export interface TooBig {
  /** Answers the packet of `length` octets at `packet`, of which `mtu` would fit. Nothing happens where no answer is due. */
  answer(packet: number, length: number, mtu: number): void;
}

/** Writes the virtio header and packet at `at`. */
type WriteTun = (at: number, length: number) => void;

const VIRTIO = 10;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const ICMP_HEADER = 8;
/** What an answer quotes: RFC 1812 section 4.3.2.3 (576 in all), RFC 4443 (1280 in all). */
const IPV4_QUOTE = 576 - IPV4_HEADER - ICMP_HEADER;
const IPV6_QUOTE = 1280 - IPV6_HEADER - ICMP_HEADER;
const HOPS = 64;

export function createTooBig(arena: Arena, checksum: Checksum, write: WriteTun): TooBig {
  const { bytes, view } = arena;
  const start = arena.alloc(VIRTIO + 1280);
  const answer = start + VIRTIO;

  function answer4(packet: number, length: number, mtu: number): void {
    const dontFragment = (view.getUint16(packet + 6) & 0x4000) !== 0;
    const laterFragment = (view.getUint16(packet + 6) & 0x1fff) !== 0;
    if (!dontFragment || laterFragment || isIcmpError(packet, 9, 1, (view.getUint8(packet) & 15) * 4)) return;
    const quote = Math.min(length, IPV4_QUOTE);
    const total = IPV4_HEADER + ICMP_HEADER + quote;
    bytes.fill(0, start, answer + IPV4_HEADER + ICMP_HEADER);
    view.setUint16(answer, 0x4500);
    view.setUint16(answer + 2, total);
    view.setUint8(answer + 8, HOPS);
    view.setUint8(answer + 9, 1);
    // From the host that the packet was for: the tunnel has no address of its own.
    bytes.copyWithin(answer + 12, packet + 16, packet + 20);
    bytes.copyWithin(answer + 16, packet + 12, packet + 16);
    view.setUint16(answer + 10, ~checksum.sum(answer, IPV4_HEADER) & 0xffff, true);
    const icmp = answer + IPV4_HEADER;
    view.setUint16(icmp, 0x0304); // destination unreachable: fragmentation needed and DF set
    view.setUint16(icmp + 6, mtu);
    bytes.copyWithin(icmp + ICMP_HEADER, packet, packet + quote);
    view.setUint16(icmp + 2, ~checksum.sum(icmp, ICMP_HEADER + quote) & 0xffff, true);
    write(start, VIRTIO + total);
  }

  function answer6(packet: number, length: number, mtu: number): void {
    if (isIcmpError(packet, 6, 58, IPV6_HEADER)) return;
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
    view.setUint16(answer + 6, 58);
    view.setUint16(icmp + 2, ~checksum.sum(answer + 4, IPV6_HEADER - 4 + message) & 0xffff, true);
    view.setUint32(answer, 0x60000000);
    view.setUint8(answer + 6, 58);
    view.setUint8(answer + 7, HOPS);
    write(start, VIRTIO + IPV6_HEADER + message);
  }

  /** Errors never answer errors. `protocolAt` and `headerBytes` without extension headers. */
  function isIcmpError(packet: number, protocolAt: number, icmp: number, headerBytes: number): boolean {
    if (view.getUint8(packet + protocolAt) !== icmp) return false;
    const type = view.getUint8(packet + headerBytes);
    return icmp === 58 ? type < 128 : type !== 0 && type !== 8 && type < 13;
  }

  return {
    answer(packet, length, mtu) {
      if (view.getUint8(packet) >> 4 === 4) answer4(packet, length, mtu);
      else answer6(packet, length, mtu);
    },
  };
}
