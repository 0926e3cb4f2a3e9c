/**
 * The Internet checksum (RFC 1071) over arena offsets, by WebAssembly SIMD (checksum.wat) or by its JavaScript twin.
 *
 * Sums are one's complement sums of 16-bit little-endian words, folded to 16 bits: byte order does not matter to the
 * sum (RFC 1071 section 2), so it is stored with setUint16(..., littleEndian = true), complemented.
 */
import { octetsOfBase64 } from "../crypto/bytes.js";
import type { Arena } from "../crypto/interfaces.js";
import { CHECKSUM_WASM } from "./checksum-wasm.js";

export interface Checksum {
  readonly name: "wasm" | "javascript";
  /** The folded sum of `length` octets, an odd last one padded with zero. */
  sum(at: number, length: number): number;
  /** Copies and sums in one pass. The ranges must not overlap. */
  copySum(to: number, from: number, length: number): number;
  /** Copies; the ranges may overlap. */
  copy(to: number, from: number, length: number): void;
}

/** The fastest that this engine has: WebAssembly needs the SIMD extension. */
export function createChecksum(arena: Arena & { readonly memory: WebAssembly.Memory }): Checksum {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(octetsOfBase64(CHECKSUM_WASM));
  } catch {
    return createJavaScriptChecksum(arena); // compilation is the probe: no SIMD, or WebAssembly forbidden
  }
  const { exports } = new WebAssembly.Instance(module, { arena: { memory: arena.memory } });
  const { sum, copySum, copy } = exports as unknown as Omit<Checksum, "name">;
  return { name: "wasm", sum, copySum, copy };
}

export function createJavaScriptChecksum({ bytes, view }: Arena): Checksum {
  function sum(at: number, length: number): number {
    let total = 0;
    const end = at + length;
    let position = at;
    // 16-bit words add up exactly below 2^53; a packet has at most 2^15 of them.
    for (; position + 8 <= end; position += 8)
      total +=
        view.getUint16(position, true) +
        view.getUint16(position + 2, true) +
        view.getUint16(position + 4, true) +
        view.getUint16(position + 6, true);
    for (; position + 2 <= end; position += 2) total += view.getUint16(position, true);
    if (position < end) total += bytes[position]!;
    return fold(total);
  }
  return {
    name: "javascript",
    sum,
    copySum(to, from, length) {
      bytes.copyWithin(to, from, from + length);
      return sum(to, length);
    },
    copy(to, from, length) {
      bytes.copyWithin(to, from, from + length);
    },
  };
}

/** Adds the carries of a sum below 2^32 back until 16 bits are left. */
export function fold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** The two octets of a 16-bit number in the other order: what a big-endian field adds to a little-endian sum. */
export function swap16(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
