import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "../../../ike/core/errors.js";
import { match } from "../../../ike/v1/row.js";
import { rowsFor, TRANSITION_TABLE } from "../../../ike/v1/transition-table.js";
import { payloadV1, type ReceivedPayloadV1 } from "../../../ike/wire/message-v1.js";

const HEADER = {
  initiatorCookie: 1n,
  responderCookie: 2n,
  exchange: "MAIN_MODE",
  encryption: false,
  commit: false,
  authenticationOnly: false,
  messageId: 0,
} as const;
const NOTHING = new Uint8Array(0);
const ENVELOPE = { header: HEADER, path: undefined as never, bytes: NOTHING, iv: NOTHING };
const received = (...args: Parameters<typeof payloadV1>) =>
  ({ ...payloadV1(...args), octets: new Uint8Array([7]) }) as ReceivedPayloadV1;

test("every row has a story of its own, one sentence without a full stop", () => {
  const stories = TRANSITION_TABLE.map(({ story, phase }) => `${phase}: ${story}`);
  assert.equal(new Set(stories).size, stories.length);
  for (const { story } of TRANSITION_TABLE) assert.match(story, /^[a-z].*[^.]$/);
});

test("no row is hidden behind one of the same place that needs less", () => {
  TRANSITION_TABLE.forEach((row, i) => {
    for (const earlier of TRANSITION_TABLE.slice(0, i)) {
      if (earlier.phase !== row.phase || earlier.exchange !== row.exchange) continue;
      assert(!earlier.needs.every((kind) => row.needs.includes(kind)), `${row.story} is never reached`);
    }
  });
});

test("a handler sees the payloads that its row names, and the octets that hashes cover", () => {
  const rows = rowsFor("mainIdSent", "MAIN_MODE");
  const id = received("ID", { idType: 2, protocol: 0, port: 0, data: new Uint8Array([1]) });
  const hash = received("HASH", { hash: new Uint8Array(20) });
  const { message } = match(rows, [id, hash, received("VID", { data: NOTHING })], ENVELOPE);
  const seen = message as { ids: readonly { octets: Uint8Array }[]; HASH: unknown; vendorIds?: unknown };
  assert.deepEqual(seen.ids[0]!.octets, new Uint8Array([7]));
  assert.deepEqual(seen.HASH, hash.body);
  assert.equal(seen.vendorIds, undefined);
});

test("a payload that occurs once may not occur twice, and a message that fits no row names what it lacks", () => {
  const rows = rowsFor("mainKeySent", "MAIN_MODE");
  const ke = received("KE", { data: new Uint8Array(8) });
  const nonce = received("NONCE", { nonce: new Uint8Array(16) });
  assert.throws(
    () => match(rows, [ke, ke, nonce], ENVELOPE),
    (e) => e instanceof ProtocolError && /more than one KE/.test(e.detail),
  );
  assert.throws(
    () => match(rows, [ke], ENVELOPE),
    (e) => e instanceof ProtocolError && /MAIN_MODE without NONCE/.test(e.detail),
  );
});

test("messages have no business in phases that wait for an answer of our own", () => {
  for (const phase of ["mainKeying", "mainDeriving", "aggressiveKeying", "mainAnswerKeying", "quick keying"] as const)
    for (const exchange of ["MAIN_MODE", "AGGRESSIVE_MODE", "QUICK_MODE"] as const)
      assert.deepEqual(rowsFor(phase, exchange), []);
});
