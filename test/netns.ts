/**
 * Network namespaces for tests: `PREFIX-PID-NAME`. One process at a time has any of a prefix (a lock that the kernel releases with
 * the process), so what belongs to no living process at the start was left behind and is removed; our own go at the end, also after Ctrl-C.
 */
import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { must, until } from "./child.js";

export interface Namespaces {
  /** Creates a namespace with loopback up and forwarding on. `pid`: takes the one that this process is in, instead. */
  add(name: string, pid?: number): Promise<void>;
  /** The command line that runs `argv` inside. */
  inside(name: string, ...argv: string[]): string[];
  /** SIGKILL for everything that runs inside; wrappers that bound it run outside. */
  killAll(name: string): Promise<void>;
  /** Several `ip` commands inside, one per line. */
  ip(name: string, commands: string): Promise<void>;
  /** Joins two namespaces by a veth pair, both ends up. */
  link(a: { ns: string; dev: string }, b: { ns: string; dev: string }): Promise<void>;
  sysctl(name: string, settings: Readonly<Record<string, number>>): Promise<void>;
  close(): Promise<void>;
}

/** `prefix`: each lane of a test run has its own, and the benchmark, so that they may run beside each other. */
export async function openNamespaces(prefix = process.env.CAUSEWAY_NAMESPACES ?? "causeway-test"): Promise<Namespaces> {
  const release = await lock(prefix);
  remove(prefix, (pid) => !existsSync(`/proc/${pid}`));
  const removeOwn = (): void => remove(prefix, (pid) => pid === process.pid);
  const full = (name: string): string => `${prefix}-${process.pid}-${name}`;
  const inside = (name: string, ...argv: string[]): string[] => ["ip", "netns", "exec", full(name), ...argv];
  const sysctl = async (name: string, settings: Readonly<Record<string, number>>): Promise<void> => {
    const script = Object.entries(settings).map(
      ([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll(".", "/")}`,
    );
    await must(inside(name, "sh", "-ec", script.join("\n")));
  };
  const onExit = removeOwn;
  const onSignal = (): void => process.exit(130);
  process.on("exit", onExit);
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    inside,
    sysctl,
    async add(name, pid) {
      await must(["ip", "netns", ...(pid === undefined ? ["add", full(name)] : ["attach", full(name), String(pid)])]);
      await must(["ip", "-n", full(name), "link", "set", "lo", "up"]);
      await sysctl(name, {
        "net.ipv4.ip_forward": 1,
        "net.ipv6.conf.all.forwarding": 1,
        "net.ipv4.conf.all.rp_filter": 0,
        "net.ipv4.conf.default.rp_filter": 0,
        "net.ipv6.conf.default.accept_dad": 0,
      });
    },
    async killAll(name) {
      const pids = (await must(["ip", "netns", "pids", full(name)])).trim();
      for (const pid of pids === "" ? [] : pids.split("\n")) process.kill(Number(pid), "SIGKILL");
    },
    ip: async (name, commands) => void (await must(["ip", "-n", full(name), "-batch", "-"], { input: commands })),
    async link(a, b) {
      await must(
        `ip link add ${a.dev} netns ${full(a.ns)} type veth peer name ${b.dev} netns ${full(b.ns)}`.split(" "),
      );
      for (const { ns, dev } of [a, b]) await must(["ip", "-n", full(ns), "link", "set", dev, "up"]);
    },
    async close() {
      removeOwn();
      process.off("exit", onExit);
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      await release();
    },
  };
}

/** Holds an abstract socket: nobody else can have it, and it is gone with the process. */
async function lock(prefix: string): Promise<() => Promise<void>> {
  const server = await until(`another run with namespaces ${prefix} to end`, 1200, () => tryLock(prefix));
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function tryLock(prefix: string): Promise<ReturnType<typeof createServer> | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(undefined) : reject(error),
    );
    // Names of namespaces lie in /run: a machine with a /run of its own need not wait for us (scripts/fresh-machine.mjs).
    server.listen(`\0${prefix}-namespaces-${statSync("/run").dev}`, () => resolve(server));
  });
}

/** Removes the namespaces of the processes that `whose` picks, with what still runs in them. Synchronous: it runs at exit. */
function remove(prefix: string, whose: (pid: number) => boolean): void {
  const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", timeout: 20_000 });
  const names = ip("netns", "list")
    .split("\n")
    .map((line) => line.split(" ")[0]!)
    .filter((name) => name.startsWith(`${prefix}-`) && whose(Number.parseInt(name.slice(prefix.length + 1), 10)));
  for (const name of names) {
    for (const pid of ip("netns", "pids", name).split("\n").filter(Boolean)) kill(Number(pid));
    ip("netns", "delete", name);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended meanwhile
  }
}
