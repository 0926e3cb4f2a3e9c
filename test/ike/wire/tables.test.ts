import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_NOTIFY, FIRST_STATUS_NOTIFY } from "../../../ike/core/errors.js";
import {
  EXCHANGE_TYPE,
  EXCHANGE_TYPE_V1,
  exchangeCode,
  exchangeCodeV1,
  exchangeType,
  exchangeTypeV1,
} from "../../../ike/wire/exchange-types.js";
import { ID_TYPE, ID_TYPE_V1 } from "../../../ike/wire/id-types.js";
import { isErrorNotify, notifyCode, notifyName, notifyType, STATUS_NOTIFY } from "../../../ike/wire/notify-table.js";
import { ENCRYPTED_PAYLOADS, PAYLOADS, PAYLOADS_V1 } from "../../../ike/wire/payload-table.js";
import { PROTOCOL, PROTOCOL_V1, protocolCodeV1, protocolV1 } from "../../../ike/wire/protocols.js";
import {
  AUTHENTICATION_METHOD,
  ENCAPSULATION_MODE,
  LIFE_TYPE,
  PHASE1_ATTRIBUTE,
  PHASE2_ATTRIBUTE,
} from "../../../ike/wire/v1-attributes.js";
import {
  ERROR_NOTIFY_V1,
  errorNotifyV1,
  isErrorNotifyV1,
  notifyCodeV1,
  notifyNameV1,
  notifyTypeV1,
  STATUS_NOTIFY_V1,
} from "../../../ike/wire/v1-notify-table.js";

const errors = Object.entries(ERROR_NOTIFY).map(([name, { code }]) => [name, code] as const);
const statuses = Object.entries(STATUS_NOTIFY);
const notifiesV1 = [...Object.entries(ERROR_NOTIFY_V1), ...Object.entries(STATUS_NOTIFY_V1)];

test("every number and every name of a table occurs once", () => {
  const tables = {
    notify: [...errors, ...statuses],
    payload: [...Object.entries(PAYLOADS), ...Object.entries(ENCRYPTED_PAYLOADS)].map(([k, { number }]) => [k, number]),
    exchange: Object.entries(EXCHANGE_TYPE),
    identification: Object.entries(ID_TYPE),
    protocol: Object.entries(PROTOCOL),
    "IKEv1 notify": notifiesV1,
    "IKEv1 payload": Object.entries(PAYLOADS_V1).map(([k, { number }]) => [k, number]),
    "IKEv1 exchange": Object.entries(EXCHANGE_TYPE_V1),
    "IKEv1 identification": Object.entries(ID_TYPE_V1),
    "IKEv1 protocol": Object.entries(PROTOCOL_V1),
    "IKEv1 phase 1 attribute": Object.entries(PHASE1_ATTRIBUTE),
    "IKEv1 phase 2 attribute": Object.entries(PHASE2_ATTRIBUTE),
    "IKEv1 life type": Object.entries(LIFE_TYPE),
    "IKEv1 authentication method": Object.entries(AUTHENTICATION_METHOD),
    "IKEv1 encapsulation mode": Object.entries(ENCAPSULATION_MODE),
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

test("the numbers of IKEv1 go there and back, known or not", () => {
  for (const [name, code] of notifiesV1) {
    assert.equal(notifyTypeV1(code), name);
    assert.equal(notifyCodeV1(notifyTypeV1(code)), code);
  }
  assert.equal(notifyNameV1(notifyTypeV1(40000)), "notify 40000");
  for (let code = 0; code < 256; code++) {
    assert.equal(exchangeCodeV1(exchangeTypeV1(code)), code);
    assert.equal(protocolCodeV1(protocolV1(code)), code);
  }
  assert.equal(exchangeTypeV1(32), "QUICK_MODE");
});

test("errors of IKEv1 lie below 16384, and each error that decoders throw has its IKEv1 name (RFC 2408 section 3.14.1)", () => {
  for (const name of Object.keys(ERROR_NOTIFY_V1)) assert(isErrorNotifyV1(notifyTypeV1(notifyCodeV1(name as never))));
  for (const code of Object.values(STATUS_NOTIFY_V1)) assert(!isErrorNotifyV1(code));
  assert.equal(errorNotifyV1("INVALID_SYNTAX"), "PAYLOAD-MALFORMED");
  assert.equal(errorNotifyV1("NO_PROPOSAL_CHOSEN"), "NO-PROPOSAL-CHOSEN");
  for (const name of Object.keys(ERROR_NOTIFY)) assert(errorNotifyV1(name as never) in ERROR_NOTIFY_V1);
});

test("only malformed messages and failed authentication end an IKE SA by themselves (RFC 7296 section 2.21.3)", () => {
  assert.deepEqual(
    Object.entries(ERROR_NOTIFY)
      .filter(([, { closes }]) => closes)
      .map(([name]) => name),
    ["INVALID_SYNTAX", "AUTHENTICATION_FAILED"],
  );
});
