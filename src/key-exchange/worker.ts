/** The key exchange worker: one job after the other, each with the backend that passes the known-answer test. */
import { parentPort } from "node:worker_threads";
import { chooseBackend, createKeyExchange } from "../../crypto/backends.js";
import type { KeyExchange } from "../../crypto/interfaces.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { Secret } from "../../crypto/secret.js";
import type { KeyExchangeJob, KeyExchangeResult } from "./protocol.js";

const methods = new Map<number, KeyExchange>();

parentPort?.on("message", (job: KeyExchangeJob) => {
  parentPort?.postMessage(resultOf(job));
});

function resultOf(job: KeyExchangeJob): KeyExchangeResult {
  try {
    const method = methodOf(job.group);
    const privateOctets = new Secret(job.privateOctets);
    const octets =
      job.kind === "publicValue"
        ? method.publicValue(privateOctets)
        : method.sharedSecret(privateOctets, job.peerPublic).reveal();
    return { id: job.id, octets };
  } catch (error) {
    return { id: job.id, refused: error instanceof Error ? error.message : String(error) };
  } finally {
    job.privateOctets.fill(0);
  }
}

function methodOf(group: number): KeyExchange {
  const known = methods.get(group);
  if (known !== undefined) return known;
  const row = rowById("keyExchange", "ikev2", group);
  if (row === undefined) throw new RangeError(`there is no key exchange method ${group}`);
  const { backend, skipped } = chooseBackend(row);
  if (backend === undefined)
    throw new RangeError(
      `${row.name}: no backend of this host passed its test (${skipped.map((one) => one.reason).join("; ")})`,
    );
  const method = createKeyExchange(row, backend);
  methods.set(group, method);
  return method;
}
