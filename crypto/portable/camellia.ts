/** Camellia, RFC 3713, in words of 32 bits; S-boxes and the linear layer P together are tables. */
import type { BlockCipher } from "./blocks.js";

const SBOX1 = Uint8Array.of(
  ...[112, 130, 44, 236, 179, 39, 192, 229, 228, 133, 87, 53, 234, 12, 174, 65, 35, 239, 107, 147, 69, 25, 165, 33],
  ...[237, 14, 79, 78, 29, 101, 146, 189, 134, 184, 175, 143, 124, 235, 31, 206, 62, 48, 220, 95, 94, 197, 11, 26],
  ...[166, 225, 57, 202, 213, 71, 93, 61, 217, 1, 90, 214, 81, 86, 108, 77, 139, 13, 154, 102, 251, 204, 176, 45],
  ...[116, 18, 43, 32, 240, 177, 132, 153, 223, 76, 203, 194, 52, 126, 118, 5, 109, 183, 169, 49, 209, 23, 4, 215],
  ...[20, 88, 58, 97, 222, 27, 17, 28, 50, 15, 156, 22, 83, 24, 242, 34, 254, 68, 207, 178, 195, 181, 122, 145],
  ...[36, 8, 232, 168, 96, 252, 105, 80, 170, 208, 160, 125, 161, 137, 98, 151, 84, 91, 30, 149, 224, 255, 100, 210],
  ...[16, 196, 0, 72, 163, 247, 117, 219, 138, 3, 230, 218, 9, 63, 221, 148, 135, 92, 131, 2, 205, 74, 144, 51],
  ...[115, 103, 246, 243, 157, 127, 191, 226, 82, 155, 216, 38, 200, 55, 198, 59, 129, 150, 111, 75, 19, 190, 99, 46],
  ...[233, 121, 167, 140, 159, 110, 188, 142, 41, 245, 249, 182, 47, 253, 180, 89, 120, 152, 6, 106, 231, 70, 113, 186],
  ...[212, 37, 171, 66, 136, 162, 141, 250, 114, 7, 185, 85, 248, 238, 172, 10, 54, 73, 42, 104, 60, 56, 241, 164],
  ...[64, 40, 211, 123, 187, 201, 67, 193, 21, 227, 173, 244, 119, 199, 128, 158],
);

/** Half a block: the high and the low word of 64 bits. */
type Half = readonly [number, number];
/** Four words of 32 bits. */
type Whole = readonly [number, number, number, number];

const SIGMA: readonly Half[] = [
  [0xa09e667f, 0x3bcc908b],
  [0xb67ae858, 0x4caa73b2],
  [0xc6ef372f, 0xe94f82be],
  [0x54ff53a5, 0xf1d36f1c],
  [0x10e527fa, 0xde682d1d],
  [0xb05688c2, 0xb3e6c1fd],
];

/** The S-box of each octet of F's input (section 2.4.1): SBOX2 to SBOX4 are SBOX1, turned behind or in front. */
const S: readonly ((octet: number) => number)[] = (() => {
  const s1 = (octet: number) => SBOX1[octet]!;
  const s2 = (octet: number) => turned8(s1(octet), 1);
  const s3 = (octet: number) => turned8(s1(octet), 7);
  const s4 = (octet: number) => s1(turned8(octet, 1));
  return [s1, s2, s3, s4, s2, s3, s4, s1];
})();
/** P: which octets of the S-boxes are summed to each octet of F's output. */
const P = ["134678", "124578", "123568", "234567", "12678", "23578", "34568", "14567"];
/** What each value of each octet of the input adds to the high and to the low word of the output. */
const HIGH = tableOf(P.slice(0, 4));
const LOW = tableOf(P.slice(4));

function tableOf(rows: readonly string[]): Int32Array {
  return new Int32Array(8 * 256).map((_, at) => {
    const value = S[at >> 8]!(at & 255);
    return rows.reduce((word, row) => (word << 8) | (row.includes(`${(at >> 8) + 1}`) ? value : 0), 0);
  });
}

/** Keys in the order of encryption, two words each: whitening at both ends, one per round, two between groups of six. */
interface Subkeys {
  readonly first: Whole;
  readonly rounds: Int32Array;
  readonly between: Int32Array;
  readonly last: Whole;
}

/** `key` has 16, 24 or 32 octets. */
export function camellia(key: Uint8Array): BlockCipher {
  const { first, rounds, between, last } = expand(key);
  const forwards = { first, rounds: words(rounds), between: words(between), last };
  const backwards = {
    first: last,
    rounds: words(rounds.toReversed()),
    between: words(between.toReversed()),
    last: first,
  };
  return {
    blockBytes: 16,
    encrypt: (block) => transform(block, forwards),
    decrypt: (block) => transform(block, backwards),
  };
}

