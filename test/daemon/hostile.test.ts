/**
 * Two daemons with a tunnel, and an attacker between them who sees everything and sends whatever he likes in anybody's name, but has
 * no key: nothing of what he does may change anything but counters.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusReport } from "../../src/control/status-model.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const ATTACKER = join(import.meta.dirname, "attack", "program.js");
const SKIP = process.getuid?.() === 0 ? false : "needs root, for network namespaces";

interface Gateway {
  readonly name: "left" | "right";
  readonly outer: string;
  readonly inner: string;
  readonly network: string;
}
const LEFT: Gateway = { name: "left", outer: "192.0.2.1", inner: "10.1.0.1", network: "10.1.0.0/16" };
const RIGHT: Gateway = { name: "right", outer: "192.0.2.2", inner: "10.2.0.1", network: "10.2.0.0/16" };
const BOTH = [LEFT, RIGHT] as const;
const PSK = "Zq8-a key that no log may ever show";
/** Cookies are asked for from an eighth of it on. */
const HALF_OPEN = 64;
/** Kilobytes of resident memory that a daemon may gain by everything that happens here. */
const MOST_GAINED = 150_000;

const folder = mkdtempSync(join(tmpdir(), "cwat-"));
const record = join(folder, "record");
let namespaces: Namespaces;
const daemons = new Map<string, Running>();
const macs = new Map<string, string>();
let memoryAtFirst: readonly number[] = [];

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces("cwat");
  for (const name of ["left", "middle", "right"]) await namespaces.add(name);
  await namespaces.ip("middle", "link add bridge type bridge\nlink set bridge up\n");
  for (const here of BOTH) {
    const there = here === LEFT ? RIGHT : LEFT;
    await namespaces.link({ ns: here.name, dev: "wan" }, { ns: "middle", dev: here.name });
    await namespaces.ip("middle", `link set ${here.name} master bridge\n`);
    await namespaces.ip(
      here.name,
      `addr add ${here.outer}/24 dev wan\naddr add ${here.inner}/16 dev lo\nroute add default via 192.0.2.9\n`,
    );
    macs.set(here.name, (await must(namespaces.inside(here.name, "cat", "/sys/class/net/wan/address"))).trim());
    writeFileSync(join(folder, `${here.name}.yaml`), yaml(here, there));
  }
  // The way to everybody else exists, so that answers to forged addresses really leave.
  for (const { name } of BOTH)
    await namespaces.ip(name, "neigh add 192.0.2.9 lladdr 02:00:00:00:00:66 dev wan nud permanent\n");
});

after(async () => {
  for (const daemon of daemons.values()) await daemon.stop();
  if (!SKIP) await namespaces.close();
  rmSync(folder, { recursive: true });
});

function yaml(here: Gateway, there: Gateway): string {
  return `version: 1
gateway:
  name: ${here.name}
  address: ${here.outer}
  control: { socket: ${socketOf(here)} }
  log: { format: text, level: debug }
  limits: { half_open: ${HALF_OPEN} }
tunnels:
  - name: site
    peer: ${there.outer}
    start: ${here === LEFT ? "active" : "passive"}
    psk: "${PSK}"
    policies:
      - { local: [${here.network}], peer: [${there.network}] }
${here === LEFT ? "" : ROAD}`;
}

/** Somebody may come from anywhere: so a flood from everywhere is listened to. */
const ROAD = `  - name: road
    peer: any
    peer_id: road.example
    start: passive
    psk: "another key, for nobody who comes"
    policies:
      - { local: [10.2.0.0/16], peer: [10.99.0.0/16] }
`;

function socketOf({ name }: Gateway): string {
  return join(folder, `${name}.sock`);
}

function status(gateway: Gateway): Promise<StatusReport | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: socketOf(gateway), path: "/v1/status", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(JSON.parse(text) as StatusReport));
    });
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}

