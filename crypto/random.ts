/** Random octets. The only source is `node:crypto`. */
import { randomFillSync } from "node:crypto";
import type { Arena, Random } from "./interfaces.js";

/** The system's random source, in the shape that pure code is handed. */
export const systemRandom: Random = (length) => randomFillSync(new Uint8Array(length));

/** Octets drawn in one go: a system call for each CBC IV would cost more than the packet's encryption. */
const POOL_BYTES = 16384;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/** Writes `length` unpredictable octets at `offset` of the arena, from a pool of this thread that is filled ahead. */
export function fillRandom(arena: Arena, offset: number, length: number): void {
  const target = arena.bytes;
  if (!(offset >= 0 && length >= 0 && offset + length <= target.length))
    throw new RangeError(`outside the arena: ${offset}..${offset + length} of ${target.length}`);
  for (let i = 0; i < length; i++) {
    if (used === POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    target[offset + i] = pool[used]!;
    pool[used++] = 0; // what was given out is not kept
  }
}
