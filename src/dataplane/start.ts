/**
 * The main thread's side of the data plane: starts its worker or workers, carries typed messages both ways, and sees to it that a worker that
 * ends, however it ends, leaves no device and no socket.
 *
 * With two workers each has a direction. Whoever uses the data plane does not see which does what: messages go to the ones that they are for,
 * and answers are put together.
 */
import { Worker } from "node:worker_threads";
import { addCounters } from "./counters.js";
import { allocateDescriptors, createDescriptors } from "./descriptors.js";
import { allocateFlow, createFlow } from "./flow.js";
import { checked, close, eventfd, eventfdWrite } from "./libc.js";
import type { BetweenWorkers, DataplaneSettings, FromWorker, Role, ToWorker, WorkerData } from "./protocol.js";

export type Counters = Extract<FromWorker, { kind: "counters" }>;

export interface Dataplane {
  /** In order, and behind everything that was posted before. Dropped when the data plane has ended. */
  post(message: ToWorker): void;
  /** Rejects when the data plane ends before it answers. */
  counters(): Promise<Counters>;
  /** Ends the workers within `STOP_MILLISECONDS` each, whatever they are doing. Afterwards their device and sockets are gone. */
  stop(): Promise<void>;
}

const STOP_MILLISECONDS = 1000;
/** A message by itself costs system calls, and the worker a turn of its loop; what is posted in one turn of ours goes as one, up to so many. */
const LONGEST_BATCH = 32;
const EFD_FLAGS = 0o4000 | 0o2000000; // not blocking, not inherited

type One = "transmit" | "receive";
/**
 * Whom a message is for, where there are two. What a child is goes to both, also its keys: each worker uses those of its own direction. A packet
 * that comes before the worker that receives knows its SA is parked there (`reserveSpi`), so the two need not wait for each other.
 */
const FOR: Readonly<Record<ToWorker["kind"], readonly One[]>> = {
  send: ["transmit"],
  keepalive: ["transmit"],
  useChild: ["transmit"],
  ikeSpis: ["receive"],
  reserveSpi: ["receive"],
  releaseSpi: ["receive"],
  narrowed: ["receive"],
  tap: ["receive", "transmit"],
  installChild: ["receive", "transmit"],
  updateChild: ["receive", "transmit"],
  removeChild: ["receive", "transmit"],
  tunnels: ["receive", "transmit"],
  readCounters: ["receive", "transmit"],
  stop: ["receive", "transmit"],
};

interface Asked {
  readonly answers: Counters[];
  resolve(counters: Counters): void;
  reject(error: Error): void;
}

/**
 * Starts the data plane. Its first message is `ready` or `failed`; after `failed` nothing more comes, everything is closed, and a new data plane
 * can be started (with new SAs: keys die with the worker). `counters` answers go to the caller of `counters()` alone.
 */
