import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_NOTIFY, FIRST_STATUS_NOTIFY } from "../../../ike/core/errors.js";
import { EXCHANGE_TYPE, exchangeCode, exchangeType } from "../../../ike/wire/exchange-types.js";
import { ID_TYPE } from "../../../ike/wire/id-types.js";
import { isErrorNotify, notifyCode, notifyName, notifyType, STATUS_NOTIFY } from "../../../ike/wire/notify-table.js";
import { ENCRYPTED_PAYLOADS, PAYLOADS } from "../../../ike/wire/payload-table.js";

const errors = Object.entries(ERROR_NOTIFY).map(([name, { code }]) => [name, code] as const);
const statuses = Object.entries(STATUS_NOTIFY);

test("every number and every name of a table occurs once", () => {
  const tables = {
    notify: [...errors, ...statuses],
    payload: [...Object.entries(PAYLOADS), ...Object.entries(ENCRYPTED_PAYLOADS)].map(([k, { number }]) => [k, number]),
    exchange: Object.entries(EXCHANGE_TYPE),
    identification: Object.entries(ID_TYPE),
  };
  for (const [what, rows] of Object.entries(tables)) {
    assert.equal(new Set(rows.map(([name]) => name)).size, rows.length, `${what}: a name twice`);
    assert.equal(new Set(rows.map(([, code]) => code)).size, rows.length, `${what}: a number twice`);
  }
});

test("errors lie below 16384, status types from there on (RFC 7296 section 3.10.1)", () => {
  for (const [name, code] of errors) assert(code < FIRST_STATUS_NOTIFY, name);
  for (const [name, code] of statuses) assert(code >= FIRST_STATUS_NOTIFY && code < 40960, name);
});

test("notify types go there and back, known or not", () => {
  for (const [name, code] of [...errors, ...statuses]) {
    assert.equal(notifyType(code), name);
    assert.equal(notifyCode(notifyType(code)), code);
  }
  assert.equal(notifyType(40999), 40999);
  assert.equal(notifyName(40999), "notify 40999");
  assert(
    isErrorNotify(8191) && isErrorNotify("NO_PROPOSAL_CHOSEN") && !isErrorNotify("COOKIE") && !isErrorNotify(40999),
  );
});

test("exchange types go there and back, known or not", () => {
  for (let code = 0; code < 256; code++) assert.equal(exchangeCode(exchangeType(code)), code);
  assert.equal(exchangeType(37), "INFORMATIONAL");
});

test("only malformed messages and failed authentication end an IKE SA by themselves (RFC 7296 section 2.21.3)", () => {
  assert.deepEqual(
    Object.entries(ERROR_NOTIFY)
      .filter(([, { closes }]) => closes)
      .map(([name]) => name),
    ["INVALID_SYNTAX", "AUTHENTICATION_FAILED"],
  );
});
