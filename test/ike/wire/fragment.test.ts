import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../../crypto/bytes.js";
import type { SealerKeys, SealerSpec } from "../../../crypto/registry/row.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { messageContent, type OpenedMessage } from "../../../ike/wire/encrypted.js";
import {
  fragmentPlace,
  isComplete,
  isNews,
  openFragment,
  type Reassembly,
  reassemble,
  sealFragments,
  withFragment,
} from "../../../ike/wire/fragment.js";
import { HEADER_BYTES, type IkeHeader } from "../../../ike/wire/header.js";
import { MAX_FRAGMENTS } from "../../../ike/wire/limits.js";
import { decodeMessage, type Payload, payload } from "../../../ike/wire/message.js";
import { seededRandom } from "../../sim/random.js";
import { createKeys, SUITES } from "./protection.js";

const HEADER: IkeHeader = {
  initiatorSpi: 0x1122334455667788n,
  responderSpi: 0x99aabbccddeeff00n,
  exchange: "IKE_AUTH",
  fromInitiator: true,
  response: false,
  messageId: 1,
};
const LONG: readonly Payload[] = [
  payload("Nonce", { nonce: new Uint8Array(200).fill(7) }),
  payload("V", { data: new Uint8Array(5800).map((_, i) => i % 251) }),
];
const MOST = 10_000;
const { spec: ANY } = SUITES[0]!;

function cut(length: number, spec = ANY, keys = createKeys(spec), payloads = LONG): readonly Uint8Array[] {
  return sealFragments(messageContent(HEADER, payloads), length, spec, keys, 40, seededRandom(3).octets);
}

/** What a receiver makes of datagrams, in this order. */
function receive(
  datagrams: readonly Uint8Array[],
  spec: SealerSpec = ANY,
  keys: SealerKeys = createKeys(spec),
): { readonly whole?: OpenedMessage; readonly known?: Reassembly } {
  let known: Reassembly | undefined;
  for (const bytes of datagrams) {
    const message = decodeMessage(bytes);
    const place = fragmentPlace(bytes, message)!;
    if (!isNews(known, message.header.messageId, place)) continue;
    const part = openFragment(bytes, message, spec, keys);
    if (part === undefined) continue;
    known = withFragment(known, message, place, part, bytes, MOST);
    if (isComplete(known)) return { whole: reassemble(message.header, known), known };
  }
  return known ? { known } : {};
}

for (const { name, spec } of SUITES)
  test(`a message of 6 KB in fragments sealed with ${name} opens to what was sealed, in any order, and none is too long`, () => {
    for (const length of [1248, 1228, 544, 200]) {
      const fragments = cut(length, spec);
      for (const bytes of fragments) assert(bytes.length <= length, `${bytes.length} octets`);
      assert(fragments[0]!.length > length - 16, "and they use the room");
      assert.deepEqual(receive(fragments, spec).whole?.payloads, LONG);
      assert.deepEqual(receive([...fragments].reverse(), spec).whole?.payloads, LONG);
      assert.equal(receive(fragments.slice(1), spec).whole, undefined);
    }
  });

test("a fragment has the octets of RFC 7383 section 2.5", () => {
  const [first, second] = cut(1248);
  const words = (bytes: Uint8Array) => hex(bytes.subarray(HEADER_BYTES, HEADER_BYTES + 8));
  assert.deepEqual([first![16], second![16]], [53, 53]);
  assert.equal(words(first!), "28000" + "4c400010006");
  assert.equal(words(second!), "00000" + "4c400020006");
});

test("each fragment of an AEAD takes an IV of its own", () => {
  const ivs = cut(544).map((bytes) => hex(bytes.subarray(HEADER_BYTES + 8, HEADER_BYTES + 16)));
  assert.deepEqual(
    ivs,
    ivs.map((_, i) => (40 + i).toString(16).padStart(16, "0")),
  );
});

test("a fragment that is altered in any octet does not open, or says of itself that it has no place", () => {
  const keys = createKeys(ANY);
  const [, bytes] = cut(200);
  for (let at = 0; at < bytes!.length; at++) {
    const spoilt = bytes!.slice();
    spoilt[at]! ^= 1;
    try {
      assert.equal(openFragment(spoilt, decodeMessage(spoilt), ANY, keys), undefined, `octet ${at}`);
    } catch (error) {
      assert(error instanceof ProtocolError);
    }
  }
});

test("fragment 0, one beyond the total and more than there may be are refused before anything is opened", () => {
  const [bytes] = cut(1248);
  for (const [number, total] of [
    [0, 5],
    [6, 5],
    [1, MAX_FRAGMENTS + 1],
    [0, 0],
  ] as const) {
    const copy = bytes!.slice();
    new DataView(copy.buffer).setUint16(HEADER_BYTES + 4, number);
    new DataView(copy.buffer).setUint16(HEADER_BYTES + 6, total);
    assert.throws(() => fragmentPlace(copy, decodeMessage(copy)), ProtocolError);
  }
});

test("what came twice and what belongs to a cut with fewer fragments is no news; a cut with more begins anew", () => {
  const large = cut(1248);
  const small = cut(544);
  const mixed = receive([large[0]!, large[1]!, small[0]!, large[2]!, large[3]!, large[4]!, small[0]!]);
  assert.equal(mixed.whole, undefined);
  assert.deepEqual([...mixed.known!.parts.keys()], [1]);
  assert.equal(mixed.known!.total, small.length);
  assert.deepEqual(receive([...large.slice(0, 4), ...small, large[4]!]).whole?.payloads, LONG);
});

test("fragments that would make a message too long are refused", () => {
  const huge = [payload("V", { data: new Uint8Array(MOST) })];
  assert.throws(() => receive(cut(1248, ANY, createKeys(ANY), huge)), /10000 at most/);
});

test("a whole that does not decode is told as a fault of its sender", () => {
  const fragments = cut(1248, ANY, createKeys(ANY), [payload("V", { data: new Uint8Array(3000) })]);
  const first = decodeMessage(fragments[0]!);
  const parts = receive(fragments).known!;
  assert.throws(
    () => reassemble(first.header, { ...parts, first: { ...parts.first!, firstPayload: 33 } }),
    ProtocolError,
  );
});
