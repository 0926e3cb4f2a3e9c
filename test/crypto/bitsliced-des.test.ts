import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createCipher } from "../../crypto/backends.js";
import { concat, hex, octets } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { bitslicedDes, decryptionMasks } from "../../crypto/openssl/bitsliced-des.js";
import type { CipherCase } from "../../crypto/proof/vector-file.js";
import { ENCR_3DES, ENCR_DES } from "../../crypto/registry/encryption.js";
import type { BackendName } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { ownSuites } from "../../src/cli/vector-suites.js";

const MOST_BLOCKS = 300;
const arena = createArena(1 << 17);
const iv = arena.alloc(8 * (MOST_BLOCKS + 1));
const text = iv + 8;
const bitsliced = bitslicedDes(arena)!;

/** Both rows, and keys that are special: weak and semi-weak ones of FIPS 74, equal ones, and those of 3DES that make single DES of it. */
const [a, b] = [randomBytes(8), randomBytes(8)];
const SPECIAL_KEYS = [
  ...["0101010101010101", "fefefefefefefefe", "e0e0e0e0f1f1f1f1", "1f1f1f1f0e0e0e0e"].map(octets),
  ...["01fe01fe01fe01fe", "fe01fe01fe01fe01", "1fe01fe00ef10ef1", "e0fee0fef1fef1fe"].map(octets),
  ...["0000000000000000", "ffffffffffffffff"].map(octets),
  ...[concat(a, a, a), concat(a, a, b), concat(a, b, b), concat(a, b, a), new Uint8Array(24)],
];

function openedBy(backend: BackendName, key: Uint8Array, sealed: Uint8Array, on = arena, at = iv): string {
  on.bytes.set(sealed, at);
  const cipher = createCipher(on, key.length === 8 ? ENCR_DES : ENCR_3DES, 8 * key.length, secret(key), backend);
  cipher.decryptAt(at, at + 8, sealed.length - 8);
  cipher.free();
  return hex(on.bytes.subarray(at, at + sealed.length));
}

function openedAlone(key: Uint8Array, sealed: Uint8Array): string {
  arena.bytes.set(sealed, iv);
  bitsliced(decryptionMasks(key), iv, text, sealed.length / 8 - 1);
  return hex(arena.bytes.subarray(iv, iv + sealed.length));
}

test(`DES and 3DES: 1 to ${MOST_BLOCKS} blocks are decrypted as the portable backend does it`, () => {
  for (const keyBytes of [8, 24])
    for (let blocks = 1; blocks <= MOST_BLOCKS; blocks++) {
      const key = randomBytes(keyBytes);
      const sealed = randomBytes(8 * (blocks + 1));
      const expected = openedBy("portable", key, sealed);
      assert.equal(openedBy("openssl", key, sealed), expected, `${blocks} blocks under ${hex(key)}`);
      assert.equal(openedAlone(key, sealed), expected, `${blocks} blocks, none by EVP, under ${hex(key)}`);
    }
});

test("weak, semi-weak and equal keys are keys like others", () => {
  for (const key of SPECIAL_KEYS)
    for (const blocks of [1, 127, 128, 129, 176]) {
      const sealed = randomBytes(8 * (blocks + 1));
      const expected = openedBy("portable", key, sealed);
      assert.equal(openedBy("openssl", key, sealed), expected, hex(key));
      assert.equal(openedAlone(key, sealed), expected, hex(key));
    }
});

test("the published figures of DES and 3DES come out without EVP, in every lane", () => {
  const cases = ownSuites()
    .flatMap((suite) => suite.cases)
    .filter((entry): entry is CipherCase => entry.kind === "cipher" && /^ENCR_3?DES$/.test(entry.row));
  assert.ok(cases.length >= 30);
  for (const { key, iv: before, cipher, plain, source } of cases) {
    assert.equal(openedAlone(octets(key), octets(before + cipher)), before + plain, source);
    // One text behind another: the IV is a block of ciphertext there, the block before it the one that is dropped.
    const times = Math.floor(MOST_BLOCKS / (1 + cipher.length / 16));
    const opened = openedAlone(octets(key), octets((before + cipher).repeat(times)));
    const step = before.length + cipher.length;
    for (let i = 0; i < times; i++)
      assert.equal(opened.slice(i * step + before.length, (i + 1) * step), plain, `${source}, text ${i}`);
  }
});

