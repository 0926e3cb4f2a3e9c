import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Configuration } from "../../src/config/model.js";
import { createLog } from "../../src/log.js";
import { planLines } from "../../src/reload/plan-words.js";
import { createReloader } from "../../src/reload/reloader.js";
import { loadStart } from "../../src/reload/start.js";
import { recordPath } from "../../src/reload/unconfirmed.js";
import { until } from "../child.js";
import { manualClock } from "./manual-clock.js";

const folder = mkdtempSync(join(tmpdir(), "cwrl-"));
after(() => rmSync(folder, { recursive: true }));
const log = createLog({ level: "error", format: "text" }, { write: () => undefined });

let made = 0;

/** A file, and a gateway that runs it without a network. */
function scene() {
  const home = mkdtempSync(join(folder, `${made++}-`));
  const file = join(home, "gateway.yaml");
  const write = (...tunnels: readonly string[]) => writeFileSync(file, yaml(home, tunnels));
  write("a", "b");
  const applied: string[][] = [];
  let current = started(file).configuration;
  let refusal: string | undefined;
  const { clock, advance } = manualClock();
  const reloaderOf = () => {
    const start = started(file);
    current = start.configuration;
    return createReloader({
      gateway: {
        configuration: () => current,
        async apply(next) {
          if (refusal !== undefined) throw new Error(refusal);
          current = next;
          applied.push(namesOf(next));
        },
      },
      clock,
      log,
      ...start,
    });
  };
  return {
    file,
    write,
    applied,
    advance,
    reloaderOf,
    record: recordPath(current.gateway),
    running: () => namesOf(current),
    refuse(why: string | undefined) {
      refusal = why;
    },
  };
}

function started(file: string) {
  const start = loadStart(file);
  if ("errors" in start) throw start.errors[0]!;
  return start;
}

const namesOf = ({ policy }: Configuration) => policy.tunnels.map(({ name }) => name);

function yaml(home: string, names: readonly string[]): string {
  const tunnels = names.map((name, i) => {
    const policies = `[{ local: [10.1.${i}.0/24], peer: [10.2.${i}.0/24] }]`;
    return `  - { name: ${name}, peer: 192.0.2.${i + 1}, psk: "a key that is long enough 4711", policies: ${policies} }\n`;
  });
  return `version: 1\ngateway: { name: g, control: { socket: ${join(home, "c.sock")} } }\ntunnels:\n${tunnels.join("")}`;
}

/** Lets promises and files settle. */
async function settle(condition: () => boolean): Promise<void> {
  await until("what the test waits for", 30, async () => condition() || undefined);
}

test("a plan changes nothing, and says of every tunnel what would become of it", async () => {
  const { file, write, applied, reloaderOf } = scene();
  const reloader = reloaderOf();
  write("a", "c");
  const plan = await reloader.plan();
  assert.equal(plan.file, file);
  assert.deepEqual(
    plan.tunnels.map(({ name, treatment }) => `${name} ${treatment}`),
    ["a kept", "c added", "b removed"],
  );
  assert.deepEqual(applied, []);
  assert.ok(planLines(plan).includes("tunnel b is REMOVED; its SAs are deleted at the peer"));
  assert.deepEqual(planLines(await reloader.plan({ text: "version: 2\n" })).length, 2);
});

test("a reload applies the file once; a wrong file and a host that refuses leave everything as it was", async () => {
  const { file, write, applied, reloaderOf, refuse, running } = scene();
  const reloader = reloaderOf();
  write("a", "c");
  refuse("the host is full");
  const refused = await reloader.reload();
  assert.deepEqual([refused.ok, refused.reason], [false, "the host is full"]);
  refuse(undefined);
  assert.equal((await reloader.reload()).ok, true);
  assert.deepEqual(applied, [["a", "c"]]);
  writeFileSync(file, "version: 1\ntunnels: [");
  const wrong = await reloader.reload();
  assert.equal(wrong.ok, false);
  assert.equal(wrong.plan!.errors.length > 0, true);
  assert.deepEqual(running(), ["a", "c"]);
});

