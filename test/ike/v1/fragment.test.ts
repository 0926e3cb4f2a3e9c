import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hex, octets } from "../../../crypto/bytes.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { collect, type Fragments, splitMessage } from "../../../ike/v1/fragment.js";
import { MAX_UNPROVEN_BYTES } from "../../../ike/wire/limits.js";
import { bodiesOfV1, decodeMessageV1, encodeEncryptedV1 } from "../../../ike/wire/message-v1.js";
import type { FragmentPayloadV1 } from "../../../ike/wire/payloads/v1/fragment.js";

const HEADER = {
  initiatorCookie: 1n,
  responderCookie: 2n,
  exchange: "MAIN_MODE",
  encryption: true,
  commit: false,
  authenticationOnly: false,
  messageId: 0,
} as const;
const message = (length: number) =>
  encodeEncryptedV1(HEADER, { firstPayload: 5, body: new Uint8Array(length).map((_, i) => i * 7) });
const fragmentOf = (datagram: Uint8Array): FragmentPayloadV1 =>
  bodiesOfV1(decodeMessageV1(datagram).payloads, "FRAGMENT")[0]!;
const part = (number: number, last = false, data = octets("aa".repeat(40)), id = 7): FragmentPayloadV1 => ({
  id,
  number,
  last,
  data,
});

function waiting(...parts: FragmentPayloadV1[]): Fragments {
  let fragments: Fragments | undefined;
  for (const each of parts) {
    const collected = collect(fragments, each);
    assert(collected.kind === "waiting");
    fragments = collected.fragments;
  }
  return fragments!;
}

test("a message that fits stays as it is, a longer one travels in fragments of that size in the clear", () => {
  const whole = message(900);
  assert.deepEqual(splitMessage(whole, whole.length, 1), [whole]);
  const datagrams = splitMessage(whole, 300, 1);
  assert.equal(datagrams.length, 4);
  for (const [i, datagram] of datagrams.entries()) {
    assert(datagram.length <= 300);
    const { header, payloads } = decodeMessageV1(datagram);
    assert.deepEqual(header, { ...HEADER, encryption: false });
    assert.equal(payloads.length, 1);
    const { id, number, last } = fragmentOf(datagram);
    assert.deepEqual({ id, number, last }, { id: 1, number: i + 1, last: i === 3 });
  }
  // The octets that other products send: header, payload 132, Fragment ID, Fragment Number, Flags.
  assert.equal(
    hex(splitMessage(message(40), 60, 0x0102)[2]!),
    `${"00".repeat(7)}01${"00".repeat(7)}02 84 10 02 00 00000000 00000038 0000001c 0102 03 01`.replaceAll(" ", "") +
      hex(message(40).subarray(48)),
  );
});

test("fragments make the message in any order and with repetitions, and nothing else does", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4000 }),
      fc.integer({ min: 60, max: 700 }),
      fc.infiniteStream(fc.nat()),
      (length, most, stream) => {
        const whole = message(length);
        const datagrams = splitMessage(whole, most, 3);
        if (datagrams.length === 1) return;
        const parts = datagrams.map(fragmentOf);
        const order = parts.map((each) => ({ each, key: stream.next().value as number })).sort((a, b) => a.key - b.key);
        let fragments: Fragments | undefined;
        for (const [i, { each }] of order.entries()) {
          if (fragments !== undefined) {
            const again = collect(fragments, order[0]!.each);
            assert.deepEqual(again, { kind: "waiting", fragments });
          }
          const collected = collect(fragments, each);
          if (i === order.length - 1) assert.deepEqual(collected, { kind: "whole", bytes: whole });
          else {
            assert(collected.kind === "waiting");
            fragments = collected.fragments;
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("another Fragment ID begins a new message", () => {
  const before = waiting(part(1), part(2));
  const collected = collect(before, part(5, false, octets("bb"), 8));
  assert(collected.kind === "waiting");
  assert.deepEqual([...collected.fragments.parts.keys()], [5]);
  assert.equal(collected.fragments.bytes, 1);
});

test("two last fragments, one behind the last, and a whole that is no message are refused", () => {
  assert.throws(() => collect(waiting(part(3, true)), part(2, true)), /fragments 3 and 2 are both the last one/);
  assert.throws(() => collect(waiting(part(3, true)), part(4)), /a fragment behind the last one, 3/);
  assert.throws(() => collect(waiting(part(4)), part(3, true)), ProtocolError);
  assert.throws(() => collect(undefined, part(1, true, octets("00"))), /the whole message has 1 octets/);
});

test("what is kept is bounded, and is a copy of what came", () => {
  const data = new Uint8Array(6000);
  const fragments = waiting(part(1, false, data), part(2, false, data));
  assert.throws(() => collect(fragments, part(3, false, data)), new RegExp(`more than ${MAX_UNPROVEN_BYTES} octets`));
  data.fill(1);
  assert.equal(fragments.parts.get(1)![0], 0);
  assert.throws(() => splitMessage(message(60_000), 100, 1), RangeError);
  assert.throws(() => splitMessage(message(100), 36, 1), RangeError);
});