/** Section 2.3: D1 is a | b, D2 is c | d. */
function transform(block: Uint8Array, { first, rounds, between, last }: Subkeys): void {
  const view = new DataView(block.buffer, block.byteOffset, 16);
  let a = view.getInt32(0) ^ first[0];
  let b = view.getInt32(4) ^ first[1];
  let c = view.getInt32(8) ^ first[2];
  let d = view.getInt32(12) ^ first[3];
  for (let at = 0; at < rounds.length; at += 4) {
    if (at > 0 && at % 12 === 0) {
      const layer = at / 3 - 4;
      b ^= turned32(a & between[layer]!); // FL, section 2.4.2
      a ^= b | between[layer + 1]!;
      c ^= d | between[layer + 3]!; // its inverse, section 2.4.3
      d ^= turned32(c & between[layer + 2]!);
    }
    let x = a ^ rounds[at]!;
    let y = b ^ rounds[at + 1]!;
    c ^= f(HIGH, x, y);
    d ^= f(LOW, x, y);
    x = c ^ rounds[at + 2]!;
    y = d ^ rounds[at + 3]!;
    a ^= f(HIGH, x, y);
    b ^= f(LOW, x, y);
  }
  view.setInt32(0, c ^ last[0]);
  view.setInt32(4, d ^ last[1]);
  view.setInt32(8, a ^ last[2]);
  view.setInt32(12, b ^ last[3]);
}

/** One word of F, section 2.4.1; the key is in x | y already. */
function f(table: Int32Array, x: number, y: number): number {
  return (
    table[x >>> 24]! ^
    table[256 + ((x >>> 16) & 255)]! ^
    table[512 + ((x >>> 8) & 255)]! ^
    table[768 + (x & 255)]! ^
    table[1024 + (y >>> 24)]! ^
    table[1280 + ((y >>> 16) & 255)]! ^
    table[1536 + ((y >>> 8) & 255)]! ^
    table[1792 + (y & 255)]!
  );
}

/** Section 2.2. */
function expand(key: Uint8Array): {
  readonly first: Whole;
  readonly rounds: readonly Half[];
  readonly between: readonly Half[];
  readonly last: Whole;
} {
  const octets = new Uint8Array(32);
  octets.set(key);
  if (key.length === 24) for (let i = 0; i < 8; i++) octets[24 + i] = ~octets[16 + i]!;
  const view = new DataView(octets.buffer);
  const kl: Whole = [view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12)];
  const kr: Whole = [view.getInt32(16), view.getInt32(20), view.getInt32(24), view.getInt32(28)];
  const ka = mixed(mixed(sum(kl, kr), SIGMA[0]!, SIGMA[1]!, kl), SIGMA[2]!, SIGMA[3]!);
  const kb = mixed(sum(ka, kr), SIGMA[4]!, SIGMA[5]!);
  return key.length === 16 ? shortSchedule(kl, ka) : longSchedule(kl, kr, ka, kb);
}

/** Two rounds; then `added`. */
function mixed([a, b, c, d]: Whole, one: Half, two: Half, added: Whole = [0, 0, 0, 0]): Whole {
  const c2 = c ^ f(HIGH, a ^ one[0], b ^ one[1]);
  const d2 = d ^ f(LOW, a ^ one[0], b ^ one[1]);
  const a2 = a ^ f(HIGH, c2 ^ two[0], d2 ^ two[1]);
  const b2 = b ^ f(LOW, c2 ^ two[0], d2 ^ two[1]);
  return sum([a2, b2, c2, d2], added);
}

function shortSchedule(kl: Whole, ka: Whole) {
  return {
    first: kl,
    rounds: [
      ...[...halves(ka, 0), ...halves(kl, 15), ...halves(ka, 15)],
      ...[...halves(kl, 45), halves(ka, 45)[0], halves(kl, 60)[1], ...halves(ka, 60)],
      ...[...halves(kl, 94), ...halves(ka, 94), ...halves(kl, 111)],
    ],
    between: [...halves(ka, 30), ...halves(kl, 77)],
    last: turned128(ka, 111),
  };
}

function longSchedule(kl: Whole, kr: Whole, ka: Whole, kb: Whole) {
  return {
    first: kl,
    rounds: [
      ...[...halves(kb, 0), ...halves(kr, 15), ...halves(ka, 15)],
      ...[...halves(kb, 30), ...halves(kl, 45), ...halves(ka, 45)],
      ...[...halves(kr, 60), ...halves(kb, 60), ...halves(kl, 77)],
      ...[...halves(kr, 94), ...halves(ka, 94), ...halves(kl, 111)],
    ],
    between: [...halves(kr, 30), ...halves(kl, 60), ...halves(ka, 77)],
    last: turned128(kb, 111),
  };
}

/** Both halves of a value of 128 bits that is turned to the left. */
function halves(value: Whole, by: number): readonly [Half, Half] {
  const [a, b, c, d] = turned128(value, by);
  return [
    [a, b],
    [c, d],
  ];
}

function turned128(value: Whole, by: number): Whole {
  const word = (i: number) => {
    const from = i + (by >> 5);
    const left = value[from & 3]!;
    return by % 32 === 0 ? left : (left << (by % 32)) | (value[(from + 1) & 3]! >>> (32 - (by % 32)));
  };
  return [word(0), word(1), word(2), word(3)];
}

function sum(one: Whole, other: Whole): Whole {
  return [one[0] ^ other[0], one[1] ^ other[1], one[2] ^ other[2], one[3] ^ other[3]];
}

function words(list: readonly Half[]): Int32Array {
  return Int32Array.from(list.flat());
}

function turned32(word: number): number {
  return (word << 1) | (word >>> 31);
}

function turned8(octet: number, by: number): number {
  return ((octet << by) | (octet >> (8 - by))) & 0xff;
}
