/** What the scripts share: running a command, a bounded wait for it, and where the repository stands. Built-ins only. */
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export const root = join(import.meta.dirname, "..");

/** Runs a command in the repository with our own output; ends this process with its status when it fails. */
export function must(command, args, { seconds = 900, env = process.env, cwd = root } = {}) {
  const done = spawnSync(command, args, { cwd, env, stdio: "inherit", timeout: seconds * 1000, killSignal: "SIGKILL" });
  if (done.status === 0) return;
  const why =
    done.error?.code === "ETIMEDOUT" ? `not done after ${seconds} s` : (done.error?.message ?? `status ${done.status}`);
  console.error(`causeway: \`${[command, ...args].join(" ")}\` failed: ${why}`);
  process.exit(1);
}

/** Runs a command quietly: `{ status, stdout, stderr }`, status undefined where it could not be started or took too long. */
export function ask(command, args, { seconds = 60, env = process.env, cwd = root, input } = {}) {
  const done = spawnSync(command, args, {
    cwd,
    env,
    input,
    encoding: "utf8",
    timeout: seconds * 1000,
    killSignal: "SIGKILL",
  });
  return {
    status: done.status ?? undefined,
    stdout: done.stdout ?? "",
    stderr: done.stderr ?? String(done.error ?? ""),
  };
}

/**
 * Starts a long-running child that ends with us, whatever ends us: setpriv asks the kernel for SIGTERM at our death and
 * timeout bounds its life. Both are in Debian's essential packages.
 */
export function launch(argv, { seconds, env = process.env, cwd = root, stdio = ["ignore", "pipe", "pipe"] }) {
  const bounded = ["setpriv", "--pdeathsig", "TERM", "--", "timeout", "-k", "5", String(seconds), ...argv];
  return spawn(bounded[0], bounded.slice(1), { cwd, env, stdio });
}

/** The absolute path of a program, also where an ordinary user's PATH leaves out /usr/sbin. */
export function find(program) {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

export const isRoot = process.getuid?.() === 0;
