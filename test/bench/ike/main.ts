/**
 * `npm run bench -- ike`: what an IKE SA with one child costs a gateway, in CPU time and memory, when its peers call and when it calls
 * them, beside charon in the same run. docs/benchmarks.md tells how to read it.
 */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { Namespaces } from "../../netns.js";
import { present } from "../contender.js";
import type { GatewayProcess } from "../gateway-process.js";
import type { Figure } from "../measures.js";
import { createResults, type Results } from "../results.js";
import { causeway, charon, type IkeContender } from "./gateways.js";
import { startPeers } from "./peers.js";
import { type IkeBed, openIkeBed, SUITES, type Suite } from "./plan.js";

export interface IkeWanted {
  readonly rounds: number;
  readonly quick: boolean;
  readonly profileFolder?: string;
  /** Names of contenders; all of them without. */
  readonly only?: readonly string[];
}

/** The first one is compared with the other. */
const CONTENDERS: readonly IkeContender[] = [causeway, charon];

interface Sizes {
  /** Handshakes before anything is measured: JavaScript is compiled while it runs. */
  readonly warmUp: number;
  readonly steady: number;
  readonly crowd: number;
}
const FULL: Sizes = { warmUp: 100, steady: 400, crowd: 500 };
const QUICK: Sizes = { warmUp: 60, steady: 150, crowd: 200 };
/** Handshakes that are under way at the same time while the peers call in turn. */
const AT_ONCE = 16;
/** Seconds that a crowd may take; how long it does take is the figure. */
const PATIENCE = 120;
/** Milliseconds until what a handshake leaves to do is done. */
const SETTLE = 1500;
/** Seconds without a fall of more than a hundredth until memory counts as that of an idle gateway (V8 collects when it has nothing to do), and the most. */
const STILL = 10;
const MOST_STILL = 40;

export async function ikeTable(
  namespaces: Namespaces,
  folder: string,
  { rounds, quick, profileFolder, only }: IkeWanted,
): Promise<string> {
  const contenders = present(CONTENDERS, only);
  const beds = new Map<IkeContender, IkeBed>();
  for (const one of contenders) {
    beds.set(one, await openIkeBed(namespaces, `ike-${one.name}`));
    console.log(await one.version());
  }
  const results: Results<IkeContender> = createResults(contenders);
  const sizes = quick ? QUICK : FULL;
  for (let round = 0; round < rounds; round++) {
    console.log(`round ${round + 1} of ${rounds}`);
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length]!);
    for (const suite of SUITES)
      for (const one of order) {
        const own = () => mkdtempSync(join(folder, `${one.name}-`));
        const profile = profileFolder === undefined ? {} : { profileFolder };
        const lane: Lane = { contender: one, bed: beds.get(one)!, suite, sizes, own, profile };
        results.add(one, await called(lane, await alone(lane)));
        results.add(one, await calling(lane));
      }
  }
  return results.table();
}

interface Lane {
  readonly contender: IkeContender;
  readonly bed: IkeBed;
  readonly suite: Suite;
  readonly sizes: Sizes;
  /** A new folder. */
  readonly own: () => string;
  readonly profile: { readonly profileFolder?: string };
}

/** What a gateway with a single tunnel has in memory. */
async function alone({ contender, bed, suite, own }: Lane): Promise<number> {
  const folder = own();
  const gateway = await contender.start(bed, folder, { suite, peers: 1, caller: "peers" });
  const stops = [gateway.stop];
  try {
    const peers = await startPeers(bed, folder, { caller: "peers", first: 0, count: 1, atOnce: 1, suite });
    stops.push(peers.stop);
    await peers.outcome(PATIENCE);
    return await residentAtRest(gateway.process);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function residentAtRest({ residentOctets }: GatewayProcess): Promise<number> {
  let least = residentOctets();
  for (let still = 0, all = 0; still < STILL && all < MOST_STILL; still++, all++) {
    await rest(1000);
    const now = residentOctets();
    if (now < least * 0.99) still = 0;
    least = Math.min(least, now);
  }
  return least;
}

/** The gateway as responder: peers in turn, and then a crowd of others at once. */
async function called(
  { contender, bed, suite, sizes, own, profile }: Lane,
  single: number,
): Promise<readonly Figure[]> {
  const { warmUp, steady, crowd } = sizes;
  const folder = own();
  const gateway = await contender.start(bed, folder, {
    suite,
    peers: warmUp + steady + crowd,
    caller: "peers",
    ...profile,
  });
  const stops = [gateway.stop];
  try {
    const wave = async (first: number, count: number, atOnce: number) => {
      const peers = await startPeers(bed, folder, { caller: "peers", first, count, atOnce, suite });
      stops.push(peers.stop);
      await rest(200);
      const cpu = gateway.process.cpuSeconds();
      const { seconds, waits, failures, reasons } = await peers.outcome(PATIENCE);
      await rest(SETTLE);
      if (failures > 0)
        console.log(`  ${contender.title}, ${suite.title}: ${failures} failures, such as: ${reasons[0]}`);
      return { seconds, last: waits.at(-1)!, cpu: (gateway.process.cpuSeconds() - cpu) / count };
    };
    await wave(0, warmUp, AT_ONCE);
    const warm = await residentAtRest(gateway.process);
    const turn = await wave(warmUp, steady, AT_ONCE);
    const all = await wave(warmUp + steady, crowd, crowd);
    const resident = await residentAtRest(gateway.process);
    const grown = resident - single;
    const row = (title: string, unit: string, better: "higher" | "lower", value: number): Figure => ({
      row: `${suite.title}: ${title}`,
      unit,
      better,
      value,
    });
    return [
      row("CPU per IKE SA as responder", "ms", "lower", turn.cpu * 1000),
      row("IKE SAs as responder, peers in turn", "1/s", "higher", steady / turn.seconds),
      row(`${crowd} peers at once: the last is served after`, "s", "lower", all.seconds),
      row(`  their CPU`, "s", "lower", all.cpu * crowd),
      row("memory per idle tunnel", "kB", "lower", grown / (warmUp + steady + crowd - 1) / 1000),
      row("  of one that comes up beside others", "kB", "lower", (resident - warm) / (steady + crowd) / 1000),
    ];
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** The gateway as initiator: its CPU time until all tunnels are up, less that of a start with the same tunnels that waits. */
async function calling({ contender, bed, suite, sizes, own }: Lane): Promise<readonly Figure[]> {
  const count = sizes.steady;
  const until = async (caller: "peers" | "gateway") => {
    const stops: (() => Promise<void>)[] = [];
    const folder = own();
    try {
      const wanted = { caller, first: 0, count, atOnce: 0, suite };
      const peers = caller === "gateway" ? await startPeers(bed, folder, wanted) : undefined;
      if (peers !== undefined) stops.push(peers.stop);
      const gateway = await contender.start(bed, folder, { suite, peers: count, caller });
      stops.push(gateway.stop);
      const outcome = await peers?.outcome(PATIENCE);
      await rest(SETTLE);
      return { cpu: gateway.process.cpuSeconds(), seconds: outcome?.seconds ?? 0 };
    } finally {
      for (const stop of stops.reverse()) await stop();
    }
  };
  const idle = await until("peers");
  const busy = await until("gateway");
  return [
    {
      row: `${suite.title}: CPU per IKE SA as initiator, all ${count} at once`,
      unit: "ms",
      better: "lower",
      value: ((busy.cpu - idle.cpu) / count) * 1000,
    },
    { row: `  IKE SAs as initiator, ${suite.title}`, unit: "1/s", better: "higher", value: count / busy.seconds },
  ];
}
