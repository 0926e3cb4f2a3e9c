/**
 * The benchmark: every contender on a path of its own, all of them up at the same time, each figure taken from one after the other in
 * turning order, round by round. `npm run bench -- --help` tells the arguments, docs/benchmarks.md how to read the table.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { type Namespaces, openNamespaces } from "../netns.js";
import { type Arguments, readArguments, USAGE } from "./arguments.js";
import { type Congestion, openBed } from "./bed.js";
import { cPath } from "./c-path.js";
import { causeway } from "./causeway.js";
import { chart } from "./chart.js";
import { AES_GCM, type Contender, type Lane, present, type Setup } from "./contender.js";
import { cryptoTable } from "./crypto.js";
import { endurance } from "./endurance.js";
import { idleFigures } from "./idle.js";
import { ikeTable } from "./ike/main.js";
import { lookupTable } from "./lookup.js";
import { type Measure, measuresOf } from "./measures.js";
import { type PacketPrograms, packetPrograms } from "./packets.js";
import { plain } from "./plain.js";
import { createResults, type Results } from "./results.js";
import { scaleTable } from "./scale.js";
import { streamPrograms } from "./stream.js";
import { strongswan } from "./strongswan.js";
import { wireguard } from "./wireguard.js";

/** The first one is compared with each of the others. */
const CONTENDERS: readonly Contender[] = [causeway, strongswan, wireguard, cPath, plain];

/** What the part `suites` goes through, besides AES-GCM. */
const SUITES: readonly Setup[] = [
  { suite: "AES-128-CBC + SHA-256", esp: "aes128-sha256", mappings: 1 },
  { suite: "ChaCha20-Poly1305", esp: "chacha20poly1305", mappings: 1 },
  { suite: "3DES + MD5", esp: "3des-md5", mappings: 1 },
  { suite: "SM4 + SM3", esp: "sm4-sm3", mappings: 1 },
];

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
  if (words.length === 1 && words[0] === "lookup") {
    lookupTable();
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
  const namespaces = await openNamespaces("causeway-bench");
  const folder = mkdtempSync(join(tmpdir(), "causeway-bench-"));
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", clear); // also after Ctrl-C
  try {
    if (wanted.alone === "ike") console.log(`\n${await ikeTable(namespaces, folder, wanted)}`);
    else if (wanted.alone === "scale") console.log(`\n${await scaleTable(namespaces, folder, wanted)}`);
    else if (wanted.alone === "endurance")
      return (await endurance(namespaces, folder, present(CONTENDERS, wanted.only)[0]!, wanted.minutes)) ? 0 : 1;
    else await bench(namespaces, folder, wanted);
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

async function bench(namespaces: Namespaces, folder: string, wanted: Arguments): Promise<void> {
  const contenders = present(CONTENDERS, wanted.only);
  const results = createResults(contenders);
  const packets = await packetPrograms(folder);
  console.log(await heading(contenders, `streams by ${streamPrograms().name}, packets by ${packets.language}`));
  const session = { namespaces, folder, wanted, packets, contenders, results };
  if (wanted.idle || wanted.parts.length > 0)
    await stage(session, AES_GCM, async (lanes) => {
      if (wanted.idle) for (const { lane, figures } of await idleFigures(lanes)) results.add(lane.contender, figures);
      const measures = wanted.parts.flatMap((part) => measuresOf(part, wanted.lengths, packets, congestions()));
      await takeAll(measures, lanes, wanted.rounds, results);
    });
  if (wanted.suites)
    for (const setup of SUITES)
      await stage(session, setup, async (lanes) => {
        console.log(setup.suite);
        const measures = measuresOf("stream", wanted.lengths, packets, congestions());
        await takeAll(measures, lanes, wanted.rounds, results, `${setup.suite}: `);
      });
  console.log(`\n${results.table()}`);
  if (wanted.plot !== undefined)
    writeFileSync(
      wanted.plot,
      chart(
        results.rows(),
        contenders.map(({ title }) => title),
      ),
    );
}

interface Session {
  readonly namespaces: Namespaces;
  readonly folder: string;
  readonly wanted: Arguments;
  readonly packets: PacketPrograms;
  readonly contenders: readonly Contender[];
  readonly results: Results<Contender>;
}

/** Every contender that has the setup on a path of its own, for as long as `run` takes. */
async function stage(
  { namespaces, folder, wanted, contenders }: Session,
  setup: Setup,
  run: (lanes: readonly Lane[]) => Promise<void>,
): Promise<void> {
  const lanes: Lane[] = [];
  try {
    for (const contender of contenders.filter((one) => one.has(setup))) {
      const bed = await openBed(namespaces, `${setup.esp.slice(0, 4)}-${contender.name}`);
      const own = mkdtempSync(join(folder, `${contender.name}-`));
      lanes.push({ contender, bed, gateways: await contender.start(bed, own, { ...wanted, setup }) });
    }
    await run(lanes);
  } finally {
    for (const { gateways } of lanes) await gateways.stop();
  }
}

async function takeAll(
  measures: readonly Measure[],
  lanes: readonly Lane[],
  rounds: number,
  results: Results<Contender>,
  prefix = "",
): Promise<void> {
  for (const measure of measures) for (const lane of lanes) await measure.prepare?.(lane);
  for (let round = 0; round < rounds && measures.length > 0; round++) {
    console.log(`round ${round + 1} of ${rounds}, load ${loadavg()[0]!.toFixed(1)}`);
    const order = lanes.map((_, i) => lanes[(i + round) % lanes.length]!);
    for (const measure of measures)
      for (const lane of order) {
        const figures = await measure.take(lane);
        results.add(
          lane.contender,
          figures.map((figure) => ({ ...figure, row: `${prefix}${prefix === "" ? figure.row : figure.row.trim()}` })),
        );
      }
  }
}

async function heading(contenders: readonly Contender[], tools: string): Promise<string> {
  const versions: string[] = [];
  for (const one of contenders) versions.push(await one.version());
  const [core] = cpus();
  const machine = `Linux ${release()}, ${cpus().length} cores (${core?.model.trim() ?? "unknown"})`;
  return `${new Date().toISOString().slice(0, 10)}: ${versions.join(", ")}\n${machine}; ${tools}; AES-256-GCM in UDP; medians [lowest-highest]`;
}

/** Which of the two the kernel has. */
function congestions(): readonly Congestion[] {
  const available = readFileSync("/proc/sys/net/ipv4/tcp_available_congestion_control", "utf8").trim().split(" ");
  return (["cubic", "bbr"] as const).filter((one) => available.includes(one));
}
