/** ESP inside UDP, RFC 3948: what a datagram on the NAT traversal port is. */

/** Octets of the Non-ESP Marker before an IKE message on port 4500 (four zeros where ESP has its SPI). */
export const NON_ESP_MARKER_BYTES = 4;

export const DATAGRAM = { runt: 0, keepalive: 1, ike: 2, esp: 3 } as const;

/** Classifies a UDP payload: RFC 3948 section 2.1-2.3. `runt`: too short for anything, or empty. */
export declare function classifyDatagram(bytes: Uint8Array, at: number, length: number): 0 | 1 | 2 | 3;
