/** The key exchange worker: one job after the other. */
import { parentPort } from "node:worker_threads";
import { compute } from "./compute.js";
import type { KeyExchangeJob, KeyExchangeResult } from "./protocol.js";

parentPort?.on("message", (job: KeyExchangeJob) => {
  parentPort?.postMessage(resultOf(job));
});

function resultOf(job: KeyExchangeJob): KeyExchangeResult {
  try {
    return { id: job.id, octets: compute(job) };
  } catch (error) {
    return { id: job.id, refused: error instanceof Error ? error.message : String(error) };
  } finally {
    job.privateOctets.fill(0); // a copy: it came in a message
  }
}
