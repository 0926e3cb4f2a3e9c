/** One computation, in whichever thread, with the backend that passes the known-answer test there. */
import { chooseBackend, createKeyExchange } from "../../crypto/backends.js";
import type { KeyExchange } from "../../crypto/interfaces.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { Secret } from "../../crypto/secret.js";
import type { KeyExchangeWork } from "./protocol.js";

interface Method {
  readonly exchange: KeyExchange;
  readonly quick: boolean;
}

const methods = new Map<number, Method>();

/** The public value or the shared secret. Throws `Error` with a sentence where the peer's value is not valid, or the group cannot be computed. */
export function compute(work: KeyExchangeWork): Uint8Array {
  const { exchange } = methodOf(work.group);
  const privateOctets = new Secret(work.privateOctets);
  return work.kind === "publicValue"
    ? exchange.publicValue(privateOctets)
    : exchange.sharedSecret(privateOctets, work.peerPublic).reveal();
}

/** Whether this thread computes it faster than a message gets to another one. Throws `Error` as `compute` does. */
export function isQuick(group: number): boolean {
  return rowById("keyExchange", "ikev2", group)?.quick === true && methodOf(group).quick;
}

/** Tested once for each thread. */
function methodOf(group: number): Method {
  const known = methods.get(group);
  if (known !== undefined) return known;
  const row = rowById("keyExchange", "ikev2", group);
  if (row === undefined) throw new RangeError(`there is no key exchange method ${group}`);
  const { backend, skipped } = chooseBackend(row);
  if (backend === undefined)
    throw new RangeError(
      `${row.name}: no backend of this host passed its test (${skipped.map((one) => one.reason).join("; ")})`,
    );
  const method = { exchange: createKeyExchange(row, backend), quick: row.quick === true && backend !== "portable" };
  methods.set(group, method);
  return method;
}
