/** DES and Triple-DES, FIPS 46-3: the tables of the standard, put together at the start to tables of whole words. */
import type { BlockCipher } from "./blocks.js";
import { bitOf, FINAL_PERMUTATION, INITIAL_PERMUTATION, P, ROUND_KEYS, substitute } from "./des-tables.js";

/** The S-boxes with P behind them: for each box and each six bits what they add to the output of f. */
const SP = new Int32Array(8 * 64).map((_, at) => {
  const [box, six] = [at >> 6, at & 63];
  const value = substitute(box, six);
  return P.reduce((word, bit, i) => {
    const ofThisBox = (bit - 1) >> 2 === box;
    return ofThisBox ? word | (((value >> (4 * box + 4 - bit)) & 1) << (31 - i)) : word;
  }, 0);
});
const INITIAL = wordTables(INITIAL_PERMUTATION);
const FINAL = wordTables(FINAL_PERMUTATION);

/** A permutation of 64 bits: for each octet of the input and each of its values the two words that it adds to the output. */
function wordTables(permutation: readonly number[]): Int32Array {
  const table = new Int32Array(8 * 256 * 2);
  for (const [to, bit] of permutation.entries()) {
    const [octet, mask] = [(bit - 1) >> 3, 0x80 >> ((bit - 1) & 7)];
    for (let value = 0; value < 256; value++)
      if (value & mask) table[(octet * 256 + value) * 2 + (to >> 5)]! |= 1 << (31 - (to & 31));
  }
  return table;
}

/** `key` is one key of 8 octets, or three; the parity bits do not count. */
export function des(key: Uint8Array): BlockCipher {
  const keys = Array.from({ length: key.length / 8 }, (_, i) => roundKeys(key.subarray(8 * i, 8 * i + 8)));
  const forwards = keys.map((rounds, i) => (i === 1 ? rounds.toReversed() : rounds));
  const encrypting = Int32Array.from(forwards.flat(2));
  const decrypting = Int32Array.from(forwards.flat().toReversed().flat());
  return {
    blockBytes: 8,
    encrypt: (block) => transform(block, encrypting),
    decrypt: (block) => transform(block, decrypting),
  };
}

/** One block in place. Between the stages of Triple-DES the final and the initial permutation cancel out. */
function transform(block: Uint8Array, keys: Int32Array): void {
  let left = 0;
  let right = 0;
  for (let i = 0; i < 8; i++) {
    const at = 2 * (256 * i + block[i]!);
    left ^= INITIAL[at]!;
    right ^= INITIAL[at + 1]!;
  }
  for (let at = 0; at < keys.length; at += 32) {
    for (let round = at; round < at + 32; round += 4) {
      left ^= f(right, keys[round]!, keys[round + 1]!);
      right ^= f(left, keys[round + 2]!, keys[round + 3]!);
    }
    const last = left; // the halves leave a stage exchanged
    left = right;
    right = last;
  }
  let high = 0;
  let low = 0;
  for (let i = 0; i < 8; i++) {
    const octet = ((i < 4 ? left : right) >>> (24 - 8 * (i & 3))) & 255;
    const at = 2 * (256 * i + octet);
    high ^= FINAL[at]!;
    low ^= FINAL[at + 1]!;
  }
  for (let i = 0; i < 4; i++) {
    block[i] = high >>> (24 - 8 * i);
    block[4 + i] = low >>> (24 - 8 * i);
  }
}

/**
 * The cipher function f. The expansion E gives box i the six bits from the last one of the box before to the first one of the
 * box behind: turned by one bit the even boxes find theirs at the start of each octet, turned by three more the odd ones.
 */
function f(right: number, evenKey: number, oddKey: number): number {
  const even = ((right >>> 1) | (right << 31)) ^ evenKey;
  const odd = ((right << 3) | (right >>> 29)) ^ oddKey;
  return (
    SP[even >>> 26]! ^
    SP[64 + (odd >>> 26)]! ^
    SP[128 + ((even >>> 18) & 63)]! ^
    SP[192 + ((odd >>> 18) & 63)]! ^
    SP[256 + ((even >>> 10) & 63)]! ^
    SP[320 + ((odd >>> 10) & 63)]! ^
    SP[384 + ((even >>> 2) & 63)]! ^
    SP[448 + ((odd >>> 2) & 63)]!
  );
}

/** The keys of 16 rounds, two words each: six bits for each even box, each odd box, at the start of each octet. */
function roundKeys(key: Uint8Array): (readonly [number, number])[] {
  return ROUND_KEYS.map((bits) => {
    const words: [number, number] = [0, 0];
    for (const [i, bit] of bits.entries()) {
      const box = Math.floor(i / 6);
      words[box & 1]! |= bitOf(key, bit) << (31 - 8 * (box >> 1) - (i % 6));
    }
    return words;
  });
}
