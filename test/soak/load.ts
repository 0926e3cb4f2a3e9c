/** Numbered packets between the hosts behind both gateways, in both directions at once. */
import { join } from "node:path";
import { type Running, start, until } from "../child.js";
import type { Who } from "../interop/scenario.js";
import { HOST, type Topology } from "../interop/topology.js";
import { GRACE, type NumberedResult } from "./numbered-program.js";

const PROGRAM = join(import.meta.dirname, "numbered-program.js");
const PORT = 5007;
/** Milliseconds that both programs have to be ready. */
const LEAD = 2_000;

/** What came to one host, of what the other one sent. */
export interface Direction extends Omit<NumberedResult, "sent"> {
  readonly from: Who;
  readonly sent: number;
  readonly lost: number;
}

/** Sends `rate` packets a second each way; resolves three seconds after the last one. */
export async function runLoad(topology: Topology, rate: number, seconds: number): Promise<readonly Direction[]> {
  const begin = Date.now() + LEAD;
  const programs = {
    ours: startEnd(topology, "ours", "peer", begin, rate, seconds),
    peer: startEnd(topology, "peer", "ours", begin, rate, seconds),
  };
  for (const who of ["ours", "peer"] as const)
    await until("the packet programs to be ready", 10, async () => /ready/.test(programs[who].output()) || undefined);
  const [ours, peer] = await Promise.all([resultOf(programs.ours), resultOf(programs.peer)]);
  return [direction("ours", ours, peer), direction("peer", peer, ours)];
}

function startEnd(topology: Topology, own: Who, other: Who, begin: number, rate: number, seconds: number): Running {
  const { addresses, namespaces } = topology;
  const words = [addresses[own].host[4], addresses[other].host[4], PORT, rate, begin, seconds].map(String);
  return start(namespaces.inside(HOST[own], process.execPath, PROGRAM, ...words), { seconds: seconds + 60 });
}

async function resultOf(program: Running): Promise<NumberedResult> {
  const { status, stdout, stderr } = await program.ended;
  if (status !== 0) throw new Error(`the packet program ended with status ${status}: ${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as NumberedResult;
}

function direction(from: Who, sender: NumberedResult, receiver: NumberedResult): Direction {
  const { sent: _, ...received } = receiver;
  const { next, lastAt } = receiver;
  const tail = { first: next, count: sender.sent - next, after: lastAt, before: lastAt + GRACE };
  const gaps = tail.count > 0 ? [...receiver.gaps, tail] : receiver.gaps;
  return { from, ...received, gaps, sent: sender.sent, lost: sender.sent - receiver.received };
}
