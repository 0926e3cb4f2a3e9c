/**
 * Diffie-Hellman off the main thread: one worker, started with the first job and ended when it has been idle (decision 2),
 * so that a 4096-bit exponentiation delays neither a DPD answer nor the control socket. Quick groups are computed in place: there the
 * messages to the worker and back would take more of the main thread's time than the exchange does.
 */
import { Worker } from "node:worker_threads";
import { type Secret, secret } from "../../crypto/secret.js";
import { compute, isQuick } from "./compute.js";
import type { KeyExchangeJob, KeyExchangeResult, KeyExchangeWork } from "./protocol.js";

/** Both give the value itself where it is computed in place. They throw or reject with a sentence for the operator: peer's value not valid, too much to do, worker lost. */
export interface KeyExchangeService {
  publicValue(group: number, privateOctets: Secret): Uint8Array | Promise<Uint8Array>;
  sharedSecret(group: number, privateOctets: Secret, peerPublic: Uint8Array): Secret | Promise<Secret>;
  /** Ends the worker; jobs that wait are refused. */
  close(): Promise<void>;
}

/**
 * Jobs that may wait, half a kilobyte each: every peer of a large gateway may begin at the same time, after a restart. What strangers may begin is
 * bounded by the limits on half-open IKE SAs.
 */
export const MAXIMUM_WAITING = 8192;
/** Milliseconds without a job after which the worker is given back. */
const IDLE = 10_000;

/** The part of `Worker` that is used; tests hand in a twin. */
export type WorkerLike = Pick<Worker, "postMessage" | "terminate" | "unref" | "ref"> & {
  on(event: "message", listener: (result: KeyExchangeResult) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: (status: number) => void): unknown;
};

interface Waiting {
  readonly resolve: (octets: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

export function createKeyExchangeService(start: () => WorkerLike = startWorker): KeyExchangeService {
  let worker: WorkerLike | undefined;
  let idle: NodeJS.Timeout | undefined;
  let nextId = 1;
  let closed = false;
  const waiting = new Map<number, Waiting>();

  function answer(work: KeyExchangeWork): Uint8Array | Promise<Uint8Array> {
    if (closed) return Promise.reject(new Error("the gateway is shutting down"));
    return isQuick(work.group) ? compute(work) : submit(work);
  }

  function submit(work: KeyExchangeWork): Promise<Uint8Array> {
    if (waiting.size >= MAXIMUM_WAITING)
      return Promise.reject(new Error(`${MAXIMUM_WAITING} key exchanges are waiting already`));
    return new Promise((resolve, reject) => {
      const id = nextId++;
      waiting.set(id, { resolve, reject });
      clearTimeout(idle);
      worker ??= begin();
      worker.ref();
      worker.postMessage({ ...work, id } satisfies KeyExchangeJob);
    });
  }

  function begin(): WorkerLike {
    const started = start();
    started.on("message", (result) => {
      const job = waiting.get(result.id);
      waiting.delete(result.id);
      if ("octets" in result) job?.resolve(result.octets);
      else job?.reject(new Error(result.refused));
      if (waiting.size === 0 && worker === started) rest(started);
    });
    started.on("error", (error) => lost(started, `the key exchange worker failed: ${error.message}`));
    started.on("exit", (status) => lost(started, `the key exchange worker ended with status ${status}`));
    return started;
  }

  /** Nothing to do: the worker may not hold the process, and goes after a while. */
  function rest(resting: WorkerLike): void {
    resting.unref();
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (worker !== resting || waiting.size > 0) return;
      worker = undefined;
      void resting.terminate();
    }, IDLE).unref();
  }

  /** The next job starts another worker; those that it had are refused, and their exchanges time out and start anew. */
  function lost(gone: WorkerLike, reason: string): void {
    if (worker !== gone) return;
    worker = undefined;
    const jobs = [...waiting.values()];
    waiting.clear();
    for (const { reject } of jobs) reject(new Error(reason));
  }

  return {
    publicValue: (group, privateOctets) =>
      answer({ kind: "publicValue", group, privateOctets: privateOctets.reveal() }),
    sharedSecret(group, privateOctets, peerPublic) {
      const shared = answer({ kind: "sharedSecret", group, privateOctets: privateOctets.reveal(), peerPublic });
      return shared instanceof Promise ? shared.then(secret) : secret(shared);
    },
    async close() {
      closed = true;
      clearTimeout(idle);
      const ending = worker;
      if (ending === undefined) return;
      lost(ending, "the gateway is shutting down");
      await ending.terminate();
    },
  };
}

function startWorker(): WorkerLike {
  return new Worker(new URL("./worker.js", import.meta.url), {
    name: "key-exchange",
    resourceLimits: { maxOldGenerationSizeMb: 48, maxYoungGenerationSizeMb: 4 },
  });
}
