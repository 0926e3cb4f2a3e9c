/**
 * The one way in which tests start other programs. Every child is bounded in time, its output is bounded in size, and it ends
 * when the test process ends for whatever reason: setpriv lets the kernel deliver SIGTERM at the parent's death, and
 * `timeout -k` passes it on and makes sure of it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

export interface Finished {
  /** Exit status; 124 when the time was up, undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  /** The longest that it may run. */
  readonly seconds?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Default: that of the test. */
  readonly cwd?: string;
  readonly input?: string;
  /** Receives stdout and stderr as well. */
  readonly logFile?: string;
}

export interface Running {
  /** Of the bounding wrapper, which passes signals on. */
  readonly pid: number;
  readonly ended: Promise<Finished>;
  /** Both streams as they came, the newest megabyte. */
  output(): string;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, after 5 s SIGKILL. */
  stop(): Promise<Finished>;
}

const KEPT_OUTPUT = 1 << 20;

/**
 * The command line that bounds another one: in time, and by the life of whoever starts it. In the foreground: otherwise a
 * signal reaches the program twice, by itself and with its group, and what it starts meanwhile to clean up gets it too.
 */
export function bounded(argv: readonly string[], seconds: number): string[] {
  return ["setpriv", "--pdeathsig", "TERM", "--", "timeout", "--foreground", "-k", "5", String(seconds), ...argv];
}

/** Starts a program that goes on running, for at most `seconds` (default 900). */
export function start(argv: readonly string[], options: ChildOptions = {}): Running {
  const seconds = options.seconds ?? 900;
  const [program, ...rest] = bounded(argv, seconds);
  const child = spawn(program!, rest, {
    env: options.env ?? process.env,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(options.input ?? "");
  const stdout = collect(child, "stdout");
  const stderr = collect(child, "stderr");
  const both = collect(child, "both");
  if (options.logFile !== undefined) {
    const log = createWriteStream(options.logFile, { flags: "a" });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => log.write(chunk));
    child.on("close", () => log.end());
  }
  const ended = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status: status ?? undefined, stdout: stdout(), stderr: stderr() }));
  });
  ended.catch(() => {}); // whoever waits for it sees the error
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  return {
    pid: child.pid ?? 0,
    ended,
    output: both,
    signal,
    stop: () => {
      signal("SIGTERM");
      return ended;
    },
  };
}

/** Runs a program to its end, for at most `seconds` (default 60). */
export function run(argv: readonly string[], options: ChildOptions = {}): Promise<Finished> {
  return start(argv, { ...options, seconds: options.seconds ?? 60 }).ended;
}

/** Runs a program and returns its stdout; throws with everything that it said unless it ends with status 0. */
export async function must(argv: readonly string[], options: ChildOptions = {}): Promise<string> {
  const done = await run(argv, options);
  if (done.status !== 0)
    throw new Error(`\`${argv.join(" ")}\` ended with status ${done.status}:\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** Asks until there is an answer other than undefined; throws with `what` when `seconds` have passed. */
export async function until<T>(what: string, seconds: number, probe: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function collect(child: ChildProcess, which: "stdout" | "stderr" | "both"): () => string {
  let text = "";
  const take = (chunk: Buffer): void => {
    text = (text + chunk.toString("utf8")).slice(-KEPT_OUTPUT);
  };
  if (which !== "stderr") child.stdout?.on("data", take);
  if (which !== "stdout") child.stderr?.on("data", take);
  return () => text;
}
