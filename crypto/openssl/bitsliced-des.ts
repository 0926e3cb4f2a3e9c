/**
 * CBC decryption of DES and Triple-DES by WebAssembly SIMD, 128 blocks at a time (scripts/des.mjs): a block of a text is decrypted without
 * the others, where encryption waits for the block before. The time depends on the number of blocks alone.
 */
import { hex, octets, octetsOfBase64 } from "../bytes.js";
import type { Arena } from "../interfaces.js";
import { SYMMETRIC_ANSWERS } from "../known-answers-symmetric.js";
import { bitOf, ROUND_KEYS, substitute } from "../portable/des-tables.js";
import { memoryOf } from "./arena.js";
import { DES_WASM } from "./des-wasm.js";

export const BLOCKS_AT_ONCE = 128;
const BLOCK_BYTES = 8;
const PLANES_BYTES = BLOCKS_AT_ONCE * BLOCK_BYTES;
/** An octet for each of the 48 bits of each of 16 round keys. */
const STAGE_BYTES = 16 * 48;
/** Triple-DES. */
const MOST_STAGES = 3;

const CIPHER_ANSWERS = SYMMETRIC_ANSWERS.filter((answer) => answer.kind === "cipher");
const { key: KEY, iv: IV, cipher: CIPHER, plain: PLAIN } = CIPHER_ANSWERS.find(({ row }) => row === "ENCR_3DES")!;
const KNOWN_TEXT = octets(IV + CIPHER);

/** Decrypts whole blocks in place under `decryptionMasks` of the key, and leaves nothing of the key in the arena. */
export type BitslicedDes = (masks: Uint8Array, iv: number, text: number, blocks: number) => void;

type Decrypt = (previous: number, text: number, blocks: number, planes: number, masks: number, stages: number) => void;

/** One for each arena, with the scratch that all keys share: arena memory is not given back. */
const made = new WeakMap<Arena, BitslicedDes | "none">();

/** Undefined where the engine has no SIMD, forbids WebAssembly or computes wrongly, and where the arena has no room. */
export function bitslicedDes(arena: Arena): BitslicedDes | undefined {
  let found = made.get(arena);
  if (found === undefined) {
    found = create(arena) ?? "none";
    made.set(arena, found);
  }
  return found === "none" ? undefined : found;
}

function create(arena: Arena): BitslicedDes | undefined {
  const memory = memoryOf(arena);
  if (memory === undefined) return undefined;
  let decrypt: Decrypt;
  let scratch: number;
  try {
    const module = new WebAssembly.Module(octetsOfBase64(DES_WASM));
    decrypt = new WebAssembly.Instance(module, { arena: { memory } }).exports.decrypt as Decrypt;
    scratch = arena.alloc(PLANES_BYTES + MOST_STAGES * STAGE_BYTES + KNOWN_TEXT.length);
  } catch {
    return undefined;
  }
  const { bytes } = arena;
  const keys = scratch + PLANES_BYTES;
  const bitsliced: BitslicedDes = (masks, iv, text, blocks) => {
    arena.address(iv, BLOCK_BYTES);
    arena.address(text, BLOCK_BYTES * blocks);
    bytes.set(masks, keys);
    const stages = masks.length / STAGE_BYTES;
    // From the end on, because each run needs the ciphertext before it.
    for (let end = blocks; end > 0; ) {
      const count = end % BLOCKS_AT_ONCE || BLOCKS_AT_ONCE;
      end -= count;
      const at = text + BLOCK_BYTES * end;
      decrypt(end === 0 ? iv : at - BLOCK_BYTES, at, count, scratch, keys, stages);
    }
    bytes.fill(0, scratch, keys + masks.length);
  };
  return givesKnownAnswer(bitsliced, bytes, keys + MOST_STAGES * STAGE_BYTES) ? bitsliced : undefined;
}

/** The texts of the start-up test are too short to come here. */
function givesKnownAnswer(bitsliced: BitslicedDes, bytes: Uint8Array, place: number): boolean {
  bytes.set(KNOWN_TEXT, place);
  bitsliced(decryptionMasks(octets(KEY)), place, place + BLOCK_BYTES, KNOWN_TEXT.length / BLOCK_BYTES - 1);
  return hex(bytes.subarray(place, place + KNOWN_TEXT.length)) === IV + PLAIN;
}

/** For each S-box the six bits of the first place where it gives 0. */
const ZEROS = Array.from({ length: 8 }, (_, box) => {
  let six = 0;
  while (substitute(box, six) !== 0) six++;
  return Array.from({ length: 6 }, (_, i) => (six >> (5 - i)) & 1);
}).flat();

/**
 * The bits of the round keys in the order of decryption, an octet of ones or zeros each. `key` is one key of eight octets, or
 * three. The circuits of the S-boxes begin at a place where the S-box gives 0, so that they need no NOT: here the bits of
 * that place are turned over.
 */
export function decryptionMasks(key: Uint8Array): Uint8Array {
  const masks = new Uint8Array((key.length / BLOCK_BYTES) * STAGE_BYTES);
  let at = 0;
  for (let stage = key.length / BLOCK_BYTES - 1; stage >= 0; stage--) {
    const octets = key.subarray(BLOCK_BYTES * stage, BLOCK_BYTES * (stage + 1));
    for (let round = 0; round < 16; round++) {
      const bits = ROUND_KEYS[stage === 1 ? round : 15 - round]!; // the second key of three encrypts
      for (let i = 0; i < bits.length; i++) masks[at++] = -(bitOf(octets, bits[i]!) ^ ZEROS[i]!);
    }
  }
  return masks;
}
