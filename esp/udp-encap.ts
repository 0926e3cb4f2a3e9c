/** ESP inside UDP, RFC 3948: what a datagram on the NAT traversal port is. */

/** Octets of the Non-ESP Marker before an IKE message on port 4500 (four zeros where ESP has its SPI). */
export const NON_ESP_MARKER_BYTES = 4;

/** The one octet of a NAT keepalive, RFC 3948 section 2.3. */
export const KEEPALIVE_OCTET = 0xff;

export const DATAGRAM = { runt: 0, keepalive: 1, ike: 2, esp: 3 } as const;

export type DatagramKind = (typeof DATAGRAM)[keyof typeof DATAGRAM];

/** The length of an IKE header: what is shorter behind the marker is no message. */
const IKE_HEADER_BYTES = 28;

/** Classifies a UDP payload: RFC 3948 section 2.1-2.3. `runt`: too short for any of them. */
export function classifyDatagram(bytes: Uint8Array, at: number, length: number): DatagramKind {
  if (length === 1 && bytes[at] === KEEPALIVE_OCTET) return DATAGRAM.keepalive;
  if (length < 8) return DATAGRAM.runt;
  if ((bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) !== 0) return DATAGRAM.esp;
  return length < NON_ESP_MARKER_BYTES + IKE_HEADER_BYTES ? DATAGRAM.runt : DATAGRAM.ike;
}
