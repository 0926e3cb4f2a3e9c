/** IKE and ESP as they travel: the IP and UDP headers around a message, made anew for a recording, because the sockets keep theirs. */
import { addressOctets, type Path } from "../../esp/address.js";

const IPPROTO = { udp: 17, esp: 50 } as const;
const TTL = 64;

/** A UDP datagram from `from` to `to` of the path. */
export function udpPacket({ local: from, remote: to }: Path, payload: Uint8Array): Uint8Array {
  const udp = new Uint8Array(8 + payload.length);
  const view = new DataView(udp.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint16(4, udp.length);
  udp.set(payload, 8);
  const [source, destination] = [addressOctets(from.address), addressOctets(to.address)];
  const pseudo = new Uint8Array(4);
  new DataView(pseudo.buffer).setUint16(0, IPPROTO.udp);
  new DataView(pseudo.buffer).setUint16(2, udp.length);
  view.setUint16(6, onesComplement([source, destination, pseudo, udp]) || 0xffff);
  return ipPacket(IPPROTO.udp, source, destination, udp);
}

/** A bare ESP packet. */
export function espPacket({ local: from, remote: to }: Path, esp: Uint8Array): Uint8Array {
  return ipPacket(IPPROTO.esp, addressOctets(from.address), addressOctets(to.address), esp);
}

/** The way back. */
export function reversed({ local, remote }: Path): Path {
  return { local: remote, remote: local };
}

function ipPacket(protocol: number, source: Uint8Array, destination: Uint8Array, payload: Uint8Array): Uint8Array {
  const four = source.length === 4;
  const headerBytes = four ? 20 : 40;
  const packet = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(packet.buffer);
  if (four) {
    view.setUint8(0, 0x45);
    view.setUint16(2, packet.length);
    view.setUint16(6, 0x4000); // DF
    view.setUint8(8, TTL);
    view.setUint8(9, protocol);
    packet.set(source, 12);
    packet.set(destination, 16);
    view.setUint16(10, onesComplement([packet.subarray(0, headerBytes)]));
  } else {
    view.setUint8(0, 0x60);
    view.setUint16(4, payload.length);
    view.setUint8(6, protocol);
    view.setUint8(7, TTL);
    packet.set(source, 8);
    packet.set(destination, 24);
  }
  packet.set(payload, headerBytes);
  return packet;
}

/** The Internet checksum (RFC 1071); each part begins at an even place. */
function onesComplement(parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
