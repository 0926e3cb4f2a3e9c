/**
 * Merges opened packets of one flow into super packets before they are written to the TUN device: consecutive TCP
 * segments, UDP datagrams of equal size. The receiver sees what it would see if each had been written alone: only
 * neighbours of a flow with equal headers merge, each with a verified checksum, and the order within a flow is kept.
 *
 * The first packet of a flow is copied to a place of its own, and the payloads of the following ones behind it. A packet that
 * nothing is merged with is written from where it stands.
 */
import type { Arena } from "../crypto/interfaces.js";
import { type Checksum, fold, swap16 } from "./checksum.js";
import { PROTOCOL } from "./ip-header.js";
import { GSO, VIRTIO_HEADER_BYTES, writeGsoHeader, writePlainHeader } from "./virtio.js";

/** Writes the virtio header and packet that stand together at `at`, `length` octets in all, to the device of that number. */
export type WriteTun = (at: number, length: number, device: number) => void;

export interface Coalescer {
  /**
   * Takes the packet of `length` octets at `at`, which is for that device. Writes whatever it closes. What is left of the packet there afterwards is
   * undefined, and so are the VIRTIO_HEADER_BYTES octets before it.
   */
  add(at: number, length: number, device: number): void;
  /** Writes everything that is held. Call when nothing more is there to be opened. */
  flush(): void;
}

/** Flows that are merged at the same time. */
const FLOWS = 8;
/** Room before a packet for the virtio header, so that the packet itself is aligned. */
const HEADROOM = 64;
const PLACE_BYTES = 65536;
const MOST_OCTETS = 65535;
/** UDP_MAX_SEGMENTS of older kernels, and a bound on the time that a flow waits. */
const MOST_SEGMENTS = 64;

const ACK = 0x10;
const PSH = 0x08;

