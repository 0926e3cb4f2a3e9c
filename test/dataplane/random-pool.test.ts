import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createRandomPool } from "../../src/dataplane/random-pool.js";

test("no IV comes twice, across refills of the pool", () => {
  const arena = createArena(1 << 20);
  const fill = createRandomPool(arena);
  const at = arena.alloc(16);
  const seen = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    fill(at, 16);
    seen.add(hex(arena.bytes.subarray(at, at + 16)));
  }
  assert.equal(seen.size, 10_000);
});

test("what was given out does not stay in the pool", () => {
  const arena = createArena(1 << 20);
  const fill = createRandomPool(arena);
  const at = arena.alloc(16);
  fill(at, 16);
  const given = hex(arena.bytes.subarray(at, at + 16));
  arena.bytes.fill(0, at, at + 16);
  assert.ok(!hex(arena.bytes.subarray(0, 1 << 17)).includes(given));
});
