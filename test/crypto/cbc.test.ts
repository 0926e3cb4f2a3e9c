import assert from "node:assert/strict";
import { test } from "node:test";
import { backendsOf, createHash } from "../../crypto/backends.js";
import { hex, octets } from "../../crypto/bytes.js";
import { decrypt, encrypt } from "../../crypto/cbc.js";
import { messageArena } from "../../crypto/message-arena.js";
import { ENCR_AES_CBC, ENCR_AES_GCM_16, ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { PRF_ROWS } from "../../crypto/registry/prf.js";
import { secret } from "../../crypto/secret.js";

const CBC = ENCRYPTION_ROWS.filter(({ aead, blockBytes }) => !aead && blockBytes > 1);

test("every CBC cipher encrypts to the same octets on every backend, and decrypts to what it was", () => {
  assert.ok(CBC.length >= 5);
  for (const row of CBC)
    for (const keyBits of row.keyBits) {
      const keyed = { encryption: row, keyBits, key: secret(new Uint8Array(keyBits / 8).map((_, i) => i * 37 + 1)) };
      const iv = new Uint8Array(row.ivBytes).map((_, i) => i);
      for (const blocks of [0, 1, 7]) {
        const plain = new Uint8Array(blocks * row.blockBytes).map((_, i) => i * 3);
        const results = backendsOf(row).map((backend) => {
          const text = encrypt(keyed, iv, plain, backend);
          assert.equal(hex(decrypt(keyed, iv, text, backend)), hex(plain), `${row.name} ${backend}`);
          return hex(text);
        });
        assert.equal(new Set(results).size, 1, `${row.name} ${keyBits}`);
      }
    }
});

test("what does not fit is refused, and no plaintext stays in the arena", () => {
  const keyed = { encryption: ENCR_AES_CBC, keyBits: 128, key: secret(new Uint8Array(16)) };
  const iv = new Uint8Array(16);
  assert.throws(() => encrypt(keyed, iv, new Uint8Array(17)), RangeError);
  assert.throws(() => encrypt(keyed, new Uint8Array(8), new Uint8Array(16)), RangeError);
  assert.throws(() => encrypt({ ...keyed, key: secret(new Uint8Array(24)) }, iv, new Uint8Array(16)), RangeError);
  assert.throws(
    () => encrypt({ ...keyed, encryption: ENCR_AES_GCM_16 }, new Uint8Array(8), new Uint8Array(16)),
    RangeError,
  );
  decrypt(keyed, iv, encrypt(keyed, iv, octets("5a".repeat(32))));
  const { arena, start } = messageArena(64);
  assert.equal(hex(arena.bytes.slice(start + 16, start + 48)), "00".repeat(32));
});

test("the PRFs that IKEv1 negotiates are made of a hash, in one call or several parts the same", () => {
  for (const row of PRF_ROWS) {
    assert.equal(row.hash === undefined, row.name.startsWith("PRF_AES"), row.name);
    if (row.hash === undefined) continue;
    const hash = createHash(row);
    assert.equal(hash.outputBytes, row.outputBytes);
    assert.equal(hex(hash.digest(octets("01"), octets("0203"))), hex(hash.digest(octets("010203"))));
    assert.equal(hash.digest().length, row.outputBytes);
  }
});
