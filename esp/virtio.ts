/**
 * The virtio network header before each packet of the TUN device (virtio 1.2 section 5.1.6, `struct virtio_net_hdr`),
 * little-endian:
 *
 *     flags (1) | gso type (1) | header length (2) | gso size (2) | checksum start (2) | checksum offset (2)
 */
import type { Arena } from "../crypto/interfaces.js";

export const VIRTIO_HEADER_BYTES = 10;

/** The flag: the checksum field at start + offset holds the pseudo-header's sum, and the rest is to be added. */
export const NEEDS_CHECKSUM = 1;

/** gso types; `ecn` is a flag beside `tcpV4` and `tcpV6`. */
export const GSO = { none: 0, tcpV4: 1, tcpV6: 4, udp: 5, ecn: 0x80 } as const;

export const virtio = {
  flags: ({ bytes }: Arena, at: number) => bytes[at]!,
  gsoType: ({ bytes }: Arena, at: number) => bytes[at + 1]! & ~GSO.ecn,
  gsoSize: ({ view }: Arena, at: number) => view.getUint16(at + 4, true),
  checksumStart: ({ view }: Arena, at: number) => view.getUint16(at + 6, true),
  checksumOffset: ({ view }: Arena, at: number) => view.getUint16(at + 8, true),
} as const;

/** The header of a packet that is complete as it is. */
export function writePlainHeader({ view }: Arena, at: number): void {
  view.setUint32(at, 0);
  view.setUint32(at + 4, 0);
  view.setUint16(at + 8, 0);
}

/** The header of a super packet whose checksum field holds the pseudo-header's sum. */
export function writeGsoHeader(
  { bytes, view }: Arena,
  at: number,
  gsoType: number,
  headerBytes: number,
  gsoSize: number,
  checksumStart: number,
  checksumOffset: number,
): void {
  bytes[at] = NEEDS_CHECKSUM;
  bytes[at + 1] = gsoType;
  view.setUint16(at + 2, headerBytes, true);
  view.setUint16(at + 4, gsoSize, true);
  view.setUint16(at + 6, checksumStart, true);
  view.setUint16(at + 8, checksumOffset, true);
}
