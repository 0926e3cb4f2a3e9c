import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { createPrf } from "../../crypto/backends.js";
import {
  compare,
  concat,
  equal,
  equalConstantTime,
  hex,
  octets,
  octetsOfBase64,
  text,
  utf8,
} from "../../crypto/bytes.js";
import { sha1, sha256 } from "../../crypto/hash.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { prfPlus } from "../../crypto/prf-plus.js";
import { fillRandom, systemRandom } from "../../crypto/random.js";
import { PRF_HMAC_SHA1, PRF_ROWS } from "../../crypto/registry/prf.js";
import { secret } from "../../crypto/secret.js";

test("hex and octets are inverses; what is not hex is refused", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(octets(hex(bytes)), bytes)));
  assert.equal(hex(octets("00 FF\n7f")), "00ff7f");
  for (const wrong of ["0", "0g", "0x00"]) assert.throws(() => octets(wrong), RangeError);
});

test("base64 is read as Node writes it", () => {
  const read = (bytes: Uint8Array) => octetsOfBase64(Buffer.from(bytes).toString("base64"));
  fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(read(bytes), bytes)));
});

test("both comparisons agree, and the order is that of big-endian numbers", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      assert.equal(equal(a, b), equalConstantTime(a, b));
      assert.equal(equal(a, b), compare(a, b) === 0);
      assert.equal(Math.sign(compare(a, b)) + Math.sign(compare(b, a)), 0);
    }),
  );
  assert.ok(compare(octets("01"), octets("02ff")) < 0);
  assert.ok(compare(octets("0100"), octets("01")) > 0);
});

test("text survives UTF-8", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (words) => text(utf8(words)) === words));
});

test("a secret prints as [secret] in every way of printing, and reveals itself when asked", () => {
  const key = secret(octets("deadbeef"));
  const printed = [
    `${key}`,
    String(key),
    JSON.stringify({ key }),
    inspect(key),
    inspect({ key }, { depth: 9 }),
    inspect(key, { showHidden: true }),
  ];
  for (const line of printed) {
    assert.match(line, /\[secret\]/);
    assert.doesNotMatch(line, /de.?ad|222|173/i);
  }
  assert.deepEqual(Object.keys(key), []);
  assert.equal(hex(key.reveal()), "deadbeef");
  assert.equal(key.length, 4);
});

test("prf+ is the chain of RFC 7296 section 2.13, cut where wanted", () => {
  for (const row of PRF_ROWS) {
    const prf = createPrf(row);
    const [key, seed] = [octets("0102"), octets("0a0b0c")];
    const t1 = prf.compute(key, seed, Uint8Array.of(1));
    const t2 = prf.compute(key, t1, seed, Uint8Array.of(2));
    const t3 = prf.compute(key, t2, seed, Uint8Array.of(3));
    const whole = concat(t1, t2, t3);
    for (const length of [0, 1, row.outputBytes, row.outputBytes + 1, whole.length])
      assert.equal(hex(prfPlus(prf, key, seed, length)), hex(whole.subarray(0, length)));
  }
});

test("prf+ ends with its 255th block", () => {
  const prf = createPrf(PRF_HMAC_SHA1);
  assert.equal(prfPlus(prf, utf8("k"), utf8("s"), 255 * 20).length, 5100);
  assert.throws(() => prfPlus(prf, utf8("k"), utf8("s"), 255 * 20 + 1), RangeError);
});

test("PRFs of all backends agree for any key and any pieces", () => {
  const any = fc.uint8Array({ maxLength: 200 });
  for (const row of PRF_ROWS)
    fc.assert(
      fc.property(any, fc.array(any, { maxLength: 4 }), (key, pieces) => {
        const [a, b] = (["node", "portable"] as const).map((backend) =>
          createPrf(row, backend).compute(key, ...pieces),
        );
        assert.equal(hex(a!), hex(b!));
        assert.equal(a!.length, row.outputBytes);
        assert.equal(hex(a!), hex(createPrf(row).compute(key, concat(...pieces))));
      }),
      { numRuns: 30 },
    );
});

test("hashes take their input in pieces", () => {
  assert.equal(hex(sha1(utf8("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(hex(sha1(utf8("a"), utf8(""), utf8("bc"))), hex(sha1(utf8("abc"))));
  assert.equal(hex(sha256(utf8("ab"), utf8("c"))), createHash("sha256").update("abc").digest("hex"));
});

test("random octets come in the wanted length and differ from draw to draw", () => {
  assert.equal(systemRandom(0).length, 0);
  assert.equal(systemRandom(48).length, 48);
  assert.notEqual(hex(systemRandom(16)), hex(systemRandom(16)));
});

test("the pool of IVs never repeats, across refills too, and stays inside the arena and the wanted place", () => {
  const arena = createArena(65536);
  const at = arena.alloc(64);
  const seen = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    fillRandom(arena, at + 16, 16);
    seen.add(hex(arena.bytes.subarray(at + 16, at + 32)));
  }
  assert.equal(seen.size, 3000);
  assert.ok(equal(arena.bytes.subarray(at, at + 16), new Uint8Array(16)));
  assert.ok(equal(arena.bytes.subarray(at + 32, at + 64), new Uint8Array(32)));
  assert.throws(() => fillRandom(arena, arena.bytes.length - 8, 16), RangeError);
  assert.throws(() => fillRandom(arena, Number.NaN, 16), RangeError);
});

test("an arena hands out aligned places, refuses more than it has, and gives addresses only for its inside", () => {
  const arena = createArena(65536);
  const first = arena.alloc(10);
  const second = arena.alloc(10);
  assert.equal(first % 64, 0);
  assert.ok(second >= first + 64);
  assert.equal(arena.alloc(4, 4) % 4, 0);
  assert.equal(arena.address(second, 10) - arena.address(first, 10), second - first);
  assert.throws(() => arena.alloc(65536), /arena is full/);
  for (const [offset, length] of [
    [-1, 4],
    [65533, 4],
    [0, 65537],
    [Number.NaN, 1],
    [0, Number.NaN],
  ] as const)
    assert.throws(() => arena.address(offset, length), /outside the arena/);
});
