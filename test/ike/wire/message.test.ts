import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, hex, octets } from "../../../crypto/bytes.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { decodeRawHeader, type IkeHeader } from "../../../ike/wire/header.js";
import { MAX_NOTIFIES, MAX_PAYLOADS } from "../../../ike/wire/limits.js";
import { bodiesOf, decodeMessage, encodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { espNotification, espSpiOf, notification } from "../../../ike/wire/payloads/notify.js";

const HEADER: IkeHeader = {
  initiatorSpi: 0x1122334455667788n,
  responderSpi: 0n,
  exchange: "IKE_SA_INIT",
  fromInitiator: true,
  response: false,
  messageId: 0,
};
const NONCE = payload("Nonce", { nonce: new Uint8Array(16).fill(7) });
const vendor = payload("V", { data: octets("aa") });

function refused(bytes: Uint8Array, notify: string, detail: RegExp): ProtocolError {
  try {
    decodeMessage(bytes);
  } catch (error) {
    assert(error instanceof ProtocolError);
    assert.equal(error.notify, notify);
    assert.match(error.detail, detail);
    return error;
  }
  return assert.fail("it was accepted");
}

/** Sets the Length field to what it is. */
function framed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(24, copy.length);
  return copy;
}

test("a message has the octets of RFC 7296 sections 3.1 and 3.2", () => {
  const ke = payload("KE", { group: 14, data: octets("0102") });
  assert.equal(
    hex(encodeMessage(HEADER, [ke, NONCE])),
    "1122334455667788 0000000000000000 22 20 22 08 00000000 0000003a".replaceAll(" ", "") +
      "2800000a000e00000102" +
      `00000014${"07".repeat(16)}`,
  );
});

test("an unknown payload with the critical bit is UNSUPPORTED_CRITICAL_PAYLOAD with its type, without it is passed over", () => {
  const bytes = encodeMessage(HEADER, [{ kind: "unknown", body: { type: 200, data: octets("0102") } }, NONCE]);
  assert.deepEqual(bodiesOf(decodeMessage(bytes).payloads, "Nonce").length, 1);
  bytes[29] = 0x80;
  assert.deepEqual(refused(bytes, "UNSUPPORTED_CRITICAL_PAYLOAD", /type 200/).data, new Uint8Array([200]));
});

test("the critical bit of a payload that we know, reserved bits and unknown header flags are ignored (section 2.5)", () => {
  const bytes = encodeMessage(HEADER, [NONCE]);
  bytes[17] = 0x27; // minor version 7
  bytes[19]! |= 0xd7;
  bytes[29] = 0xff;
  assert.deepEqual(decodeMessage(bytes), { header: HEADER, payloads: [NONCE] });
});

test("another major version is told from the header alone, and refused", () => {
  const bytes = encodeMessage(HEADER, [NONCE]);
  bytes[17] = 0x10;
  assert.equal(decodeRawHeader(bytes).majorVersion, 1);
  refused(bytes, "INVALID_MAJOR_VERSION", /version 1/);
});

test("a datagram that is longer or shorter than its header says is refused", () => {
  const bytes = encodeMessage(HEADER, [NONCE]);
  refused(bytes.subarray(0, bytes.length - 1), "INVALID_SYNTAX", /Length is 48, 47 octets came/);
  refused(concat(bytes, octets("00")), "INVALID_SYNTAX", /Length is 48, 49 octets came/);
  refused(octets("0011"), "INVALID_SYNTAX", /Initiator's SPI needs 8 octets, 2 are left/);
});

test("the missing field is named", () => {
  const bytes = encodeMessage(HEADER, [{ kind: "unknown", body: { type: 200, data: octets("00") } }]);
  bytes[16] = 34;
  refused(bytes, "INVALID_SYNTAX", /^KE payload: Diffie-Hellman Group Num needs 2 octets, 1 are left$/);
});

test("octets behind the last payload are refused", () => {
  refused(framed(concat(encodeMessage(HEADER, [NONCE]), octets("00"))), "INVALID_SYNTAX", /1 octets too many/);
});

test("the number of payloads and of notifications is bounded", () => {
  const many = (count: number, p: Payload) =>
    encodeMessage(
      HEADER,
      Array.from({ length: count }, () => p),
    );
  assert.equal(decodeMessage(many(MAX_PAYLOADS, vendor)).payloads.length, MAX_PAYLOADS);
  refused(many(MAX_PAYLOADS + 1, vendor), "INVALID_SYNTAX", /more than 128 payloads/);
  refused(many(MAX_NOTIFIES + 1, payload("N", notification("COOKIE"))), "INVALID_SYNTAX", /more than 64 notifications/);
});

test("an Encrypted payload ends the message, and its content is passed over", () => {
  const sealed = (type: number) => {
    const bytes = encodeMessage(HEADER, [vendor, { kind: "unknown", body: { type, data: octets("ffffffff") } }]);
    bytes[33] = 41; // the first payload inside
    return bytes;
  };
  assert.deepEqual(decodeMessage(sealed(46)).encrypted, { kind: "SK", firstPayload: 41, start: 33 });
  assert.deepEqual(decodeMessage(sealed(53)).encrypted, { kind: "SKF", firstPayload: 41, start: 33 });
  refused(framed(concat(sealed(46), octets("00"))), "INVALID_SYNTAX", /1 octets too many/);
});

test("notifications about a child carry its SPI", () => {
  const sent = espNotification("REKEY_SA", 0xc0ffee01);
  const [got] = bodiesOf(decodeMessage(encodeMessage(HEADER, [payload("N", sent)])).payloads, "N");
  assert.deepEqual(got, sent);
  assert.equal(espSpiOf(got!), 0xc0ffee01);
  assert.equal(espSpiOf(notification("REKEY_SA")), undefined);
});
