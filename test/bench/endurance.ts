/**
 * `npm run bench -- endurance`: TCP at full load in both directions at once, whose content is compared by SHA-256 at both ends, while the SAs are
 * renewed every few seconds. Whatever was corrupted or lost shows as another sum or as a transfer that does not end; what was
 * reordered on the way is counted by the senders' kernels, which find some on a path without gateways as well (`--only plain`).
 * Memory has to be flat.
 */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { must, run, start, until } from "../child.js";
import type { TransferResult } from "../interop/transfer.js";
import type { Namespaces } from "../netns.js";
import { LEFT, openBed, RIGHT } from "./bed.js";
import { AES_GCM, type Contender, type Lane } from "./contender.js";

const PROGRAM = join(import.meta.dirname, "..", "interop", "transfer.js");
/** Of one transfer; the next one follows at once. */
const OCTETS = 1 << 30;
const REKEY_SECONDS = 7;
const LOOK_SECONDS = 30;
/** A share of growth from the first third of the run to the last that is no leak. */
const TOLERATED_GROWTH = 0.1;

/** Whether it went well; tells everything that it found. */
export async function endurance(
  namespaces: Namespaces,
  folder: string,
  contender: Contender,
  minutes: number,
): Promise<boolean> {
  const bed = await openBed(namespaces, "endurance");
  const own = mkdtempSync(join(folder, "endurance-"));
  const gateways = await contender.start(bed, own, { setup: AES_GCM });
  const { rekey, processes } = gateways;
  const lane: Lane = { contender, bed, gateways };
  const end = performance.now() + minutes * 60_000;
  const going = (): boolean => performance.now() < end;
  const faults: string[] = [];
  const memory: number[] = [];
  let rekeys = 0;
  try {
    const before = await reordered(lane);
    const flows = [transfers(lane, "forward", going, faults), transfers(lane, "reverse", going, faults)];
    const renewals = (async () => {
      while (rekey !== undefined && going()) {
        await rest(REKEY_SECONDS * 1000);
        await rekey();
        rekeys++;
      }
    })();
    const looks = (async () => {
      while (going()) {
        await rest(Math.min(LOOK_SECONDS * 1000, Math.max(1000, end - performance.now())));
        memory.push(Math.max(0, ...processes.map((process) => process.residentOctets())) / 1e6);
        console.log(`${rekeys} rekeys, ${memory.at(-1)!.toFixed(1)} MB resident`);
      }
    })();
    const moved = await Promise.all(flows);
    await Promise.all([renewals, looks]);
    const after = await reordered(lane);
    const third = Math.max(1, Math.floor(memory.length / 3));
    const early = Math.max(...memory.slice(0, third));
    const late = Math.max(...memory.slice(-third));
    const gigabytes = moved.map((octets) => (octets / 1e9).toFixed(1));
    console.log(
      `${minutes} minutes: ${gigabytes.join(" and ")} GB forward and back, ${faults.length === 0 ? "every sum the same at both ends" : `${faults.length} transfers went wrong`}`,
    );
    console.log(`${rekeys} rekeys; ${after - before} times the senders saw segments in another order`);
    console.log(`resident memory: ${memory.map((one) => one.toFixed(0)).join(" ")} MB`);
    if (late > early * (1 + TOLERATED_GROWTH))
      faults.push(`memory grew from ${early.toFixed(1)} to ${late.toFixed(1)} MB`);
    for (const fault of faults) console.log(`FAULT: ${fault}`);
    return faults.length === 0;
  } finally {
    await gateways.stop();
  }
}

/** One transfer after the other; the octets of all. */
async function transfers(
  { bed }: Lane,
  direction: "forward" | "reverse",
  going: () => boolean,
  faults: string[],
): Promise<number> {
  const [from, to, end] =
    direction === "forward"
      ? (["left-host", "right-host", RIGHT] as const)
      : (["right-host", "left-host", LEFT] as const);
  let octets = 0;
  for (let port = 6000; going(); port = 6000 + ((port + 1) % 1000)) {
    const receiver = start(bed.inside(to, process.execPath, PROGRAM, "receive", end.host, String(port)), {
      seconds: 600,
    });
    await until("the receiver", 20, async () => (receiver.output().includes("listening") ? true : undefined));
    const words = ["send", end.host, String(port), String(OCTETS)];
    const sent = await run(bed.inside(from, process.execPath, PROGRAM, ...words), { seconds: 300 });
    if (sent.status !== 0) {
      faults.push(`a transfer ${direction} did not end: ${sent.stderr.trim()}`);
      await receiver.stop();
      continue;
    }
    const mine = resultIn(sent.stdout);
    const theirs = resultIn((await receiver.ended).stdout);
    if (mine.sha256 !== theirs.sha256 || mine.octets !== theirs.octets)
      faults.push(
        `${direction}: sent ${mine.octets} octets ${mine.sha256}, received ${theirs.octets} ${theirs.sha256}`,
      );
    octets += theirs.octets;
  }
  return octets;
}

function resultIn(output: string): TransferResult {
  const line = output.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`no result in: ${output}`);
  return JSON.parse(line) as TransferResult;
}

/** How often the kernels of both hosts have found that segments they sent arrived in another order. */
async function reordered({ bed }: Lane): Promise<number> {
  let all = 0;
  for (const host of ["left-host", "right-host"] as const) {
    const text = await must(bed.inside(host, "cat", "/proc/net/netstat"));
    const [names = [], values = []] = text
      .split("\n")
      .filter((line) => line.startsWith("TcpExt:"))
      .map((line) => line.split(" "));
    for (const [i, name] of names.entries()) if (/^TCP\w+Reorder$/.test(name)) all += Number(values[i]);
  }
  return all;
}
