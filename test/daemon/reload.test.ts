import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusReport } from "../../src/control/status-model.js";
import type { ReloadPlan } from "../../src/reload/plan-model.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, MAIN, openGateways, PSK, RIGHT, type Site, SKIP } from "./gateways.js";
import type { FlowResult } from "./numbered-flows-program.js";

const TUNNELS = 20;
const PROGRAM = join(import.meta.dirname, "numbered-flows-program.js");

let namespaces: Namespaces;
let pair: Gateways;

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  pair = await openGateways(namespaces, { yaml: () => "" });
  for (const site of BOTH) {
    writeFileSync(pair.configurationOf(site), configuration(site), { mode: 0o600 });
    const lines = numbers().map((i) => `addr add ${addressOf(site, i)}/32 dev lo`);
    await namespaces.ip(pair.place(site.name), `${lines.join("\n")}\n`);
    pair.launch(site, 300);
  }
  await allUp();
});

after(async () => {
  await pair?.close();
  await namespaces?.close();
});

const numbers = () => Array.from({ length: TUNNELS }, (_, i) => i);
const networkOf = ({ name }: Site) => (name === "left" ? "10.1" : "10.2");
const addressOf = (site: Site, i: number) => `${networkOf(site)}.${i}.1`;

/** `extra`: further lines of a tunnel; null leaves it out. */
function configuration(here: Site, extra: Readonly<Record<number, string | null>> = {}): string {
  const there = here === LEFT ? RIGHT : LEFT;
  const tunnels = numbers().flatMap((i) =>
    extra[i] === null
      ? []
      : [
          `  - name: t${i}`,
          `    local_id: ${here.name}${i}.example`,
          `    peer_id: ${there.name}${i}.example`,
          `    policies: [{ local: [${networkOf(here)}.${i}.0/24], peer: [${networkOf(there)}.${i}.0/24] }]`,
          ...(extra[i] === undefined ? [] : [`    ${extra[i]}`]),
        ],
  );
  return `version: 1
gateway:
  name: ${here.name}
  address: ${here.outer}
  control: { socket: ${pair.socketOf(here)} }
  log: { format: text, level: info }
defaults:
  peer: ${there.outer}
  psk: "${PSK}"
  start: ${here === LEFT ? "active" : "passive"}
  esp: { pfs_check: false }
tunnels:
${tunnels.join("\n")}
`;
}

function rewrite(extra: Readonly<Record<number, string | null>>): void {
  writeFileSync(pair.configurationOf(LEFT), configuration(LEFT, extra));
}

