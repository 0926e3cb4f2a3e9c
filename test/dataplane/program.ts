/** Programs that tests run in namespaces and talk to by messages. Bounded in time; they end when their parent does. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bounded } from "../child.js";
import type { Link, Side } from "./namespaces.js";

const SECONDS = 600;
/** How long an answer may be in coming. A busy machine takes its time to start a process and its threads. */
const PATIENCE = 60;

export interface Program<Command, Told> {
  send(command: Command): void;
  /** Everything told so far. */
  readonly told: readonly Told[];
  /** The first thing told from now on that `pick` finds something in. Rejects after `PATIENCE` seconds. */
  heard<T>(what: string, pick: (told: Told) => T | undefined): Promise<T>;
  end(): Promise<void>;
}

/** `file`: a compiled program beside this one. `wrapper`: a command line before it. */
export function startProgram<Command, Told>(
  link: Link,
  side: Side,
  file: string,
  wrapper: readonly string[] = [],
): Program<Command, Told> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const argv = link.namespaces.inside(side, ...wrapper, process.execPath, path);
  const [command, ...rest] = bounded(argv, SECONDS);
  const child = spawn(command!, rest, {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
  });
  const told: Told[] = [];
  const waiting = new Set<(one: Told) => void>();
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.on("message", (message) => {
    told.push(message as Told);
    for (const one of [...waiting]) one(message as Told);
  });

  return {
    told,
    send: (command) => void child.send(command as object),
    heard: (what, pick) =>
      new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(late);
          waiting.delete(one);
        };
        const one = (message: Told) => {
          const picked = pick(message);
          if (picked === undefined) return;
          done();
          resolve(picked);
        };
        const late = setTimeout(() => {
          done();
          reject(new Error(`${side}: no ${what} within ${PATIENCE} s; told so far: ${printed(told.slice(-10))}`));
        }, PATIENCE * 1000);
        waiting.add(one);
      }),
    async end() {
      if (child.connected) child.disconnect();
      await exit;
    },
  };
}

function printed(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part));
}
