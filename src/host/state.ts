/** Reads what the host looks like: its addresses, and what stands in our routing table. */
import { readFile } from "node:fs/promises";
import { type Address, type Family, formatAddress, parseAddress, prefixOf } from "../../esp/address.js";
import { HostError, run } from "./command.js";
import type { FoundRoute, TableState } from "./ip.js";
import type { HostAddress, HostPlan, PlannedRule } from "./plan.js";

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

/** Rules with the plan's mark, and what stands in its tables. Throws `HostError` when `ip` is missing or fails. */
export async function tableState(plan: Pick<HostPlan, "table" | "defaultTable" | "mark">): Promise<TableState> {
  const rules: PlannedRule[] = [];
  const routes: FoundRoute[] = [];
  // All at once: a daemon that ends has few seconds, and a busy machine starts programs slowly.
  const asked = ((await hasIpv6()) ? ([4, 6] as const) : ([4] as const)).flatMap((family) => [
    // Numeric: a table may have a name in /etc/iproute2.
    ipJson(family, ["-N", "rule", "show"]).then((found) => {
      for (const rule of found)
        if (Number(rule.fwmark) === plan.mark)
          rules.push({ family, words: ruleWords(rule), priority: Number(rule.priority) });
    }),
    ...[plan.table, plan.defaultTable].map((table) =>
      ipJson(family, ["route", "show", "table", String(table)]).then((found) => {
        for (const route of found) routes.push(foundRoute(family, table, route));
      }),
    ),
  ]);
  await Promise.all(asked);
  return { rules, routes };
}

function foundRoute(family: Family, table: number, route: Row): FoundRoute {
  const device = typeof route.dev === "string" ? { device: route.dev } : {};
  const metric = typeof route.metric === "number" ? { metric: route.metric } : {};
  const type = String(route.type ?? "unicast");
  return { family, table, destination: String(route.dst), type, ...device, ...metric };
}

/** As `PlannedRule` has it. */
function ruleWords(rule: Row): string {
  const { src, srclen, fwmark, table, suppress_prefixlen: shortest } = rule;
  const from = src === "all" ? "" : `from ${src}/${srclen ?? (String(src).includes(":") ? 128 : 32)} `;
  const suppressed = shortest === undefined ? "" : ` suppress_prefixlength ${shortest}`;
  return `${"not" in rule ? "not " : ""}${from}fwmark ${Number(fwmark)} table ${table}${suppressed}`;
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
