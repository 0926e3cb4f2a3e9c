// Builds crypto/openssl/des-wasm.ts: the CBC decryption of DES, bitsliced. Run it after a build: node scripts/des.mjs
//
// 128 blocks are decrypted at once. Bit b of all of them is one vector, "plane" b, so a permutation of bits costs nothing (it
// is which plane is read), and an S-box is a circuit of gates that each work on 128 blocks. Nothing is looked up by a secret.
// The wiring comes from the tables of FIPS 46-3 (crypto/portable/des-tables.ts), the circuits from des-circuits.json, which
// des-circuits.mjs has searched for.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { INITIAL_PERMUTATION, P } from "../dist/crypto/portable/des-tables.js";
import { assemble } from "./wat.mjs";

const root = join(import.meta.dirname, "..");
const target = join(root, "crypto/openssl/des-wasm.ts");

const GATES = { "&": "and", "|": "or", "^": "xor", "~": "andnot" };

/** The gates of S1 to S8, as `[left, kind, right]`, and which of them are the four outputs. 0 to 5 are the inputs, 6 the first gate. */
export const CIRCUITS = Object.values(
  JSON.parse(readFileSync(join(import.meta.dirname, "des-circuits.json"), "utf8")),
).map(({ gates, outputs }) => ({
  gates: gates.split(" ").map((gate) => {
    const [, left, kind, right] = /^(\d+)([&|^~])(\d+)$/.exec(gate);
    return [Number(left), kind, Number(right)];
  }),
  outputs: outputs.split(" ").map(Number),
}));

const PLANE_BYTES = 16;
/** An octet for each of the 48 bits of a round's key: all ones or all zeros. */
const ROUND_KEY_BYTES = 48;

/** Where bit `number` of the standard (1 is the first of the first octet) of a little-endian 64-bit number stands. */
const planeOf = (number) => 8 * ((number - 1) >> 3) + 7 - ((number - 1) & 7);

/** Where bit 1 to 32 of the left half stands. That of the right half is the plane behind it, for all of them. */
const halfOffset = (bit) => PLANE_BYTES * planeOf(INITIAL_PERMUTATION[bit - 1]);

/** A swap of each bit of `low` whose place has the bit `distance` with the one of `high` whose place has it not. */
function exchange(low, high, distance) {
  const mask = `i64x2.splat (i64.const 0x${MASKS.get(distance)})`;
  return `
    (local.set $t
      (v128.and
        (v128.xor (i64x2.shr_u (local.get ${low}) (i32.const ${distance})) (local.get ${high}))
        (${mask})))
    (local.set ${high} (v128.xor (local.get ${high}) (local.get $t)))
    (local.set ${low} (v128.xor (local.get ${low}) (i64x2.shl (local.get $t) (i32.const ${distance}))))`;
}

/** The bits whose place lacks the bit `distance`. */
const MASKS = new Map([
  [1, "5555555555555555"],
  [2, "3333333333333333"],
  [4, "0f0f0f0f0f0f0f0f"],
  [8, "00ff00ff00ff00ff"],
  [16, "0000ffff0000ffff"],
  [32, "00000000ffffffff"],
]);

/** A function that makes planes of blocks or blocks of planes: each half of 64 vectors is a matrix of 64 x 64 bits, and is turned. */
function transpose(name, order) {
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  const groups = [
    { stride: 1, next: 8 },
    { stride: 8, next: 1 },
  ];
  const loops = groups.map(({ stride, next }, g) => {
    const at = (row) => `offset=${PLANE_BYTES * stride * row}`;
    const exchanges = [1, 2, 4].flatMap((bit) =>
      eight.filter((row) => !(row & bit)).map((row) => exchange(`$r${row}`, `$r${row | bit}`, bit * stride)),
    );
    return `
    (local.set $at (local.get $planes))
    (local.set $count (i32.const 8))
    (loop $group${g}
      ${eight.map((row) => `(local.set $r${row} (v128.load ${at(stride === 1 ? order(row) : row)} (local.get $at)))`).join("\n")}
      ${exchanges.join("")}
      ${eight.map((row) => `(v128.store ${at(row)} (local.get $at) (local.get $r${row}))`).join("\n")}
      (local.set $at (i32.add (local.get $at) (i32.const ${PLANE_BYTES * next})))
      (br_if $group${g} (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))`;
  });
  return `
  (func ${name} (param $planes i32)
    (local $at i32) (local $count i32) (local $t v128)
    ${eight.map((row) => `(local $r${row} v128)`).join(" ")}
    ${loops.join("")})`;
}

