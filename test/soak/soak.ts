/**
 * Interoperability under load: both ends replace children after five seconds and IKE SAs after twenty-five, at the same moment, while
 * numbered packets run both ways. Loss is judged by its cause (docs/testing.md).
 */
import { until } from "../child.js";
import type { PeerKind, Scenario } from "../interop/scenario.js";
import type { OpenStage } from "../interop/stage.js";
import { agreement } from "../interop/steps.js";
import { type Direction, runLoad } from "./load.js";
import { growth, queueDrops } from "./queues.js";
import { readStory, type Story } from "./story.js";

export interface SoakOptions {
  /** Packets a second in each direction. */
  readonly rate: number;
  readonly seconds: number;
  /** Of a run before it in which nothing is replaced. 0: none. */
  readonly controlSeconds: number;
  /** Takes what both sides logged, when a run is over. */
  readonly keepLog?: (name: string, text: string) => void;
}

export interface Run {
  readonly seconds: number;
  readonly directions: readonly Direction[];
  readonly story: Story;
  /** By reason, what each side and the kernel's queues around us dropped. */
  readonly ours: ReadonlyMap<string, number>;
  readonly peers: ReadonlyMap<string, number>;
  readonly queues: ReadonlyMap<string, number>;
  /** Why both ends did not come to the same one tunnel when the load was over; else how many children the peer showed then. */
  readonly unsettled?: string;
  readonly peersChildren?: number;
}

export interface Soak {
  readonly control: Run | undefined;
  readonly run: Run;
  /** Why it fails; empty: it does not. */
  readonly faults: readonly string[];
}

const LIFETIMES = { child: 10, ike: 30, margin: 5 };

/** The scenario of a peer, with the lifetimes of the soak or with long ones. */
export function soakScenario(peer: PeerKind, hurried: boolean): Scenario {
  const { child, ike, margin } = LIFETIMES;
  const ours = {
    esp: { lifetime: `${child}s`, rekey_margin: `${margin}s` },
    ike: { lifetime: `${ike}s`, rekey_margin: `${margin}s` },
  };
  const strongswan = {
    theirs: [`rekey_time = ${ike - margin}s`, `over_time = ${margin}s`, "rand_time = 0s"],
    theirChild: [`rekey_time = ${child - margin}s`, `life_time = ${child}s`, "rand_time = 0s"],
  };
  const libreswan = {
    theirs: [`salifetime=${child}s`, `ikelifetime=${ike}s`, `rekeymargin=${margin}s`, "rekeyfuzz=0%"],
  };
  return {
    name: `under load with ${peer}`,
    tier: "ci",
    peer,
    role: "initiator",
    ike: "aes128gcm16-prfsha256-x25519",
    esp: "aes128gcm16-x25519",
    encapsulation: peer === "strongswan-userspace" ? "udp" : "esp",
    ...(hurried && { ours, ...(peer === "libreswan-kernel" ? libreswan : strongswan) }),
    ...(!hurried && { ours: { esp: { lifetime: "1h" } } }),
    steps: [],
  };
}

export async function soak(stage: OpenStage, peer: PeerKind, options: SoakOptions): Promise<Soak> {
  const { rate, seconds, controlSeconds, keepLog } = options;
  const control =
    controlSeconds > 0 ? await measure(stage, soakScenario(peer, false), rate, controlSeconds) : undefined;
  const run = await measure(stage, soakScenario(peer, true), rate, seconds, keepLog);
  return { control, run, faults: faultsOf(run, control) };
}

async function measure(
  stage: OpenStage,
  scenario: Scenario,
  rate: number,
  seconds: number,
  keepLog: SoakOptions["keepLog"] = () => {},
): Promise<Run> {
  const { ours, peer } = stage.sides;
  const scene = { ...stage, note: () => {} };
  try {
    await peer.load(scenario);
    await ours.load(scenario);
    if (!stage.gateway) await ours.initiate();
    await agreement(scene, scenario);
    const before = { ours: await ours.drops(), queues: await queueDrops(stage.topology) };
    const directions = await runLoad(stage.topology, rate, seconds);
    const after = { ours: await ours.drops(), queues: await queueDrops(stage.topology) };
    const left = await settled(stage).catch(String);
    return {
      seconds,
      ...(typeof left === "number" ? { peersChildren: left } : { unsettled: left }),
      directions,
      story: readStory(await ours.log()),
      ours: lostDrops(growth(before.ours, after.ours)),
      peers: await peer.drops(),
      queues: growth(before.queues, after.queues),
    };
  } finally {
    for (const who of ["ours", "peer"] as const) keepLog(`${who}.log`, await stage.sides[who].log());
    await ours.unload();
    await peer.unload();
  }
}

