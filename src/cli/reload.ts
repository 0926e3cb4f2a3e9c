/** `causeway plan` and `causeway reload`: what a changed file would do, and doing it. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { printable } from "../config/problem.js";
import type { ReloadPlan, ReloadResult } from "../reload/plan-model.js";
import { planLines } from "../reload/plan-words.js";
import { fetchPlan, requestReload } from "./client.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { type SocketOptions, socketPath } from "./socket.js";

interface Options extends SocketOptions {
  readonly json?: boolean;
}

/** Exit status 0: it can be applied; 1: not while the gateway runs; 2: the file is wrong. */
export async function showPlan(file: string, options: Options): Promise<ExitStatus> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CommandError(EXIT.usage, `${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const plan = await fetchPlan(socketPath(options), { text, file: resolve(file) });
  process.stdout.write(options.json ? `${JSON.stringify(plan, null, 2)}\n` : lines(planLines(plan)));
  return statusOf(plan);
}

/** `confirm`: true confirms what runs on trial; a duration applies the file on trial. */
export async function runReload(options: Options & { readonly confirm?: boolean | string }): Promise<ExitStatus> {
  const { confirm } = options;
  const request =
    confirm === undefined || confirm === false
      ? {}
      : confirm === true
        ? ({ confirm: true } as const)
        : { confirm_s: secondsOf(confirm) };
  const answer = await requestReload(socketPath(options), request);
  if (options.json) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  else (answer.ok ? process.stdout : process.stderr).write(lines(resultLines(answer)));
  if (answer.ok) return EXIT.done;
  return answer.plan !== undefined && answer.plan.errors.length > 0 ? EXIT.usage : EXIT.failed;
}

function resultLines({ ok, result, reason, plan, confirm_within_s }: ReloadResult): readonly string[] {
  if (!ok && plan !== undefined && plan.errors.length > 0) return planLines(plan);
  return [
    ...(plan === undefined ? [] : planLines(plan)),
    reason === undefined ? result : `${result}: ${reason}`,
    ...(confirm_within_s === undefined ? [] : ["causeway reload --confirm confirms it"]),
  ];
}

function statusOf({ possible, errors }: ReloadPlan): ExitStatus {
  if (errors.length > 0) return EXIT.usage;
  return possible ? EXIT.done : EXIT.failed;
}

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600 };

function secondsOf(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  const seconds = Number(digits) * SECONDS[unit]!;
  if (digits !== "" && seconds >= 5 && seconds <= 86_400) return seconds;
  throw new CommandError(
    EXIT.usage,
    `--confirm ${printable(text)}: allowed: a duration such as 60s, 5m or 1h, from 5s to 24h, or nothing`,
  );
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${printable(line)}\n`).join("");
}
