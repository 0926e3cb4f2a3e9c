/** Reads what the host looks like: its addresses, and what stands in our routing table. */
import { readFile } from "node:fs/promises";
import { type Address, type Family, formatAddress, parseAddress, prefixOf } from "../../esp/address.js";
import { HostError, run } from "./command.js";
import type { FoundRoute, FoundRule, TableState } from "./ip.js";
import type { HostAddress } from "./plan.js";

/**
 * Every address of this host except link-local ones, in the order of the interfaces; also those of an interface without
 * a carrier, which Node's own list leaves out.
 */
export async function hostAddresses(): Promise<readonly HostAddress[]> {
  const found: HostAddress[] = [];
  for (const { ifname, addr_info } of await ipJson(undefined, ["address", "show"]))
    for (const { local, prefixlen, scope } of (addr_info ?? []) as readonly Row[]) {
      if (typeof local !== "string" || scope === "link") continue;
      const address = parseAddress(local);
      found.push({ device: String(ifname), address, network: prefixOf(address, Number(prefixlen)) });
    }
  return found;
}

/** False where the kernel runs without IPv6. */
export async function hasIpv6(): Promise<boolean> {
  return (await readText("/proc/sys/net/ipv6/conf/all/disable_ipv6"))?.trim() === "0";
}

/** Whether packets of others are passed on; undefined where it cannot be read. */
export async function forwardingIsOn(family: Family): Promise<boolean | undefined> {
  const file = family === 4 ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding";
  const text = await readText(file);
  return text === undefined ? undefined : text.trim() !== "0";
}

/** Rules that lead to the table, and what stands in it. Throws `HostError` when `ip` is missing or fails. */
export async function tableState(table: number): Promise<TableState> {
  const rules: FoundRule[] = [];
  const routes: FoundRoute[] = [];
  for (const family of (await hasIpv6()) ? ([4, 6] as const) : ([4] as const)) {
    for (const rule of await ipJson(family, ["rule", "show"]))
      if (String(rule.table) === String(table))
        rules.push({ family, priority: Number(rule.priority), table: String(rule.table) });
    for (const route of await ipJson(family, ["route", "show", "table", String(table)])) {
      const device = typeof route.dev === "string" ? { device: route.dev } : {};
      routes.push({ family, destination: String(route.dst), type: String(route.type ?? "unicast"), ...device });
    }
  }
  return { rules, routes };
}

/** The source address that the kernel takes for packets with our mark, or undefined when there is no route. */
export async function sourceAddress(remote: Address, mark: number): Promise<Address | undefined> {
  const [route] = await ipJson(remote.family, ["route", "get", formatAddress(remote), "mark", String(mark)]);
  return typeof route?.prefsrc === "string" ? parseAddress(route.prefsrc) : undefined;
}

export type Row = Readonly<Record<string, unknown>>;

export async function ipJson(family: Family | undefined, args: readonly string[]): Promise<readonly Row[]> {
  const { status, output, errors } = await run("ip", [...(family ? [`-${family}`] : []), "-json", ...args]);
  // A table in which there never was a route does not exist; a destination without a route is an answer as well.
  if (status !== 0 && /table does not exist|unreachable|No route to host/i.test(errors)) return [];
  if (status !== 0) throw new HostError(`ip ${args.join(" ")}: ${errors.trim()}`);
  const text = output.trim();
  return text === "" ? [] : (JSON.parse(text) as Row[]);
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch {
    return undefined;
  }
}
