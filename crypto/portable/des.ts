/** DES and Triple-DES, FIPS 46-3: the tables of the standard, put together at the start to tables of whole words. */
import type { BlockCipher } from "./blocks.js";

// Bit numbers of the standard: 1 is the first bit of the first octet.
const INITIAL_PERMUTATION = [
  ...[58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4],
  ...[62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8],
  ...[57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3],
  ...[61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7],
];
const FINAL_PERMUTATION = INITIAL_PERMUTATION.map((_, i) => INITIAL_PERMUTATION.indexOf(i + 1) + 1);
const P = [
  ...[16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10],
  ...[2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25],
];
const PERMUTED_CHOICE_1 = [
  ...[57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36],
  ...[63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4],
];
const PERMUTED_CHOICE_2 = [
  ...[14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2],
  ...[41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32],
];
const SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/** S1 to S8, four rows of sixteen values each, as hexadecimal digits. */
const S_BOXES = [
  "e4d12fb83a6c5907" + "0f74e2d1a6cb9538" + "41e8d62bfc973a50" + "fc8249175b3ea06d",
  "f18e6b34972dc05a" + "3d47f28ec01a69b5" + "0e7ba4d158c6932f" + "d8a13f42b67c05e9",
  "a09e63f51dc7b428" + "d709346a285ecbf1" + "d6498f30b12c5ae7" + "1ad069874fe3b52c",
  "7de3069a1285bc4f" + "d8b56f03472c1ae9" + "a690cb7df13e5284" + "3f06a1d8945bc72e",
  "2c417ab6853fd0e9" + "eb2c47d150fa3986" + "421bad78f9c5630e" + "b8c71e2d6f09a453",
  "c1af92680d34e75b" + "af427c9561de0b38" + "9ef528c3704a1db6" + "432c95fabe17608d",
  "4b2ef08d3c975a61" + "d0b7491ae35c2f86" + "14bdc37eaf680592" + "6bd814a7950fe23c",
  "d2846fb1a93e50c7" + "1fd8a374c56b0e92" + "7b419ce206adf358" + "21e74a8dfc90356b",
].map((digits) => Array.from(digits, (digit) => Number.parseInt(digit, 16)));

/** The S-boxes with P behind them: for each box and each six bits what they add to the output of f. */
const SP = new Int32Array(8 * 64).map((_, at) => {
  const [box, six] = [at >> 6, at & 63];
  const value = S_BOXES[box]![(six & 0x20) | ((six & 1) << 4) | ((six >> 1) & 15)]!;
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
  const bits = Array.from({ length: 64 }, (_, i) => (key[i >> 3]! >> (7 - (i & 7))) & 1);
  const chosen = PERMUTED_CHOICE_1.map((bit) => bits[bit - 1]!);
  let shift = 0;
  return SHIFTS.map((step) => {
    shift += step;
    const turned = chosen.map((_, i) => chosen[i < 28 ? (i + shift) % 28 : 28 + ((i - 28 + shift) % 28)]!);
    const words: [number, number] = [0, 0];
    for (const [i, bit] of PERMUTED_CHOICE_2.entries()) {
      const box = Math.floor(i / 6);
      words[box & 1]! |= turned[bit - 1]! << (31 - 8 * (box >> 1) - (i % 6));
    }
    return words;
  });
}