export function startDataplane(settings: DataplaneSettings, receive: (message: FromWorker) => void): Dataplane {
  const flow = allocateFlow();
  const taken = createFlow(flow);
  const asked = new Map<number, Asked>();
  let requests = 0;
  let stopping = false;
  let failure: string | undefined;
  let ready: FromWorker | undefined;
  /** The hard and soft limits that were told: with two workers, each counts its own direction. */
  const limits = new Set<string>();
  /** What the first of two workers missed of a recording, until the other one has told. */
  let tapMissed: number | undefined;
  /** The one that opened the devices ends last: the others' descriptors stay what they are until then. */
  const workers = new Map<Role, RunningWorker>();
  /** For the worker that receives, until the devices are there. */
  const early: ToWorker[] = [];
  const twin = settings.workers === 2;

  function begin(role: Role, devices?: WorkerData["devices"]): void {
    const data = { role, settings, flow, ...(devices && { devices }) };
    workers.set(
      role,
      runWorker(data, { heard: (message) => heard(role, message), failed: (why) => (failure ??= why), ended }),
    );
  }

  function heard(role: Role, message: FromWorker | BetweenWorkers): void {
    switch (message.kind) {
      case "failed":
        failure ??= message.reason; // told once the workers have gone
        return;
      case "opened":
        if (stopping) return;
        begin("receive", message.devices);
        for (const one of early.splice(0)) workers.get("receive")!.post(one);
        return;
      case "narrowed":
        post(message);
        return;
      case "counters":
        answer(message);
        return;
      case "ready":
        if (twin && role === "transmit") ready = message;
        else tell(twin ? ready! : message);
        return;
      case "tapClosed":
        if (twin && tapMissed === undefined) tapMissed = message.missed;
        else {
          tell({ ...message, missed: message.missed + (tapMissed ?? 0) });
          tapMissed = undefined;
        }
        return;
      case "limit": {
        const told = `${message.child} ${message.limit}`;
        if (twin && limits.has(told)) return;
        if (twin) limits.add(told);
        break;
      }
      case "datagram":
        taken.leave();
        break;
    }
    tell(message);
  }

  function tell(message: FromWorker): void {
    if (!stopping) receive(message);
  }

  function answer(message: Counters): void {
    const question = asked.get(message.request);
    if (question === undefined) return;
    question.answers.push(message);
    if (question.answers.length < (twin ? 2 : 1)) return;
    asked.delete(message.request);
    question.resolve(question.answers.reduce(addCounters));
  }

  function post(message: ToWorker): void {
    if (message.kind === "removeChild") for (const limit of ["soft", "hard"]) limits.delete(`${message.id} ${limit}`);
    if (!twin) {
      workers.get("both")!.post(message);
      return;
    }
    // Each of them records one direction, within half of the bound.
    const own = message.kind === "tap" ? { ...message, mostOctets: message.mostOctets / 2 } : message;
    for (const role of FOR[message.kind]) {
      const worker = workers.get(role);
      if (worker !== undefined) worker.post(own);
      else if (ready === undefined) early.push(own);
    }
  }

  let closing: Promise<void> | undefined;
  /** All of them, one after the other: the one that opened the devices closes them, and nobody must read then. */
  function close(): Promise<void> {
    closing ??= (async () => {
      for (const role of ["receive", "transmit", "both"] as const) await workers.get(role)?.stop();
    })();
    return closing;
  }

  /** One has ended: so do the others. */
  async function ended(code: number): Promise<void> {
    const told = stopping;
    stopping = true;
    for (const { reject } of asked.values()) reject(new Error("the data plane has ended"));
    asked.clear();
    await close();
    if (!told) receive({ kind: "failed", reason: failure ?? `the data plane ended by itself (exit code ${code})` });
  }

  begin(twin ? "transmit" : "both");
  return {
    post,
    counters() {
      if (stopping) return Promise.reject(new Error("the data plane has ended"));
      const request = ++requests;
      post({ kind: "readCounters", request });
      return new Promise((resolve, reject) => asked.set(request, { answers: [], resolve, reject }));
    },
    stop() {
      stopping = true;
      return close();
    },
  };
}

interface RunningWorker {
  post(message: ToWorker): void;
  /** Resolves when it has gone, with what it had opened. */
  stop(): Promise<void>;
}

interface WorkerEvents {
  heard(message: FromWorker | BetweenWorkers): void;
  failed(reason: string): void;
  /** Also after `stop`. What it had opened is open still: `stop` closes it. */
  ended(code: number): void;
}

function runWorker(data: Omit<WorkerData, "descriptors" | "waker">, events: WorkerEvents): RunningWorker {
  const descriptors = allocateDescriptors();
  const waker = checked(eventfd(0, EFD_FLAGS), "eventfd");
  const workerData: WorkerData = { ...data, descriptors, waker };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData, name: `dataplane ${data.role}` });
  let gone = false;
  let stopping: Promise<void> | undefined;
  worker.on("message", events.heard);
  worker.on("error", (error) => events.failed(`the data plane crashed: ${error.stack ?? error.message}`));
  const exit = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      gone = true;
      close(waker);
      resolve();
      events.ended(code);
    });
  });

  let waiting: ToWorker[] = [];
  function post(message: ToWorker): void {
    if (gone) return;
    if (waiting.push(message) === 1) setImmediate(flush);
    if (waiting.length >= LONGEST_BATCH) flush();
  }

  function flush(): void {
    if (waiting.length === 0 || gone) return;
    const batch = waiting;
    waiting = [];
    worker.postMessage(batch);
    eventfdWrite(waker, 1); // it may wait in a system call
  }

  async function end(): Promise<void> {
    post({ kind: "stop" });
    flush();
    const late = setTimeout(() => void worker.terminate(), STOP_MILLISECONDS);
    await exit;
    clearTimeout(late);
    createDescriptors(descriptors).closeAll();
  }

  return {
    post,
    stop: () => (stopping ??= end()),
  };
}
