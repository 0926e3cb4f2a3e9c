/**
 * Two daemons with a tunnel, and an attacker between them who sees everything and sends whatever he likes in anybody's name, but has
 * no key: nothing of what he does may change anything but counters.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { must, type Running, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, openGateways, PSK, RIGHT, type Site, SKIP } from "./gateways.js";

const ATTACKER = join(import.meta.dirname, "attack", "program.js");
/** Cookies are asked for from an eighth of it on. */
const HALF_OPEN = 64;
/** Kilobytes of resident memory that a daemon may gain by everything that happens here. */
const MOST_GAINED = 150_000;

let namespaces: Namespaces;
let pair: Gateways;
let record: string;
const macs = new Map<string, string>();
let memoryAtFirst: readonly number[] = [];

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces("cwat");
  pair = await openGateways(namespaces, {
    head: `  limits: { half_open: ${HALF_OPEN} }`,
    yaml: (site) => (site === LEFT ? "    start: active\n" : `    start: passive\n${ROAD}`),
  });
  record = join(pair.folder, "record");
  for (const { name } of BOTH) {
    macs.set(name, (await must(pair.inside(name, "cat", "/sys/class/net/wan/address"))).trim());
    // The way to everybody else exists, so that answers to forged addresses really leave.
    await namespaces.ip(
      name,
      "route add default via 192.0.2.9\nneigh add 192.0.2.9 lladdr 02:00:00:00:00:66 dev wan nud permanent\n",
    );
  }
});

after(async () => {
  await pair?.close();
  await namespaces?.close();
});

/** Somebody may come from anywhere: so a flood from everywhere is listened to. */
const ROAD = `  - name: road
    peer: any
    peer_id: road.example
    start: passive
    psk: "another key, for nobody who comes"
    policies:
      - { local: [10.2.0.0/16], peer: [10.99.0.0/16] }
`;

async function site(gateway: Site) {
  const report = await pair.status(gateway);
  assert.ok(report !== undefined, `${gateway.name} does not answer\n${pair.tail(gateway)}`);
  return report.tunnels[0]!;
}

/** Which SAs there are, and nothing that counts. */
async function sas(gateway: Site) {
  const { state, ike, children } = await site(gateway);
  const pairs = children.map(({ spi_in, spi_out, state, encapsulation }) => ({
    spi_in,
    spi_out,
    state,
    encapsulation,
  }));
  return { state, spis: [ike?.spi_i, ike?.spi_r], remote: ike?.remote, pairs };
}

async function ping(): Promise<void> {
  const { status, stdout } = await pair.ping(LEFT, 5);
  assert.equal(status, 0, stdout);
}

function attacker(word: string, seconds: number): Running {
  const places = BOTH.flatMap(({ name, outer }) => [name, macs.get(name)!, outer]);
  const argv = pair.inside("middle", process.execPath, ATTACKER, word, record, String(seconds), ...places);
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
    BOTH.map(async (site) => {
      const pids = (await must(["pgrep", "-f", `^${process.execPath} .*run -c ${pair.configurationOf(site)}`])).split(
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
  for (const gateway of BOTH) pair.launch(gateway);
  for (const gateway of BOTH) await pair.established(gateway);
  await ping();
  await pair.command(LEFT, "rekey", "site");
  await pair.command(LEFT, "rekey", "site", "--ike");
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
  await until("the flood to rise", 5, async () => (/cookie|IKE SA/.test(pair.tail(RIGHT)) ? true : undefined));
  await ping();
  await pair.command(LEFT, "down", "site");
  await pair.command(LEFT, "up", "site");
  const { ike } = await pair.established(LEFT);
  assert.ok(ike !== null);
  await ping();
  assert.ok((await pair.status(RIGHT)) !== undefined, "status answers");
  const { sent, cookies, accepted } = await outcome(attack);
  assert.ok(sent > 5_000, `${sent} requests`);
  assert.ok(cookies > 100, `${cookies} cookies`);
  assert.ok(accepted >= 1 && accepted <= HALF_OPEN / 4, `${accepted} accepted without a cookie`);
});

test("forged refusals do not keep a negotiation from its end", { skip: SKIP }, async () => {
  await pair.command(LEFT, "down", "site");
  const attack = attacker("refuse", 6);
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // it listens by now
  await pair.command(LEFT, "up", "site");
  await pair.established(LEFT);
  await pair.established(RIGHT);
  const { refusals } = await outcome(attack);
  assert.ok(refusals >= 5, `${refusals} refusals`);
  await ping();
});

test("when the data plane is lost everything is negotiated anew, with other SPIs", { skip: SKIP }, async () => {
  const was = await sas(LEFT);
  await namespaces.ip("left", "link delete causeway0\n");
  await until(`new SAs\n${pair.tail(LEFT)}`, 25, async () => {
    const now = await sas(LEFT);
    return now.state === "established" && now.spis[0] !== was.spis[0] ? true : undefined;
  });
  const now = await sas(LEFT);
  for (const { spi_in } of now.pairs) assert.ok(was.pairs.every((pair) => pair.spi_in !== spi_in));
  await pair.established(RIGHT);
  await ping();
});

test("after all this the memory is bounded, no bug was met, and no log shows a key", { skip: SKIP }, async () => {
  const now = await memory();
  for (const [i, { name }] of BOTH.entries())
    assert.ok(now[i]! - memoryAtFirst[i]! < MOST_GAINED, `${name}: from ${memoryAtFirst[i]} to ${now[i]} kB`);
  const spellings = (["utf8", "hex", "base64"] as const).map((spelling) => Buffer.from(PSK).toString(spelling));
  for (const gateway of BOTH) {
    const { name } = gateway;
    const log = pair.daemon(gateway).output();
    assert.ok(log.includes(" debug "), `${name} logs at level debug`);
    assert.ok(!/a bug in causeway/.test(log), log.slice(log.indexOf("a bug in causeway"), 2_000));
    for (const spelling of spellings) assert.ok(!log.includes(spelling), `${name} shows its key`);
  }
});
