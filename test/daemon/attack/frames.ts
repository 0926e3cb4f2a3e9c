/** Ethernet frames with IPv4 as an attacker on the link reads and makes them: any source, any length, any nonsense. */

export interface Host {
  readonly mac: Uint8Array;
  readonly ip: string;
}

/** What a frame carries: UDP, or ESP (IP protocol 50). */
export interface Captured {
  readonly kind: "udp" | "esp";
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

export interface Forged extends Captured {
  /** Of the frame. */
  readonly to: Uint8Array;
}

const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const MTU = 1500;
const PROTOCOL = { udp: 17, esp: 50 } as const;

/** Undefined: not IPv4, a fragment, or neither UDP nor ESP. */
export function readFrame(frame: Uint8Array): Captured | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < ETHERNET_BYTES + IP_BYTES || view.getUint16(12) !== 0x0800) return undefined;
  const header = (view.getUint8(14) & 15) * 4;
  const end = ETHERNET_BYTES + view.getUint16(16);
  const at = ETHERNET_BYTES + header;
  if (end > frame.length || (view.getUint16(20) & 0x3fff) !== 0) return undefined;
  const source = dotted(frame.subarray(26, 30));
  const destination = dotted(frame.subarray(30, 34));
  switch (view.getUint8(23)) {
    case PROTOCOL.esp:
      return { kind: "esp", source, destination, sourcePort: 0, destinationPort: 0, payload: frame.slice(at, end) };
    case PROTOCOL.udp:
      return {
        kind: "udp",
        source,
        destination,
        sourcePort: view.getUint16(at),
        destinationPort: view.getUint16(at + 2),
        payload: frame.slice(at + UDP_BYTES, end),
      };
    default:
      return undefined;
  }
}

let identification = 1;

/** One frame, or the fragments of a datagram that is longer than the link allows. Without a UDP checksum, which IPv4 permits. */
export function makeFrames(forged: Forged): readonly Uint8Array[] {
  const packet = forged.kind === "esp" ? forged.payload : datagram(forged);
  const frames: Uint8Array[] = [];
  const id = identification++ & 0xffff;
  for (let from = 0; from === 0 || from < packet.length; from += MTU - IP_BYTES) {
    const part = packet.subarray(from, from + MTU - IP_BYTES);
    const more = from + part.length < packet.length;
    frames.push(frameOf(forged, part, id, (more ? 0x2000 : 0) | (from >> 3)));
  }
  return frames;
}

function datagram({ sourcePort, destinationPort, payload }: Forged): Uint8Array {
  const bytes = new Uint8Array(UDP_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, bytes.length);
  bytes.set(payload, UDP_BYTES);
  return bytes;
}

function frameOf(
  { to, kind, source, destination }: Forged,
  part: Uint8Array,
  id: number,
  fragment: number,
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_BYTES + IP_BYTES + part.length);
  const view = new DataView(frame.buffer);
  frame.set(to, 0);
  frame.set([2, 0, 0, 0, 0, 0x66], 6);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, IP_BYTES + part.length);
  view.setUint16(18, id);
  view.setUint16(20, fragment);
  view.setUint8(22, 64);
  view.setUint8(23, PROTOCOL[kind]);
  frame.set(octetsOf(source), 26);
  frame.set(octetsOf(destination), 30);
  let sum = 0;
  for (let at = ETHERNET_BYTES; at < ETHERNET_BYTES + IP_BYTES; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(24, ~sum & 0xffff);
  frame.set(part, ETHERNET_BYTES + IP_BYTES);
  return frame;
}

function dotted(octets: Uint8Array): string {
  return octets.join(".");
}

function octetsOf(ip: string): number[] {
  return ip.split(".").map(Number);
}
