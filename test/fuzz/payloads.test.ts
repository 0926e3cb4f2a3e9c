import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../ike/core/errors.js";
import type { PayloadCodec } from "../../ike/wire/codec.js";
import { PAYLOADS, PAYLOADS_V1, type PayloadKind, type PayloadKindV1 } from "../../ike/wire/payload-table.js";
import { Reader } from "../../ike/wire/reader.js";
import { Writer } from "../../ike/wire/writer.js";
import { BODIES } from "./arbitraries.js";
import { BODIES_V1 } from "./arbitraries-v1.js";

interface Row {
  readonly version: 1 | 2;
  readonly name: string;
  readonly codec: PayloadCodec<never>;
}

const KINDS = Object.keys(PAYLOADS) as PayloadKind[];
const KINDS_V1 = Object.keys(PAYLOADS_V1) as PayloadKindV1[];
const ROWS: readonly (readonly [Row, unknown])[] = [
  ...KINDS.map((kind) => [PAYLOADS[kind] as unknown as Row, BODIES[kind]] as const),
  ...KINDS_V1.map((kind) => [PAYLOADS_V1[kind] as unknown as Row, BODIES_V1[kind]] as const),
];

for (const [row, arbitrary] of ROWS) {
  const { codec } = row;
  const name = row.version === 1 ? `${row.name} (IKEv1)` : row.name;
  const body = arbitrary as fc.Arbitrary<never>;

  const encode = (value: never) => {
    const w = new Writer();
    codec.encode(w, value);
    return w.done();
  };
  const decode = (bytes: Uint8Array) => {
    const r = new Reader(bytes, name);
    const value = codec.decode(r);
    r.end();
    return value;
  };

  test(`${name} survives encoding and decoding`, () => {
    fc.assert(fc.property(body, (value) => assert.deepEqual(decode(encode(value)), value)));
  });

  test(`${name} cut short at any length decodes or is INVALID_SYNTAX`, () => {
    fc.assert(
      fc.property(body, (value) => {
        const whole = encode(value);
        for (let length = 0; length < whole.length; length++) decodesOrRefuses(decode, whole.subarray(0, length));
      }),
      { numRuns: 150 },
    );
  });

  test(`${name} with any octet changed decodes or is INVALID_SYNTAX`, () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 1, max: 255 }), (value, flip) => {
        const bytes = encode(value);
        for (let at = 0; at < bytes.length; at++) {
          for (const change of [flip, 0xff, 0x80, 1]) {
            const kept = bytes[at]!;
            bytes[at] = kept ^ change;
            decodesOrRefuses(decode, bytes);
            bytes[at] = kept;
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test(`${name} of random octets decodes or is INVALID_SYNTAX, and what decodes is encoded to what decodes alike`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const value = decodesOrRefuses(decode, bytes);
        if (value !== undefined) assert.deepEqual(decode(encode(value as never)), value);
      }),
      { numRuns: 2000 },
    );
  });
}

/** The value, or undefined when it was refused the one way in which a decoder may refuse. */
function decodesOrRefuses(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    assert(error instanceof ProtocolError, `not a ProtocolError: ${error}`);
    assert.equal(error.notify, "INVALID_SYNTAX");
    return undefined;
  }
}