/** left ^= f(right, key) for one S-box. */
function substitution({ gates, outputs }, box) {
  const inputs = [0, 1, 2, 3, 4, 5].map((i) => {
    const bit = ((4 * box + i + 31) & 31) + 1; // the expansion E: four bits, and one more on either side
    return `
      (local.set $g${i}
        (v128.xor
          (v128.load offset=${halfOffset(bit)} (local.get $right))
          (v128.load8_splat offset=${6 * box + i} (local.get $keys))))`;
  });
  const work = gates.map(
    ([left, kind, right], i) => `
      (local.set $g${6 + i} (v128.${GATES[kind]} (local.get $g${left}) (local.get $g${right})))`,
  );
  const results = outputs.map((gate, i) => {
    const offset = halfOffset(P.indexOf(4 * box + i + 1) + 1);
    return `
      (v128.store offset=${offset} (local.get $left)
        (v128.xor (v128.load offset=${offset} (local.get $left)) (local.get $g${gate})))`;
  });
  return `
      ;; S${box + 1}${[...inputs, ...work, ...results].join("")}`;
}

/** The module as text. */
export function desModuleText() {
  const locals = Math.max(...CIRCUITS.map(({ gates }) => 6 + gates.length));
  return `
(module
  (import "arena" "memory" (memory 1))
  ${transpose("$planesOfBlocks", (row) => row)}
  ;; The halves leave the last round exchanged: plane 2n is where 2n + 1 belongs.
  ${transpose("$blocksOfPlanes", (row) => row ^ 1)}

  ;; 16 rounds for each stage: one for DES, three for Triple-DES. The permutations between stages cancel out.
  (func $rounds (param $left i32) (param $right i32) (param $keys i32) (param $stages i32)
    (local $round i32) (local $other i32)
    ${Array.from({ length: locals }, (_, i) => `(local $g${i} v128)`).join(" ")}
    (loop $stage
      (local.set $round (i32.const 16))
      (loop $round
        ${CIRCUITS.map(substitution).join("")}
        (local.set $keys (i32.add (local.get $keys) (i32.const ${ROUND_KEY_BYTES})))
        (local.set $other (local.get $left))
        (local.set $left (local.get $right))
        (local.set $right (local.get $other))
        (br_if $round (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      (local.set $other (local.get $left))
      (local.set $left (local.get $right))
      (local.set $right (local.get $other))
      (br_if $stage (local.tee $stages (i32.sub (local.get $stages) (i32.const 1))))))

  ;; decrypt(previous, text, blocks, planes, keys, stages): 1 to 128 blocks in place. \`previous\` is the block before them, \`planes\`
  ;; 1024 octets of scratch, \`keys\` the masks of all rounds.
  (func (export "decrypt")
    (param $previous i32) (param $text i32) (param $blocks i32) (param $planes i32) (param $keys i32) (param $stages i32)
    (local $offset i32)
    (local.set $offset (i32.shl (local.get $blocks) (i32.const 3)))
    (memory.copy (local.get $planes) (local.get $text) (local.get $offset))
    (memory.fill
      (i32.add (local.get $planes) (local.get $offset))
      (i32.const 0)
      (i32.sub (i32.const ${64 * PLANE_BYTES}) (local.get $offset)))
    (call $planesOfBlocks (local.get $planes))
    (call $rounds
      (local.get $planes)
      (i32.add (local.get $planes) (i32.const ${PLANE_BYTES}))
      (local.get $keys)
      (local.get $stages))
    (call $blocksOfPlanes (local.get $planes))
    ;; The block before each is added, from the end on: what is written is not read again. Two blocks at a time, then the rest.
    (block $done
      (loop $pairs
        (br_if $done (i32.lt_u (local.get $offset) (i32.const 24)))
        (local.set $offset (i32.sub (local.get $offset) (i32.const 16)))
        (v128.store
          (i32.add (local.get $text) (local.get $offset))
          (v128.xor
            (v128.load (i32.add (local.get $planes) (local.get $offset)))
            (v128.load (i32.sub (i32.add (local.get $text) (local.get $offset)) (i32.const 8)))))
        (br $pairs)))
    (if (i32.eq (local.get $offset) (i32.const 16))
      (then
        (i64.store offset=8 (local.get $text)
          (i64.xor (i64.load offset=8 (local.get $planes)) (i64.load (local.get $text))))))
    (i64.store (local.get $text)
      (i64.xor (i64.load (local.get $planes)) (i64.load (local.get $previous))))))
`;
}

/** The text of des-wasm.ts. */
export async function buildDesModule() {
  return assemble(
    desModuleText(),
    "DES_WASM",
    "/** The module of scripts/des.mjs in base64: DES, bitsliced. Made by that script; do not edit. */",
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(target, await buildDesModule());
  console.log(`wrote ${target}`);
}
