import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { secret } from "../../crypto/secret.js";
import { ProtocolError } from "../../ike/core/errors.js";
import { openMessage, sealMessage } from "../../ike/wire/encrypted.js";
import { HEADER_BYTES } from "../../ike/wire/header.js";
import { decodeMessage, encodeMessage } from "../../ike/wire/message.js";
import { createKeys, SUITES } from "../ike/wire/protection.js";
import { anyHeader, anyPayload } from "./arbitraries.js";

const payloads = fc.array(anyPayload, { maxLength: 6 });
const zeros = (length: number) => new Uint8Array(length);

test("a message in the clear survives encoding and decoding", () => {
  fc.assert(
    fc.property(anyHeader, payloads, (header, sent) => {
      assert.deepEqual(decodeMessage(encodeMessage(header, sent)), { header, payloads: sent });
    }),
  );
});

test("a message cut short, lengthened or changed in one octet decodes or throws ProtocolError", () => {
  fc.assert(
    fc.property(anyHeader, payloads, fc.integer({ min: 1, max: 255 }), (header, sent, flip) => {
      const bytes = encodeMessage(header, sent);
      for (let length = 0; length < bytes.length; length++) decodesOrRefuses(bytes.subarray(0, length));
      decodesOrRefuses(new Uint8Array([...bytes, flip]));
      for (let at = 0; at < bytes.length; at++) {
        bytes[at]! ^= flip;
        decodesOrRefuses(bytes);
        bytes[at]! ^= flip;
      }
    }),
    { numRuns: 60 },
  );
});

test("random octets behind a well-formed header decode or throw ProtocolError", () => {
  fc.assert(
    fc.property(
      anyHeader,
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 0, max: 60 }),
      (header, tail, first) => {
        const bytes = new Uint8Array([...encodeMessage(header, []), ...tail]);
        bytes[16] = first;
        new DataView(bytes.buffer).setUint32(24, bytes.length);
        decodesOrRefuses(bytes);
      },
    ),
    { numRuns: 2000 },
  );
});

for (const { name, spec } of SUITES) {
  const keys = createKeys(spec);

  test(`a message sealed with ${name} opens to what was sealed`, () => {
    fc.assert(
      fc.property(anyHeader, payloads, (header, sent) => {
        const bytes = sealMessage(header, sent, spec, keys, 7, zeros);
        const message = decodeMessage(bytes);
        assert.deepEqual(message.payloads, []);
        assert.deepEqual(openMessage(bytes, message, spec, keys), { header, payloads: sent });
      }),
      { numRuns: 60 },
    );
  });

  test(`a message sealed with ${name} and changed in one octet never opens, whatever it says`, () => {
    fc.assert(
      fc.property(anyHeader, payloads, fc.integer({ min: 1, max: 255 }), (header, sent, flip) => {
        const bytes = sealMessage(header, sent, spec, keys, 7, zeros);
        for (let at = 0; at < bytes.length; at++) {
          bytes[at]! ^= flip;
          const message = decodesOrRefuses(bytes);
          // Undefined, and no ProtocolError: nothing inside was looked at.
          if (message !== undefined) assert.equal(openMessage(bytes, message, spec, keys), undefined, `octet ${at}`);
          bytes[at]! ^= flip;
        }
      }),
      { numRuns: 10 },
    );
  });
}

test("what is inside may be anything: an authentic message decodes or throws ProtocolError", () => {
  const { spec } = SUITES[0]!;
  const keys = createKeys(spec);
  const type = fc.integer({ min: 33, max: 54 });
  const noise = fc.array(fc.record({ type, data: fc.uint8Array({ maxLength: 60 }) }), { maxLength: 4 });
  fc.assert(
    fc.property(anyHeader, noise, (header, bodies) => {
      const inside = bodies.map((body) => ({ kind: "unknown" as const, body }));
      const bytes = sealMessage(header, inside, spec, keys, 9, zeros);
      try {
        assert(openMessage(bytes, decodeMessage(bytes), spec, keys) !== undefined);
      } catch (error) {
        assert(error instanceof ProtocolError, `${error}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test("no payload decoder runs before the integrity check", () => {
  const { spec } = SUITES[0]!;
  const header = {
    initiatorSpi: 1n,
    responderSpi: 2n,
    exchange: 37,
    fromInitiator: true,
    response: false,
    messageId: 3,
  };
  // Inside: an SA payload that is no SA payload. With the right key that is a ProtocolError, with a wrong one it is nothing.
  const nonsense = { kind: "unknown" as const, body: { type: 33, data: new Uint8Array(HEADER_BYTES).fill(0xff) } };
  const keys = createKeys(spec);
  const bytes = sealMessage(header, [nonsense], spec, keys, 1, zeros);
  assert.throws(() => openMessage(bytes, decodeMessage(bytes), spec, keys), ProtocolError);
  const others = { encryption: secret(keys.encryption.reveal().map((octet) => octet ^ 1)), integrity: keys.integrity };
  assert.equal(openMessage(bytes, decodeMessage(bytes), spec, others), undefined);
});

function decodesOrRefuses(bytes: Uint8Array): ReturnType<typeof decodeMessage> | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    assert(error instanceof ProtocolError, `not a ProtocolError: ${error}`);
    return undefined;
  }
}
