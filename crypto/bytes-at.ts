/** Views into the arena for backends that work on octet strings. */
import type { Arena } from "./interfaces.js";

/** The octets at an offset; throws `RangeError` outside the arena. */
export function bytesAt(arena: Arena, offset: number, length: number): Uint8Array {
  arena.address(offset, length);
  return arena.bytes.subarray(offset, offset + length);
}

/** What an AEAD authenticates beside the text: the header, with ESN the high half between SPI and sequence number. */
export function associatedData(arena: Arena, header: number, headerLength: number, esnHigh: number): Uint8Array {
  const plain = bytesAt(arena, header, headerLength);
  if (esnHigh < 0) return plain;
  const data = new Uint8Array(12);
  data.set(plain.subarray(0, 4));
  new DataView(data.buffer).setUint32(4, esnHigh);
  data.set(plain.subarray(4, 8), 8);
  return data;
}

/** Salt and IV joined: the nonce of RFC 4106 section 3.1. */
export function saltedNonce(arena: Arena, salt: Uint8Array, iv: number, ivBytes: number): Uint8Array {
  const nonce = new Uint8Array(salt.length + ivBytes);
  nonce.set(salt);
  nonce.set(bytesAt(arena, iv, ivBytes), salt.length);
  return nonce;
}

/** What a MAC covers: `length` octets at `start`, then the high half of the sequence number (RFC 4303 section 2.2.1). */
export function macInput(arena: Arena, start: number, length: number, esnHigh: number): Uint8Array {
  const covered = bytesAt(arena, start, length);
  if (esnHigh < 0) return covered;
  const data = new Uint8Array(length + 4);
  data.set(covered);
  new DataView(data.buffer).setUint32(length, esnHigh);
  return data;
}
