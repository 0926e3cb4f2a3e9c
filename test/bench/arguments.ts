/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import { type Lengths, PARTS, type PartName } from "./measures.js";

const ALONE = ["ike", "scale", "endurance"] as const;
type Alone = (typeof ALONE)[number];
/** Parts that are taken only when they are named. */
const NAMED = { suites: "TCP, one stream, with every suite", idle: "memory and CPU of fresh gateways over 60 s" };

export interface Arguments {
  /** In the order of PARTS. */
  readonly parts: readonly PartName[];
  readonly idle: boolean;
  /** One TCP stream with every suite. */
  readonly suites: boolean;
  /** What has gateways of its own, and stands alone. */
  readonly alone?: Alone;
  /** Of `endurance`. */
  readonly minutes: number;
  /** Where the plot is written to. */
  readonly plot?: string;
  readonly quick: boolean;
  /** Names of contenders; all of them without. */
  readonly only?: readonly string[];
  readonly rounds: number;
  readonly lengths: Lengths;
  readonly profileFolder?: string;
}

const FULL: Lengths = { stream: 3, trial: 0.4, fixedRate: 3, pings: 100 };
const QUICK: Lengths = { stream: 1.5, trial: 0.25, fixedRate: 1.5, pings: 50 };

export const USAGE = `usage: npm run bench -- [PART ...] [--quick] [--rounds N] [--profile FOLDER]
       npm run bench -- ike         handshakes: CPU and memory per IKE SA, beside charon
       npm run bench -- scale       what 1,000 and 10,000 SAs, and rekeys, cost a packet
       npm run bench -- endurance   checksummed data in both directions at full load, with rekeys; --minutes N
       npm run bench -- crypto      every suite on every backend, per packet; without devices
       npm run bench -- lookup      a packet with 1, 200 and 10,000 mappings; without devices

parts (the first five without any):
${Object.entries({ ...PARTS, ...NAMED })
  .map(([name, what]) => `  ${name.padEnd(8)} ${what}`)
  .join("\n")}

  --quick            3 short rounds instead of 5
  --rounds N         the number of rounds
  --plot FILE        writes the table as an SVG as well
  --only NAMES       contenders, by commas
  --profile FOLDER   leaves CPU profiles of our gateways there, one per thread (it slows them)`;

/** Throws `Error` with what is wrong. */
export function readArguments(words: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      quick: { type: "boolean" },
      rounds: { type: "string" },
      only: { type: "string" },
      minutes: { type: "string" },
      plot: { type: "string" },
      profile: { type: "string" },
    },
  });
  const alone = ALONE.find((one) => one === positionals[0]);
  const names = Object.keys(PARTS) as PartName[];
  const unknown = positionals.find(
    (word) => !(word in NAMED) && !(alone === word && positionals.length === 1) && !names.includes(word as PartName),
  );
  if (unknown !== undefined) throw new Error(`unknown part ${unknown}`);
  const rounds = values.rounds === undefined ? (values.quick ? 3 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds wants a positive whole number");
  return {
    parts: positionals.length === 0 ? names : names.filter((name) => positionals.includes(name)),
    idle: positionals.includes("idle"),
    suites: positionals.includes("suites"),
    ...(alone !== undefined && { alone }),
    minutes: values.minutes === undefined ? 30 : Number(values.minutes),
    ...(values.plot !== undefined && { plot: values.plot }),
    quick: values.quick ?? false,
    rounds,
    lengths: values.quick ? QUICK : FULL,
    ...(values.only !== undefined && { only: values.only.split(",") }),
    ...(values.profile !== undefined && { profileFolder: values.profile }),
  };
}
