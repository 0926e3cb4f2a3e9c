import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { backendsOf, createKeyExchange, createSealer, keyLengths } from "../../crypto/backends.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA2_256_128 } from "../../crypto/registry/integrity.js";
import { KEY_EXCHANGE_ROWS } from "../../crypto/registry/key-exchange.js";
import type { SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";

const CYCLES = 10_000;
const MOST_BATCHES = 10;

for (const encryption of ENCRYPTION_ROWS.filter((row) => backendsOf(row).includes("openssl"))) {
  test(`${encryption.name}: ${CYCLES} OpenSSL sealers, created and freed, leave no memory behind`, () => {
    const arena = createArena(65536);
    const start = arena.alloc(256);
    const spec: SealerSpec = {
      encryption,
      keyBits: encryption.keyBits.at(-1)!,
      ...(encryption.aead ? {} : { integrity: AUTH_HMAC_SHA2_256_128 }),
    };
    const { encryptionBytes, integrityBytes } = keyLengths(spec);
    const keys = {
      encryption: secret(new Uint8Array(encryptionBytes)),
      integrity: secret(new Uint8Array(integrityBytes)),
    };
    const cycle = () => {
      const sealer = createSealer(arena, spec, keys, "openssl");
      sealer.sealAt(start, 8, start + 8, 64, -1);
      assert.ok(sealer.openAt(start, 8, start + 8, 64, -1));
      sealer.free();
    };
    for (let i = 0; i < CYCLES; i++) cycle(); // the allocator and the compiler settle
    const arenaBefore = arena.free();
    // A context that was not freed would weigh at least 500 octets.
    assertNoLeak(cycle, CYCLES, 400);
    assert.equal(arena.free(), arenaBefore, "arena memory is taken once, not per sealer");
  });
}

for (const row of KEY_EXCHANGE_ROWS.filter((one) => backendsOf(one).includes("openssl"))) {
  const exchanges = CYCLES / 10;
  test(`${row.name}: ${exchanges} OpenSSL key exchanges, also refused ones, leave no memory behind`, () => {
    const method = createKeyExchange(row, "openssl");
    const mine = secret(new Uint8Array(row.privateBytes).fill(7));
    const peer = method.publicValue(mine);
    const cycle = () => {
      method.publicValue(mine);
      method.sharedSecret(mine, peer);
      assert.throws(() => method.sharedSecret(mine, new Uint8Array(row.publicBytes)), /small order/);
    };
    for (let i = 0; i < exchanges; i++) cycle();
    // Four keys and two contexts in each cycle, of which every one would weigh 100 octets at least.
    assertNoLeak(cycle, exchanges, 100);
  });
}

/** What leaks grows in every batch; the allocator's and the compiler's own pages come in some of them only. `octets`: of a cycle, at most. */
function assertNoLeak(cycle: () => void, cycles: number, octets: number): void {
  const growth: number[] = [];
  while (growth.length < MOST_BATCHES && !(Math.min(...growth) < cycles * octets)) {
    const before = nativeBytes();
    for (let i = 0; i < cycles; i++) cycle();
    growth.push(nativeBytes() - before);
  }
  assert.ok(Math.min(...growth) < cycles * octets, `native memory grew by ${growth.join(", ")} octets`);
}

/** Collects what JavaScript dropped, so that its buffers do not count. */
const collect = ((): (() => void) => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

/** Resident memory outside JavaScript's own heap. */
function nativeBytes(): number {
  collect();
  const { rss, heapTotal, external } = process.memoryUsage();
  return rss - heapTotal - external;
}
