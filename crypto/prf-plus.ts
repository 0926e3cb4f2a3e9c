/**
 * prf+ of RFC 7296 section 2.13:
 *
 *     prf+ (K,S) = T1 | T2 | T3 | ...     T1 = prf (K, S | 0x01)     Tn = prf (K, Tn-1 | S | n)
 */
import type { Prf } from "./interfaces.js";

/** The first `length` octets. Throws `RangeError` beyond 255 blocks, where the one-octet counter ends. */
export function prfPlus(prf: Prf, key: Uint8Array, seed: Uint8Array, length: number): Uint8Array {
  const blocks = Math.ceil(length / prf.outputBytes);
  if (blocks > 255) throw new RangeError(`prf+ gives at most ${255 * prf.outputBytes} octets, ${length} wanted`);
  const output = new Uint8Array(blocks * prf.outputBytes);
  let previous: Uint8Array = new Uint8Array(0);
  for (let n = 1; n <= blocks; n++) {
    previous = prf.compute(key, previous, seed, Uint8Array.of(n));
    output.set(previous, (n - 1) * prf.outputBytes);
  }
  return output.slice(0, length);
}
