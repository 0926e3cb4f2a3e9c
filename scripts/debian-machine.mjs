/**
 * A minimal Debian 12 in a folder, for what has to be proved on a fresh machine. Needs root.
 *
 * The folder is entered by pivot_root in a mount and process namespace of its own, so the kernel removes processes and mounts
 * whatever happens. What this host knows about its mirrors and certificates is lent to it while it runs: npm's configuration,
 * apt's proxies, /etc/ssl/certs. Nothing of that is written into the repository.
 */
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { installPackages } from "./peers.mjs";
import { ask, find, launch } from "./process.mjs";

const DEFAULT_MIRROR = "http://deb.debian.org/debian";
/** Settings of this host's environment that commands need to reach npm's registry and Debian's mirror. */
const LENT_ENVIRONMENT =
  /^(https?_proxy|no_proxy|all_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|npm_config_(registry|cafile|proxy|https_proxy|noproxy|strict_ssl))$/i;
const STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Makes the machine with `packages` beside the base system: its folder, `run`, and the state of being `stopped` by a signal.
 * The folder goes when this process ends. Throws `Error` with the last lines of debootstrap.
 */
export function createDebianMachine(name, packages) {
  const folder = mkdtempSync(`/var/tmp/${name}-`);
  chmodSync(folder, 0o755); // ordinary users are to find their way into it
  const machine = { folder, stopped: false, run: (argv, options) => run(machine, argv, options) };
  process.on("exit", () => ask("rm", ["-rf", "--one-file-system", folder], { seconds: 120 }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      machine.stopped = true;
      if (machine.running) machine.running.kill("SIGTERM");
      else process.exit(1);
    });
  debootstrap(folder, packages);
  lendSettings(folder);
  return machine;
}

/** Debian 12 with `packages` beside the base system, in an empty folder. Throws `Error` with the last lines of debootstrap. */
export function debootstrap(folder, packages) {
  if (!find("debootstrap")) installPackages(["debootstrap"]);
  console.log(`Debian 12 from ${mirror()}`);
  // debootstrap mounts inside the folder: in a namespace of its own, so that nothing stays when it is interrupted.
  const include = packages.length > 0 ? [`--include=${packages.join(",")}`] : [];
  const argv = ["debootstrap", "--variant=minbase", ...include, "bookworm", folder, mirror()];
  const done = ask("unshare", ["--mount", "--pid", "--fork", "--kill-child", "--", ...argv], { seconds: 900 });
  if (done.status !== 0)
    throw new Error(`debootstrap failed:\n${done.stdout.split("\n").slice(-10).join("\n")}${done.stderr}`);
}

/** The mirror that this host uses, where it is a Debian. */
function mirror() {
  if (!/^ID=debian$/m.test(readFileSync("/etc/os-release", "utf8"))) return DEFAULT_MIRROR;
  for (const file of ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]) {
    if (!existsSync(file)) continue;
    const found = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+)/m.exec(readFileSync(file, "utf8"));
    if (found) return found[1];
  }
  return DEFAULT_MIRROR;
}

/** Names, and apt's proxies; what is secret or big is mounted in `entering` instead. */
function lendSettings(folder) {
  for (const file of ["/etc/resolv.conf", "/etc/hosts"]) cpSync(realpathSync(file), join(folder, file));
  const proxies = ask("apt-config", ["dump", "Acquire"]).stdout.match(/^Acquire::https?::proxy.*$/gim) ?? [];
  writeFileSync(join(folder, "etc/apt/apt.conf.d/90lent"), `${proxies.join("\n")}\n`);
}

/** Files and folders of this host that are readable there while a command runs. */
function mountsFromHere() {
  const npm = (key) => ask("npm", ["config", "get", key], { cwd: "/" }).stdout.trim();
  return [
    [npm("userconfig"), "/root/.npmrc"],
    [npm("globalconfig"), "/usr/local/etc/npmrc"],
    ["/etc/ssl/certs", "/etc/ssl/certs"],
    ["/usr/share/ca-certificates", "/usr/share/ca-certificates"],
    ["/usr/local/share/ca-certificates", "/usr/local/share/ca-certificates"],
  ].filter(([here]) => existsSync(here));
}

/** The shell commands that turn the folder into the root of this mount namespace. */
function entering(folder, cwd) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const there = (path) => quote(join(folder, path));
  const lend = mountsFromHere().flatMap(([here, path]) => [
    `test -d ${quote(here)} && mkdir -p ${there(path)} || { mkdir -p ${there(dirname(path))}; touch ${there(path)}; }`,
    `mount --bind ${quote(here)} ${there(path)}`,
    `mount -o remount,bind,ro ${there(path)}`,
  ]);
  return [
    `mount --bind ${quote(folder)} ${quote(folder)}`,
    `mount -t proc proc ${there("proc")}`,
    `mount --rbind /sys ${there("sys")}`,
    `mount --rbind /dev ${there("dev")}`,
    `mount -t tmpfs -o mode=0755 tmpfs ${there("run")}`,
    ...lend,
    `cd ${quote(folder)}`,
    "mkdir .host",
    "pivot_root . .host",
    `cd ${quote(cwd)}`,
    "umount --lazy /.host",
    "rmdir /.host",
  ].join("\n");
}

/** Runs a command there: its status, and what it said, which is shown as it comes. */
async function run(machine, argv, { seconds, cwd = "/" }) {
  const lent = Object.entries(process.env).filter(([key]) => LENT_ENVIRONMENT.test(key));
  const env = { ...Object.fromEntries(lent), HOME: "/root", LANG: "C.UTF-8", PATH: STANDARD_PATH };
  const script = `set -e\n${entering(machine.folder, cwd)}\nexec "$@"`;
  machine.running = launch(
    ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script, "sh", ...argv],
    { seconds, env },
  );
  let text = "";
  for (const stream of [machine.running.stdout, machine.running.stderr])
    stream.setEncoding("utf8").on("data", (part) => {
      process.stdout.write(part);
      text = (text + part).slice(-(1 << 20));
    });
  const status = await new Promise((resolve, reject) => {
    machine.running.on("error", reject);
    machine.running.on("close", resolve);
  });
  machine.running = undefined;
  return { status, text };
}
