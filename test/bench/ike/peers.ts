/** Peers that run as one process behind the gateway: see peers-program.ts. */
import { join } from "node:path";
import { type Running, start, until } from "../../child.js";
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

/** Returns when all their sockets are open. */
export async function startPeers(bed: IkeBed, { caller, first, count, atOnce, suite }: PeersWanted): Promise<Peers> {
  const action = caller === "peers" ? "call" : "answer";
  const words = [action, String(first), String(count), String(atOnce), suite.ike, suite.esp];
  const running: Running = start(
    bed.peers("sh", "-c", 'ulimit -n 20000; exec "$@"', "sh", process.execPath, PROGRAM, ...words),
    {
      seconds: SECONDS,
    },
  );
  await until(`the peers\n${running.output()}`, 30, async () =>
    running.output().includes("ready\n") ? true : undefined,
  );
  return {
    async outcome(seconds) {
      // Reaches the program itself: ip, sh, timeout and setpriv have each become the next one or pass it on.
      running.signal("SIGUSR2");
      const line = await until(`${count} children with the peers\n`, seconds, async () =>
        running
          .output()
          .split("\n")
          .find((one) => one.startsWith("{")),
      ).catch((error: Error) => {
        throw new Error(`${error.message}${running.output()}`);
      });
      return JSON.parse(line) as Outcome;
    },
    stop: async () => void (await running.stop()),
  };
}
