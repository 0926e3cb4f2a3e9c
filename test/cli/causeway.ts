/** Runs the command line as its users do, with an environment of its own. */
import { join } from "node:path";
import { type Finished, run } from "../child.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");

export function causeway(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const { PATH = "" } = process.env;
  return run([process.execPath, MAIN, ...args], { seconds: 60, env: { PATH, ...env } });
}
