/**
 * The benchmark: every contender on a path of its own, all of them up at the same time, each figure taken from one after the other in
 * turning order, round by round. `npm run bench -- --help` tells the arguments, docs/benchmarks.md how to read the table.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { openNamespaces } from "../netns.js";
import { type Arguments, readArguments, USAGE } from "./arguments.js";
import { type Congestion, openBed } from "./bed.js";
import { causeway } from "./causeway.js";
import { type Contender, type Lane, present } from "./contender.js";
import { cryptoTable } from "./crypto.js";
import { idleFigures } from "./idle.js";
import { ikeTable } from "./ike/main.js";
import { type Measure, measuresOf } from "./measures.js";
import { packetPrograms } from "./packets.js";
import { createResults, type Results } from "./results.js";
import { streamPrograms } from "./stream.js";
import { strongswan } from "./strongswan.js";

/** The first one is compared with each of the others. */
const CONTENDERS: readonly Contender[] = [causeway, strongswan];

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  if (words.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  if (words.length === 1 && words[0] === "crypto") {
    cryptoTable();
    return 0;
  }
  let wanted: Arguments;
  try {
    wanted = readArguments(words);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const obstacle = whyNot();
  if (obstacle !== undefined) {
    console.error(`bench: ${obstacle}`);
    return 2;
  }
  if (wanted.ike) return ikeAlone(wanted);
  const contenders = present(CONTENDERS, wanted.only);
  try {
    await bench(contenders, wanted);
    return 0;
  } catch (error) {
    console.error(`bench: ${(error as Error).stack ?? error}`);
    return 1;
  }
}

/** The part `ike` has gateways of its own. */
async function ikeAlone(wanted: Arguments): Promise<number> {
  const namespaces = await openNamespaces("causeway-bench-ike");
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", clear); // also after Ctrl-C
  try {
    console.log(`\n${await ikeTable(namespaces, folder, wanted)}`);
    return 0;
  } catch (error) {
    console.error(`bench: ${(error as Error).stack ?? error}`);
    return 1;
  } finally {
    await namespaces.close();
    clear();
  }
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root, for network namespaces and TUN devices";
  if (!existsSync("/dev/net/tun")) return "no /dev/net/tun on this host";
  return undefined;
}

async function bench(contenders: readonly Contender[], wanted: Arguments): Promise<void> {
  const namespaces = await openNamespaces("causeway-bench");
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", clear); // also after Ctrl-C
  const lanes: Lane[] = [];
  try {
    for (const contender of contenders) {
      const bed = await openBed(namespaces, contender.name);
      const own = mkdtempSync(join(folder, `${contender.name}-`));
      lanes.push({ contender, bed, gateways: await contender.start(bed, own, wanted) });
    }
    const results = createResults(contenders);
    const packets = await packetPrograms(folder);
    console.log(await heading(contenders, `streams by ${streamPrograms().name}, packets by ${packets.language}`));
    if (wanted.idle) for (const { lane, figures } of await idleFigures(lanes)) results.add(lane.contender, figures);
    const measures = wanted.parts.flatMap((part) => measuresOf(part, wanted.lengths, packets, congestions()));
    await takeAll(measures, lanes, wanted.rounds, results);
    console.log(`\n${results.table()}`);
  } finally {
    for (const { gateways } of lanes) await gateways.stop();
    await namespaces.close();
    clear();
  }
}

async function takeAll(
  measures: readonly Measure[],
  lanes: readonly Lane[],
  rounds: number,
  results: Results<Contender>,
): Promise<void> {
  for (const measure of measures) for (const lane of lanes) await measure.prepare?.(lane);
  for (let round = 0; round < rounds && measures.length > 0; round++) {
    console.log(`round ${round + 1} of ${rounds}, load ${loadavg()[0]!.toFixed(1)}`);
    const order = lanes.map((_, i) => lanes[(i + round) % lanes.length]!);
    for (const measure of measures) for (const lane of order) results.add(lane.contender, await measure.take(lane));
  }
}

async function heading(contenders: readonly Contender[], tools: string): Promise<string> {
  const versions: string[] = [];
  for (const one of contenders) versions.push(await one.version());
  const [core] = cpus();
  const machine = `Linux ${release()}, ${cpus().length} cores (${core?.model.trim() ?? "unknown"})`;
  return `${new Date().toISOString().slice(0, 10)}: ${versions.join(" and ")}\n${machine}; ${tools}; AES-256-GCM in UDP; medians [lowest-highest]`;
}

/** Which of the two the kernel has. */
function congestions(): readonly Congestion[] {
  const available = readFileSync("/proc/sys/net/ipv4/tcp_available_congestion_control", "utf8").trim().split(" ");
  return (["cubic", "bbr"] as const).filter((one) => available.includes(one));
}
