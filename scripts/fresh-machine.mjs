/**
 * Proves that a clean clone is enough: makes a minimal Debian 12 with nothing but Node.js and iproute2, clones the last commit
 * into it, runs one of our commands there as root, and writes the result into docs/test-report.md. Needs root.
 *
 *   fresh-machine.mjs demo     npm run demo
 *   fresh-machine.mjs test     npm test
 */
import { cpSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { createDebianMachine } from "./debian-machine.mjs";
import { ask, find, isRoot, must, root } from "./process.mjs";
import { writeSection } from "./test-report.mjs";

const COMMANDS = {
  demo: { argv: ["npm", "run", "demo"], seconds: 900 },
  test: { argv: ["npm", "test"], seconds: 3600 },
};
/** Readable for everybody, as the tests of what an ordinary user can do need it. */
const CLONE = "/srv/causeway";
/** What is kept of the output for the report. */
const KEPT_LINES = 40;

const name = process.argv[2];
const command = COMMANDS[name];
if (!command || process.argv.length !== 3) fail("usage: fresh-machine.mjs demo | test", 2);
if (!isRoot) fail("root is needed: a Debian system is made, and entered", 2);
if (ask("git", ["status", "--porcelain"]).stdout !== "") console.log("fresh machine: only what is committed is tested");

const machine = createDebianMachine("causeway-fresh", ["iproute2"]);
const { folder } = machine;
copyNode();
must("git", ["clone", "--quiet", "--no-hardlinks", root, join(folder, CLONE)]);
const started = new Date();
console.log(`fresh machine: ${command.argv.join(" ")}`);
const { status, text } = await machine.run(command.argv, { seconds: command.seconds, cwd: CLONE });
if (machine.stopped) fail("stopped");
report();
process.exit(status === 0 ? 0 : 1);

/** The Node.js that runs this, and its npm, where a tarball of nodejs.org would put them. */
function copyNode() {
  const npm = find("npm");
  if (!npm) fail("npm is missing beside this Node.js");
  const npmFolder = join(dirname(realpathSync(npm)), "..");
  const bin = join(folder, "usr/local/bin");
  cpSync(realpathSync(process.execPath), join(bin, "node"));
  cpSync(npmFolder, join(folder, "usr/local/lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const program of ["npm", "npx"])
    symlinkSync(`../lib/node_modules/npm/bin/${program}-cli.js`, join(bin, program));
}

function report() {
  const took = Math.round((Date.now() - started.getTime()) / 1000);
  const npm = JSON.parse(readFileSync(join(folder, "usr/local/lib/node_modules/npm/package.json"), "utf8")).version;
  const debian = readFileSync(join(folder, "etc/debian_version"), "utf8").trim();
  const commit = ask("git", ["rev-parse", "--short", "HEAD"]).stdout.trim();
  const words = status === 0 ? "passed" : `failed with status ${status}`;
  console.log(`\nfresh machine: ${command.argv.join(" ")} ${words} after ${took} s`);
  writeSection(`fresh machine, ${name}`, [
    `\`${command.argv.join(" ")}\` ${words} on ${started.toISOString().slice(0, 10)} after ${took} s, commit ${commit}: Debian ${debian} ` +
      `(debootstrap, minbase) with Node.js ${process.versions.node}, npm ${npm} and iproute2, kernel ${release()}. Its last lines:`,
    "",
    "```",
    ...text
      .trimEnd()
      .split("\n")
      .slice(-KEPT_LINES)
      .map((line) => stripVTControlCharacters(line).trimEnd()),
    "```",
  ]);
}

function fail(message, code = 1) {
  console.error(`fresh machine: ${message}`);
  process.exit(code);
}