/** Without what nobody misses: the kernel looks for routers behind every device. */
function lostDrops(drops: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...drops].filter(([reason]) => reason !== "linkLocal"));
}

/**
 * One IKE SA and one child here, the child with its twin at the peer, and no other one open here; between two rekeys there is such a
 * moment. What else the peer keeps is its own affair: how many children it shows then.
 */
async function settled({ sides, gateway }: OpenStage): Promise<number> {
  return until("one child of ours, which the peer has as well", 40, async () => {
    const [ours, peer] = await Promise.all([sides.ours.view(), sides.peer.view()]);
    const [child, ...others] = ours.children;
    if (ours.ike === undefined || child === undefined || others.length > 0) return undefined;
    if (!peer.children.some(({ spiIn, spiOut }) => spiIn === child.spiOut && spiOut === child.spiIn)) return undefined;
    if (gateway && readStory(await sides.ours.log()).open !== 1) return undefined;
    return peer.children.length;
  });
}

/** Decided by cause: what we dropped ourselves, and what nobody's statistics explain. */
function faultsOf(run: Run, control: Run | undefined): readonly string[] {
  const faults: string[] = [];
  const { story, directions, seconds } = run;
  const due = Math.floor(seconds / LIFETIMES.child);
  if (story.children > 0 && story.rekeys < due) faults.push(`${story.rekeys} rekeys, at least ${due} were due`);
  if (run.unsettled !== undefined) faults.push(run.unsettled);
  if (run.ours.size > 0) faults.push(`we dropped packets: ${words(run.ours)}`);
  for (const { from, lost, duplicates, socketDrops } of directions) {
    if (duplicates > 0) faults.push(`${duplicates} packets from ${from} came twice`);
    const unexplained = lost - socketDrops - usualLoss(control, from, seconds);
    if (unexplained > sum(run.queues) + sum(run.peers))
      faults.push(`${lost} packets from ${from} were lost, and nobody's statistics explain it`);
  }
  return faults;
}

/** What is lost in this time where nothing is replaced. */
function usualLoss(control: Run | undefined, from: Direction["from"], seconds: number): number {
  if (control === undefined) return 0;
  const { lost = 0 } = control.directions.find((one) => one.from === from) ?? {};
  return Math.ceil((lost * seconds) / control.seconds);
}

const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
const words = (counts: ReadonlyMap<string, number>) =>
  [...counts].map(([name, count]) => `${name} ${count}`).join(", ") || "nothing";

/** Everything that is to be known of a run, for people: each gap with its time, its direction and what our log said around it. */
export function describeRun(title: string, run: Run): string {
  const { story, directions, seconds } = run;
  const lines = [
    `${title}, ${seconds} s: ${story.rekeys} children replaced, ${story.ikeSas} IKE SAs, at most ${story.mostOpen} children at once`,
    `  dropped by us: ${words(run.ours)}; by the peer: ${words(run.peers)}; in queues: ${words(run.queues)}`,
  ];
  if (run.peersChildren !== undefined && run.peersChildren > 1)
    lines.push(`  at the end the peer shows ${run.peersChildren} children, we one`);
  for (const { from, sent, lost, overtaken, duplicates, gaps, socketDrops } of directions) {
    const more = `${overtaken} overtaken, ${duplicates} twice, ${socketDrops} dropped at the receiver's socket`;
    lines.push(`  from ${from}: ${sent} sent, ${lost} lost in ${gaps.length} gaps, ${more}`);
    for (const gap of gaps.slice(0, GAPS_SHOWN)) {
      const at = new Date(gap.after).toISOString().slice(11, 23);
      lines.push(`    ${gap.count} lost after ${at} (${gap.before - gap.after} ms), number ${gap.first}`);
      for (const said of story.around(gap.after - 1500, gap.before + 500)) lines.push(`      ${said}`);
    }
  }
  return lines.join("\n");
}

const GAPS_SHOWN = 20;
