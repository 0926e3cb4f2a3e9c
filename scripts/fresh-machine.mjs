/**
 * Proves that a clean clone is enough: makes a minimal Debian 12 with nothing but Node.js and iproute2, clones the last commit
 * into it, runs one of our commands there as root, and writes the result into docs/test-report.md. Needs root.
 *
 *   fresh-machine.mjs demo     npm run demo
 *   fresh-machine.mjs test     npm test
 *
 * The folder is entered by pivot_root in a mount and process namespace of its own, so the kernel removes processes and mounts
 * whatever happens. What this host knows about its mirrors and certificates is lent to it while it runs: npm's configuration,
 * apt's proxies, /etc/ssl/certs. Nothing of that is written into the repository.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { installPackages } from "./peers.mjs";
import { ask, find, isRoot, launch, must, root } from "./process.mjs";
import { writeSection } from "./test-report.mjs";

const COMMANDS = {
  demo: { argv: ["npm", "run", "demo"], seconds: 900 },
  test: { argv: ["npm", "test"], seconds: 3600 },
};
const DEFAULT_MIRROR = "http://deb.debian.org/debian";
/** Readable for everybody, as the tests of what an ordinary user can do need it. */
const CLONE = "/srv/causeway";
/** Settings of this host's environment that the commands need to reach npm's registry and Debian's mirror. */
const LENT_ENVIRONMENT =
  /^(https?_proxy|no_proxy|all_proxy|node_extra_ca_certs|ssl_cert_(file|dir)|npm_config_(registry|cafile|proxy|https_proxy|noproxy|strict_ssl))$/i;
/** What is kept of the output for the report. */
const KEPT_LINES = 40;

const name = process.argv[2];
const command = COMMANDS[name];
if (!command || process.argv.length !== 3) fail("usage: fresh-machine.mjs demo | test", 2);
if (!isRoot) fail("root is needed: a Debian system is made, and entered", 2);
if (ask("git", ["status", "--porcelain"]).stdout !== "") console.log("fresh machine: only what is committed is tested");

const machine = mkdtempSync("/var/tmp/causeway-fresh-");
chmodSync(machine, 0o755); // ordinary users are to find their way into it
process.on("exit", () => ask("rm", ["-rf", "--one-file-system", machine], { seconds: 120 }));
let running;
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    stopped = true;
    if (running) running.kill("SIGTERM");
    else process.exit(1);
  });

installDebian();
copyNode();
must("git", ["clone", "--quiet", "--no-hardlinks", root, join(machine, CLONE)]);
lendSettings();
const started = new Date();
const { status, lines } = await runInside(command);
if (stopped) fail("stopped");
report();
process.exit(status === 0 ? 0 : 1);