async function site(gateway: Gateway) {
  const report = await status(gateway);
  assert.ok(report !== undefined, `${gateway.name} does not answer\n${tailOf(gateway)}`);
  return report.tunnels[0]!;
}

/** Which SAs there are, and nothing that counts. */
async function sas(gateway: Gateway) {
  const { state, ike, children } = await site(gateway);
  const pairs = children.map(({ spi_in, spi_out, state, encapsulation }) => ({
    spi_in,
    spi_out,
    state,
    encapsulation,
  }));
  return { state, spis: [ike?.spi_i, ike?.spi_r], remote: ike?.remote, pairs };
}

function established(gateway: Gateway) {
  return until(`${gateway.name} to be established\n${tailOf(gateway)}`, 20, async () => {
    const tunnel = (await status(gateway))?.tunnels[0];
    return tunnel?.state === "established" ? tunnel : undefined;
  });
}

function tailOf({ name }: Gateway): string {
  return daemons.get(name)?.output().slice(-4000) ?? "";
}

async function ping(): Promise<void> {
  const argv = namespaces.inside("left", "ping", "-c", "5", "-i", "0.4", "-W", "2", "-I", LEFT.inner, RIGHT.inner);
  const { status, stdout } = await run(argv);
  assert.equal(status, 0, stdout);
}

function command(...words: string[]): Promise<string> {
  return must(namespaces.inside("left", process.execPath, MAIN, ...words, "--socket", socketOf(LEFT)));
}

function attacker(word: string, seconds: number): Running {
  const places = BOTH.flatMap(({ name, outer }) => [name, macs.get(name)!, outer]);
  const argv = namespaces.inside("middle", process.execPath, ATTACKER, word, record, String(seconds), ...places);
  return start(argv, { seconds: seconds + 20 });
}

interface Done {
  readonly sent: number;
  readonly cookies: number;
  readonly refusals: number;
  readonly accepted: number;
}

async function outcome(attack: Running): Promise<Done> {
  const { status, stdout, stderr } = await attack.ended;
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as Done;
}

/** Kilobytes of each daemon, by the node process behind its wrappers. */
async function memory(): Promise<readonly number[]> {
  return Promise.all(
    BOTH.map(async ({ name }) => {
      const pids = (await must(["pgrep", "-f", `^${process.execPath} .*run -c ${join(folder, name)}.yaml`])).split(
        "\n",
      );
      const text = readFileSync(`/proc/${pids[0]}/status`, "utf8");
      return Number(/^VmRSS:\s*(\d+)/m.exec(text)?.[1]);
    }),
  );
}

/** Runs an attack, and then nothing but counters may be different. */
async function survives(word: string, seconds: number): Promise<Done> {
  const was = await Promise.all(BOTH.map(sas));
  const done = await outcome(attacker(word, seconds));
  const now = await Promise.all(BOTH.map(sas));
  assert.deepEqual(now, was);
  await ping();
  return done;
}

test("two daemons live a life, which the attacker records: negotiation, traffic, rekeys of both kinds", {
  skip: SKIP,
}, async () => {
  const recorder = attacker("record", 60);
  for (const { name } of BOTH) {
    const argv = namespaces.inside(name, process.execPath, MAIN, "run", "-c", join(folder, `${name}.yaml`));
    daemons.set(name, start(argv, { seconds: 180 }));
  }
  for (const gateway of BOTH) await established(gateway);
  await ping();
  await command("rekey", "site");
  await command("rekey", "site", "--ike");
  await ping();
  recorder.signal("SIGTERM");
  await recorder.ended;
  const frames = readFileSync(record, "utf8").split("\n").length;
  assert.ok(frames > 30, `${frames} frames`);
  memoryAtFirst = await memory();
});

