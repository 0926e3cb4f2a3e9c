/** What the steps of a scenario do, and what has to be true after each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { must, run, start, until } from "../child.js";
import { childCount, pairsOf, unanswered } from "./grid.js";
import type { Scenario, Step, Who } from "./scenario.js";
import type { Side, SideView } from "./side.js";
import { HOST, type Topology } from "./topology.js";
import type { TransferResult } from "./transfer.js";

export interface Stage {
  readonly topology: Topology;
  readonly sides: Readonly<Record<Who, Side>>;
  /** Present unless a second strongSwan stands in for it, which always encapsulates in UDP. */
  readonly gateway?: unknown;
  /** For the log of the test: what was measured on the way. */
  note(text: string): void;
}

/** Both ends' view of a tunnel that is up and settled: one child per mapping, and each end's SPIs are the other's. */
export interface Agreement {
  readonly ike: string;
  readonly child: string;
  readonly encapsulation: "esp" | "udp";
}

const TRANSFER = join(import.meta.dirname, "transfer.js");
const other = (who: Who): Who => (who === "ours" ? "peer" : "ours");

export async function perform(stage: Stage, scenario: Scenario, step: Step): Promise<void> {
  switch (step.do) {
    case "ping":
      return ping(stage, scenario, step.from, step.count);
    case "echo each":
      return echoEach(stage, scenario, step.from);
    case "transfer":
      return transfer(stage, scenario, step.from, step.mebibytes);
    case "rekey":
      return rekey(stage, scenario, step.what, step.by);
    case "delete":
      return deleteTunnel(stage, step.by);
    case "reconnect":
      await stage.sides[step.by].initiate();
      return void (await agreement(stage, scenario));
    case "comes back":
      return void (await agreement(stage, scenario));
    case "remap":
      return remap(stage, scenario, step.first);
    case "move":
      return move(stage, scenario, step.who);
    case "outlive":
      return outlive(stage, scenario, step);
    case "kill": {
      const { restart } = stage.sides[step.who];
      if (restart === undefined) throw new Error(`${step.who} of ${scenario.name} cannot be started again`);
      return comesBack(stage, scenario, `after kill -9 of ${step.who}`, restart);
    }
    case "cut":
      return comesBack(stage, scenario, `after ${step.seconds} s without a network`, async () => {
        await stage.topology.cut(true);
        await new Promise((resolve) => setTimeout(resolve, step.seconds * 1000));
        await stage.topology.cut(false);
      });
  }
}

