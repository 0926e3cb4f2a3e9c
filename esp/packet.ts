/**
 * The layout of an ESP packet, RFC 4303 section 2:
 *
 *     SPI (4) | sequence number (4) | IV | payload | padding (0-255) | pad length (1) | next header (1) | ICV
 *             text that is encrypted:     ^------------------------------------------------------^
 */
import type { Sealer } from "../crypto/interfaces.js";

/** SPI and sequence number. */
export const ESP_HEADER_BYTES = 8;

/** Pad length and next header. */
export const TRAILER_BYTES = 2;

/** RFC 4303 section 2.6. `dummy` is "no next header": its payload is discarded. */
export const NEXT_HEADER = { ipv4: 4, ipv6: 41, dummy: 59 } as const;

/** The lengths of an algorithm that the layout depends on; every `Sealer` has them. */
export type EspLengths = Pick<Sealer, "ivBytes" | "icvBytes" | "blockBytes">;

/** The next header field of an inner packet whose first octet is given. */
export function nextHeaderFor(firstOctet: number): number {
  return firstOctet >> 4 === 6 ? NEXT_HEADER.ipv6 : NEXT_HEADER.ipv4;
}

/** Where the payload stands in the ESP packet. */
export function payloadOffset({ ivBytes }: EspLengths): number {
  return ESP_HEADER_BYTES + ivBytes;
}

/** What the length of the text is a multiple of: the block, and 4 in any case (section 2.4). */
export function textAlignment({ blockBytes }: EspLengths): number {
  return Math.max(4, blockBytes);
}

/** The length of the text for a payload: with the least padding that aligns it. `alignment` is a power of two. */
export function textLength(payload: number, alignment: number): number {
  return (payload + TRAILER_BYTES + alignment - 1) & -alignment;
}

/** Writes padding 1, 2, 3, ... (section 2.4), pad length and next header behind the payload at `at`. */
export function writeTrailer(bytes: Uint8Array, at: number, payload: number, text: number, nextHeader: number): void {
  const padding = text - TRAILER_BYTES - payload;
  let position = at + payload;
  for (let i = 1; i <= padding; i++) bytes[position++] = i;
  bytes[position] = padding;
  bytes[position + 1] = nextHeader;
}

/**
 * The length of the payload in a decrypted text of `text` octets at `at`, after a check of the padding; -1 when the
 * padding is not the one of section 2.4.
 */
export function payloadLength(bytes: Uint8Array, at: number, text: number): number {
  if (text < TRAILER_BYTES) return -1;
  const padding = bytes[at + text - TRAILER_BYTES]!;
  const payload = text - TRAILER_BYTES - padding;
  if (payload < 0) return -1;
  for (let i = 1; i <= padding; i++) if (bytes[at + payload + i - 1] !== i) return -1;
  return payload;
}
