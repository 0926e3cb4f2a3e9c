import assert from "node:assert/strict";
import { test } from "node:test";
import { ProtocolError } from "../../../ike/core/errors.js";
import { EXCHANGE_TABLE, rowsFor } from "../../../ike/v2/exchange-table.js";
import { match } from "../../../ike/v2/row.js";
import { type Payload, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";

const HEADER = {
  initiatorSpi: 1n,
  responderSpi: 2n,
  exchange: "IKE_AUTH",
  fromInitiator: true,
  response: true,
  messageId: 1,
} as const;
const ENVELOPE = { header: HEADER, path: undefined as never, bytes: new Uint8Array(0) };

test("every row has a story of its own, one sentence without a full stop", () => {
  const stories = EXCHANGE_TABLE.map(({ story }) => story);
  assert.equal(new Set(stories).size, stories.length);
  for (const story of stories) assert.match(story, /^[a-z].*[^.]$/);
});

test("no row is hidden behind one of the same place that needs less", () => {
  EXCHANGE_TABLE.forEach((row, i) => {
    for (const earlier of EXCHANGE_TABLE.slice(0, i)) {
      if (earlier.phase !== row.phase || earlier.exchange !== row.exchange || earlier.response !== row.response)
        continue;
      assert(!earlier.needs.every((kind) => row.needs.includes(kind)), `${row.story} is never reached`);
    }
  });
});

test("a message goes to the first row whose payloads it has, and the row sees only what it names", () => {
  const rows = rowsFor("authSent", "IKE_AUTH", true);
  const error = payload("N", notification("AUTHENTICATION_FAILED"));
  const vendor = payload("V", { data: new Uint8Array([1]) });
  const found = match(rows, [error, vendor], ENVELOPE);
  assert.equal(found.row.story, "the peer refuses the IKE SA");
  assert.deepEqual(Object.keys(found.message as object).sort(), ["bytes", "header", "notifies", "path"]);
});

test("a payload that occurs once may not occur twice, and a message that fits no row names what it lacks", () => {
  const rows = rowsFor("keyed", "IKE_AUTH", false);
  const id = payload("IDi", { idType: 2, data: new Uint8Array([1]) });
  const sa = payload("SA", { proposals: [] });
  const lacking = (payloads: readonly Payload[]) => () => match(rows, payloads, ENVELOPE);
  assert.throws(
    lacking([id, id, sa]),
    (e) => e instanceof ProtocolError && e.notify === "INVALID_SYNTAX" && /more than one IDi/.test(e.detail),
  );
  assert.throws(lacking([id]), (e) => e instanceof ProtocolError && /without AUTH, SA, TSi, TSr/.test(e.detail));
});

test("messages have no business in phases that wait for nothing", () => {
  assert.deepEqual(rowsFor("keyed", "CREATE_CHILD_SA", false), []);
  assert.deepEqual(rowsFor("authSent", "CREATE_CHILD_SA", true), []);
  assert.deepEqual(rowsFor("established", "IKE_AUTH", false), []);
  assert.deepEqual(rowsFor("established", 99, false), []);
});
