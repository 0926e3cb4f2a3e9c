import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { createArena } from "../../crypto/openssl/arena.js";
import { type Checksum, createChecksum, createJavaScriptChecksum } from "../../esp/checksum.js";
import { naiveChecksum } from "./packets.js";

const arena = createArena(1 << 18);
const from = arena.alloc(66000);
const to = arena.alloc(66000);
const wasm = createChecksum(arena);
const twin = createJavaScriptChecksum(arena);

/** A little-endian sum as the big-endian checksum that it stands for. */
function asChecksum(sum: number): number {
  return ~(((sum & 0xff) << 8) | (sum >> 8)) & 0xffff;
}

test("this engine runs the WebAssembly module", () => {
  assert.equal(wasm.name, "wasm");
});

test("both checksums give what RFC 1071 says, at every length and alignment, and copy what they sum", () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 0, max: 3000 }).map((n) => new Uint8Array(n).fill(255)),
  );
  fc.assert(
    fc.property(octets, fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 70 }), (bytes, a, b) => {
      arena.bytes.fill(0xaa, from, from + 4000);
      arena.bytes.set(bytes, from + a);
      for (const checksum of [wasm, twin]) {
        const sum = checksum.sum(from + a, bytes.length);
        // A sum of zero and one of all ones are the same number.
        assert.equal(asChecksum(sum) % 0xffff, naiveChecksum(bytes) % 0xffff);
        arena.bytes.fill(0x55, to, to + 4000);
        assert.equal(checksum.copySum(to + b, from + a, bytes.length), sum);
        assert.deepEqual(arena.bytes.slice(to + b, to + b + bytes.length), bytes);
        assert.deepEqual([arena.bytes[to + b + bytes.length], b > 0 ? arena.bytes[to + b - 1] : 0x55], [0x55, 0x55]);
      }
      assert.equal(wasm.sum(from + a, bytes.length), twin.sum(from + a, bytes.length));
    }),
    { numRuns: 500 },
  );
});

test("the largest packet of all ones does not overflow a lane", () => {
  arena.bytes.fill(255, from, from + 65535);
  for (const checksum of [wasm, twin] as readonly Checksum[]) {
    assert.equal(checksum.sum(from, 65534), 0xffff);
    assert.equal(checksum.copySum(to, from, 65535), checksum.sum(from, 65535));
  }
});

test("copying works with ranges that overlap, in both directions", () => {
  for (const checksum of [wasm, twin])
    for (const shift of [-7, 7]) {
      const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
      arena.bytes.set(bytes, from + 50);
      checksum.copy(from + 50 + shift, from + 50, 100);
      assert.deepEqual(arena.bytes.slice(from + 50 + shift, from + 150 + shift), bytes);
    }
});

test("checksum-wasm.ts is what scripts/wat.mjs makes of checksum.wat", async () => {
  const root = join(import.meta.dirname, "../../..");
  const { buildChecksumModule } = (await import(pathToFileURL(join(root, "scripts/wat.mjs")).href)) as {
    buildChecksumModule(): Promise<string>;
  };
  assert.equal(readFileSync(join(root, "esp/checksum-wasm.ts"), "utf8"), await buildChecksumModule());
});
