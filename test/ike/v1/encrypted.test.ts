import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createHash, createPrf } from "../../../crypto/backends.js";
import { concat, hex, octets } from "../../../crypto/bytes.js";
import { encrypt, type KeyedCipher } from "../../../crypto/cbc.js";
import type { Ikev1SessionCase } from "../../../crypto/proof/vector-file.js";
import { ENCR_3DES, ENCR_AES_CBC, ENCR_AES_GCM_16, ENCR_DES } from "../../../crypto/registry/encryption.js";
import { PRF_AES128_CMAC, PRF_HMAC_MD5, PRF_HMAC_SHA1 } from "../../../crypto/registry/prf.js";
import { secret } from "../../../crypto/secret.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { decryptMessage, encryptMessage, withHash } from "../../../ike/v1/encrypted.js";
import { hash1, hash2, hash3, hashI, hashR, isHash } from "../../../ike/v1/hashes.js";
import { exchangeIv, phase1Iv } from "../../../ike/v1/iv.js";
import type { HeaderV1 } from "../../../ike/wire/header-v1.js";
import { bodiesOfV1, decodeMessageV1, encodeChainV1, payloadV1 } from "../../../ike/wire/message-v1.js";

const FILE = join(import.meta.dirname, "../../../../vectors/capture-ikev1-session.json");
const [session] = (JSON.parse(readFileSync(FILE, "utf8")) as { cases: Ikev1SessionCase[] }).cases;

const HEADER: HeaderV1 = {
  initiatorCookie: 0x1122334455667788n,
  responderCookie: 0x99aabbccddeeff00n,
  exchange: "QUICK_MODE",
  encryption: true,
  commit: false,
  authenticationOnly: false,
  messageId: 0x01020304,
};
const CIPHERS: readonly KeyedCipher[] = [
  { encryption: ENCR_DES, keyBits: 64, key: secret(octets("0123456789abcdef")) },
  { encryption: ENCR_3DES, keyBits: 192, key: secret(octets(`${"0123456789abcdef".repeat(2)}fedcba9876543210`)) },
  { encryption: ENCR_AES_CBC, keyBits: 256, key: secret(octets("5a".repeat(32))) },
];
const PRF = createPrf(PRF_HMAC_SHA1);
const KEY = secret(octets("0c".repeat(20)));

test("a recorded session decrypts under the IVs of appendix B, message by message, and encodes to what it was", () => {
  const cipher = { encryption: ENCR_3DES, keyBits: 192, key: secret(octets(session!.key)) };
  const hash = createHash(PRF_HMAC_MD5);
  const messages = session!.messages.map((recorded) => ({
    recorded,
    message: decodeMessageV1(octets(recorded.message)),
  }));
  const [publicI, publicR] = messages
    .flatMap(({ message }) => bodiesOfV1(message.payloads, "KE"))
    .map(({ data }) => data);
  const ivs = new Map([[0, phase1Iv(hash, ENCR_3DES, publicI!, publicR!)]]);
  let decrypted = 0;
  for (const { recorded, message } of messages) {
    const { header, encrypted } = message;
    if (encrypted === undefined || recorded.repeated) continue;
    const { messageId } = header;
    const iv = ivs.get(messageId) ?? exchangeIv(hash, ENCR_3DES, ivs.get(0)!, messageId);
    assert.equal(hex(iv), recorded.iv);
    const opened = decryptMessage(encrypted, cipher, iv);
    assert.equal(hex(encodeChainV1(opened.payloads)), recorded.plain);
    // Padded as this peer did it (zeros), it is the datagram again.
    const padded = concat(octets(recorded.plain!), new Uint8Array(encrypted.body.length - recorded.plain!.length / 2));
    assert.equal(hex(encrypt(cipher, iv, padded)), hex(encrypted.body));
    if (messageId !== 0) assert.equal(hex(encryptMessage(header, opened.payloads, cipher, iv).bytes), recorded.message);
    ivs.set(messageId, opened.iv);
    decrypted++;
  }
  assert.equal(decrypted, 5);
});

test("what is encrypted decrypts to the same payloads and hands on the same IV, with every cipher", () => {
  for (const cipher of CIPHERS)
    for (let length = 8; length < 42; length++) {
      const iv = new Uint8Array(cipher.encryption.ivBytes).fill(7);
      const sent = [payloadV1("NONCE", { nonce: new Uint8Array(length).fill(length) })];
      const { bytes, iv: next } = encryptMessage(HEADER, sent, cipher, iv);
      const { header, payloads, encrypted } = decodeMessageV1(bytes);
      assert.deepEqual(header, HEADER);
      assert.deepEqual(payloads, []);
      const opened = decryptMessage(encrypted!, cipher, iv);
      assert.equal(hex(encodeChainV1(opened.payloads)), hex(encodeChainV1(sent)));
      assert.equal(hex(opened.iv), hex(next));
      assert.equal(hex(bytes.subarray(bytes.length - iv.length)), hex(next));
    }
});

