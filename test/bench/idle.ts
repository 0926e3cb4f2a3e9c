/** What gateways with one tunnel and no traffic cost: fresh ones, all contenders at the same time. */
import { setTimeout as rest } from "node:timers/promises";
import type { Lane } from "./contender.js";
import type { Figure } from "./measures.js";

/** What the start left to do is not idleness. */
const SETTLE_SECONDS = 10;
const WATCH_SECONDS = 60;

/** One figure of each row per gateway: left and right stand for the rounds. */
export async function idleFigures(
  lanes: readonly Lane[],
): Promise<readonly { readonly lane: Lane; readonly figures: readonly Figure[] }[]> {
  await rest(SETTLE_SECONDS * 1000);
  const begun = performance.now();
  const gateways = lanes.flatMap((lane) => lane.gateways.processes.map((process) => ({ lane, process })));
  const before = gateways.map(({ process }) => process.cpuSeconds());
  await rest(WATCH_SECONDS * 1000);
  const seconds = (performance.now() - begun) / 1000;
  return gateways.map(({ lane, process }, i) => ({
    lane,
    figures: [
      { row: "idle: resident memory", unit: "MB", better: "lower", value: process.residentOctets() / 1e6 },
      { row: "idle: peak since the start", unit: "MB", better: "lower", value: process.peakOctets() / 1e6 },
      {
        row: `idle: CPU over ${WATCH_SECONDS} s`,
        unit: "% of a core",
        better: "lower",
        value: ((process.cpuSeconds() - before[i]!) / seconds) * 100,
      },
    ],
  }));
}
