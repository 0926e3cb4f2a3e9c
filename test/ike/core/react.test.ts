import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_NOTIFY, type ErrorNotify, ProtocolError } from "../../../ike/core/errors.js";
import { type Reaction, reactTo, type Situation } from "../../../ike/core/react.js";

const DATA = new Uint8Array([0, 14]);
const EXCHANGES = ["IKE_SA_INIT", "IKE_AUTH", "CREATE_CHILD_SA", "INFORMATIONAL", "other"] as const;
const reaction = (notify: ErrorNotify, situation: Situation): Reaction["do"] =>
  reactTo(new ProtocolError(notify, "for a test", DATA), situation).do;

test("an unauthenticated message is answered in IKE_SA_INIT requests alone (RFC 7296 section 2.21.1)", () => {
  for (const notify of Object.keys(ERROR_NOTIFY) as ErrorNotify[])
    for (const exchange of EXCHANGES)
      for (const response of [false, true])
        assert.equal(
          reaction(notify, { exchange, response, authenticated: false }),
          exchange === "IKE_SA_INIT" && !response ? "notify" : "drop",
        );
});

test("IKE_AUTH fails as a whole but for errors of the child (section 2.21.2)", () => {
  const request = { exchange: "IKE_AUTH", response: false, authenticated: true } as const;
  for (const notify of ["AUTHENTICATION_FAILED", "INVALID_SYNTAX", "UNSUPPORTED_CRITICAL_PAYLOAD"] as const) {
    assert.equal(reaction(notify, request), "notifyAndClose");
    assert.equal(reaction(notify, { ...request, response: true }), "tellAndClose");
  }
  for (const notify of ["NO_PROPOSAL_CHOSEN", "TS_UNACCEPTABLE", "SINGLE_PAIR_REQUIRED"] as const) {
    assert.equal(reaction(notify, request), "notify");
    assert.equal(reaction(notify, { ...request, response: true }), "abandonExchange");
  }
});

test("an established IKE SA ends for malformed messages and failed authentication alone (section 2.21.3)", () => {
  for (const notify of Object.keys(ERROR_NOTIFY) as ErrorNotify[])
    for (const exchange of ["CREATE_CHILD_SA", "INFORMATIONAL"] as const) {
      const ends = notify === "INVALID_SYNTAX" || notify === "AUTHENTICATION_FAILED";
      const request = { exchange, response: false, authenticated: true };
      assert.equal(reaction(notify, request), ends ? "notifyAndClose" : "notify");
      assert.equal(reaction(notify, { ...request, response: true }), ends ? "tellAndClose" : "abandonExchange");
    }
});

test("the notification's data go with it", () => {
  const error = new ProtocolError("INVALID_KE_PAYLOAD", "group 19, we want 14", DATA);
  const situation = { exchange: "CREATE_CHILD_SA", response: false, authenticated: true } as const;
  assert.deepEqual(reactTo(error, situation), { do: "notify", notify: "INVALID_KE_PAYLOAD", data: DATA });
  assert.equal(error.message, "INVALID_KE_PAYLOAD: group 19, we want 14");
});
