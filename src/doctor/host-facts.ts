/** Reads of this host what the doctor judges. Nothing here throws for what is missing: then there is no such fact. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Address, type Family, formatAddress, parseAddress } from "../../esp/address.js";
import { run } from "../host/command.js";
import type { TableState } from "../host/ip.js";
import type { HostAddress } from "../host/plan.js";
import { forwardingIsOn, hostAddresses, ipJson, tableState } from "../host/state.js";

export interface HostFacts {
  /** Why /dev/net/tun cannot be opened, as an errno name; absent: it can. */
  readonly tunFailure?: string;
  /** Network devices by name. */
  readonly devices: ReadonlyMap<string, DeviceFact>;
  readonly addresses: readonly HostAddress[];
  readonly forwarding: Readonly<Record<Family, boolean | undefined>>;
  /** net.ipv4.conf.NAME.rp_filter, with "all": 1 strict, 2 loose. */
  readonly reversePath: ReadonlyMap<string, number>;
  /** Packets that the reverse path filter has dropped since the namespace is there. */
  readonly reversePathDrops?: number;
  readonly udp: readonly UdpSocketFact[];
  /** What nft prints as JSON; absent: no nft, or no permission. */
  readonly ruleset?: unknown;
  /** Tables of the older iptables, which nft does not show. */
  readonly legacyTables: readonly string[];
  /** Our own routing table. Absent: `ip` is missing. */
  readonly table?: TableState;
  /** Policies of the kernel's own IPsec, which another daemon has put there. */
  readonly kernelPolicies: number;
  /** Effective capabilities of this process, in hex. */
  readonly capabilities?: string;
  /** Milliseconds since 1970. */
  readonly clock: number;
  /** Undefined: the host does not say. */
  readonly clockSynchronized?: boolean;
}

export interface DeviceFact {
  readonly up: boolean;
  readonly mtu: number;
  readonly transmitted: number;
  readonly received: number;
}

export interface UdpSocketFact {
  readonly address: string;
  readonly port: number;
  readonly process?: { readonly pid: number; readonly name: string };
}

export async function readHostFacts(tables: Parameters<typeof tableState>[0]): Promise<HostFacts> {
  const tunFailure = openFailure("/dev/net/tun");
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf("/proc/self/status") ?? "")?.[1];
  const [addresses, four, six, state, ruleset, policies, synchronized] = await Promise.all([
    hostAddresses().catch(() => []),
    forwardingIsOn(4),
    forwardingIsOn(6),
    tableState(tables).catch(() => undefined),
    nftRuleset(),
    kernelPolicies(),
    clockSynchronized(),
  ]);
  const reversePathDrops = netstat("IPReversePathFilter");
  return {
    ...(tunFailure !== undefined && { tunFailure }),
    devices: readDevices(),
    addresses,
    forwarding: { 4: four, 6: six },
    reversePath: readReversePath(),
    ...(reversePathDrops !== undefined && { reversePathDrops }),
    udp: udpSockets(),
    ...(ruleset !== undefined && { ruleset }),
    legacyTables: (textOf("/proc/net/ip_tables_names") ?? "").split("\n").filter((name) => name !== ""),
    ...(state && { table: state }),
    kernelPolicies: policies,
    ...(capabilities !== undefined && { capabilities }),
    clock: Date.now(),
    ...(synchronized !== undefined && { clockSynchronized: synchronized }),
  };
}

export interface RouteFact {
  readonly device: string;
  /** The source address that the kernel takes. */
  readonly source?: string;
  /** Octets: of the route, or of its device. */
  readonly mtu?: number;
}

/** The route of packets to `destination`; undefined: there is none. `mark`: of the gateway's own packets. */
export async function routeTo(
  destination: Address,
  how: { readonly mark?: number; readonly from?: string } = {},
): Promise<RouteFact | undefined> {
  const words = ["route", "get", formatAddress(destination)];
  if (how.from !== undefined) words.push("from", how.from);
  if (how.mark !== undefined) words.push("mark", String(how.mark));
  const [route] = await ipJson(destination.family, words).catch(() => []);
  if (typeof route?.dev !== "string") return undefined;
  const metrics = Array.isArray(route.metrics) ? (route.metrics[0] as Readonly<Record<string, unknown>>) : undefined;
  const mtu = Number(metrics?.mtu ?? readDevices().get(route.dev)?.mtu);
  return {
    device: route.dev,
    ...(typeof route.prefsrc === "string" && { source: route.prefsrc }),
    ...(Number.isFinite(mtu) && { mtu }),
  };
}

