/**
 * `npm run bench -- scale`: what many SAs cost a packet, and what rekeys cost it. Pairs of our own gateways with one, a thousand and ten thousand
 * mappings, each with SAs of its own, carry the same traffic in turn, all of it through one mapping, and each packet through the next one; the
 * ratios are by round, with a confidence interval of their mean.
 */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Namespaces } from "../netns.js";
import { openBed, RIGHT } from "./bed.js";
import { causeway, SPARE } from "./causeway.js";
import { AES_GCM, type Lane } from "./contender.js";
import type { Lengths } from "./measures.js";
import { type Destinations, packetPrograms } from "./packets.js";
import { formatSpread, meanInterval, spreadOf } from "./statistics.js";

export interface ScaleWanted {
  readonly rounds: number;
  readonly quick: boolean;
  readonly lengths: Lengths;
}

const OCTETS = 512;
const RATE = 10_000;
const REKEY_MILLISECONDS = 1000;

export async function scaleTable(namespaces: Namespaces, folder: string, wanted: ScaleWanted): Promise<string> {
  const sizes = wanted.quick ? [1, 1000] : [1, 1000, 10_000];
  const packets = await packetPrograms(folder);
  const lanes: Lane[] = [];
  try {
    for (const mappings of sizes) {
      const bed = await openBed(namespaces, `scale-${mappings}`);
      const own = mkdtempSync(join(folder, `scale-${mappings}-`));
      const begun = performance.now();
      const gateways = await causeway.start(bed, own, { setup: { ...AES_GCM, mappings } });
      console.log(`${mappings} SAs after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      const lane = { contender: causeway, bed, gateways };
      lanes.push(lane);
      await bed.namespaces.ip(bed.at("right"), `route add ${SPARE.network} via ${RIGHT.host}\n`);
      await bed.namespaces.ip(bed.at("right-host"), `route add local ${SPARE.network} dev lo\n`);
      await packets.startSink(lane);
      await packets.trial(lane, OCTETS, RATE, 2);
    }
    const cost = async (lane: Lane, spread?: Destinations): Promise<number> => {
      const cpu = () => lane.gateways.processes.reduce((sum, process) => sum + process.cpuSeconds(), 0);
      const before = cpu();
      const { sent, received } = await packets.trial(lane, OCTETS, RATE, wanted.lengths.fixedRate, spread);
      if (received < sent / 2) throw new Error(`${sent - received} of ${sent} packets did not arrive`);
      return ((cpu() - before) * 1e6) / received;
    };
    const rekeyed = async (lane: Lane): Promise<number> => {
      let going = true;
      const rekeys = (async () => {
        while (going) {
          await lane.gateways.rekey!();
          await new Promise((resolve) => setTimeout(resolve, REKEY_MILLISECONDS));
        }
      })();
      const found = await cost(lane);
      going = false;
      await rekeys;
      return found;
    };
    const inTurn = (i: number): Destinations => ({ first: SPARE.first, count: sizes[i]! - 1 });
    const columns = [
      ...lanes.map((lane, i) => ({ title: `${sizes[i]} SAs, one of them used`, take: () => cost(lane) })),
      // The programs in Node send to one address.
      ...lanes.flatMap((lane, i) =>
        sizes[i]! > 1 && packets.language === "C"
          ? [{ title: `${sizes[i]} SAs, all in turn`, take: () => cost(lane, inTurn(i)) }]
          : [],
      ),
      { title: "1 SA, a rekey every second", take: () => rekeyed(lanes[0]!) },
    ];
    const values = columns.map((): number[] => []);
    for (let round = 0; round < wanted.rounds; round++) {
      console.log(`round ${round + 1} of ${wanted.rounds}`);
      for (let i = 0; i < columns.length; i++) {
        const column = (i + round) % columns.length;
        values[column]!.push(await columns[column]!.take());
      }
    }
    const lines = columns.map(({ title }, i) => {
      const ratios = values[i]!.map((value, round) => value / values[0]![round]!);
      const { mean, low, high } = meanInterval(ratios);
      const interval = i === 0 ? "" : `${mean.toFixed(3)} [${low.toFixed(3)}-${high.toFixed(3)}]`;
      return `| ${title} | ${formatSpread(spreadOf(values[i]!))} | ${interval} |`;
    });
    const memory = lanes.map(({ gateways }, i) => {
      const most = Math.max(...gateways.processes.map((process) => process.residentOctets()));
      return `${sizes[i]} SAs: ${(most / 1e6).toFixed(0)} MB resident`;
    });
    return [
      `| CPU of both gateways per packet of ${OCTETS} octets at ${RATE / 1000} kpps | us | to 1 SA, mean [95 % confidence] |`,
      "|---|---|---|",
      ...lines,
      "",
      memory.join("; "),
    ].join("\n");
  } finally {
    for (const { gateways } of lanes) await gateways.stop();
  }
}
