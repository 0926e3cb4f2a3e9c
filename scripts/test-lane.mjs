/**
 * One lane of suites, in a process of its own: `npm test` drives several at a time. What a lane is told and tells goes over the
 * channel of `fork`: { files, computes, minutes, env } in, { totals, skipped, seconds } out; its report goes to our own output.
 */
import { setPriority } from "node:os";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** The lines of node:test's summary, which arrive as diagnostics of the root. */
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

/** Nobody waits for us any more: the running suites end as well. */
const left = new AbortController();
process.once("disconnect", () => left.abort());
process.once("message", async (lane) => {
  Object.assign(process.env, lane.env);
  if (lane.computes) setPriority(10); // those who wait for packets come first
  const result = await runLane(lane);
  process.send(result, () => process.exit());
});

/** Runs the files, hands every event to the reporter, and gathers the summary. */
async function runLane({ files, computes, minutes }) {
  const reporter = new spec();
  reporter.pipe(process.stdout);
  const totals = {};
  const skipped = [];
  /** File -> seconds of its tests. */
  const seconds = {};
  for await (const event of run({
    files,
    concurrency: computes ? 2 : 1,
    timeout: minutes * 60_000,
    signal: left.signal,
  })) {
    const { type, data } = event;
    const count = type === "test:diagnostic" && data.nesting === 0 ? SUMMARY.exec(data.message) : null;
    if (count) {
      totals[count[1]] = Number(count[2]);
      continue;
    }
    if (type === "test:pass" && data.skip !== undefined)
      skipped.push({ name: data.name, reason: data.skip === true || data.skip === "" ? "no reason given" : data.skip });
    if ((type === "test:pass" || type === "test:fail") && data.nesting === 0)
      seconds[data.file] = (seconds[data.file] ?? 0) + data.details.duration_ms / 1000;
    reporter.write(event);
  }
  await new Promise((resolve) => {
    reporter.on("end", resolve);
    reporter.end();
  });
  return { totals, skipped, seconds };
}