export function readDevices(): ReadonlyMap<string, DeviceFact> {
  const found = new Map<string, DeviceFact>();
  for (const name of namesIn("/sys/class/net")) {
    const number = (file: string): number => Number(textOf(`/sys/class/net/${name}/${file}`) ?? Number.NaN);
    found.set(name, {
      up: (number("flags") & 1) !== 0,
      mtu: number("mtu"),
      transmitted: number("statistics/tx_packets"),
      received: number("statistics/rx_packets"),
    });
  }
  return found;
}

function openFailure(path: string): string | undefined {
  try {
    closeSync(openSync(path, "r+"));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function readReversePath(): ReadonlyMap<string, number> {
  const folder = "/proc/sys/net/ipv4/conf";
  return new Map(namesIn(folder).map((name) => [name, Number(textOf(`${folder}/${name}/rp_filter`) ?? 0)]));
}

/** A counter of /proc/net/netstat: lines of names and lines of numbers in turn. */
function netstat(name: string): number | undefined {
  const lines = (textOf("/proc/net/netstat") ?? "").split("\n").map((line) => line.split(" "));
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const at = lines[i]!.indexOf(name);
    if (at >= 0) return Number(lines[i + 1]![at]);
  }
  return undefined;
}

/** Bound UDP sockets (proc(5), /proc/net/udp), with the process where it may be looked up. */
function udpSockets(): readonly UdpSocketFact[] {
  const found: { readonly address: string; readonly port: number; readonly inode: string }[] = [];
  for (const file of ["/proc/net/udp", "/proc/net/udp6"])
    for (const line of (textOf(file) ?? "").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = "", port = ""] = (fields[1] ?? "").split(":");
      if (port !== "")
        found.push({ address: procAddress(address), port: Number.parseInt(port, 16), inode: fields[9]! });
    }
  const owners = ownersOf(new Set(found.filter(({ port }) => port < 65_536).map(({ inode }) => inode)));
  return found.map(({ address, port, inode }) => {
    const process = owners.get(inode);
    return { address, port, ...(process && { process }) };
  });
}

/** /proc prints the words of an address as the processor reads them. */
function procAddress(hex: string): string {
  const octets = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (octets.length === 4) return octets.map((octet) => Number.parseInt(octet, 16)).join(".");
  const words = Array.from({ length: octets.length / 2 }, (_, i) => octets[2 * i]! + octets[2 * i + 1]!);
  try {
    return formatAddress(parseAddress(words.join(":")));
  } catch {
    return hex;
  }
}

function ownersOf(inodes: ReadonlySet<string>): ReadonlyMap<string, { pid: number; name: string }> {
  const owners = new Map<string, { pid: number; name: string }>();
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name)))
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`) ?? "")?.[1];
      if (inode === undefined || !inodes.has(inode) || owners.has(inode)) continue;
      owners.set(inode, { pid: Number(pid), name: (textOf(`/proc/${pid}/comm`) ?? "").trim() });
    }
  return owners;
}

async function nftRuleset(): Promise<unknown> {
  try {
    const { status, output } = await run("nft", ["-j", "list", "ruleset"]);
    return status === 0 ? JSON.parse(output) : undefined;
  } catch {
    return undefined;
  }
}

async function kernelPolicies(): Promise<number> {
  try {
    const { output } = await run("ip", ["xfrm", "policy"]);
    // Sockets have policies of their own, which concern nobody else.
    return (output.match(/^src /gm) ?? []).length - (output.match(/^\s+socket /gm) ?? []).length;
  } catch {
    return 0;
  }
}

async function clockSynchronized(): Promise<boolean | undefined> {
  if (linkOf("/proc/1/exe") === undefined || !namesIn("/run/systemd").includes("system")) return undefined;
  try {
    const { output } = await run("timedatectl", ["show", "--property=NTPSynchronized", "--value"]);
    return output.trim() === "yes" ? true : output.trim() === "no" ? false : undefined;
  } catch {
    return undefined;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function linkOf(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
