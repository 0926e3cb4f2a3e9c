import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../../crypto/bytes.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { Reader } from "../../../ike/wire/reader.js";
import { Writer } from "../../../ike/wire/writer.js";

test("a reader cannot overrun, and says what it lacked", () => {
  const r = new Reader(octets("010203"), "Thing");
  assert.equal(r.u8("first"), 1);
  for (const read of [() => r.u32("number"), () => r.u64("number"), () => r.bytes(3, "number")])
    assert.throws(
      read,
      (error: unknown) =>
        error instanceof ProtocolError && /^Thing: number needs \d octets, 2 are left$/.test(error.detail),
    );
  assert.equal(r.u16("rest"), 0x0203);
  r.end();
});

test("a reader must be used up", () => {
  const r = new Reader(octets("0102"), "Thing");
  r.skip(1);
  assert.throws(() => r.end(), /INVALID_SYNTAX: Thing: 1 octets too many/);
});

test("a part is a reader of its own, and names both", () => {
  const r = new Reader(octets("01020304"), "Thing");
  const part = r.part(2, "part");
  assert.throws(() => part.u32("number"), /Thing: part: number needs 4 octets, 2 are left/);
  assert.equal(r.remaining, 2);
});

test("a writer grows without losing what was written, also in the middle of a field", () => {
  const w = new Writer();
  for (let i = 0; i < 700; i++)
    w.u8(i & 0xff)
      .u16(i)
      .u32(i)
      .u64(BigInt(i))
      .bytes(octets("0a0b0c"));
  const bytes = w.done();
  assert.equal(bytes.length, 700 * 18);
  for (let i = 0; i < 700; i++) {
    const view = new DataView(bytes.buffer, 18 * i, 18);
    assert.equal(view.getUint8(0), i & 0xff);
    assert.equal(view.getUint16(1), i);
    assert.equal(view.getUint32(3), i);
    assert.equal(view.getBigUint64(7), BigInt(i));
    assert.equal(hex(bytes.subarray(18 * i + 15, 18 * i + 18)), "0a0b0c");
  }
});

test("a length counts from where it is told to, and a value that does not fit its field is our bug", () => {
  const w = new Writer();
  w.u8(9).sized16(0, () => void w.bytes(octets("ffff")));
  assert.equal(hex(w.done()), "090005ffff");
  assert.throws(() => w.u8(256), RangeError);
  assert.throws(() => w.u16(-1), RangeError);
  assert.throws(() => w.u32(2 ** 32), RangeError);
  assert.throws(() => w.u64(1n << 64n), RangeError);
  assert.throws(() => w.sized16(w.length, () => void w.zero(65_536)), RangeError);
});
