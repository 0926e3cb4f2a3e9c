/** Packets per second: the highest rate at which hardly any are lost, and one trial at a fixed rate. */
import { join } from "node:path";
import { packageRoot } from "../../src/package-root.js";
import { must, run, start, until } from "../child.js";
import { RIGHT } from "./bed.js";
import type { Lane } from "./contender.js";

const PORT = 5998;
/** Of the sink that takes merged datagrams. */
const MERGED_PORT = 5997;
/** A trial with a larger share of lost packets has found a rate that is too high. */
const TOLERATED_LOSS = 0.005;
/** Steps of the ascent; three halvings of the last one end within 6 % of the limit. */
const STEP = 1.6;
const HALVINGS = 3;
const LOWEST = 500;
/** A sender that was asked for this many times what it ever sent has shown its own limit. */
const BEYOND = 3;

export interface Trial {
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
}

/** So many addresses of the right host, from the first on. */
export interface Destinations {
  readonly first: string;
  readonly count: number;
}

/** What sender and receiver have in common with programs that move many datagrams: the receiver's UDP_GRO, the sender's UDP_SEGMENT as well. */
export type Offload = "UDP_GRO" | "UDP_SEGMENT and UDP_GRO";

export interface PacketPrograms {
  readonly language: "C" | "Node.js";
  /** Starts the sink at the right host; it ends with its namespace. */
  startSink(lane: Lane): Promise<void>;
  /** Sends packets with `octets` of UDP payload from the left host. `how`: other than one by one to the right host; only in C. */
  trial(lane: Lane, octets: number, rate: number, seconds: number, how?: Destinations | Offload): Promise<Trial>;
}

/** The programs in C where there is a compiler, otherwise in Node. `folder` takes the compiled one. */
export async function packetPrograms(folder: string): Promise<PacketPrograms> {
  const compiled = join(folder, "packets");
  const source = join(packageRoot(), "test", "bench", "packets.c");
  const compiler = await run(["cc", "-O2", "-o", compiled, source]).catch(() => undefined);
  const inC = compiler?.status === 0;
  const program = inC ? [compiled] : [process.execPath, join(import.meta.dirname, "packets-program.js")];
  return {
    language: inC ? "C" : "Node.js",
    async startSink({ bed }) {
      const sinks = inC ? [[PORT], [MERGED_PORT, "merged"]] : [[PORT]];
      for (const words of sinks) {
        const sink = start(bed.inside("right-host", ...program, "sink", ...words.map(String)), { seconds: 4 * 3600 });
        await until("the packet sink", 10, async () => (sink.output().includes("listening") ? true : undefined));
      }
    },
    async trial({ bed }, octets, rate, seconds, how) {
      const action = how === "UDP_SEGMENT and UDP_GRO" ? "trains" : "send";
      const port = typeof how === "string" ? MERGED_PORT : PORT;
      const spread = typeof how === "object" ? [how.first, how.count] : [];
      const words = [action, RIGHT.host, port, octets, Math.round(rate), Math.round(seconds * 1000), ...spread].map(
        String,
      );
      const line = await must(bed.inside("left-host", ...program, ...words), { seconds: seconds + 30 });
      const [sent = 0, received = 0, elapsed = 0] = line.trim().split(" ").map(Number);
      return { sent, received, seconds: elapsed };
    },
  };
}

export interface HighestRate {
  /** Received packets per second. */
  readonly rate: number;
  /** No trial lost too many: the sender could not do more, and the contender perhaps could. */
  readonly sendersLimit: boolean;
}

/**
 * The highest rate of received packets per second among the trials that lost at most TOLERATED_LOSS. A rate is too high only
 * when it failed twice: other work on the machine fails a trial as well. `from`: where the ascent begins.
 */
export async function highestRate(trial: (rate: number) => Promise<Trial>, from: number): Promise<HighestRate> {
  let best = 0;
  let offered = 0;
  const holds = async (rate: number): Promise<boolean> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const { sent, received, seconds } = await trial(rate);
      offered = Math.max(offered, sent / seconds);
      if (sent === 0 || received < sent * (1 - TOLERATED_LOSS)) continue;
      best = Math.max(best, received / seconds);
      return true;
    }
    return false;
  };
  let rate = from;
  if (await holds(rate)) {
    do {
      if (rate > offered * BEYOND) return { rate: best, sendersLimit: true };
      rate *= STEP;
    } while (await holds(rate));
  } else {
    do {
      rate /= STEP;
      if (rate < LOWEST) return { rate: best, sendersLimit: false };
    } while (!(await holds(rate)));
    rate *= STEP;
  }
  let low = rate / STEP;
  let high = rate;
  for (let i = 0; i < HALVINGS; i++) {
    const middle = Math.sqrt(low * high);
    if (await holds(middle)) low = middle;
    else high = middle;
  }
  return { rate: best, sendersLimit: false };
}
