/**
 * Runs the demo in namespaces of its own: network, mounts and processes, and for an ordinary user a user namespace around
 * them. Whatever ends the demo, the kernel then takes away all of it: devices, routes, processes, and the files, which lie on
 * a /run that only the demo sees.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { CommandError, EXIT, type ExitStatus } from "../cli/exit.js";

const INSIDE = join(import.meta.dirname, "inside.js");
const TUN = "/dev/net/tun";

/** What the demo starts, and the Debian package that has it. */
const TOOLS: readonly (readonly [string, string])[] = [
  ["ip", "iproute2"],
  ["unshare", "util-linux"],
  ["nsenter", "util-linux"],
  ["mount", "mount"],
];
const HOW_TO_GO_ON =
  'The same with a real peer: README.md, "A first tunnel to strongSwan"; gateway.example.yaml explains every key.';

/** Milliseconds until a host that does not answer counts as refusing. */
const PROBE_TIME = 10_000;
/** Milliseconds that the whole demo may take, and that it may take to end once it was told to. */
const WHOLE_TIME = 5 * 60_000;
const END_TIME = 5_000;

/** Statuses of a program that a signal ended, as shells count them. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Why the demo cannot run on this host, and what to do about it; undefined where it can. */
export function hindrance(): string | undefined {
  const missing = missingTools(environment().PATH?.split(":") ?? []);
  if (missing !== undefined) return missing;
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT"
      ? `${TUN} does not exist: load the kernel module (modprobe tun); in a container pass the device (--device ${TUN})`
      : `${TUN} is closed to this user, unlike on most hosts. Run the demo as root: sudo npm run demo`;
  }
  const probe = unshareSync(["mount", "-t", "tmpfs", "tmpfs", "/run"]);
  return probe.status === 0
    ? undefined
    : refusal((probe.stderr || String(probe.error ?? "")).trim().split("\n")[0] ?? "");
}

/** Resolves when everything is gone. Throws `CommandError` where it cannot run. */
export async function runDemo(): Promise<ExitStatus> {
  const problem = hindrance();
  if (problem !== undefined) throw new CommandError(EXIT.failed, `the demo cannot run here: ${problem}`);
  // The fourth descriptor tells the inside that we live: it ends when the pipe does, also when we are killed.
  const [program, args] = unshareCommand([process.execPath, INSIDE]);
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "pipe"], env: environment() });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => resolve(status ?? EXIT.failed));
  });
  let signalled: keyof typeof SIGNALS | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    signalled = signal as keyof typeof SIGNALS;
    endSoon(child);
  };
  for (const signal of Object.keys(SIGNALS)) process.on(signal, onSignal);
  const late = setTimeout(() => endSoon(child), WHOLE_TIME);
  try {
    const status = await ended;
    console.log("   Nothing is left on this host.");
    // Only the three statuses of the contract leave a command, except after a signal.
    if (signalled !== undefined) process.exit(SIGNALS[signalled]);
    if (status !== 0) return EXIT.failed;
    console.log(`\n${HOW_TO_GO_ON}`);
    return EXIT.done;
  } finally {
    clearTimeout(late);
    for (const signal of Object.keys(SIGNALS)) process.off(signal, onSignal);
  }
}

function endSoon(child: ChildProcess): void {
  (child.stdio[3] as Writable).destroy();
  // The first process of a process namespace takes all others with it, and `--kill-child` takes that one.
  setTimeout(() => child.kill("SIGKILL"), END_TIME).unref();
}

function unshareCommand(argv: readonly string[]): readonly [string, readonly string[]] {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return ["unshare", [...user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--", ...argv]];
}

function unshareSync(argv: readonly string[]) {
  const [program, args] = unshareCommand(argv);
  return spawnSync(program, args, { encoding: "utf8", env: environment(), timeout: PROBE_TIME, killSignal: "SIGKILL" });
}

/** An ordinary user's PATH often lacks the folders of `ip` and `nft`. */
function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C", PATH: [process.env.PATH, "/usr/sbin", "/sbin"].filter(Boolean).join(":") };
}

/** Which of the demo's tools are in none of the folders, and how to get them. */
export function missingTools(folders: readonly string[]): string | undefined {
  const missing = TOOLS.filter(([tool]) => !folders.some((folder) => isExecutable(join(folder, tool))));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(([, name]) => name))].join(" ");
  return `missing: ${missing.map(([tool]) => tool).join(", ")}. Install first: apt-get install ${packages}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function refusal(said: string): string {
  if (process.getuid?.() === 0)
    return (
      `this host does not let root make namespaces ("${said}"). A container needs to be started with --privileged; ` +
      "a chroot needs a mount point as its top folder (mount --bind FOLDER FOLDER)"
    );
  const closed = CLOSED_BY.find(({ file, value }) => setting(file) === value);
  return `the kernel keeps namespaces from ordinary users (${closed?.words ?? `"${said}"`}). Run it as root: sudo npm run demo`;
}

/** Settings with which kernels and distributions keep user namespaces from ordinary users. */
const CLOSED_BY = [
  { file: "user/max_user_namespaces", value: "0", words: "user.max_user_namespaces is 0" },
  { file: "kernel/unprivileged_userns_clone", value: "0", words: "kernel.unprivileged_userns_clone is 0" },
  {
    file: "kernel/apparmor_restrict_unprivileged_userns",
    value: "1",
    words: "kernel.apparmor_restrict_unprivileged_userns is 1",
  },
] as const;

function setting(file: string): string | undefined {
  try {
    return readFileSync(join("/proc/sys", file), "utf8").trim();
  } catch {
    return undefined;
  }
}
