/** Puts the plan in place on this host, and takes it away again; both may be repeated at any time. */
import { readFile, writeFile } from "node:fs/promises";
import type { Family } from "../../esp/address.js";
import type { Configuration } from "../config/model.js";
import { HostError, run } from "./command.js";
import { type Batch, changeLines, linkLines, routeLine, setUpLines, type TableState, tearDownLines } from "./ip.js";
import { guardScript, removeScript } from "./nft.js";
import { type HostPlan, type PlannedRoute, planRoutes } from "./plan.js";
import { forwardingIsOn, hasIpv6, hostAddresses, tableState } from "./state.js";

export interface HostSetup {
  /** Sentences for the operator's log. */
  readonly notes: readonly string[];
  /**
   * To another plan, in two steps: what comes is there when it resolves, and what goes is taken away by the result. Throws `HostError`
   * after everything that came is gone again.
   */
  change(before: HostPlan, after: HostPlan): Promise<HostChange>;
  /** Removes routes, rules, the nftables table, and puts the kernel setting back. Never throws: what could not be removed comes back as sentences. */
  tearDown(): Promise<readonly string[]>;
}

export interface HostChange {
  readonly notes: readonly string[];
  /** Never throws: what could not be removed comes back as sentences. */
  finish(): Promise<readonly string[]>;
  /** Instead of `finish`: as before. */
  takeBack(): Promise<void>;
}

/** The plan for this host as it is now. The data plane needs its mark before the device exists. Throws `HostError`. */
export async function planForThisHost(configuration: Configuration): Promise<HostPlan> {
  return planRoutes(configuration, { addresses: await hostAddresses(), ipv6: await hasIpv6() });
}

/** The device must be there. Throws `HostError`; what was set up until then is removed again. */
export async function setUpHost(plan: HostPlan): Promise<HostSetup> {
  const notes = [...plan.notes];
  const undo: (() => Promise<void>)[] = [];
  const tearDown = async (): Promise<readonly string[]> => {
    const problems: string[] = [];
    for (const step of undo.reverse()) await step().catch((error: Error) => problems.push(error.message));
    undo.length = 0;
    return problems;
  };
  try {
    const found = await tableState(plan);
    refuseForeign(plan, found);
    undo.push(() => removeRouting(plan));
    await withoutAddresses(plan);
    await ipBatch(linkLines(plan));
    await ipBatch(setUpLines(plan, found));
    await guard(plan, undo, notes);
    await validMark(plan, undo, notes);
    for (const family of [4, 6] as const)
      if (carries(plan, family) && (await forwardingIsOn(family)) === false)
        notes.push(
          `this host does not forward IPv${family}: only its own packets use the tunnels ` +
            `(sysctl -w ${family === 4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding"}=1 turns it on)`,
        );
  } catch (error) {
    await tearDown();
    throw error;
  }
  return {
    notes,
    tearDown,
    async change(before, after) {
      let guarded = before;
      const { coming, going } = changeLines(before, after);
      const told: string[] = [];
      const takeBack = async (): Promise<void> => {
        const back = changeLines(after, before);
        await ipBatch(back.coming).catch(() => undefined);
        await ipBatch(back.going).catch(() => undefined);
        if (guarded !== before) await guard(before, [], []);
        guarded = before;
      };
      try {
        await withoutAddresses(after);
        await ipBatch(coming);
        if (guardScript(before) !== guardScript(after)) {
          guarded = after;
          if (guardScript(after) === undefined) await removeGuard(after);
          else await guard(after, undo, told);
        }
        await validMark(after, undo, told);
      } catch (error) {
        await takeBack();
        throw error;
      }
      return {
        notes: [...after.notes.filter((note) => !before.notes.includes(note)), ...told],
        async finish() {
          try {
            await ipBatch(going);
            return [];
          } catch (error) {
            return [(error as Error).message];
          }
        },
        takeBack,
      };
    },
  };
}

/** Whether packets of the family are led into a tunnel, or routing daemons may do so. */
function carries({ routes, devices }: HostPlan, family: Family): boolean {
  return routes.some(({ prefix }) => prefix.family === family) || (family === 4 && devices.length > 0);
}

/** Puts other values on routes that stand. Throws `HostError`. */
export async function replaceRoutes(plan: HostPlan, routes: readonly PlannedRoute[]): Promise<void> {
  for (const family of [4, 6] as const)
    await ip(
      family,
      routes.filter(({ prefix }) => prefix.family === family).map((route) => routeLine(plan, route)),
    );
}

/** Two gateways whose TUN names fall on one table must not clear each other's routes. */
function refuseForeign(plan: HostPlan, found: TableState): void {
  const ours = new Set([plan.tun, ...plan.devices.map(({ name }) => name), "lo"]);
  for (const { device, destination, table } of found.routes)
    if (device !== undefined && !ours.has(device))
      throw new HostError(
        `routing table ${table}, which belongs to TUN "${plan.tun}", holds a route to ${destination} on "${device}": ` +
          "another program uses this table; choose another name in gateway.tun.name",
      );
}