/** Waits until both ends show the same tunnel, up and settled, with ESP travelling as the scenario says. */
export async function agreement(
  stage: Stage,
  scenario: Scenario,
  isNew: (a: Agreement) => boolean = () => true,
): Promise<Agreement> {
  let last = "";
  const count = childCount(scenario);
  const agreed = await until("both ends show the same established tunnel", 25 + count / 2, async () => {
    const [ours, peer] = await Promise.all([stage.sides.ours.view(), stage.sides.peer.view()]);
    last = `ours ${JSON.stringify(ours)}\npeer ${JSON.stringify(peer)}`;
    const found = compare(ours, peer, count);
    return found && isNew(found) ? found : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; the last views:\n${last}`);
  });
  if (stage.gateway) assert.equal(agreed.encapsulation, scenario.encapsulation, "how ESP travels");
  return agreed;
}

/** What both views show, where they show the same. */
export function compare(ours: SideView, peer: SideView, count = 1): Agreement | undefined {
  const [child] = ours.children;
  if (!ours.ike || !peer.ike || !child || ours.children.length !== count || peer.children.length !== count)
    return undefined;
  if (isSpis(ours.ike) && isSpis(peer.ike) && ours.ike !== peer.ike) return undefined;
  const hasTwin = ({ spiIn, spiOut, encapsulation }: typeof child): boolean =>
    peer.children.some((a) => spiIn === a.spiOut && spiOut === a.spiIn && encapsulation === a.encapsulation);
  if (!ours.children.every(hasTwin)) return undefined;
  return { ike: ours.ike, child: childrenName(ours), encapsulation: child.encapsulation };
}

function childrenName({ children }: SideView): string {
  return children
    .map(({ spiIn, spiOut }) => `${spiIn}_${spiOut}`)
    .sort()
    .join(" ");
}

function isSpis(name: string): boolean {
  return /^[0-9a-f]{16}_[0-9a-f]{16}$/.test(name);
}

async function ping(stage: Stage, scenario: Scenario, from: Who, count: number): Promise<void> {
  for (const { source, target } of flows(stage, scenario, from)) {
    // With a count alone ping ends one interval after its last request once anything has come back, which a busy machine may take
    // longer for. With a deadline it goes on until that many are answered: what is missing among the first ones is lost.
    const words = ["ping", "-n", "-i", "0.4", "-c", String(count), "-w", "8", "-I", source, target];
    const done = await run(stage.topology.namespaces.inside(HOST[from], ...words), { seconds: 30 });
    const answered = answeredIn(done.stdout);
    const lost = Array.from({ length: count }, (_, i) => i + 1).filter((sequence) => !answered.has(sequence));
    if (lost.length > 0)
      throw new Error(
        `echo requests ${lost.join(", ")} of ${count} from ${source} to ${target} never came back; ${await drops(stage)}`,
      );
  }
}

/** A pair of hosts for each mapping. */
function flows(
  { topology: { addresses } }: Stage,
  { inner = 4, mappings, grid }: Scenario,
  from: Who,
): readonly { readonly source: string; readonly target: string }[] {
  if (grid) {
    const [first] = pairsOf(grid);
    return [{ source: first![from].host, target: first![other(from)].host }];
  }
  const pairs = mappings
    ? addresses.peer.parts
        .slice(0, mappings)
        .map(({ host }, k) => ({ ours: addresses.ours.parts[k]!.host, peer: host }))
    : [{ ours: addresses.ours.host[inner], peer: addresses.peer.host[inner] }];
  return pairs.map((pair) => ({ source: pair[from], target: pair[other(from)] }));
}

async function echoEach(stage: Stage, { grid }: Scenario, from: Who): Promise<void> {
  const begun = performance.now();
  const missing = await unanswered(stage.topology, grid!, from);
  if (missing.length > 0)
    throw new Error(
      `${missing.length} of ${pairsOf(grid!).length} mappings gave no echo: ${missing.slice(0, 5).join(", ")}; ${await drops(stage)}`,
    );
  stage.note(`${pairsOf(grid!).length} mappings carried an echo in ${seconds(begun)} s`);
}

const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);

async function transfer(stage: Stage, scenario: Scenario, from: Who, mebibytes: number): Promise<void> {
  const target = stage.topology.addresses[other(from)].host[scenario.inner ?? 4];
  const node = (who: Who, ...args: string[]): string[] =>
    stage.topology.namespaces.inside(HOST[who], process.execPath, TRANSFER, ...args);
  const port = "5001";
  const receiver = start(node(other(from), "receive", target, port), { seconds: 240 });
  await until("the receiver to listen", 10, async () => receiver.output().includes("listening") || undefined);
  const octets = mebibytes * 2 ** 20;
  let sent: TransferResult;
  try {
    sent = JSON.parse(await must(node(from, "send", target, port, String(octets)), { seconds: 240 })) as TransferResult;
  } catch (error) {
    await receiver.stop();
    throw new Error(`${(error as Error).message}\n${await drops(stage)}`);
  }
  const received = JSON.parse((await receiver.ended).stdout.trim().split("\n").at(-1) ?? "") as TransferResult;
  assert.deepEqual([received.octets, received.sha256], [octets, sent.sha256], "what arrived is what was sent");
  const rate = (octets * 8) / sent.seconds / 1e6;
  stage.note(`${mebibytes} MiB from ${from}: ${rate.toFixed(0)} Mbit/s`);
}

/**
 * A rekey must not cost a packet: echo requests run all the time. Loss is judged by cause: a drop that our side counted, or
 * that nobody explains, fails; one that the peer's own statistics explain is noted.
 */
async function rekey(stage: Stage, scenario: Scenario, what: "child" | "ike", by: Who): Promise<void> {
  const before = await agreement(stage, scenario);
  const after = await undisturbed(stage, scenario, `while ${by} rekeyed the ${what}`, 60, async () => {
    await stage.sides[by].rekey(what);
    return agreement(stage, scenario, (now) => (what === "ike" ? now.ike !== before.ike : now.child !== before.child));
  });
  if (what === "ike") assert.equal(after.child, before.child, "the child outlives the IKE SA that made it");
  else assert.equal(after.ike, before.ike, "the IKE SA outlives its child");
}

/** Nobody asks for a rekey: the lifetimes do. */
async function outlive(
  stage: Stage,
  scenario: Scenario,
  { seconds, children, ikeSas }: Extract<Step, { do: "outlive" }>,
): Promise<void> {
  const seen = { child: new Set<string>(), ike: new Set<string>() };
  await undisturbed(stage, scenario, `in ${seconds} s of short lifetimes`, seconds + 60, async () => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      const view = await stage.sides.ours.view();
      if (view.ike !== undefined) seen.ike.add(view.ike);
      for (const { spiIn, spiOut } of view.children) seen.child.add(`${spiIn}_${spiOut}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  });
  const fresh = { child: seen.child.size - (scenario.mappings ?? 1), ike: seen.ike.size - 1 };
  const told = `${fresh.child} new children and ${fresh.ike} new IKE SAs in ${seconds} s`;
  assert.ok(fresh.child >= children && fresh.ike >= ikeSas, `${told}; expected ${children} and ${ikeSas}`);
  await agreement(stage, scenario);
  stage.note(told);
}