/** `udp`: whether the TUN devices take UDP super packets (TUN_F_USO4 and TUN_F_USO6). */
export function createCoalescer(arena: Arena, checksum: Checksum, udp: boolean, write: WriteTun): Coalescer {
  const { bytes, view } = arena;
  const free: Place[] = [];
  for (let i = 0; i < FLOWS; i++) free.push(createPlace(arena.alloc(PLACE_BYTES + HEADROOM) + HEADROOM));
  /** Oldest first. */
  const held: Place[] = [];
  /** The candidate, as `classify` found it. */
  const packet = createCandidate();

  /** Reads the candidate. False: it is not plain TCP or UDP, and nothing is known about its flow. */
  function classify(length: number): boolean {
    const { at } = packet;
    if (bytes[at] === 0x45) {
      if (length < 28 || view.getUint16(at + 2) !== length || (view.getUint16(at + 6) & 0xbfff) !== 0) return false;
      packet.protocol = bytes[at + 9]!;
      packet.transport = 20;
    } else if (bytes[at]! >> 4 === 6) {
      if (length < 48 || view.getUint16(at + 4) + 40 !== length) return false;
      packet.protocol = bytes[at + 6]!;
      packet.transport = 40;
    } else return false;
    if (packet.protocol === PROTOCOL.tcp) return classifyTcp(at + packet.transport, length);
    return packet.protocol === PROTOCOL.udp && classifyUdp(at + packet.transport, length);
  }

  function classifyTcp(tcp: number, length: number): boolean {
    if (packet.transport + 20 > length) return false;
    const headerBytes = packet.transport + (bytes[tcp + 12]! >> 4) * 4;
    if (headerBytes < packet.transport + 20 || headerBytes > length) return false;
    const flags = bytes[tcp + 13]!;
    packet.headerBytes = headerBytes;
    packet.payload = length - headerBytes;
    packet.mergeable = packet.payload > 0 && (flags & ~PSH) === ACK && (bytes[tcp + 12]! & 15) === 0;
    packet.closes = (flags & PSH) !== 0;
    return true;
  }

  function classifyUdp(at: number, length: number): boolean {
    packet.headerBytes = packet.transport + 8;
    packet.payload = length - packet.headerBytes;
    // Without a checksum (zero) nothing could be verified.
    packet.mergeable =
      udp && packet.payload > 0 && view.getUint16(at + 4) === length - packet.transport && view.getUint16(at + 6) !== 0;
    packet.closes = false;
    return true;
  }

  /** Where the flow of the candidate is held; -1: nowhere. */
  function findFlow(): number {
    for (let i = held.length - 1; i >= 0; i--) if (sameFlow(held[i]!)) return i;
    return -1;
  }

  function sameFlow(place: Place): boolean {
    if (place.device !== packet.device) return false;
    if (place.protocol !== packet.protocol || place.transport !== packet.transport) return false;
    const a = place.at;
    const b = packet.at;
    if (view.getInt32(a + place.transport) !== view.getInt32(b + packet.transport)) return false; // ports
    for (let i = place.transport === 20 ? 12 : 8; i < place.transport; i += 4)
      if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
    return true;
  }

  /** Whether the candidate continues what is held: the headers differ only in what segmentation will make again. */
  function continues(place: Place): boolean {
    if (place.headerBytes !== packet.headerBytes || packet.payload > place.segment) return false;
    if (place.length + packet.payload > MOST_OCTETS || place.segments >= MOST_SEGMENTS) return false;
    const a = place.at;
    const b = packet.at;
    if (place.transport === 20 ? !continuesIpv4(a, b, place.segments) : !continuesIpv6(a, b)) return false;
    return packet.protocol !== PROTOCOL.tcp || continuesTcp(place, a + place.transport, b + place.transport);
  }

  /** TOS, fragment bits, TTL, protocol alike; identification counts on, or stays with DF (RFC 6864 section 4.1). */
  function continuesIpv4(a: number, b: number, segments: number): boolean {
    if (bytes[a + 1] !== bytes[b + 1] || view.getUint16(a + 6) !== view.getUint16(b + 6)) return false;
    if (bytes[a + 8] !== bytes[b + 8]) return false;
    const first = view.getUint16(a + 4);
    const id = view.getUint16(b + 4);
    return id === ((first + segments) & 0xffff) || (id === first && (bytes[a + 6]! & 0x40) !== 0);
  }

  /** Version, Traffic Class, Flow Label; Next Header and Hop Limit. */
  function continuesIpv6(a: number, b: number): boolean {
    return view.getInt32(a) === view.getInt32(b) && view.getUint16(a + 6) === view.getUint16(b + 6);
  }

  /** The next sequence number; acknowledgement, data offset, window, and every option alike. */
  function continuesTcp(place: Place, a: number, b: number): boolean {
    if (view.getInt32(b + 4) !== ((view.getInt32(a + 4) + place.length - place.headerBytes) | 0)) return false;
    if (view.getInt32(a + 8) !== view.getInt32(b + 8) || view.getUint16(a + 14) !== view.getUint16(b + 14))
      return false;
    const options = place.headerBytes - place.transport;
    for (let i = 20; i < options; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
    return true;
  }

  function pseudoSum(at: number, place: { transport: number; protocol: number }, length: number): number {
    const addresses = place.transport === 20 ? checksum.sum(at + 12, 8) : checksum.sum(at + 8, 32);
    return addresses + swap16(place.protocol) + swap16(length - place.transport);
  }

  /** What the headers of one flow differ in: length of the transport part, sequence number, flags, checksum. */
  function ownSum(transport: number, protocol: number, transportBytes: number): number {
    const length = swap16(transportBytes);
    if (protocol === PROTOCOL.udp) return 2 * length + view.getUint16(transport + 6, true);
    return (
      length +
      view.getUint16(transport + 4, true) +
      view.getUint16(transport + 6, true) +
      view.getUint16(transport + 12, true) +
      view.getUint16(transport + 16, true)
    );
  }

  /** Copies the candidate's payload behind what is held, and says whether its checksum was right; if not, nothing changed. */
  function append(place: Place): boolean {
    const { at, transport, protocol, headerBytes } = packet;
    const payload = checksum.copySum(place.at + place.length, at + headerBytes, packet.payload);
    const own = ownSum(at + transport, protocol, headerBytes - transport + packet.payload);
    if (fold(place.shared + own + payload) !== 0xffff) return false;
    if (packet.protocol === PROTOCOL.tcp)
      bytes[place.at + place.transport + 13] = bytes[place.at + place.transport + 13]! | (packet.closes ? PSH : 0);
    place.length += packet.payload;
    place.segments++;
    return true;
  }

  /** The first packet of a place is verified when a second one is to follow. */
  function verified(place: Place): boolean {
    if (place.segments > 1) return true;
    const { at, transport, length, headerBytes, protocol } = place;
    const headers = fold(pseudoSum(at, place, length) + checksum.sum(at + transport, headerBytes - transport));
    // To subtract is to add the complement (RFC 1071 section 2).
    place.shared = headers + 0xffff - fold(ownSum(at + transport, protocol, length - transport));
    return fold(headers + place.sum) === 0xffff;
  }

  /** The candidate becomes the first packet of a held place. */
  function hold(length: number): void {
    if (held.length === FLOWS) writeHeld(0);
    const place = free.pop()!;
    place.length = length;
    place.segments = 1;
    place.transport = packet.transport;
    place.headerBytes = packet.headerBytes;
    place.protocol = packet.protocol;
    place.device = packet.device;
    place.segment = packet.payload;
    checksum.copy(place.at, packet.at, packet.headerBytes);
    place.sum = checksum.copySum(place.at + packet.headerBytes, packet.at + packet.headerBytes, packet.payload);
    held.push(place);
  }

  function writeHeld(index: number): void {
    const place = held[index]!;
    for (let i = index + 1; i < held.length; i++) held[i - 1] = held[i]!;
    held.pop(); // not splice, which makes an array
    free.push(place);
    if (place.segments > 1) finish(place);
    else writePlainHeader(arena, place.at - VIRTIO_HEADER_BYTES);
    write(place.at - VIRTIO_HEADER_BYTES, place.length + VIRTIO_HEADER_BYTES, place.device);
  }

  /** Makes a super packet of what was collected: lengths, IPv4 header checksum, the pseudo-header's sum, virtio header. */
  function finish(place: Place): void {
    const { at, length, transport, headerBytes, segment, protocol } = place;
    if (transport === 20) {
      view.setUint16(at + 2, length);
      view.setUint16(at + 10, 0);
      view.setUint16(at + 10, ~checksum.sum(at, 20) & 0xffff, true);
    } else view.setUint16(at + 4, length - 40);
    const tcp = protocol === PROTOCOL.tcp;
    if (!tcp) view.setUint16(at + transport + 4, length - transport);
    const field = tcp ? 16 : 6;
    view.setUint16(at + transport + field, fold(pseudoSum(at, place, length)), true);
    const type = tcp ? (transport === 20 ? GSO.tcpV4 : GSO.tcpV6) : GSO.udp;
    writeGsoHeader(arena, at - VIRTIO_HEADER_BYTES, type, headerBytes, segment, transport, field);
  }

  function writeCurrent(length: number): void {
    writePlainHeader(arena, packet.at - VIRTIO_HEADER_BYTES);
    write(packet.at - VIRTIO_HEADER_BYTES, length + VIRTIO_HEADER_BYTES, packet.device);
  }

  function flush(): void {
    while (held.length > 0) writeHeld(0);
  }

  return {
    add(at, length, device) {
      packet.at = at;
      packet.device = device;
      if (!classify(length)) {
        flush(); // it may belong to any flow
        writeCurrent(length);
        return;
      }
      const flow = findFlow();
      if (flow >= 0) {
        const place = held[flow]!;
        if (packet.mergeable && continues(place) && verified(place) && append(place)) {
          if (packet.closes || packet.payload < place.segment) writeHeld(flow);
          return;
        }
        writeHeld(flow);
      }
      if (packet.mergeable && !packet.closes) hold(length);
      else writeCurrent(length);
    },
    flush,
  };
}

/** What is collected of a flow. */
interface Place {
  readonly at: number;
  /** Of the payload of the first packet. */
  sum: number;
  /** Of what the pseudo-headers and transport headers of all its packets share; known once the first one is verified. */
  shared: number;
  length: number;
  segments: number;
  /** Payload octets of all segments but the last. */
  segment: number;
  /** From the start of the packet: where the transport header stands, and where the payload. */
  transport: number;
  headerBytes: number;
  protocol: number;
  device: number;
}

function createPlace(at: number): Place {
  return {
    at,
    sum: 0,
    shared: 0,
    length: 0,
    segments: 0,
    segment: 0,
    transport: 0,
    headerBytes: 0,
    protocol: 0,
    device: 0,
  };
}

interface Candidate {
  at: number;
  transport: number;
  headerBytes: number;
  protocol: number;
  payload: number;
  device: number;
  /** It may be merged with its neighbours. */
  mergeable: boolean;
  /** Nothing may follow it in a super packet (TCP PSH). */
  closes: boolean;
}

function createCandidate(): Candidate {
  return { at: 0, transport: 0, headerBytes: 0, protocol: 0, payload: 0, device: 0, mergeable: false, closes: false };
}
