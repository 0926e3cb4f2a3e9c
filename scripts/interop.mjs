/**
 * The interoperability suites by themselves, by any of their drivers:
 *
 *   interop.mjs [--driver netns|podman|docker] [--peer strongswan|libreswan] [--rows REGEX] [--full]
 *
 * `netns` (default): gateways and peers are processes in network namespaces. `podman`, `docker`: Causeway and strongSwan run in containers
 * of the images of packaging/, with what an image's user is told to permit and no more. `--rows`: the rows whose name matches;
 * `--full`: the rows of tier `full` as well.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { findEngine, prepareImages } from "./containers.mjs";
import { must, root } from "./process.mjs";

const SUITES = {
  netns: {
    strongswan: [
      "strongswan-userspace",
      "strongswan-kernel",
      "strongswan-symmetric",
      "strongswan-groups",
      "nat",
      "fragments",
    ],
    libreswan: ["libreswan-kernel", "libreswan-symmetric", "libreswan-groups"],
  },
  // Peers with kernel ESP are guest machines, and no containers.
  podman: { strongswan: ["compose", "strongswan-userspace", "nat"] },
  docker: { strongswan: ["compose", "strongswan-userspace", "nat"] },
};

const { values } = parseArgs({
  options: {
    driver: { type: "string", default: "netns" },
    peer: { type: "string", default: "strongswan" },
    rows: { type: "string" },
    full: { type: "boolean", default: false },
  },
});
if (!(values.driver in SUITES)) usage(`--driver ${values.driver}: one of ${Object.keys(SUITES).join(", ")}`);
const suites = SUITES[values.driver][values.peer];
if (suites === undefined)
  usage(`--peer ${values.peer} by --driver ${values.driver}: one of ${Object.keys(SUITES[values.driver]).join(", ")}`);

// From here on: whatever ends this run, what it made half is removed.
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => stop.abort());

must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });
process.env.CAUSEWAY_TIER = values.full ? "full" : "ci";
if (values.rows !== undefined) process.env.CAUSEWAY_INTEROP_ROWS = values.rows;
if (values.driver !== "netns") {
  const argv = findEngine(values.driver);
  const images = prepareImages(values.driver, argv);
  process.env.CAUSEWAY_INTEROP_ENGINE = JSON.stringify({ driver: values.driver, argv, images });
}

const files = suites
  .map((name) => join(root, "dist", "test", "interop", `${name}.test.js`))
  .filter((file) => existsSync(file));
const totals = { passed: 0, failed: 0, skipped: 0 };
const events = run({
  files,
  concurrency: 1,
  timeout: (values.full ? 60 : 15) * 60_000,
  signal: stop.signal,
});
// A suite is no row, and neither is a file that has none of them.
events.on("test:pass", ({ name, details, skip }) => {
  if (skip !== undefined) totals.skipped++;
  else if (details.type !== "suite" && !files.includes(name)) totals.passed++;
});
events.on("test:fail", () => totals.failed++);
for await (const text of events.compose(new spec())) process.stdout.write(text);
console.log(
  `interop by ${values.driver} with ${values.peer}: ${totals.passed} rows passed, ${totals.failed} failed, ${totals.skipped} skipped`,
);
if (totals.passed === 0) console.error("causeway interop: no row ran");
process.exit(totals.failed > 0 || totals.skipped > 0 || totals.passed === 0 || stop.signal.aborted ? 1 : 0);

function usage(message) {
  console.error(`causeway interop: ${message}`);
  process.exit(2);
}
