/**
 * Builds, lints and runs every suite; the last lines are node:test's own summary of all of them.
 *
 *   test.mjs               what `npm test` runs: units, simulations, repository rules, the `ci` rows of the interoperability table
 *   test.mjs --full        the rows of tier `full` as well, and docs/test-report.md
 *   test.mjs --no-skips    a skipped test fails the run (.ci/run)
 *   test.mjs --no-interop  leaves test/interop out (for work on the rest)
 */
import { existsSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { must, root } from "./process.mjs";
import { writeReport } from "./test-report.mjs";

/** The lines of node:test's summary, which arrive as diagnostics of the root. */
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

const options = new Set(process.argv.slice(2));
for (const option of options)
  if (!["--full", "--no-skips", "--no-interop"].includes(option)) {
    console.error(`causeway test: unknown option ${option}`);
    process.exit(2);
  }

must(process.execPath, [join(root, "scripts", "build.mjs")], { seconds: 300 });
must(join(root, "node_modules", ".bin", "biome"), ["check", "--error-on-warnings", "."], { seconds: 120 });

process.env.CAUSEWAY_TIER = options.has("--full") ? "full" : "ci";
const started = new Date();
const files = testFiles(join(root, "dist", "test"));
const isInterop = (file) => file.includes(`${sep}interop${sep}`);

const reporter = new spec();
reporter.pipe(process.stdout);
const totals = new Map();
const skipped = [];
// The suites of interoperability share the machine's network devices and want its cores for themselves: one at a time.
await runFiles(
  files.filter((file) => !isInterop(file)),
  { concurrency: 2, timeout: (options.has("--full") ? 30 : 5) * 60_000 },
);
if (!options.has("--no-interop"))
  await runFiles(files.filter(isInterop), { concurrency: 1, timeout: (options.has("--full") ? 60 : 15) * 60_000 });
await finished(reporter);

const failed = (totals.get("fail") ?? 0) + (totals.get("cancelled") ?? 0);
const skipsFail = options.has("--no-skips") && skipped.length > 0;
if (options.has("--full")) writeReport({ started, totals, skipped });
if (skipped.length > 0) {
  console.log(`\nskipped${skipsFail ? ", which fails this run" : ""}:`);
  for (const { name, reason } of skipped) console.log(`  ${name} # ${reason}`);
}
console.log();
for (const [name, value] of totals) console.log(`\u2139 ${name} ${value}`);
process.exit(failed > 0 || skipsFail || (totals.get("tests") ?? 0) === 0 ? 1 : 0);

/** The compiled suites, sorted. An explicit list: on Node 20 a folder would run the modules that suites import as suites. */
function testFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => join(folder, name))
    .sort();
}

/** Runs the files, hands every event to the reporter, and adds the summary of this run to the totals. */
async function runFiles(list, { concurrency, timeout }) {
  if (list.length === 0) return;
  for await (const event of run({ files: list, concurrency, timeout })) {
    const { type, data } = event;
    const count = type === "test:diagnostic" && data.nesting === 0 ? SUMMARY.exec(data.message) : null;
    if (count) {
      totals.set(count[1], round((totals.get(count[1]) ?? 0) + Number(count[2])));
      continue;
    }
    if (type === "test:pass" && data.skip !== undefined)
      skipped.push({ name: data.name, reason: data.skip === true || data.skip === "" ? "no reason given" : data.skip });
    reporter.write(event);
  }
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}

function finished(stream) {
  return new Promise((resolve) => {
    stream.on("end", resolve);
    stream.end();
  });
}