async function removeRouting(plan: HostPlan): Promise<void> {
  await ipBatch(tearDownLines(plan, await tableState(plan)));
  // Of the operator's tables what leads into our devices; it is no fault that there is nothing, or no table.
  const flushes = plan.routes.flatMap(({ prefix, own }) =>
    own === undefined || own.table === plan.table || own.table === plan.defaultTable
      ? []
      : [`-${prefix.family} route flush table ${own.table} dev ${own.device}`],
  );
  await Promise.all([...new Set(flushes)].map((words) => run("ip", words.split(" "))));
}

/** The kernel gives a device a link-local address and sends router solicitations from it; no tunnel carries them. */
async function withoutAddresses({ tun, devices }: HostPlan): Promise<void> {
  if (!(await hasIpv6())) return;
  const names = [tun, ...devices.map(({ name }) => name)];
  await run("ip", ["-force", "-batch", "-"], names.map((name) => `link set dev ${name} addrgenmode none\n`).join(""));
}

async function ipBatch(batch: Batch): Promise<void> {
  for (const family of [4, 6] as const) await ip(family, batch[family]);
}

async function ip(family: Family, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const { status, errors } = await run("ip", [`-${family}`, "-batch", "-"], `${lines.join("\n")}\n`);
  if (status !== 0) throw new HostError(explain(errors, lines));
}

function explain(errors: string, lines: readonly string[]): string {
  const message = errors.trim().replaceAll("\n", "; ");
  if (/Operation not permitted/i.test(message))
    return (
      "no permission to set up routes: the capability CAP_NET_ADMIN is missing. Start causeway as root, or as a service " +
      "with AmbientCapabilities=CAP_NET_ADMIN (packaging/causeway.service)"
    );
  const at = Number(/Command failed -:(\d+)/.exec(message)?.[1] ?? Number.NaN);
  return `ip ${lines[at - 1] ?? ""}: ${message}`;
}

async function guard(plan: HostPlan, undo: (() => Promise<void>)[], notes: string[]): Promise<void> {
  const script = guardScript(plan);
  if (script === undefined) return;
  const problem = await nft(script);
  if (problem === undefined) undo.push(() => removeGuard(plan));
  else {
    if (plan.leakProtection && plan.routes.some(({ own }) => own === undefined))
      notes.push(
        `cleartext from the peer ranges is not dropped on other devices: ${problem}. ` +
          "Install nftables, or set net.ipv4.conf.all.rp_filter=1",
      );
    if (plan.marksOuter)
      notes.push(
        `with a strict rp_filter the packets of peers without a fixed address are lost, because everything is routed into a tunnel: ${problem}. ` +
          "Install nftables, or set net.ipv4.conf.all.rp_filter=2",
      );
    if (plan.exceptions.some(({ action }) => action === "bypass"))
      notes.push(
        `what the bypass policies name is dropped, and does not travel in clear: ${problem}. Install nftables`,
      );
  }
}

async function removeGuard(plan: HostPlan): Promise<void> {
  const problem = await nft(removeScript(plan.tun));
  if (problem !== undefined) throw new HostError(`the guard against cleartext could not be removed: ${problem}`);
}

async function nft(script: string): Promise<string | undefined> {
  try {
    const { status, errors } = await run("nft", ["-f", "-"], script);
    return status === 0 ? undefined : `nft: ${errors.trim().split("\n")[0]}`;
  } catch (error) {
    return (error as Error).message;
  }
}

const VALID_MARK = "/proc/sys/net/ipv4/conf/all/src_valid_mark";

/** With a peer inside a covered range, the reverse path filter must look its packets up with our mark. */
async function validMark(plan: HostPlan, undo: (() => Promise<void>)[], notes: string[]): Promise<void> {
  const { marksOuter } = plan;
  const bypasses = plan.exceptions.some(({ action, peer }) => action === "bypass" && peer.family === 4);
  if (!bypasses && !marksOuter && !plan.peersInside.some(({ family }) => family === 4)) return;
  try {
    const before = (await readFile(VALID_MARK, "utf8")).trim();
    if (before === "1") return;
    await writeFile(VALID_MARK, "1");
    undo.push(() => writeFile(VALID_MARK, before));
  } catch (error) {
    notes.push(
      `${bypasses ? "answers to what a bypass policy names" : "packets of a peer inside a covered or routed range"} are lost with a strict ` +
        `rp_filter, because src_valid_mark could not be set (${(error as Error).message}): set net.ipv4.conf.all.src_valid_mark=1`,
    );
  }
}
