/** Runs a program of the host with fixed arguments and text on its standard input; never through a shell. */
import { spawn } from "node:child_process";

export interface CommandResult {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** The host cannot do what the gateway needs; the message says what is missing and how to grant it. */
export class HostError extends Error {}

/** Milliseconds after which a program counts as hanging. */
const TIMEOUT = 10_000;
/** Where Debian and most others have it. */
const PACKAGES: Readonly<Record<string, string>> = { ip: "iproute2", nft: "nftables" };
const MAXIMUM_OUTPUT = 16 * 1024 * 1024;

/** Resolves whatever the exit status is; rejects with `HostError` when the program is missing or hangs. */
export function run(program: string, args: readonly string[], input = ""): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], timeout: TIMEOUT, killSignal: "SIGKILL" });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < MAXIMUM_OUTPUT) output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (errors.length < MAXIMUM_OUTPUT) errors += text;
    });
    // A program that ends before it has read everything says why in its exit status.
    child.stdin.on("error", () => undefined);
    child.on("error", (error: NodeJS.ErrnoException) => {
      reject(
        new HostError(
          error.code === "ENOENT"
            ? `the program "${program}" is missing: install the package ${PACKAGES[program] ?? program}`
            : `${program}: ${error.message}`,
        ),
      );
    });
    child.on("close", (status, signal) => {
      if (signal !== null) reject(new HostError(`${program} ${args.join(" ")} was ended by ${signal}`));
      else resolve({ status: status ?? 1, output, errors });
    });
    child.stdin.end(input);
  });
}