function allUp(count = TUNNELS): Promise<StatusReport> {
  return until(`${count} tunnels to be established`, 60, async () => {
    const status = await pair.status(LEFT);
    const up = status?.tunnels.filter(({ state }) => state === "established").length;
    return up === count && status?.tunnels.length === count ? status : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${pair.tail(LEFT)}`);
  });
}

const spisOf = ({ tunnels }: StatusReport) =>
  new Map(tunnels.map(({ name, ike, children }) => [name, `${ike?.spi_i} ${children.map(({ spi_in }) => spi_in)}`]));

function flows(site: Site, go: string, rate: number, seconds: number): Running {
  const other = site === LEFT ? RIGHT : LEFT;
  const words = [`${networkOf(site)}.%.1`, `${networkOf(other)}.%.1`, TUNNELS, 5007, rate, go, seconds].map(String);
  return start(pair.inside(site.name, process.execPath, PROGRAM, ...words), { seconds: seconds + 60 });
}

async function resultsOf(program: Running): Promise<readonly FlowResult[]> {
  const { status, stdout, stderr } = await program.ended;
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as FlowResult[];
}

function causeway(...words: string[]) {
  return run(pair.inside("left", process.execPath, MAIN, ...words, "--socket", pair.socketOf(LEFT)));
}

test("a reload that changes one of twenty tunnels loses no packet of the others, as plan had said", {
  skip: SKIP,
}, async () => {
  const before = await allUp();
  const go = join(pair.folder, "go");
  const programs = [flows(LEFT, go, 25, 10), flows(RIGHT, go, 25, 10)];
  for (const program of programs)
    await until("the flows to be ready", 30, async () => /ready/.test(program.output()) || undefined);
  rewrite({ 7: "encapsulation: udp" });
  const plan = JSON.parse(await must(planned("--json"))) as ReloadPlan;
  assert.deepEqual(
    plan.tunnels.map(({ name, treatment }) => [name, treatment]),
    numbers().map((i) => [`t${i}`, i === 7 ? "restarted" : "kept"]),
  );
  assert.match(await must(planned()), /tunnel t7 is RESTARTED[\s\S]*19 tunnels stay as they are/);
  const begin = Date.now() + 500;
  writeFileSync(`${go}.new`, String(begin));
  renameSync(`${go}.new`, go);
  await until("the flows to run", 10, async () => (Date.now() > begin + 2_000 ? true : undefined));
  const reloadedAt = Date.now() - begin;
  await pair.command(LEFT, "reload");
  const [left, right] = await Promise.all(programs.map(resultsOf));
  for (const [i, flow] of [...left!, ...right!].entries()) {
    const sent = [...right!, ...left!][i]!.sent;
    if (i % TUNNELS === 7) continue;
    assert.equal(flow.received, sent, lossWords(i, flow, sent, begin, reloadedAt));
  }
  const now = await allUp();
  const [were, are] = [spisOf(before), spisOf(now)];
  for (const [name, spis] of were) assert.equal(are.get(name) === spis, name !== "t7", name);
  assert.equal(now.tunnels[7]!.children[0]!.encapsulation, "udp");
});

function lossWords(i: number, { received, gaps }: FlowResult, sent: number, begin: number, reloadedAt: number): string {
  const times = gaps.map(
    ({ first, count, after, before }) => `${count} from ${first} (${after - begin} to ${before - begin} ms)`,
  );
  return `flow ${i} lost ${sent - received} of ${sent} packets: ${times.join(", ")}; the reload began at ${reloadedAt} ms`;
}

function planned(...options: string[]): string[] {
  const words = ["plan", pair.configurationOf(LEFT), ...options, "--socket", pair.socketOf(LEFT)];
  return pair.inside("left", process.execPath, MAIN, ...words);
}

test("a file that is wrong, half written or needs a restart changes nothing, and the reason names the place", {
  skip: SKIP,
}, async () => {
  const before = spisOf(await allUp());
  const file = pair.configurationOf(LEFT);
  const good = readFileSync(file, "utf8");
  const bad: readonly (readonly [text: string, status: number, reason: RegExp])[] = [
    [`${good}    esp: { lifetime: soon }\n`, 2, /:\d+:\d+: .*esp/],
    [good.slice(0, good.lastIndexOf("]")), 2, /not YAML/],
    [good.replace("[10.1.3.0/24], peer: [10.2.3.0/24]", "[10.1.4.0/24], peer: [10.2.4.0/24]"), 2, /overlap/],
    [good.replace("address: 192.0.2.1", "address: 192.0.2.1\n  tun: { name: other0 }"), 1, /gateway\.tun\.name/],
  ];
  for (const [text, status, reason] of bad) {
    writeFileSync(file, text);
    for (const words of [["plan", file], ["reload"]]) {
      const { status: ended, stdout, stderr } = await causeway(...words);
      assert.equal(ended, status, `${stdout}${stderr}`);
      assert.match(stdout + stderr, reason);
    }
  }
  writeFileSync(file, good);
  assert.deepEqual(spisOf(await allUp()), before);
});

test("a tunnel that goes is deleted at the peer with its routes, and comes back when nobody confirms", {
  skip: SKIP,
}, async () => {
  assert.match(await routes(), /10\.2\.3\.0\/24/);
  rewrite({ 7: "encapsulation: udp", 3: null });
  assert.match(await pair.command(LEFT, "reload", "--confirm", "6s"), /t3 is REMOVED[\s\S]*6 s/);
  const without = await allUp(TUNNELS - 1);
  assert.ok(!without.tunnels.some(({ name }) => name === "t3"));
  assert.doesNotMatch(await routes(), /10\.2\.3\.0\/24/);
  await allUp();
  assert.match(await routes(), /10\.2\.3\.0\/24/);
  assert.match(pair.daemon(LEFT).output(), /nobody confirmed/);
});

test("what was applied on trial and not confirmed is not used after kill -9, until the operator says so", {
  skip: SKIP,
}, async () => {
  assert.match(await pair.command(LEFT, "reload", "--confirm", "300s"), /t3 is REMOVED/);
  await pair.kill(LEFT);
  pair.launch(LEFT, 300);
  await allUp();
  assert.match(pair.daemon(LEFT).output(), /never confirmed: the one before is used/);
  await pair.command(LEFT, "reload");
  await allUp(TUNNELS - 1);
  await pair.kill(LEFT);
  pair.launch(LEFT, 300);
  await allUp(TUNNELS - 1);
});

/** When the daemon is killed: each comes before the answer that everything is applied. */
const IN_THE_MIDDLE: readonly (readonly [moment: string, come: () => boolean])[] = [
  ["the record of the trial is written, before the first change", () => existsSync(recordOf(LEFT))],
  ["the first SA is deleted", () => /gone from the configuration/.test(pair.daemon(LEFT).output())],
];

for (const [moment, come] of IN_THE_MIDDLE)
  test(`kill -9 in the middle of a reload on trial (${moment}): the next start has the tunnels and routes of the one before`, {
    skip: SKIP,
  }, async () => {
    rewrite({ 3: null });
    await pair.command(LEFT, "reload");
    await pair.kill(LEFT);
    pair.launch(LEFT, 300);
    await allUp(TUNNELS - 1);
    const [daemon] = await daemons();
    const changed = numbers().map((i) => [i, i < 10 ? null : "encapsulation: udp"] as const);
    rewrite({ ...Object.fromEntries(changed), 3: "dpd: off" });
    const reload = causeway("reload", "--confirm", "300s");
    while (!come()) await new Promise(setImmediate);
    process.kill(daemon!, "SIGKILL");
    assert.notEqual((await reload).status, 0, "the answer must not have come yet");
    await pair.kill(LEFT);
    pair.launch(LEFT, 300);
    const { tunnels } = await allUp(TUNNELS - 1);
    assert.match(pair.daemon(LEFT).output(), /never confirmed: the one before is used/);
    assert.ok(tunnels.every(({ name, children }) => name !== "t3" && children[0]!.encapsulation === "esp"));
    const expected = numbers()
      .filter((i) => i !== 3)
      .map((i) => `10.2.${i}.0/24 dev`);
    const shown = new Set((await routes()).match(/10\.2\.\d+\.0\/24 dev/g));
    assert.deepEqual([...shown].sort(), expected.sort());
  });

test("SIGHUP reloads, and --confirm ends the trial", { skip: SKIP }, async () => {
  rewrite({});
  for (const pid of await daemons()) process.kill(pid, "SIGHUP");
  await allUp();
  rewrite({ 4: "dpd: off" });
  await pair.command(LEFT, "reload", "--confirm", "300s");
  const record = recordOf(LEFT);
  assert.ok(existsSync(record));
  assert.match(await pair.command(LEFT, "reload", "--confirm"), /confirmed/);
  assert.ok(!existsSync(record));
  const nothing = await causeway("reload", "--confirm");
  assert.equal(nothing.status, 1);
  assert.match(nothing.stderr, /nothing to confirm/);
});

/** Of the left gateway's namespace, in the kernel's order. */
function routes(): Promise<string> {
  return must(pair.inside("left", "ip", "route", "show", "table", "all"));
}

/** Of a configuration on trial. */
function recordOf(site: Site): string {
  return `${pair.socketOf(site)}.unconfirmed`;
}

/** The process of the left gateway; what wraps it runs outside of its namespace. */
async function daemons(): Promise<number[]> {
  const namespace = pair.inside("left")[3]!;
  const pids = (await must(["ip", "netns", "pids", namespace])).trim().split("\n");
  return pids.filter(isDaemon).map(Number);
}

/** What the daemon has started for a moment may have ended meanwhile. */
function isDaemon(pid: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words.includes("run") && words.includes(MAIN);
  } catch {
    return false;
  }
}
