/** One TCP stream for a while: by iperf3 where it is installed, otherwise by a small program of ours. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { must, start, until } from "../child.js";
import { type Congestion, LEFT, RIGHT } from "./bed.js";
import type { Lane } from "./contender.js";

const IPERF = "/usr/bin/iperf3";
const PORT = 5201;
const NODE_PORT = 5202;

export interface Streamed {
  readonly octets: number;
  readonly seconds: number;
}

/** `forward`: from the left host to the right one. */
export type Direction = "forward" | "reverse";

export interface StreamKind {
  readonly congestion: Congestion;
  readonly direction: Direction;
  /** At the same time. */
  readonly streams: number;
}

export interface StreamPrograms {
  readonly name: "iperf3" | "Node.js";
  startServers(lane: Lane): Promise<void>;
  run(lane: Lane, kind: StreamKind, seconds: number): Promise<Streamed>;
}

export function streamPrograms(): StreamPrograms {
  return existsSync(IPERF) ? iperf : node;
}

const iperf: StreamPrograms = {
  name: "iperf3",
  async startServers({ bed }) {
    const server = start(bed.inside("right-host", IPERF, "-s", "--forceflush"), { seconds: 4 * 3600 });
    await until("iperf3 to listen", 10, async () => (server.output().includes("listening") ? true : undefined));
  },
  async run({ bed }, { congestion, direction, streams }, seconds) {
    await bed.pin(congestion);
    const reverse = direction === "reverse" ? ["-R"] : [];
    const words = [
      "-c",
      RIGHT.host,
      "-p",
      String(PORT),
      "-t",
      String(seconds),
      "--connect-timeout",
      "5000",
      "-P",
      String(streams),
      "-J",
    ];
    const text = await must(bed.inside("left-host", IPERF, ...words, ...reverse), { seconds: seconds + 20 });
    const { end } = JSON.parse(text) as {
      end: { sum_received: { bytes: number; seconds: number }; sender_tcp_congestion?: string };
    };
    if (end.sender_tcp_congestion !== undefined && end.sender_tcp_congestion !== congestion)
      throw new Error(`the stream used ${end.sender_tcp_congestion}, not ${congestion}`);
    return { octets: end.sum_received.bytes, seconds: end.sum_received.seconds };
  },
};

const PROGRAM = join(import.meta.dirname, "stream-program.js");

const node: StreamPrograms = {
  name: "Node.js",
  async startServers({ bed }) {
    for (const host of ["left-host", "right-host"] as const) {
      const argv = bed.inside(host, process.execPath, PROGRAM, "receive", String(NODE_PORT));
      const server = start(argv, { seconds: 4 * 3600 });
      await until("the receiver", 10, async () => (server.output().includes("listening") ? true : undefined));
    }
  },
  async run({ bed }, { congestion, direction, streams }, seconds) {
    await bed.pin(congestion);
    const [from, to] = direction === "forward" ? (["left-host", RIGHT] as const) : (["right-host", LEFT] as const);
    const words = ["send", to.host, String(NODE_PORT), String(seconds)];
    const one = () => must(bed.inside(from, process.execPath, PROGRAM, ...words), { seconds: seconds + 20 });
    const all = (await Promise.all(Array.from({ length: streams }, one))).map((text) => JSON.parse(text) as Streamed);
    return {
      octets: all.reduce((sum, { octets }) => sum + octets, 0),
      seconds: Math.max(...all.map((streamed) => streamed.seconds)),
    };
  },
};
