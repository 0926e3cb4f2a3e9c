import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrf } from "../../../crypto/backends.js";
import { concat, hex, octets } from "../../../crypto/bytes.js";
import { ENCR_3DES, ENCR_AES_CBC, ENCR_DES } from "../../../crypto/registry/encryption.js";
import { PRF_HMAC_MD5, PRF_HMAC_SHA1, PRF_HMAC_SHA2_256 } from "../../../crypto/registry/prf.js";
import { parseEspProposal } from "../../../crypto/registry/proposal.js";
import type { SealerSpec } from "../../../crypto/registry/row.js";
import { type Secret, secret } from "../../../crypto/secret.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { isWeakDesKey } from "../../../ike/v1/des-weak-keys.js";
import { espKeys, phase1Cipher } from "../../../ike/v1/keys.js";

const md5 = createPrf(PRF_HMAC_MD5);
const sha1 = createPrf(PRF_HMAC_SHA1);
const sha256 = createPrf(PRF_HMAC_SHA2_256);
const shown = (key: Secret) => hex(key.reveal());
const SKEYID_D = secret(octets("0b".repeat(20)));
const NONCES = { ni: octets("11".repeat(16)), nr: octets("22".repeat(20)) };

test("a SKEYID_e that is long enough gives its front (RFC 2409 appendix B)", () => {
  const skeyidE = secret(sha256.compute(octets("01"), octets("02")));
  const { key, encryption, keyBits } = phase1Cipher(sha256, skeyidE, ENCR_AES_CBC, 192);
  assert.equal(shown(key), shown(skeyidE).slice(0, 48));
  assert.deepEqual([encryption, keyBits], [ENCR_AES_CBC, 192]);
});

test("a short SKEYID_e is stretched: K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1), and the front is taken", () => {
  for (const [prf, row, keyBits] of [
    [md5, ENCR_3DES, 192],
    [md5, ENCR_AES_CBC, 256],
    [sha1, ENCR_3DES, 192],
    [sha1, ENCR_AES_CBC, 256],
  ] as const) {
    const e = prf.compute(octets("01"), octets("02"));
    const k1 = prf.compute(e, octets("00"));
    const k2 = prf.compute(e, k1);
    const key = shown(phase1Cipher(prf, secret(e), row, keyBits).key);
    assert.equal(key, hex(concat(k1, k2)).slice(0, keyBits / 4), `${prf.name} ${row.name}`);
  }
});

test("DES passes over weak and semi-weak keys in SKEYID_e, and refuses to go without a key", () => {
  const weak = "0101010101010101";
  const semiWeak = "1fe01fe00ef10ef1";
  const good = "0123456789abcdef";
  const keyOf = (skeyidE: string) => shown(phase1Cipher(md5, secret(octets(skeyidE)), ENCR_DES, 64).key);
  assert.equal(keyOf(good + weak), good);
  assert.equal(keyOf(weak + good), good);
  assert.equal(keyOf(semiWeak + good), good);
  assert.throws(() => keyOf(weak + semiWeak), ProtocolError);
});

test("a key for DES is weak whatever its parity bits say", () => {
  for (const key of [
    "0000000000000000",
    "0101010101010101",
    "ffffffffffffffff",
    "fefefefefefefefe",
    "e1e1e1e1f0f0f0f0",
  ])
    assert(isWeakDesKey(octets(key)), key);
  for (const key of ["0123456789abcdef", "0101010101010107", "fefefefe01010101"])
    assert(!isWeakDesKey(octets(key)), key);
});

test("KEYMAT is prf(SKEYID_d, protocol | SPI | Ni_b | Nr_b), one per direction, and with PFS g^xy stands in front", () => {
  const spec = specOf("aes128gcm16");
  const seed = (spi: string) => concat(octets(`03${spi}`), NONCES.ni, NONCES.nr);
  const one = sha1.compute(SKEYID_D.reveal(), seed("00000102"));
  const keys = espKeys(sha1, SKEYID_D, spec, { spi: 0x102, ...NONCES });
  assert.equal(shown(keys.encryption), hex(one)); // 16 octets of key and 4 of salt: one block of SHA-1
  assert.equal(keys.integrity.length, 0);
  const other = espKeys(sha1, SKEYID_D, spec, { spi: 0xc0ffee01, ...NONCES });
  assert.equal(shown(other.encryption), hex(sha1.compute(SKEYID_D.reveal(), seed("c0ffee01"))));
  const sharedSecret = secret(octets("99".repeat(64)));
  const withPfs = espKeys(sha1, SKEYID_D, spec, { spi: 0x102, ...NONCES, sharedSecret });
  assert.equal(
    shown(withPfs.encryption),
    hex(sha1.compute(SKEYID_D.reveal(), concat(sharedSecret.reveal(), seed("00000102")))),
  );
});

test("KEYMAT goes on as Kn = prf(SKEYID_d, Kn-1 | …), the encryption key before the integrity key", () => {
  const sharedSecret = secret(octets("77".repeat(32)));
  const seed = concat(sharedSecret.reveal(), octets("03deadbeef"), NONCES.ni, NONCES.nr);
  const k1 = md5.compute(SKEYID_D.reveal(), seed);
  const k2 = md5.compute(SKEYID_D.reveal(), concat(k1, seed));
  const k3 = md5.compute(SKEYID_D.reveal(), concat(k2, seed));
  const all = hex(concat(k1, k2, k3));
  const keys = espKeys(md5, SKEYID_D, specOf("3des-md5"), { spi: 0xdeadbeef, ...NONCES, sharedSecret });
  assert.equal(shown(keys.encryption), all.slice(0, 48));
  assert.equal(shown(keys.integrity), all.slice(48, 80));
});

test("a child with DES never gets a weak key", () => {
  const toy = { ...md5, compute: () => octets("01".repeat(16)) };
  assert.throws(() => espKeys(toy, SKEYID_D, specOf("des-md5"), { spi: 1, ...NONCES }), ProtocolError);
  assert.equal(espKeys(toy, SKEYID_D, specOf("3des-md5"), { spi: 1, ...NONCES }).encryption.length, 24);
});

function specOf(proposal: string): SealerSpec {
  const { encryption, integrity } = parseEspProposal(proposal);
  const { row, keyBits } = encryption[0]!;
  return { encryption: row, keyBits, ...(integrity[0] && { integrity: integrity[0] }) };
}
