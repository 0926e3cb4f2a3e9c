/**
 * Cuts what the TUN device hands over (TSO, USO, partial checksums) into packets as they travel. The checksums are made
 * from the sum of the headers, which is the same for all segments but for a few fields, and from the sum of each payload,
 * which is taken while it is copied.
 */
import type { Arena } from "../crypto/interfaces.js";
import { type Checksum, fold, swap16 } from "./checksum.js";
import { DROP } from "./drop-reasons.js";
import { createIpHeader, PROTOCOL, readIpHeader } from "./ip-header.js";
import { GSO, NEEDS_CHECKSUM, virtio } from "./virtio.js";

export interface Segmenter {
  /**
   * Takes the packet of `length` octets at `packet` with its virtio header at `header`; header fields of the packet may
   * be changed. The number of segments, or minus a drop code (`badOffload`, `malformed`).
   */
  start(header: number, packet: number, length: number): number;
  /** The length of the longest segment of the packet that was started. */
  longest(): number;
  /** Writes the next segment, complete with checksums, to `to` (outside the packet). Its length; 0: there are no more. */
  next(to: number): number;
  /**
   * For packets of one segment (gso type none): finishes the partial checksum where the packet stands, so that it need
   * not be copied. 0, or a drop code (`badOffload`).
   */
  finishInPlace(header: number, packet: number, length: number): number;
}

const FIN = 0x01;
const PSH = 0x08;
const CWR = 0x80;

/** Where the checksum stands in a UDP header. */
const UDP_CHECKSUM = 6;