test("what is on trial comes off by itself, and the oldest that was confirmed comes back", async () => {
  const { write, applied, advance, reloaderOf, running, record } = scene();
  const reloader = reloaderOf();
  write("a");
  assert.equal((await reloader.reload({ confirm_s: 60 })).confirm_within_s, 60);
  write("a", "b", "c");
  advance(30_000);
  await reloader.reload({ confirm_s: 60 });
  advance(59_000);
  assert.deepEqual(running(), ["a", "b", "c"]);
  advance(1_000);
  await settle(() => applied.length === 3);
  assert.deepEqual(running(), ["a", "b"]);
  assert.ok(existsSync(record), "the next start must not use what nobody confirmed");
  assert.equal((await reloader.reload({ confirm: true })).ok, false, "it is too late");
});

test("a confirmation ends the trial, as does a reload without one", async () => {
  for (const end of [{ confirm: true } as const, {}]) {
    const { write, applied, advance, reloaderOf, record, running } = scene();
    const reloader = reloaderOf();
    write("a");
    await reloader.reload({ confirm_s: 60 });
    assert.ok(existsSync(record));
    assert.equal((await reloader.reload(end)).ok, true);
    assert.ok(!existsSync(record));
    const count = applied.length;
    advance(120_000);
    await reloader.reload({ confirm: true });
    assert.equal(applied.length, count);
    assert.deepEqual(running(), ["a"]);
  }
});

test("the record is on the disk before the first change, so that a start after a crash in the middle uses the one before", async () => {
  const { file, write, record } = scene();
  const start = started(file);
  const reloader = createReloader({
    gateway: { configuration: () => start.configuration, apply: () => new Promise(() => undefined) },
    clock: manualClock().clock,
    log,
    ...start,
  });
  write("a");
  void reloader.reload({ confirm_s: 60 });
  await settle(() => existsSync(record));
  assert.equal(statSync(record).mode & 0o777, 0o600);
  const again = started(file);
  assert.deepEqual(namesOf(again.configuration), ["a", "b"]);
  assert.ok(again.unconfirmed);
});

test("after a crash the operator's word counts: the same file again, or another one", async () => {
  const { file, write, record, reloaderOf, running } = scene();
  const first = reloaderOf();
  write("a");
  await first.reload({ confirm_s: 60 });
  first.stop();
  const second = reloaderOf();
  assert.deepEqual(running(), ["a", "b"]);
  assert.equal((await second.reload()).ok, true);
  assert.deepEqual(running(), ["a"]);
  assert.ok(!existsSync(record));
  assert.deepEqual(namesOf(started(file).configuration), ["a"]);
  write("b");
  await second.reload({ confirm_s: 60 });
  write("c");
  assert.deepEqual(namesOf(started(file).configuration), ["c"], "an edited file is a new decision");
});

test("a reload forgets what an earlier run has left on trial, and a trial that the host refuses keeps the one before", async () => {
  const { file, write, reloaderOf, running, refuse } = scene();
  const first = reloaderOf();
  write("a");
  await first.reload({ confirm_s: 60 });
  first.stop();
  write("c");
  const second = reloaderOf();
  write("a");
  assert.equal((await second.reload()).ok, true);
  assert.deepEqual(namesOf(started(file).configuration), ["a"], "the operator has taken it");
  write("a", "b");
  await second.reload({ confirm_s: 60 });
  write("b");
  refuse("the host is full");
  assert.equal((await second.reload({ confirm_s: 60 })).ok, false);
  assert.deepEqual(running(), ["a", "b"]);
  write("a", "b");
  assert.deepEqual(namesOf(started(file).configuration), ["a"], "what runs is still on trial");
});

test("a record that cannot be read stops the start with its path", () => {
  const { file, record } = scene();
  writeFileSync(record, "{}");
  assert.throws(() => loadStart(file), new RegExp(`${record.replaceAll(".", "\\.")}`));
  assert.ok(readFileSync(file, "utf8").length > 0);
});