/** Runs `work` under echo requests on every mapping, and judges their loss by its cause. */
async function undisturbed<T>(
  stage: Stage,
  scenario: Scenario,
  when: string,
  seconds: number,
  work: () => Promise<T>,
): Promise<T> {
  const echoes = flows(stage, scenario, "ours").map(({ source, target }) => {
    const words = ["ping", "-n", "-i", "0.05", "-W", "2", "-I", source, target];
    return start(stage.topology.namespaces.inside(HOST.ours, ...words), { seconds });
  });
  let result: T;
  let dropsBefore: ReadonlyMap<string, number>;
  let lost = 0;
  let all = 0;
  try {
    for (const echo of echoes)
      await until("the first echo", 10, async () => /bytes from/.test(echo.output()) || undefined);
    dropsBefore = await stage.sides.ours.drops();
    result = await work();
    // Of requests that are older than one that has been answered by now; on a busy machine several are on their way at any time.
    for (const echo of echoes) {
      const last = Math.max(...answeredIn(echo.output()));
      const missing = (): number => last - [...answeredIn(echo.output())].filter((sequence) => sequence <= last).length;
      await until("late echoes", 3, async () => missing() === 0 || undefined).catch(() => {});
      lost += missing();
      all += last;
    }
  } finally {
    for (const echo of echoes) echo.signal("SIGINT");
    for (const echo of echoes) await echo.ended;
  }
  if (lost === 0) return result;
  const counted = [...(await stage.sides.ours.drops())].filter(([reason, n]) => n > (dropsBefore.get(reason) ?? 0));
  const theirs = await stage.sides.peer.drops();
  const story = `${lost} of ${all} echo requests were lost ${when}; ${await drops(stage)}`;
  if (counted.length > 0 || theirs.size === 0) throw new Error(story);
  stage.note(`${story} (the peer's statistics explain it)`);
  return result;
}

/** Within the liveness timeout and five seconds, says test/sim/steady.test.ts; here the bound is that of `agreement`. */
async function comesBack(stage: Stage, scenario: Scenario, when: string, harm: () => Promise<void>): Promise<void> {
  const before = await agreement(stage, scenario);
  await harm();
  const begun = performance.now();
  await agreement(stage, scenario, ({ ike, child }) => ike !== before.ike && child !== before.child);
  stage.note(`back ${((performance.now() - begun) / 1000).toFixed(1)} s ${when}`);
  await ping(stage, scenario, "ours", 3);
}

async function deleteTunnel(stage: Stage, by: Who): Promise<void> {
  const before = await Promise.all([stage.sides.ours.view(), stage.sides.peer.view()]);
  assert.ok(before[0].ike && before[1].ike, "there is an IKE SA to delete");
  await stage.sides[by].terminate();
  await until("both ends to forget the deleted IKE SA", 10, async () => {
    const views = await Promise.all([stage.sides.ours.view(), stage.sides.peer.view()]);
    return views.every(({ ike }, index) => ike !== before[index]!.ike) || undefined;
  });
}

/** Echo requests from `first` must pass again soon, and then from the other side as well. */
async function remap(stage: Stage, scenario: Scenario, first: Who): Promise<void> {
  assert.ok(scenario.behindNat, "a scenario without a router cannot change its translation");
  await stage.topology.translate(scenario.behindNat);
  const target = stage.topology.addresses[other(first)].host[scenario.inner ?? 4];
  await until("echo requests to pass after the translation changed", 20, async () => {
    const words = ["ping", "-n", "-c", "1", "-W", "1", target];
    return (await run(stage.topology.namespaces.inside(HOST[first], ...words))).status === 0 || undefined;
  });
  await ping(stage, scenario, other(first), 3);
}

/** Without an operator, and without a new negotiation. */
async function move(stage: Stage, scenario: Scenario, who: Who): Promise<void> {
  const before = await agreement(stage, scenario);
  await stage.topology.readdress(who);
  const target = stage.topology.addresses[other(who)].host[scenario.inner ?? 4];
  await until(`echo requests to pass after ${who} got another address`, 20, async () => {
    const words = ["ping", "-n", "-c", "1", "-W", "1", target];
    return (await run(stage.topology.namespaces.inside(HOST[who], ...words))).status === 0 || undefined;
  });
  await ping(stage, scenario, other(who), 3);
  const after = await agreement(stage, scenario);
  assert.equal(after.ike, before.ike, "the same IKE SA as before");
  // strongSwan's userspace ESP cannot move an SA: it has the child replaced instead.
  if (scenario.peer !== "strongswan-userspace") assert.equal(after.child, before.child, "the same child as before");
}

/** The numbers of the echo requests that ping got an answer to. */
function answeredIn(output: string): ReadonlySet<number> {
  return new Set([...output.matchAll(/icmp_seq=(\d+) ttl/g)].map(([, sequence]) => Number(sequence)));
}

async function drops(stage: Stage): Promise<string> {
  const words = async (who: Who): Promise<string> => {
    const entries = [...(await stage.sides[who].drops().catch(() => new Map<string, number>()))];
    return entries.length === 0 ? "nothing" : entries.map(([reason, count]) => `${reason} ${count}`).join(", ");
  };
  return `dropped by us: ${await words("ours")}; by the peer: ${await words("peer")}`;
}
