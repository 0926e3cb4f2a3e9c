/** Ways to spoil a message that was true once. */
import type { SeededRandom } from "../../sim/random.js";

const LENGTH_OFFSET = 24;
const HEADER_BYTES = 28;

/** The message changed in one of many ways, or not at all. */
export function spoiled(original: Uint8Array, random: SeededRandom): Uint8Array {
  const bytes = original.slice();
  switch (random.integer(7)) {
    case 0:
      return bytes;
    case 1:
      return bytes.subarray(0, random.integer(bytes.length));
    case 2:
      return withLength(bytes.slice(0, random.between(Math.min(HEADER_BYTES, bytes.length), bytes.length)));
    case 3: {
      const longer = new Uint8Array(bytes.length + random.between(1, 300));
      longer.set(bytes);
      longer.set(random.octets(longer.length - bytes.length), bytes.length);
      return random.chance(0.5) ? withLength(longer) : longer;
    }
    case 4: {
      // The header alone is true.
      const noise = random.octets(random.between(HEADER_BYTES, 400));
      noise.set(bytes.subarray(0, Math.min(LENGTH_OFFSET, bytes.length)));
      return withLength(noise);
    }
    case 5:
      if (bytes.length > HEADER_BYTES) bytes[random.between(HEADER_BYTES, bytes.length - 1)]! ^= random.between(1, 255);
      return bytes;
    default:
      for (let i = random.between(1, 5); i > 0; i--) bytes[random.integer(bytes.length)]! ^= random.between(1, 255);
      return bytes;
  }
}

/** The same octets with a true Length in their IKE header. */
export function withLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= HEADER_BYTES) new DataView(bytes.buffer, bytes.byteOffset).setUint32(LENGTH_OFFSET, bytes.length);
  return bytes;
}
