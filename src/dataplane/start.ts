/**
 * The main thread's side of the data plane: starts the worker, carries typed messages both ways, and sees to it that a worker that ends,
 * however it ends, leaves no device and no socket.
 */
import { Worker } from "node:worker_threads";
import { allocateDescriptors, createDescriptors } from "./descriptors.js";
import { allocateFlow, createFlow } from "./flow.js";
import type { DataplaneSettings, FromWorker, ToWorker, WorkerData } from "./protocol.js";

export type Counters = Extract<FromWorker, { kind: "counters" }>;

export interface Dataplane {
  /** In order, and behind everything that was posted before. Dropped when the data plane has ended. */
  post(message: ToWorker): void;
  /** Rejects when the data plane ends before it answers. */
  counters(): Promise<Counters>;
  /** Ends the worker within `STOP_MILLISECONDS`, whatever it is doing. Afterwards its device and sockets are gone. */
  stop(): Promise<void>;
}

const STOP_MILLISECONDS = 1000;

/** A message by itself costs a system call, and the worker a turn of its loop; what is posted in one turn of ours goes as one, up to so many. */
const LONGEST_BATCH = 32;

/**
 * Starts the worker. Its first message is `ready` or `failed`; after `failed` nothing more comes, everything is closed, and a new data plane
 * can be started (with new SAs: keys die with the worker). `counters` answers go to the caller of `counters()` alone.
 */
export function startDataplane(settings: DataplaneSettings, receive: (message: FromWorker) => void): Dataplane {
  const descriptors = allocateDescriptors();
  const flow = allocateFlow();
  const data: WorkerData = { settings, descriptors, flow };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: data, name: "dataplane" });
  const taken = createFlow(flow);
  const asked = new Map<number, { resolve(counters: Counters): void; reject(error: Error): void }>();
  let requests = 0;
  let stopping = false;
  let failure: string | undefined;
  let waiting: ToWorker[] = [];

  function post(message: ToWorker): void {
    if (waiting.push(message) === 1) setImmediate(flush);
    if (waiting.length >= LONGEST_BATCH) flush();
  }

  function flush(): void {
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    worker.postMessage(batch);
  }

  worker.on("message", (message: FromWorker) => {
    if (message.kind === "failed") {
      failure ??= message.reason; // told once the worker has gone
      return;
    }
    if (message.kind === "counters") {
      asked.get(message.request)?.resolve(message);
      asked.delete(message.request);
      return;
    }
    if (message.kind === "datagram") taken.leave();
    if (!stopping) receive(message);
  });
  worker.on("error", (error) => {
    failure ??= `the data plane crashed: ${error.stack ?? error.message}`;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      createDescriptors(descriptors).closeAll();
      for (const { reject } of asked.values()) reject(new Error("the data plane has ended"));
      asked.clear();
      if (!stopping)
        receive({ kind: "failed", reason: failure ?? `the data plane ended by itself (exit code ${code})` });
      stopping = true;
      resolve();
    });
  });

  return {
    post,
    counters() {
      if (stopping) return Promise.reject(new Error("the data plane has ended"));
      const request = ++requests;
      post({ kind: "readCounters", request });
      return new Promise((resolve, reject) => asked.set(request, { resolve, reject }));
    },
    async stop() {
      if (!stopping) {
        stopping = true;
        post({ kind: "stop" });
        flush();
      }
      const late = setTimeout(() => void worker.terminate(), STOP_MILLISECONDS);
      await ended;
      clearTimeout(late);
    },
  };
}
