/**
 * Builds, lints and runs every suite; the last lines are node:test's own summary of all of them.
 *
 *   test.mjs               what `npm test` runs: units, simulations, repository rules, the `ci` rows of the interoperability table
 *   test.mjs --full        the rows of tier `full` as well, and docs/test-report.md
 *   test.mjs --no-skips    a skipped test fails the run (.ci/run)
 *   test.mjs --no-interop  leaves test/interop out (for work on the rest)
 */
import { fork } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { must, root } from "./process.mjs";
import { writeReport } from "./test-report.mjs";

const options = new Set(process.argv.slice(2));
for (const option of options)
  if (!["--full", "--no-skips", "--no-interop"].includes(option)) {
    console.error(`causeway test: unknown option ${option}`);
    process.exit(2);
  }

must(process.execPath, [join(root, "scripts", "build.mjs")], { seconds: 300 });
must(join(root, "node_modules", ".bin", "biome"), ["check", "--error-on-warnings", "."], { seconds: 120 });

const full = options.has("--full");
process.env.CAUSEWAY_TIER = full ? "full" : "ci";
const started = new Date();
const files = testFiles(join(root, "dist", "test")).filter(
  (file) => !(options.has("--no-interop") && isIn(file, "interop")),
);
/**
 * Suites of real devices and peers mostly wait for them, so three lanes run side by side: two of these, each with namespaces of its
 * own and one file at a time, and the rest, which computes, in what they leave of the processors. What judges losses under load
 * has the machine for itself afterwards.
 */
const LANES = ["guests", "devices", "units", "alone"];
const byLane = new Map(LANES.map((lane) => [lane, files.filter((file) => laneOf(file) === lane)]));
// The longest ones first, so that none of them is left alone at the end.
byLane.get("units").sort((a, b) => Number(isLong(b)) - Number(isLong(a)));

const totals = new Map();
const skipped = [];
const seconds = new Map();
for (const result of await Promise.all(LANES.slice(0, 3).map(runLane))) add(result);
add(await runLane("alone"));

const failed = (totals.get("fail") ?? 0) + (totals.get("cancelled") ?? 0);
const skipsFail = options.has("--no-skips") && skipped.length > 0;
if (full) writeReport({ started, totals, skipped });
if (skipped.length > 0) {
  console.log(`\nskipped${skipsFail ? ", which fails this run" : ""}:`);
  for (const { name, reason } of skipped) console.log(`  ${name} # ${reason}`);
}
console.log(`\nthe slowest, in seconds: ${slowest(12)}`);
for (const [name, value] of totals) console.log(`\u2139 ${name} ${value}`);
process.exit(failed > 0 || skipsFail || (totals.get("tests") ?? 0) === 0 ? 1 : 0);

function laneOf(file) {
  if (file.endsWith(`${sep}under-load.test.js`)) return "alone";
  // Two guest kernels at a time would take both processors.
  if (isIn(file, "interop")) return /kernel|nat|path-mtu|fragments|libreswan/.test(file) ? "guests" : "devices";
  return ["dataplane", "daemon", "demo"].some((folder) => isIn(file, folder)) ? "devices" : "units";
}

function isLong(file) {
  return ["sim", "model"].some((folder) => isIn(file, folder));
}

function isIn(file, folder) {
  return file.includes(`${sep}${folder}${sep}`);
}

/** The compiled suites, sorted. An explicit list: on Node 20 a folder would run the modules that suites import as suites. */
function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(folder, name))
    .sort();
}

/** Runs a lane in a process of its own, with a prefix of its own for its namespaces. A lane that ends without its result failed. */
function runLane(name) {
  const list = byLane.get(name);
  if (list.length === 0) return { totals: {}, skipped: [], seconds: {} };
  return new Promise((resolve) => {
    const child = fork(join(root, "scripts", "test-lane.mjs"));
    let result;
    child.on("message", (message) => {
      result = message;
    });
    child.on("close", (status) => {
      if (result === undefined) console.error(`causeway test: the lane ${name} ended early, with status ${status}`);
      resolve(result ?? { totals: { fail: 1 }, skipped: [], seconds: {} });
    });
    child.send({
      files: list,
      computes: name === "units",
      minutes: full ? 60 : 30,
      env: { CAUSEWAY_NAMESPACES: `causeway-${name}` },
    });
  });
}

function add({ totals: counts, skipped: reasons, seconds: times }) {
  for (const [name, value] of Object.entries(counts)) totals.set(name, round((totals.get(name) ?? 0) + value));
  skipped.push(...reasons);
  for (const [file, spent] of Object.entries(times)) seconds.set(file, spent);
}

function slowest(count) {
  return [...seconds]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([file, spent]) => `${relative(join(root, "dist", "test"), file)} ${Math.round(spent)}`)
    .join(", ");
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}
