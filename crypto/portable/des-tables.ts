/** DES, FIPS 46-3: the tables of the standard and its key schedule, with its key schedule put together. */

// Bit numbers of the standard: 1 is the first bit of the first octet.
export const INITIAL_PERMUTATION: readonly number[] = [
  ...[58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4],
  ...[62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8],
  ...[57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3],
  ...[61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7],
];
export const FINAL_PERMUTATION: readonly number[] = INITIAL_PERMUTATION.map(
  (_, i) => INITIAL_PERMUTATION.indexOf(i + 1) + 1,
);
export const P: readonly number[] = [
  ...[16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10],
  ...[2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25],
];
const PERMUTED_CHOICE_1: readonly number[] = [
  ...[57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36],
  ...[63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4],
];
const PERMUTED_CHOICE_2: readonly number[] = [
  ...[14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2],
  ...[41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32],
];
const SHIFTS: readonly number[] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/** S1 to S8, four rows of sixteen values each, as hexadecimal digits. */
const S_BOXES: readonly (readonly number[])[] = [
  "e4d12fb83a6c5907" + "0f74e2d1a6cb9538" + "41e8d62bfc973a50" + "fc8249175b3ea06d",
  "f18e6b34972dc05a" + "3d47f28ec01a69b5" + "0e7ba4d158c6932f" + "d8a13f42b67c05e9",
  "a09e63f51dc7b428" + "d709346a285ecbf1" + "d6498f30b12c5ae7" + "1ad069874fe3b52c",
  "7de3069a1285bc4f" + "d8b56f03472c1ae9" + "a690cb7df13e5284" + "3f06a1d8945bc72e",
  "2c417ab6853fd0e9" + "eb2c47d150fa3986" + "421bad78f9c5630e" + "b8c71e2d6f09a453",
  "c1af92680d34e75b" + "af427c9561de0b38" + "9ef528c3704a1db6" + "432c95fabe17608d",
  "4b2ef08d3c975a61" + "d0b7491ae35c2f86" + "14bdc37eaf680592" + "6bd814a7950fe23c",
  "d2846fb1a93e50c7" + "1fd8a374c56b0e92" + "7b419ce206adf358" + "21e74a8dfc90356b",
].map((digits) => Array.from(digits, (digit) => Number.parseInt(digit, 16)));

/** What S-box `box` (0 to 7) gives for six bits, the first one the highest: the outer two choose the row. */
export function substitute(box: number, six: number): number {
  return S_BOXES[box]![(six & 0x20) | ((six & 1) << 4) | ((six >> 1) & 15)]!;
}

/** For each of the 16 rounds the 48 bits of the key that its key is made of. */
export const ROUND_KEYS: readonly (readonly number[])[] = SHIFTS.map((_, round) => {
  const shift = SHIFTS.slice(0, round + 1).reduce((sum, step) => sum + step);
  const turned = PERMUTED_CHOICE_1.map((_, i) =>
    i < 28 ? PERMUTED_CHOICE_1[(i + shift) % 28]! : PERMUTED_CHOICE_1[28 + ((i - 28 + shift) % 28)]!,
  );
  return PERMUTED_CHOICE_2.map((bit) => turned[bit - 1]!);
});

/** A bit by its number in the standard. */
export function bitOf(octets: Uint8Array, number: number): number {
  return (octets[(number - 1) >> 3]! >> (7 - ((number - 1) & 7))) & 1;
}
