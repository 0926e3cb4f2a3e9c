/** Camellia, RFC 3713, in 64-bit words as the document writes it: an oracle and a last resort, slow. */
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

const SIGMA = [
  0xa09e667f3bcc908bn,
  0xb67ae8584caa73b2n,
  0xc6ef372fe94f82ben,
  0x54ff53a5f1d36f1cn,
  0x10e527fade682d1dn,
  0xb05688c2b3e6c1fdn,
] as const;

const MASK32 = 0xffffffffn;
const MASK64 = 0xffffffffffffffffn;
const MASK128 = (1n << 128n) - 1n;

/** Keys in the order of encryption: whitening at both ends, one per round, two between groups of six rounds. */
interface Subkeys {
  readonly first: readonly [bigint, bigint];
  readonly rounds: readonly bigint[];
  readonly between: readonly bigint[];
  readonly last: readonly [bigint, bigint];
}

/** `key` has 16, 24 or 32 octets. */
export function camellia(key: Uint8Array): BlockCipher {
  const forwards = expand(key);
  const backwards: Subkeys = {
    first: forwards.last,
    rounds: forwards.rounds.toReversed(),
    between: forwards.between.toReversed(),
    last: forwards.first,
  };
  return {
    blockBytes: 16,
    encrypt: (block) => transform(block, forwards),
    decrypt: (block) => transform(block, backwards),
  };
}

/** Section 2.3. */
function transform(block: Uint8Array, { first, rounds, between, last }: Subkeys): void {
  const view = new DataView(block.buffer, block.byteOffset, 16);
  let d1 = view.getBigUint64(0) ^ first[0];
  let d2 = view.getBigUint64(8) ^ first[1];
  for (let round = 0; round < rounds.length; round += 2) {
    if (round > 0 && round % 6 === 0) {
      const layer = (round / 6 - 1) * 2;
      d1 = fl(d1, between[layer]!);
      d2 = inverseFl(d2, between[layer + 1]!);
    }
    d2 ^= f(d1, rounds[round]!);
    d1 ^= f(d2, rounds[round + 1]!);
  }
  view.setBigUint64(0, d2 ^ last[0]);
  view.setBigUint64(8, d1 ^ last[1]);
}

/** Section 2.2. */
function expand(key: Uint8Array): Subkeys {
  const left = number(key.subarray(0, 16));
  let right = number(key.subarray(16));
  if (key.length === 24) right = (right << 64n) | (~right & MASK64);
  const mixed = left ^ right;
  let d1 = mixed >> 64n;
  let d2 = mixed & MASK64;
  d2 ^= f(d1, SIGMA[0]);
  d1 ^= f(d2, SIGMA[1]);
  d1 ^= left >> 64n;
  d2 ^= left & MASK64;
  d2 ^= f(d1, SIGMA[2]);
  d1 ^= f(d2, SIGMA[3]);
  const ka = (d1 << 64n) | d2;
  d1 = (ka ^ right) >> 64n;
  d2 = (ka ^ right) & MASK64;
  d2 ^= f(d1, SIGMA[4]);
  d1 ^= f(d2, SIGMA[5]);
  const kb = (d1 << 64n) | d2;
  return key.length === 16 ? shortSchedule(left, ka) : longSchedule(left, right, ka, kb);
}

function shortSchedule(kl: bigint, ka: bigint): Subkeys {
  return {
    first: rotated(kl, 0),
    rounds: [
      ...[...rotated(ka, 0), ...rotated(kl, 15), ...rotated(ka, 15)],
      ...[...rotated(kl, 45), rotated(ka, 45)[0], rotated(kl, 60)[1], ...rotated(ka, 60)],
      ...[...rotated(kl, 94), ...rotated(ka, 94), ...rotated(kl, 111)],
    ],
    between: [...rotated(ka, 30), ...rotated(kl, 77)],
    last: rotated(ka, 111),
  };
}

function longSchedule(kl: bigint, kr: bigint, ka: bigint, kb: bigint): Subkeys {
  return {
    first: rotated(kl, 0),
    rounds: [
      ...[...rotated(kb, 0), ...rotated(kr, 15), ...rotated(ka, 15)],
      ...[...rotated(kb, 30), ...rotated(kl, 45), ...rotated(ka, 45)],
      ...[...rotated(kr, 60), ...rotated(kb, 60), ...rotated(kl, 77)],
      ...[...rotated(kr, 94), ...rotated(ka, 94), ...rotated(kl, 111)],
    ],
    between: [...rotated(kr, 30), ...rotated(kl, 60), ...rotated(ka, 77)],
    last: rotated(kb, 111),
  };
}

/** Both halves of a value of 128 bits that is turned to the left. */
function rotated(value: bigint, by: number): readonly [bigint, bigint] {
  const turned = ((value << BigInt(by)) | (value >> BigInt(128 - by))) & MASK128;
  return [turned >> 64n, turned & MASK64];
}

/** Section 2.4.1. */
function f(input: bigint, key: bigint): bigint {
  const x = input ^ key;
  const octet = (shift: bigint) => Number((x >> shift) & 0xffn);
  const t1 = SBOX1[octet(56n)]!;
  const t2 = turned(SBOX1[octet(48n)]!, 1);
  const t3 = turned(SBOX1[octet(40n)]!, 7);
  const t4 = SBOX1[turned(octet(32n), 1)]!;
  const t5 = turned(SBOX1[octet(24n)]!, 1);
  const t6 = turned(SBOX1[octet(16n)]!, 7);
  const t7 = SBOX1[turned(octet(8n), 1)]!;
  const t8 = SBOX1[octet(0n)]!;
  const out = Uint8Array.of(
    t1 ^ t3 ^ t4 ^ t6 ^ t7 ^ t8,
    t1 ^ t2 ^ t4 ^ t5 ^ t7 ^ t8,
    t1 ^ t2 ^ t3 ^ t5 ^ t6 ^ t8,
    t2 ^ t3 ^ t4 ^ t5 ^ t6 ^ t7,
    t1 ^ t2 ^ t6 ^ t7 ^ t8,
    t2 ^ t3 ^ t5 ^ t7 ^ t8,
    t3 ^ t4 ^ t5 ^ t6 ^ t8,
    t1 ^ t4 ^ t5 ^ t6 ^ t7,
  );
  return number(out);
}

function turned(octet: number, by: number): number {
  return ((octet << by) | (octet >> (8 - by))) & 0xff;
}

/** Section 2.4.2. */
function fl(input: bigint, key: bigint): bigint {
  let [x1, x2] = [input >> 32n, input & MASK32];
  const [k1, k2] = [key >> 32n, key & MASK32];
  x2 ^= turned32(x1 & k1);
  x1 ^= x2 | k2;
  return (x1 << 32n) | x2;
}

/** Section 2.4.3. */
function inverseFl(input: bigint, key: bigint): bigint {
  let [y1, y2] = [input >> 32n, input & MASK32];
  const [k1, k2] = [key >> 32n, key & MASK32];
  y1 ^= y2 | k2;
  y2 ^= turned32(y1 & k1);
  return (y1 << 32n) | y2;
}

function turned32(word: bigint): bigint {
  return ((word << 1n) | (word >> 31n)) & MASK32;
}

function number(octets: Uint8Array): bigint {
  let value = 0n;
  for (const octet of octets) value = (value << 8n) | BigInt(octet);
  return value;
}