test("replays of everything that was ever sent are dropped and counted", { skip: SKIP }, async () => {
  const before = await Promise.all(BOTH.map(site));
  const { sent } = await survives("replay", 10);
  assert.ok(sent >= 60, `${sent} frames`);
  const after = await Promise.all(BOTH.map(site));
  const count = (tunnels: typeof before) =>
    tunnels.reduce((sum, { counters: { drops } }) => sum + (drops.replayed ?? 0) + (drops.replayedOld ?? 0), 0);
  assert.ok(count(after) > count(before), "the replay window told of them");
});

test("forged ESP on the live SPIs, bare and in UDP, is dropped and counted, and moves no peer", {
  skip: SKIP,
}, async () => {
  const { sent } = await survives("esp", 4);
  assert.ok(sent > 1_000, `${sent} packets`);
  for (const gateway of BOTH) assert.ok(((await site(gateway)).counters.drops.forged ?? 0) > 0, gateway.name);
});

test("mutations of every recorded IKE message change nothing", { skip: SKIP }, async () => {
  const { sent } = await survives("mutate", 6);
  assert.ok(sent > 1_000, `${sent} messages`);
});

test("datagrams of every length from 0 to 65507 octets change nothing", { skip: SKIP }, async () => {
  const { sent } = await survives("lengths", 4);
  assert.ok(sent > 1_000, `${sent} frames`);
});

test("during a flood of first requests cookies bound what is kept, and a tunnel still comes up", {
  skip: SKIP,
}, async () => {
  const attack = attacker("flood", 12);
  await until("the flood to rise", 5, async () => (/cookie|IKE SA/.test(tailOf(RIGHT)) ? true : undefined));
  await ping();
  await command("down", "site");
  await command("up", "site");
  const { ike } = await established(LEFT);
  assert.ok(ike !== null);
  await ping();
  assert.ok((await status(RIGHT)) !== undefined, "status answers");
  const { sent, cookies, accepted } = await outcome(attack);
  assert.ok(sent > 5_000, `${sent} requests`);
  assert.ok(cookies > 100, `${cookies} cookies`);
  assert.ok(accepted >= 1 && accepted <= HALF_OPEN / 4, `${accepted} accepted without a cookie`);
});

test("forged refusals do not keep a negotiation from its end", { skip: SKIP }, async () => {
  await command("down", "site");
  const attack = attacker("refuse", 6);
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // it listens by now
  await command("up", "site");
  await established(LEFT);
  await established(RIGHT);
  const { refusals } = await outcome(attack);
  assert.ok(refusals >= 5, `${refusals} refusals`);
  await ping();
});

test("when the data plane is lost everything is negotiated anew, with other SPIs", { skip: SKIP }, async () => {
  const was = await sas(LEFT);
  await namespaces.ip("left", "link delete causeway0\n");
  await until(`new SAs\n${tailOf(LEFT)}`, 25, async () => {
    const now = await sas(LEFT);
    return now.state === "established" && now.spis[0] !== was.spis[0] ? true : undefined;
  });
  const now = await sas(LEFT);
  for (const { spi_in } of now.pairs) assert.ok(was.pairs.every((pair) => pair.spi_in !== spi_in));
  await established(RIGHT);
  await ping();
});

test("after all this the memory is bounded, no bug was met, and no log shows a key", { skip: SKIP }, async () => {
  const now = await memory();
  for (const [i, { name }] of BOTH.entries())
    assert.ok(now[i]! - memoryAtFirst[i]! < MOST_GAINED, `${name}: from ${memoryAtFirst[i]} to ${now[i]} kB`);
  const spellings = (["utf8", "hex", "base64"] as const).map((spelling) => Buffer.from(PSK).toString(spelling));
  for (const { name } of BOTH) {
    const log = daemons.get(name)!.output();
    assert.ok(log.includes(" debug "), `${name} logs at level debug`);
    assert.ok(!/a bug in causeway/.test(log), log.slice(log.indexOf("a bug in causeway"), 2_000));
    for (const spelling of spellings) assert.ok(!log.includes(spelling), `${name} shows its key`);
  }
});