export function createSegmenter(arena: Arena, checksum: Checksum): Segmenter {
  const { bytes, view } = arena;
  const ip = createIpHeader();
  // The packet that was started, and how far it is done. Lengths and positions count from its start.
  let packet = 0;
  let length = 0;
  let segments = 0;
  let done = 0;
  let position = 0;
  let headerBytes = 0;
  let payloadBytes = 0; // per segment
  let transport = 0; // where the TCP or UDP header stands; 0: the packet is copied as a whole
  let ipv4 = true;
  let tcp = true;
  // What all segments share. The fields in which they differ are zero in the packet by then.
  let ipSum = 0;
  let transportSum = 0;
  let identification = 0;
  let sequence = 0; // signed
  let flags = 0;

  /** RFC 1071 over everything from the checksum start on; the pseudo-header's sum stands in the field already. */
  function finishInPlace(header: number, at: number, count: number): number {
    if ((virtio.flags(arena, header) & NEEDS_CHECKSUM) === 0) return 0;
    const start = virtio.checksumStart(arena, header);
    const offset = virtio.checksumOffset(arena, header);
    if (start + offset + 2 > count) return DROP.badOffload;
    const sum = checksum.sum(at + start, count - start);
    if (offset === UDP_CHECKSUM) writeUdpChecksum(at + start, sum);
    else view.setUint16(at + start + offset, ~sum & 0xffff, true);
    return 0;
  }

  /** Zero would mean "no checksum" (RFC 768); 0xffff is the same number in one's complement. */
  function writeUdpChecksum(udp: number, sum: number): void {
    view.setUint16(udp + UDP_CHECKSUM, ~fold(sum) & 0xffff || 0xffff, true);
  }

  /** Checks that the packet is what the gso type says, and finds the headers. 0, or a drop code. */
  function readHeaders(header: number): number {
    const code = readIpHeader(arena, packet, length, ip);
    if (code !== 0) return code;
    const type = virtio.gsoType(arena, header);
    ipv4 = ip.family === 4;
    tcp = type !== GSO.udp;
    transport = ip.transport - packet;
    if (tcp && type !== (ipv4 ? GSO.tcpV4 : GSO.tcpV6)) return DROP.badOffload;
    if (ip.fragment || ip.protocol !== (tcp ? PROTOCOL.tcp : PROTOCOL.udp)) return DROP.badOffload;
    const least = tcp ? 20 : 8;
    if (transport + least > length) return DROP.badOffload;
    const transportBytes = tcp ? (bytes[packet + transport + 12]! >> 4) * 4 : least;
    headerBytes = transport + transportBytes;
    payloadBytes = virtio.gsoSize(arena, header);
    const complete = virtio.flags(arena, header) & NEEDS_CHECKSUM && virtio.checksumStart(arena, header) === transport;
    return complete && transportBytes >= least && headerBytes <= length && payloadBytes > 0 ? 0 : DROP.badOffload;
  }

  function sumIpHeader(): void {
    if (!ipv4) return;
    identification = view.getUint16(packet + 4);
    view.setUint16(packet + 2, 0);
    view.setUint16(packet + 4, 0);
    view.setUint16(packet + 10, 0);
    ipSum = checksum.sum(packet, transport);
  }

  function sumTransportHeader(): void {
    const at = packet + transport;
    if (tcp) {
      sequence = view.getInt32(at + 4);
      flags = bytes[at + 13]!;
      view.setInt32(at + 4, 0);
      bytes[at + 13] = 0;
      view.setUint16(at + 16, 0);
    } else view.setUint32(at + 4, 0); // length and checksum
    const addresses = ipv4 ? checksum.sum(packet + 12, 8) : checksum.sum(packet + 8, 32);
    transportSum = addresses + swap16(ip.protocol) + checksum.sum(at, headerBytes - transport);
  }

  function writeIpHeader(to: number, total: number): void {
    if (!ipv4) {
      view.setUint16(to + 4, total - 40);
      return;
    }
    const id = (identification + done) & 0xffff;
    view.setUint16(to + 2, total);
    view.setUint16(to + 4, id);
    view.setUint16(to + 10, ~fold(ipSum + swap16(total) + swap16(id)) & 0xffff, true);
  }

  /** FIN and PSH belong to the last segment, CWR to the first (RFC 3168 section 6.1.2). */
  function writeTcpHeader(at: number, sum: number): void {
    const number = (sequence + position - headerBytes) | 0;
    let own = flags;
    if (done < segments - 1) own &= ~(FIN | PSH);
    if (done > 0) own &= ~CWR;
    view.setInt32(at + 4, number);
    bytes[at + 13] = own;
    const total = sum + swap16(number >>> 16) + swap16(number & 0xffff) + (own << 8);
    view.setUint16(at + 16, ~fold(total) & 0xffff, true);
  }

  function writeUdpHeader(at: number, sum: number, udpLength: number): void {
    view.setUint16(at + 4, udpLength);
    writeUdpChecksum(at, sum + swap16(udpLength));
  }

  return {
    start(header, at, count) {
      packet = at;
      length = count;
      done = 0;
      segments = 0;
      if (virtio.gsoType(arena, header) === GSO.none) {
        const code = finishInPlace(header, at, count);
        if (code !== 0) return -code;
        transport = 0;
        headerBytes = count;
        payloadBytes = 0;
        segments = 1;
        return segments;
      }
      const code = readHeaders(header);
      if (code !== 0) return -code;
      sumIpHeader();
      sumTransportHeader();
      position = headerBytes;
      segments = Math.max(1, Math.ceil((length - headerBytes) / payloadBytes));
      return segments;
    },
    longest: () => Math.min(length, headerBytes + payloadBytes),
    next(to) {
      if (done === segments) return 0;
      checksum.copy(to, packet, headerBytes);
      if (transport === 0) {
        done++;
        return length;
      }
      const payload = Math.min(payloadBytes, length - position);
      const payloadSum = checksum.copySum(to + headerBytes, packet + position, payload);
      const total = headerBytes + payload;
      const sum = transportSum + payloadSum + swap16(total - transport);
      writeIpHeader(to, total);
      if (tcp) writeTcpHeader(to + transport, sum);
      else writeUdpHeader(to + transport, sum, total - transport);
      position += payload;
      done++;
      return total;
    },
    finishInPlace,
  };
}
