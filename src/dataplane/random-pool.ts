/** Unpredictable octets for the IVs of CBC, fetched ahead: one call of the random source costs as much for 64 KiB as for 16 octets. */
import { randomFillSync } from "node:crypto";
import type { Arena } from "../../crypto/interfaces.js";
import type { FillRandom } from "../../esp/outbound.js";

const POOL_BYTES = 64 << 10;

/** No octet is given out twice, and none stays in the pool once it was. */
export function createRandomPool(arena: Arena): FillRandom {
  const pool = arena.alloc(POOL_BYTES);
  let left = 0;
  return (at, length) => {
    if (length > POOL_BYTES) throw new RangeError(`${length} random octets at once, at most ${POOL_BYTES}`);
    if (length > left) {
      randomFillSync(arena.bytes, pool, POOL_BYTES);
      left = POOL_BYTES;
    }
    const from = pool + left - length;
    arena.bytes.copyWithin(at, from, from + length);
    arena.bytes.fill(0, from, from + length);
    left -= length;
  };
}
