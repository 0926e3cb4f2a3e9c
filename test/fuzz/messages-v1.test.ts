import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KeyedCipher } from "../../crypto/cbc.js";
import { ENCR_3DES, ENCR_AES_CBC } from "../../crypto/registry/encryption.js";
import { secret } from "../../crypto/secret.js";
import { ProtocolError } from "../../ike/core/errors.js";
import { decryptMessage, encryptMessage } from "../../ike/v1/encrypted.js";
import {
  type ChainV1,
  decodeChainV1,
  decodeMessageV1,
  encodeChainV1,
  encodeMessageV1,
  firstTypeV1,
  type PayloadV1,
} from "../../ike/wire/message-v1.js";
import { anyHeaderV1, anyPayloadV1 } from "./arbitraries-v1.js";

const payloads = fc.array(anyPayloadV1, { maxLength: 6 });
const CIPHERS: readonly KeyedCipher[] = [
  { encryption: ENCR_3DES, keyBits: 192, key: secret(new Uint8Array(24).map((_, i) => i * 9)) },
  { encryption: ENCR_AES_CBC, keyBits: 128, key: secret(new Uint8Array(16).map((_, i) => i * 9)) },
];

test("an IKEv1 message in the clear survives encoding and decoding", () => {
  fc.assert(
    fc.property(anyHeaderV1, payloads, (header, sent) => {
      const message = decodeMessageV1(encodeMessageV1(header, sent));
      assert.deepEqual({ ...message, payloads: meaning(message.payloads) }, { header, payloads: sent });
    }),
  );
});

test("a chain's payloads come with their octets, and with what stands behind the first", () => {
  fc.assert(
    fc.property(payloads, fc.uint8Array({ maxLength: 256 }), (sent, padding) => {
      const bytes = encodeChainV1(sent);
      const chain = decodeChainV1(new Uint8Array([...bytes, ...padding]), firstTypeV1(sent));
      assert.deepEqual(meaning(chain.payloads), sent);
      assert.deepEqual(chain.behindFirst, encodeChainV1(sent.slice(1)));
      for (const received of chain.payloads) assert.deepEqual(encodeChainV1([received]).slice(4), received.octets);
    }),
  );
});

test("an IKEv1 message cut short, lengthened or changed in one octet decodes or throws ProtocolError", () => {
  fc.assert(
    fc.property(anyHeaderV1, payloads, fc.integer({ min: 1, max: 255 }), (header, sent, flip) => {
      const bytes = encodeMessageV1(header, sent);
      for (let length = 0; length < bytes.length; length++)
        decodesOrRefuses(() => decodeMessageV1(bytes.subarray(0, length)));
      decodesOrRefuses(() => decodeMessageV1(new Uint8Array([...bytes, flip])));
      for (let at = 0; at < bytes.length; at++) {
        bytes[at]! ^= flip;
        decodesOrRefuses(() => decodeMessageV1(bytes));
        bytes[at]! ^= flip;
      }
    }),
    { numRuns: 60 },
  );
});

test("random octets behind a well-formed IKEv1 header decode or throw ProtocolError", () => {
  fc.assert(
    fc.property(
      anyHeaderV1,
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 0, max: 140 }),
      (header, tail, first) => {
        const bytes = new Uint8Array([...encodeMessageV1(header, []), ...tail]);
        bytes[16] = first;
        new DataView(bytes.buffer).setUint32(24, bytes.length);
        decodesOrRefuses(() => decodeMessageV1(bytes));
        decodesOrRefuses(() => decodeChainV1(tail, first));
      },
    ),
    { numRuns: 2000 },
  );
});

for (const cipher of CIPHERS) {
  const { name } = cipher.encryption;
  const iv = new Uint8Array(cipher.encryption.ivBytes);
  const some = payloads.filter((sent) => sent.length > 0);

  test(`an IKEv1 message encrypted with ${name} decrypts to what it was`, () => {
    fc.assert(
      fc.property(anyHeaderV1, some, (header, sent) => {
        const { bytes, iv: next } = encryptMessage(header, sent, cipher, iv);
        const message = decodeMessageV1(bytes);
        assert.deepEqual(message.header, { ...header, encryption: true });
        assert.deepEqual(message.payloads, []);
        const opened = decryptMessage(message.encrypted!, cipher, iv);
        assert.deepEqual(meaning(opened.payloads), sent);
        assert.deepEqual(opened.iv, next);
      }),
      { numRuns: 60 },
    );
  });

  test(`an IKEv1 message encrypted with ${name} and cut short or changed in one octet decrypts or throws ProtocolError`, () => {
    fc.assert(
      fc.property(anyHeaderV1, some, fc.integer({ min: 1, max: 255 }), (header, sent, flip) => {
        const { encrypted } = decodeMessageV1(encryptMessage(header, sent, cipher, iv).bytes);
        const { firstPayload, body } = encrypted!;
        const opens = (changed: Uint8Array, first: number) =>
          decodesOrRefuses(() => decryptMessage({ firstPayload: first, body: changed }, cipher, iv));
        for (let length = 0; length < body.length; length++) opens(body.subarray(0, length), firstPayload);
        opens(body, firstPayload ^ flip);
        const copy = body.slice();
        for (let at = 0; at < copy.length; at++) {
          copy[at]! ^= flip;
          opens(copy, firstPayload);
          copy[at]! ^= flip;
        }
      }),
      { numRuns: 10 },
    );
  });
}

function meaning(received: ChainV1["payloads"]): PayloadV1[] {
  return received.map(({ kind, body }) => ({ kind, body }) as PayloadV1);
}

function decodesOrRefuses(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    assert(error instanceof ProtocolError, `not a ProtocolError: ${error}`);
  }
}