test("under another key a message is refused, and never anything but a ProtocolError", () => {
  const [, , cipher] = CIPHERS;
  const iv = new Uint8Array(16);
  const id = payloadV1("ID", { idType: 1, protocol: 17, port: 500, data: octets("c0000201") });
  const { encrypted } = decodeMessageV1(
    encryptMessage(HEADER, [id, payloadV1("HASH", { hash: octets("aa".repeat(20)) })], cipher!, iv).bytes,
  );
  for (let i = 0; i < 500; i++) {
    const other = {
      ...cipher!,
      key: secret(PRF.compute(octets("00"), new Uint8Array([i >> 8, i & 255])).slice(0, 16)),
      keyBits: 128,
    };
    assert.throws(() => decryptMessage(encrypted!, other, iv), ProtocolError);
  }
});

test("ciphertext that is not whole blocks, or nothing at all, is refused", () => {
  for (const body of ["", "00".repeat(7), "00".repeat(17)])
    assert.throws(
      () => decryptMessage({ firstPayload: 8, body: octets(body) }, CIPHERS[0]!, new Uint8Array(8)),
      (error) => error instanceof ProtocolError && error.notify === "INVALID_SYNTAX",
    );
});

test("padding may be zeros, noise or a count, up to what one octet counts; more is refused", () => {
  const chain = encodeChainV1([payloadV1("HASH", { hash: octets("bb".repeat(20)) })]);
  const iv = new Uint8Array(16);
  const sealed = (padding: Uint8Array) => ({
    firstPayload: 8,
    body: encrypt(CIPHERS[2]!, iv, concat(chain, padding)),
  });
  for (const padding of [
    "00".repeat(8),
    `${"00".repeat(7)}07`,
    "6e6f697365616263",
    `00${"ff".repeat(255)}`.slice(0, 2 * 248),
  ]) {
    const opened = decryptMessage(sealed(octets(padding)), CIPHERS[2]!, iv);
    assert.equal(opened.payloads.length, 1);
    assert.equal(opened.behindFirst.length, 0);
  }
  assert.throws(() => decryptMessage(sealed(new Uint8Array(264)), CIPHERS[2]!, iv), /octets too many/);
});

test("HASH covers what stands behind it, generic headers included and padding not", () => {
  const rest = [payloadV1("NONCE", { nonce: octets("0a".repeat(16)) }), payloadV1("VID", { data: octets("0b") })];
  const payloads = withHash(rest, (behind) => hash1(PRF, KEY, HEADER.messageId, behind));
  const { bytes } = encryptMessage(HEADER, payloads, CIPHERS[1]!, new Uint8Array(8));
  const opened = decryptMessage(decodeMessageV1(bytes).encrypted!, CIPHERS[1]!, new Uint8Array(8));
  const [hash] = bodiesOfV1(opened.payloads, "HASH");
  assert(isHash(hash1(PRF, KEY, HEADER.messageId, opened.behindFirst), hash!.hash));
  assert(!isHash(hash1(PRF, KEY, HEADER.messageId ^ 1, opened.behindFirst), hash!.hash));
  assert.equal(hex(opened.behindFirst), hex(encodeChainV1(rest)));
});

test("HASH_I and HASH_R, HASH(1), HASH(2) and HASH(3) are over the octets of RFC 2409 sections 5 and 5.5, in their order", () => {
  const prf = (data: string) => hex(PRF.compute(KEY.reveal(), octets(data.replaceAll(" ", ""))));
  const inputs = {
    initiatorCookie: 0x1111111111111111n,
    responderCookie: 0x2222222222222222n,
    publicI: octets("a1"),
    publicR: octets("b2"),
    sa: octets("5a"),
  };
  const cookies = ["11".repeat(8), "22".repeat(8)];
  assert.equal(hex(hashI(PRF, KEY, inputs, octets("1d"))), prf(`a1 b2 ${cookies[0]} ${cookies[1]} 5a 1d`));
  assert.equal(hex(hashR(PRF, KEY, inputs, octets("1e"))), prf(`b2 a1 ${cookies[1]} ${cookies[0]} 5a 1e`));
  const nonces = { ni: octets("0a".repeat(8)), nr: octets("0b".repeat(8)) };
  assert.equal(hex(hash1(PRF, KEY, 0x01020304, octets("ee"))), prf("01020304 ee"));
  assert.equal(hex(hash2(PRF, KEY, 0x01020304, nonces.ni, octets("ee"))), prf(`01020304 ${"0a".repeat(8)} ee`));
  assert.equal(hex(hash3(PRF, KEY, 0x01020304, nonces)), prf(`00 01020304 ${"0a".repeat(8)} ${"0b".repeat(8)}`));
});

test("an IV of 16 octets comes out of every hash that IKEv1 negotiates, and the exchange's own from its message ID", () => {
  const hash = createHash(PRF_HMAC_MD5);
  const first = phase1Iv(hash, ENCR_AES_CBC, octets("01"), octets("02"));
  assert.equal(hex(first), hex(hash.digest(octets("0102"))));
  assert.equal(hex(exchangeIv(hash, ENCR_DES, first, 0xff)), hex(hash.digest(first, octets("000000ff"))).slice(0, 16));
  assert.throws(() => createHash(PRF_AES128_CMAC), RangeError);
  assert.throws(
    () =>
      encrypt(
        { encryption: ENCR_AES_GCM_16, keyBits: 128, key: secret(new Uint8Array(20)) },
        new Uint8Array(8),
        new Uint8Array(0),
      ),
    RangeError,
  );
});
