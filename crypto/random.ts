/** Random octets. The only source is `node:crypto`. */
import { randomFillSync } from "node:crypto";
import type { Arena, Random } from "./interfaces.js";

/** Octets drawn in one go: a call of the random source for each SPI, nonce and IV would cost more than what is made of them. */
const POOL_BYTES = 16384;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;
/** More than this at once is drawn for itself. */
const LARGEST_DRAW = 512;

/** The system's random source, in the shape that pure code is handed, from a pool of this thread that is filled ahead. */
export const systemRandom: Random = (length) => {
  if (length > LARGEST_DRAW) return randomFillSync(new Uint8Array(length));
  if (used + length > POOL_BYTES) refill();
  const drawn = pool.slice(used, used + length);
  pool.fill(0, used, used + length); // what was given out is not kept
  used += length;
  return drawn;
};

function refill(): void {
  randomFillSync(pool);
  used = 0;
}

/** Writes `length` unpredictable octets at `offset` of the arena, from a pool of this thread that is filled ahead. */
export function fillRandom(arena: Arena, offset: number, length: number): void {
  const target = arena.bytes;
  if (!(offset >= 0 && length >= 0 && offset + length <= target.length))
    throw new RangeError(`outside the arena: ${offset}..${offset + length} of ${target.length}`);
  for (let i = 0; i < length; i++) {
    if (used === POOL_BYTES) refill();
    target[offset + i] = pool[used]!;
    pool[used++] = 0; // what was given out is not kept
  }
}