test("the IV may stand elsewhere, and nothing beside the text changes: no key, no text stays in the arena", () => {
  const own = createArena(65536);
  const elsewhere = own.alloc(8);
  const at = own.alloc(8 * MOST_BLOCKS + 2) + 1;
  const key = randomBytes(24);
  const cipher = createCipher(own, ENCR_3DES, 192, secret(key), "openssl");
  for (const blocks of [15, 128, 129, 143, 176, 256, MOST_BLOCKS]) {
    const sealed = randomBytes(8 * (blocks + 1));
    const expected = openedBy("portable", key, sealed);
    own.bytes.set(sealed.subarray(0, 8), elsewhere);
    own.bytes.set(sealed.subarray(8), at);
    if (blocks === 129) cipher.decryptAt(elsewhere, at, 8); // EVP leaves a length behind, the first time
    own.bytes.set(sealed.subarray(8), at);
    const before = own.bytes.slice();
    cipher.decryptAt(elsewhere, at, 8 * blocks);
    const after = own.bytes.slice();
    assert.equal(hex(after.subarray(at, at + 8 * blocks)), expected.slice(16), `${blocks} blocks`);
    before.fill(0, at, at + 8 * blocks);
    after.fill(0, at, at + 8 * blocks);
    assert.deepEqual(after, before, `${blocks} blocks`);
  }
  cipher.free();
});

test("texts outside the arena are refused, and so is what comes after free", () => {
  const cipher = createCipher(arena, ENCR_3DES, 192, secret(new Uint8Array(24)), "openssl");
  const end = arena.bytes.length;
  for (const [before, at] of [
    [iv, end - 1000],
    [end - 7, text],
    [-8, text],
    [iv, Number.NaN],
    [iv, -8],
  ] as const)
    assert.throws(() => cipher.decryptAt(before, at, 1024), RangeError);
  assert.throws(() => cipher.decryptAt(iv, text, 1023), RangeError);
  cipher.free();
  assert.throws(() => cipher.decryptAt(iv, text, 1024), /used after free/);
});

test("EVP decrypts where there is no SIMD, where the module gives wrong octets, and where the arena has no room", () => {
  const webAssembly = Reflect.get(globalThis, "WebAssembly") as Record<string, unknown>;
  const { Module, Instance } = webAssembly;
  function Refused() {
    throw new Error("invalid value type");
  }
  function Wrong() {
    return { exports: { decrypt() {} } };
  }
  const key = randomBytes(24);
  const sealed = randomBytes(8 * 177);
  const expected = openedBy("portable", key, sealed);
  for (const [name, replacement] of [
    ["Module", Refused],
    ["Instance", Wrong],
    [undefined, undefined],
  ] as const) {
    const own = createArena(65536);
    const at = own.alloc(8 * 177);
    try {
      if (name !== undefined) webAssembly[name] = replacement;
      else own.alloc(own.free() - 4096);
      assert.equal(openedBy("openssl", key, sealed, own, at), expected);
    } finally {
      Object.assign(webAssembly, { Module, Instance });
    }
    assert.equal(bitslicedDes(own), undefined, name ?? "no room");
  }
});

test("des-wasm.ts is what scripts/des.mjs makes of des-circuits.json and the tables of FIPS 46-3", async () => {
  const root = join(import.meta.dirname, "../../..");
  const { buildDesModule } = (await import(pathToFileURL(join(root, "scripts/des.mjs")).href)) as {
    buildDesModule(): Promise<string>;
  };
  assert.equal(readFileSync(join(root, "crypto/openssl/des-wasm.ts"), "utf8"), await buildDesModule());
});
