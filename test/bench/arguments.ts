/** The command line of the benchmark. */
import { parseArgs } from "node:util";
import { type Lengths, PARTS, type PartName } from "./measures.js";

export interface Arguments {
  /** In the order of PARTS. */
  readonly parts: readonly PartName[];
  readonly idle: boolean;
  /** Handshakes alone. */
  readonly ike: boolean;
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
       npm run bench -- ike [--quick] [--rounds N] [--profile FOLDER]
                                    handshakes: CPU and memory per IKE SA, beside charon
       npm run bench -- crypto      every suite on every backend, per packet; without devices

parts (all but \`idle\` without any):
${Object.entries({ ...PARTS, idle: "memory and CPU of fresh gateways over 60 s" })
  .map(([name, what]) => `  ${name.padEnd(8)} ${what}`)
  .join("\n")}

  --quick            3 short rounds instead of 5
  --rounds N         the number of rounds
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
      profile: { type: "string" },
    },
  });
  const names = Object.keys(PARTS) as PartName[];
  const unknown = positionals.find(
    (word) => word !== "idle" && !(word === "ike" && positionals.length === 1) && !names.includes(word as PartName),
  );
  if (unknown !== undefined) throw new Error(`unknown part ${unknown}`);
  const rounds = values.rounds === undefined ? (values.quick ? 3 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds wants a positive whole number");
  return {
    parts: positionals.length === 0 ? names : names.filter((name) => positionals.includes(name)),
    idle: positionals.includes("idle"),
    ike: positionals.includes("ike"),
    quick: values.quick ?? false,
    rounds,
    lengths: values.quick ? QUICK : FULL,
    ...(values.only !== undefined && { only: values.only.split(",") }),
    ...(values.profile !== undefined && { profileFolder: values.profile }),
  };
}
