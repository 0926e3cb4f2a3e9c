/** DES and Triple-DES, FIPS 46-3, bit by bit from the tables of the standard: an oracle and a last resort, slow on purpose. */
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

/** `key` is one key of 8 octets, or three; the parity bits do not count. */
export function des(key: Uint8Array): BlockCipher {
  const keys = Array.from({ length: key.length / 8 }, (_, i) => roundKeys(key.subarray(8 * i, 8 * i + 8)));
  return {
    blockBytes: 8,
    encrypt(block) {
      for (const [i, rounds] of keys.entries()) transform(block, rounds, i === 1);
    },
    decrypt(block) {
      for (let i = keys.length - 1; i >= 0; i--) transform(block, keys[i]!, i !== 1);
    },
  };
}

/** One DES in place; backwards is decryption. */
function transform(block: Uint8Array, rounds: readonly (readonly number[])[], backwards: boolean): void {
  const bits = permute(bitsOf(block), INITIAL_PERMUTATION);
  let left = bits.slice(0, 32);
  let right = bits.slice(32);
  for (let round = 0; round < 16; round++) {
    const mixed = feistel(right, rounds[backwards ? 15 - round : round]!);
    [left, right] = [right, left.map((bit, i) => bit ^ mixed[i]!)];
  }
  const out = permute([...right, ...left], FINAL_PERMUTATION);
  for (let i = 0; i < 8; i++) block[i] = Number.parseInt(out.slice(8 * i, 8 * i + 8).join(""), 2);
}

/** The cipher function f. */
function feistel(right: readonly number[], roundKey: readonly number[]): number[] {
  const out: number[] = [];
  for (let box = 0; box < 8; box++) {
    // The expansion E: six bits from the last of the box before to the first of the box behind.
    const six = Array.from({ length: 6 }, (_, i) => right[(4 * box + i + 31) % 32]! ^ roundKey[6 * box + i]!);
    const row = 2 * six[0]! + six[5]!;
    const column = 8 * six[1]! + 4 * six[2]! + 2 * six[3]! + six[4]!;
    const value = S_BOXES[box]![16 * row + column]!;
    out.push((value >> 3) & 1, (value >> 2) & 1, (value >> 1) & 1, value & 1);
  }
  return permute(out, P);
}

function roundKeys(key: Uint8Array): number[][] {
  const chosen = permute(bitsOf(key), PERMUTED_CHOICE_1);
  let shift = 0;
  return SHIFTS.map((step) => {
    shift += step;
    const turned = chosen.map((_, i) => chosen[i < 28 ? (i + shift) % 28 : 28 + ((i - 28 + shift) % 28)]!);
    return permute(turned, PERMUTED_CHOICE_2);
  });
}

function permute(bits: readonly number[], table: readonly number[]): number[] {
  return table.map((bit) => bits[bit - 1]!);
}

function bitsOf(octets: Uint8Array): number[] {
  return Array.from({ length: 8 * octets.length }, (_, i) => (octets[i >> 3]! >> (7 - (i & 7))) & 1);
}
