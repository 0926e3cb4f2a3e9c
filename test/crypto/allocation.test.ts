/** The hot path of the OpenSSL backend allocates nothing per packet: measured on the heap, never by time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createSealer, keyLengths } from "../../crypto/backends.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCR_3DES, ENCR_AES_CBC, ENCR_DES, ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA2_256_128, INTEGRITY_ROWS } from "../../crypto/registry/integrity.js";
import type { SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { tuneEngine } from "../../src/engine.js";

const ROUNDS = 4000;
/** The least thing that can be allocated, a boxed number, has 16 octets; compilation leaves a little in some rounds. */
const NEARLY_NOTHING = 8;
const MOST_BATCHES = 60;

tuneEngine(); // as the data plane is compiled
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const SPECS: readonly SealerSpec[] = [
  ...ENCRYPTION_ROWS.map(
    (encryption): SealerSpec => ({
      encryption,
      keyBits: encryption.keyBits[0]!,
      ...(!encryption.aead && { integrity: AUTH_HMAC_SHA2_256_128 }),
    }),
  ),
  ...INTEGRITY_ROWS.map((integrity): SealerSpec => ({ encryption: ENCR_AES_CBC, keyBits: 128, integrity })),
];

/** Octets of text; DES decrypts long ones in its own way. */
function lengthsOf({ encryption }: SealerSpec): readonly number[] {
  return encryption === ENCR_DES || encryption === ENCR_3DES ? [64, 1400] : [64];
}

for (const [spec, length] of SPECS.flatMap((each) => lengthsOf(each).map((octets) => [each, octets] as const))) {
  const names = [spec.encryption.name, ...(spec.integrity ? [spec.integrity.name] : [])];
  test(`${names.join(" with ")}: sealing and opening packets of ${length} octets allocates nothing`, () => {
    const arena = createArena(65536);
    const start = arena.alloc(2048);
    const { encryptionBytes, integrityBytes } = keyLengths(spec);
    const keys = {
      encryption: secret(new Uint8Array(encryptionBytes)),
      integrity: secret(new Uint8Array(integrityBytes)),
    };
    const sealer = createSealer(arena, spec, keys, "openssl");
    const counts = sealer.ivBytes >= 8; // as those of an SA do
    const batch = (): void => {
      for (let i = 0; i < ROUNDS; i++) {
        if (counts) arena.view.setInt32(start + 8 + sealer.ivBytes - 4, i);
        sealer.sealAt(start, 8, start + 8, length, i);
        if (!sealer.openAt(start, 8, start + 8, length, i)) throw new Error("not opened");
      }
    };
    // The compiler works beside us, and on a busy machine late.
    const grown: number[] = [];
    while (grown.length < MOST_BATCHES && !(Math.min(...grown.slice(1)) < NEARLY_NOTHING)) {
      collect();
      const before = process.memoryUsage().heapUsed;
      batch();
      grown.push((process.memoryUsage().heapUsed - before) / (2 * ROUNDS));
    }
    sealer.free();
    assert.ok(
      Math.min(...grown.slice(1)) < NEARLY_NOTHING,
      `${grown.map((each) => each.toFixed(1))} octets per packet`,
    );
  });
}