function installDebian() {
  if (!find("debootstrap")) installPackages(["debootstrap"]);
  console.log(`fresh machine: Debian 12 from ${mirror()}`);
  // debootstrap mounts inside the folder: in a namespace of its own, so that nothing stays when it is interrupted.
  const argv = ["debootstrap", "--variant=minbase", "--include=iproute2", "bookworm", machine, mirror()];
  const done = ask("unshare", ["--mount", "--pid", "--fork", "--kill-child", "--", ...argv], { seconds: 900 });
  if (done.status !== 0) fail(`debootstrap failed:\n${done.stdout.split("\n").slice(-10).join("\n")}${done.stderr}`);
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

/** The Node.js that runs this, and its npm, where a tarball of nodejs.org would put them. */
function copyNode() {
  const npm = find("npm");
  if (!npm) fail("npm is missing beside this Node.js");
  const npmFolder = join(dirname(realpathSync(npm)), "..");
  const bin = join(machine, "usr/local/bin");
  cpSync(realpathSync(process.execPath), join(bin, "node"));
  cpSync(npmFolder, join(machine, "usr/local/lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const program of ["npm", "npx"])
    symlinkSync(`../lib/node_modules/npm/bin/${program}-cli.js`, join(bin, program));
}

/** Names, and apt's proxies; what is secret or big is mounted in `entering` instead. */
function lendSettings() {
  for (const file of ["/etc/resolv.conf", "/etc/hosts"]) cpSync(realpathSync(file), join(machine, file));
  const proxies = ask("apt-config", ["dump", "Acquire"]).stdout.match(/^Acquire::https?::proxy.*$/gim) ?? [];
  writeFileSync(join(machine, "etc/apt/apt.conf.d/90lent"), `${proxies.join("\n")}\n`);
}

/** Files and folders of this host that are readable there while the command runs. */
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
function entering() {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const there = (path) => quote(join(machine, path));
  const lend = mountsFromHere().flatMap(([here, path]) => [
    `test -d ${quote(here)} && mkdir -p ${there(path)} || { mkdir -p ${there(dirname(path))}; touch ${there(path)}; }`,
    `mount --bind ${quote(here)} ${there(path)}`,
    `mount -o remount,bind,ro ${there(path)}`,
  ]);
  return [
    `mount --bind ${quote(machine)} ${quote(machine)}`,
    `mount -t proc proc ${there("proc")}`,
    `mount --rbind /sys ${there("sys")}`,
    `mount --rbind /dev ${there("dev")}`,
    `mount -t tmpfs -o mode=0755 tmpfs ${there("run")}`,
    ...lend,
    `cd ${quote(machine)}`,
    "mkdir .host",
    "pivot_root . .host",
    `cd ${CLONE}`,
    "umount --lazy /.host",
    "rmdir /.host",
  ].join("\n");
}

/** The command's status and its last lines; what it says is shown as it comes. */
async function runInside({ argv, seconds }) {
  console.log(`fresh machine: ${argv.join(" ")}`);
  const lent = Object.entries(process.env).filter(([key]) => LENT_ENVIRONMENT.test(key));
  const env = { ...Object.fromEntries(lent), HOME: "/root", LANG: "C.UTF-8", PATH: standardPath() };
  const script = `set -e\n${entering()}\nexec "$@"`;
  running = launch(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script, "sh", ...argv], {
    seconds,
    env,
  });
  let text = "";
  for (const stream of [running.stdout, running.stderr])
    stream.setEncoding("utf8").on("data", (part) => {
      process.stdout.write(part);
      text = (text + part).slice(-(1 << 20));
    });
  const status = await new Promise((resolve, reject) => {
    running.on("error", reject);
    running.on("close", resolve);
  });
  running = undefined;
  return { status, lines: text.trimEnd().split("\n").slice(-KEPT_LINES) };
}

function standardPath() {
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

function report() {
  const took = Math.round((Date.now() - started.getTime()) / 1000);
  const npm = JSON.parse(readFileSync(join(machine, "usr/local/lib/node_modules/npm/package.json"), "utf8")).version;
  const debian = readFileSync(join(machine, "etc/debian_version"), "utf8").trim();
  const commit = ask("git", ["rev-parse", "--short", "HEAD"]).stdout.trim();
  const words = status === 0 ? "passed" : `failed with status ${status}`;
  console.log(`\nfresh machine: ${command.argv.join(" ")} ${words} after ${took} s`);
  writeSection(`fresh machine, ${name}`, [
    `\`${command.argv.join(" ")}\` ${words} on ${started.toISOString().slice(0, 10)} after ${took} s, commit ${commit}: Debian ${debian} ` +
      `(debootstrap, minbase) with Node.js ${process.versions.node}, npm ${npm} and iproute2, kernel ${release()}. Its last lines:`,
    "",
    "```",
    ...lines.map((line) => stripVTControlCharacters(line).trimEnd()),
    "```",
  ]);
}

function fail(message, code = 1) {
  console.error(`fresh machine: ${message}`);
  process.exit(code);
}
