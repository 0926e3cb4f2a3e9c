/** Peers that run as one process behind the gateway: see peers-program.ts. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { start, until } from "../../child.js";
import type { Outcome } from "./peers-program.js";
import type { Caller, IkeBed, Suite } from "./plan.js";

const PROGRAM = join(import.meta.dirname, "peers-program.js");
const SECONDS = 600;

export interface Peers {
  /** Those that call begin now. Resolves when each has its child. */
  outcome(seconds: number): Promise<Outcome>;
  stop(): Promise<void>;
}

export interface PeersWanted {
  readonly caller: Caller;
  readonly first: number;
  readonly count: number;
  /** How many call at the same time. */
  readonly atOnce: number;
  readonly suite: Suite;
}

/** Returns when all their sockets are open; `folder` takes the one that they are told by. */
export async function startPeers(bed: IkeBed, folder: string, wanted: PeersWanted): Promise<Peers> {
  const { caller, first, count, atOnce, suite } = wanted;
  const control = join(folder, `peers-${first}.sock`);
  const words = [
    caller === "peers" ? "call" : "answer",
    String(first),
    String(count),
    String(atOnce),
    suite.ike,
    suite.esp,
  ];
  // Two sockets each are more than a process may have open by itself.
  const unlimited = ["sh", "-c", 'ulimit -n 20000; exec "$@"', "sh"];
  const running = start(bed.peers(...unlimited, process.execPath, PROGRAM, control, ...words), { seconds: SECONDS });
  await until("the peers to be ready", 30, async () => (existsSync(control) ? true : undefined)).catch(withOutput);
  function withOutput(error: Error): never {
    throw new Error(`${error.message}\n${running.output()}`);
  }
  return {
    outcome: (seconds) => ask(control, seconds).catch(withOutput),
    stop: async () => void (await running.stop()),
  };
}

async function ask(control: string, seconds: number): Promise<Outcome> {
  const socket = connect(control);
  const late = setTimeout(
    () => socket.destroy(new Error(`not every peer has its child after ${seconds} s`)),
    seconds * 1000,
  );
  try {
    return (await json(socket)) as Outcome;
  } finally {
    clearTimeout(late);
  }
}
