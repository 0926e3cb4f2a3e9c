/** A program that the demo starts in one of its places. The process namespace ends it with the demo, whatever happens. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { FOLDER, inside } from "./network.js";

export interface Program {
  /** Everything that it has said. */
  output(): string;
  /** Its exit status once it has ended. */
  status(): number | undefined;
  /** SIGTERM; resolves with its exit status. Throws when it has not ended after `seconds`. */
  stop(seconds: number): Promise<number>;
}

/** Starts a script of ours with Node.js; what it says goes to a file with the name. */
export function start(name: string, place: string, script: string, ...args: readonly string[]): Program {
  const file = `${FOLDER}/${name}.log`;
  const log = openSync(file, "w");
  const [program, ...rest] = inside(place, process.execPath, script, ...args);
  const child = spawn(program, rest, { stdio: ["ignore", log, log] });
  closeSync(log);
  let status: number | undefined;
  child.on("error", () => {
    status = 127;
  });
  child.on("exit", (code) => {
    status = code ?? 128;
  });
  return {
    output: () => readFileSync(file, "utf8"),
    status: () => status,
    stop: (seconds) => {
      child.kill("SIGTERM");
      return until(`${name} to end`, seconds, async () => status);
    },
  };
}

/** Runs a script of ours to its end and returns what it printed. Throws with what it said where it failed. */
export async function ask(name: string, place: string, script: string, ...args: readonly string[]): Promise<string> {
  const program = start(name, place, script, ...args);
  const status = await until(`${name} to end`, 90, async () => program.status());
  if (status !== 0) throw new Error(program.output().trim() || `${name} ended with status ${status}`);
  return program.output();
}

/** Asks until there is an answer other than undefined; throws with `what` when `seconds` have passed. */
export async function until<T>(what: string, seconds: number, probe: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
