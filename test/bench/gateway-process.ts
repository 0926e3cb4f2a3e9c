/**
 * A gateway's process: that it is the one that was just started, and what it costs.
 *
 * An old process that holds the TUN device makes the new one fail while the measurement goes on against the old one. So the
 * process is looked for below the command that was started, in the namespace that it was started in, and with the device among its descriptors.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { must, type Running, until } from "../child.js";

export interface GatewayProcess {
  readonly pid: number;
  /** CPU time so far of all its threads, user and system, in seconds. */
  cpuSeconds(): number;
  residentOctets(): number;
  /** The most that was resident since it started. */
  peakOctets(): number;
}

/** Clock ticks of /proc/PID/stat: USER_HZ is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * The process called `command` that `running` has become, once it holds the TUN device `device` in the namespace that the command
 * lines of `inside` run in.
 */
export async function gatewayProcess(
  inside: (...argv: string[]) => string[],
  running: Running,
  command: RegExp,
  device: string,
): Promise<GatewayProcess> {
  const namespace = inside()[3]!;
  const pid = await until(`the gateway of ${namespace} to hold ${device}\n${running.output()}`, 60, async () =>
    descendants(running.pid).find((one) => command.test(name(one)) && holds(one, device)),
  );
  const expected = statSync(join("/run/netns", namespace)).ino;
  const actual = readlinkSync(`/proc/${pid}/ns/net`);
  if (actual !== `net:[${expected}]`)
    throw new Error(`process ${pid} is in ${actual}, not in the namespace ${namespace} (net:[${expected}])`);
  const own = (file: "stat" | "status"): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch (error) {
      const said = running.output().trimEnd().split("\n").slice(-20).join("\n");
      throw new Error(`the gateway of ${namespace} has ended:\n${said}`, { cause: error });
    }
  };
  return {
    pid,
    cpuSeconds: () => cpuSeconds(own("stat")),
    residentOctets: () => octetsOf(own("status"), "VmRSS"),
    peakOctets: () => octetsOf(own("status"), "VmHWM"),
  };
}

/** Octets that came into and left a device. */
export async function deviceOctets(inside: (...argv: string[]) => string[], device: string): Promise<number> {
  const text = await must(inside("ip", "-s", "-j", "link", "show", "dev", device));
  const [link] = JSON.parse(text) as { stats64: Record<"rx" | "tx", { bytes: number }> }[];
  return link!.stats64.rx.bytes + link!.stats64.tx.bytes;
}

/** The process itself and everything that it started, as far as it lives. */
function descendants(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(descendants)];
  } catch {
    return []; // it has ended meanwhile
  }
}

function name(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return ""; // it has ended meanwhile
  }
}

/** Whether one of the process's descriptors is the TUN device: the kernel tells by "iff:" in fdinfo. */
function holds(pid: number, device: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fdinfo`).some((fd) =>
      readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes(`iff:\t${device}\n`),
    );
  } catch {
    return false; // a descriptor or the process was closed meanwhile: it is asked again
  }
}

/** utime and stime of /proc/PID/stat, counted from behind the name, which may itself contain spaces and brackets. */
function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function octetsOf(status: string, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`/proc/PID/status has no ${field}`);
  return Number(kibibytes) * 1024;
}
