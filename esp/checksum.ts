/**
 * The Internet checksum (RFC 1071) over arena offsets, by WebAssembly SIMD (checksum.wat) or by its JavaScript twin.
 *
 * Sums are one's complement sums of 16-bit little-endian words, folded to 16 bits: byte order does not matter to the
 * sum (RFC 1071 section 2), so it is stored with setUint16(..., littleEndian = true), complemented.
 */
import type { Arena } from "../crypto/interfaces.js";

export interface Checksum {
  readonly name: "wasm" | "javascript";
  /** The folded sum of `length` octets, an odd last one padded with zero. */
  sum(at: number, length: number): number;
  /** Copies and sums in one pass. The ranges must not overlap. */
  copySum(to: number, from: number, length: number): number;
  /** Copies; the ranges may overlap. */
  copy(to: number, from: number, length: number): void;
}

/** The fastest that this engine has. */
export declare function createChecksum(arena: Arena & { readonly memory: WebAssembly.Memory }): Checksum;

export declare function createJavaScriptChecksum(arena: Arena): Checksum;
