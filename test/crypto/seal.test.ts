import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_KEY } from "../../crypto/backends.js";
import { concat, equal, hex, octets } from "../../crypto/bytes.js";
import { ENCR_AES_CBC, ENCR_AES_GCM_16, ENCR_CHACHA20_POLY1305 } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA1_96 } from "../../crypto/registry/integrity.js";
import { freeSealers, open, seal } from "../../crypto/seal.js";
import { secret } from "../../crypto/secret.js";
import { ownSuites } from "../../src/cli/vector-suites.js";

const gcm = { encryption: ENCR_AES_GCM_16, keyBits: 128 };
const cbc = { encryption: ENCR_AES_CBC, keyBits: 256, integrity: AUTH_HMAC_SHA1_96 };
const gcmKeys = (octet: number) => ({ encryption: secret(new Uint8Array(20).fill(octet)), integrity: NO_KEY });
const cbcKeys = () => ({
  encryption: secret(new Uint8Array(32).fill(1)),
  integrity: secret(new Uint8Array(20).fill(2)),
});
const header = octets("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d7");

test("the SK payload of RFC 7634 appendix B is sealed and opened", () => {
  const cases = ownSuites().find(({ name }) => name === ENCR_CHACHA20_POLY1305.vectors)!.cases;
  const v = cases.find(({ source }) => source === "RFC 7634 appendix B")!;
  assert.ok(v.kind === "aead");
  const spec = { encryption: ENCR_CHACHA20_POLY1305, keyBits: 256 };
  const keys = { encryption: secret(octets(v.key)), integrity: NO_KEY };
  const body = seal(spec, keys, octets(v.iv), octets(v.header), octets(v.plain));
  assert.equal(hex(body), v.iv + v.sealed);
  assert.equal(hex(open(spec, keys, octets(v.header), body)!), v.plain);
});

test("what is altered, cut or put under another header does not open", () => {
  for (const [spec, keys, ivBytes] of [[gcm, gcmKeys(1), 8] as const, [cbc, cbcKeys(), 16] as const]) {
    const plain = new Uint8Array(64).fill(3);
    const body = seal(spec, keys, new Uint8Array(ivBytes), header, plain);
    assert.ok(equal(open(spec, keys, header, body)!, plain));
    for (let at = 0; at < body.length; at++) {
      const altered = body.slice();
      altered[at]! ^= 0x80;
      assert.equal(open(spec, keys, header, altered), undefined);
      assert.equal(open(spec, keys, header, body.subarray(0, at)), undefined);
    }
    assert.equal(open(spec, keys, header.subarray(1), body), undefined);
  }
});

test("an IV or text that does not fit is our own mistake and throws", () => {
  assert.throws(() => seal(gcm, gcmKeys(1), new Uint8Array(16), header, new Uint8Array(16)), RangeError);
  assert.throws(() => seal(cbc, cbcKeys(), new Uint8Array(16), header, new Uint8Array(15)), RangeError);
  assert.throws(() => seal(gcm, gcmKeys(1), new Uint8Array(8), header, new Uint8Array(70000)), RangeError);
});

test("a message of a whole UDP datagram passes", () => {
  const plain = new Uint8Array(65000).fill(5);
  const keys = gcmKeys(4);
  assert.ok(equal(open(gcm, keys, header, seal(gcm, keys, new Uint8Array(8), header, plain))!, plain));
});

test("kept sealers never mix keys or suites, however many there are", () => {
  const many = Array.from({ length: 200 }, (_, i) => gcmKeys(i));
  const plain = utf8("a child SA is born");
  const sealed = many.map((keys) => seal(gcm, keys, new Uint8Array(8), header, plain));
  assert.equal(new Set(sealed.map(hex)).size, many.length);
  for (const [i, keys] of many.entries()) {
    assert.ok(equal(open(gcm, keys, header, sealed[i]!)!, plain));
    assert.equal(open(gcm, keys, header, sealed[(i + 1) % many.length]!), undefined);
  }
  const { encryption } = cbcKeys();
  const one = { encryption, integrity: secret(new Uint8Array(20).fill(1)) };
  const two = { encryption, integrity: secret(new Uint8Array(20).fill(2)) };
  const text = new Uint8Array(32);
  const body = seal(cbc, one, new Uint8Array(16), header, text);
  assert.equal(open(cbc, two, header, body), undefined);
  assert.ok(open(cbc, one, header, body));
  freeSealers();
  assert.ok(open(cbc, one, header, body));
});

test("a message leaves its plaintext nowhere else", () => {
  const keys = gcmKeys(9);
  const body = seal(gcm, keys, new Uint8Array(8), header, utf8("quite secret words"));
  const first = open(gcm, keys, header, body)!;
  first.fill(0);
  assert.equal(new TextDecoder().decode(open(gcm, keys, header, body)), "quite secret words");
  assert.ok(equal(concat(body.subarray(0, 8)), new Uint8Array(8)));
});

function utf8(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
