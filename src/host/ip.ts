/** The plan as lines for `ip -batch`: what sets it up from any state, and what takes it away. Pure. */
import { type Family, formatAddress, formatPrefix } from "../../esp/address.js";
import type { HostPlan, PlannedRoute, PlannedRule } from "./plan.js";

/** What `ip -json` shows of our tables: from this run, or left by one that crashed. */
export interface TableState {
  readonly rules: readonly PlannedRule[];
  readonly routes: readonly FoundRoute[];
}

export interface FoundRoute {
  readonly family: Family;
  readonly table: number;
  /** "10.2.0.0/16", a host without a length, or "default". */
  readonly destination: string;
  readonly type: string;
  readonly device?: string;
  readonly metric?: number;
}

/** Lines for one family; `ip -4 -batch` and `ip -6 -batch` are two runs. */
export type Batch = Readonly<Record<Family, readonly string[]>>;

/** The largest metric: any other route to the same range wins. */
const WORST_METRIC = 4294967295;
/** What IPv6 has where nothing was asked for. */
const USUAL_METRIC_6 = 1024;
const FAMILIES = [4, 6] as const;

/** How many octets of an MTU, and which addresses: run before the batch of `setUpLines`, because routes need a device that is up. */
export function linkLines(plan: HostPlan): Batch {
  return {
    4: [...[...linkWords(plan).values()], ...addressWords(plan, 4).values()],
    6: [...addressWords(plan, 6).values()],
  };
}

/**
 * From whatever stands there to the plan. The unreachable routes come first and stale routes go last, so that there is
 * no moment in which a covered packet could leave in clear.
 */
export function setUpLines(plan: HostPlan, found: TableState): Batch {
  const lines = (family: Family): string[] => {
    const wanted = standingLines(plan, family);
    const rules = new Set(rulesOf(plan, family).map(ruleKey));
    const there = found.rules.filter((rule) => rule.family === family);
    const known = new Set(there.map(ruleKey));
    const routes = found.routes.filter((route) => route.family === family).map(foundWords);
    return [
      ...guardLines(plan, family).values(),
      ...rulesOf(plan, family)
        .filter((rule) => !known.has(ruleKey(rule)))
        .map((rule) => ruleLine("add", rule)),
      ...routeLines(plan, family).values(),
      ...there.filter((rule) => !rules.has(ruleKey(rule))).map((rule) => ruleLine("del", rule)),
      ...routes.filter((words) => !wanted.has(words)).map((words) => `route del ${words}`),
    ];
  };
  return { 4: lines(4), 6: lines(6) };
}

/**
 * From one plan that stands to another one: nothing is said of what stays. `coming` goes before the gateway changes its tunnels,
 * `going` after it, so that a range that is covered is covered throughout.
 */
export function changeLines(before: HostPlan, after: HostPlan): { readonly coming: Batch; readonly going: Batch } {
  const coming: Record<Family, string[]> = { 4: [], 6: [] };
  const going: Record<Family, string[]> = { 4: [], 6: [] };
  coming[4].push(...added(linkWords(before), linkWords(after)));
  for (const family of FAMILIES) {
    coming[family].push(
      ...added(addressWords(before, family), addressWords(after, family)),
      ...added(standingLines(before, family), standingLines(after, family)),
      ...added(ruleWords(before, family, "add"), ruleWords(after, family, "add")),
    );
    const stays = standingLines(after, family);
    going[family].push(
      ...added(ruleWords(after, family, "del"), ruleWords(before, family, "del")),
      ...[...standingLines(before, family).keys()]
        .filter((words) => !stays.has(words))
        .map((words) => `route del ${words}`),
      ...[...addressWords(before, family)]
        .filter(([what]) => !addressWords(after, family).has(what))
        .map(([what]) => `address del ${what}`),
    );
  }
  return { coming, going };
}

/** What is in the second map and not, or not so, in the first one. */
function added(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] {
  return [...after].filter(([what, line]) => before.get(what) !== line).map(([, line]) => line);
}

/** By the device. */
function linkWords({ tun, tunMtu, queueLength, devices }: HostPlan): ReadonlyMap<string, string> {
  const all = [{ name: tun, mtu: tunMtu }, ...devices];
  return new Map(
    all.map(({ name, mtu }) => [name, `link set dev ${name} mtu ${mtu} txqueuelen ${queueLength} up`] as const),
  );
}

/** By what names an address to `ip address del`. */
function addressWords({ devices }: HostPlan, family: Family): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  for (const { name, addresses } of devices)
    for (const { address, network } of addresses) {
      if (address.family !== family) continue;
      const what = `${formatAddress(address)}/${network.length} dev ${name}`;
      lines.set(what, `address replace ${what}${family === 6 ? " nodad" : ""}`);
    }
  return lines;
}

/** What stands there under a plan, by what names it to `ip route del`: what leads nowhere comes first. */
function standingLines(plan: HostPlan, family: Family): ReadonlyMap<string, string> {
  return new Map([...guardLines(plan, family), ...routeLines(plan, family)]);
}

function guardLines(plan: HostPlan, family: Family): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  for (const { prefix, table } of plan.throws)
    if (prefix.family === family)
      lines.set(
        `throw ${formatPrefix(prefix)} table ${table}`,
        `route replace throw ${formatPrefix(prefix)} table ${table}`,
      );
  if (!plan.leakProtection) return lines;
  for (const { prefix, own } of plan.routes) {
    const table = own?.table ?? plan.table;
    // A table that the operator named is the operator's: what else stands there is not known here.
    if (prefix.family !== family || (table !== plan.table && table !== plan.defaultTable)) continue;
    const words = `unreachable ${formatPrefix(prefix)} table ${table}`;
    lines.set(words, `route replace ${words} metric ${WORST_METRIC}`);
  }
  return lines;
}

function routeLines(plan: HostPlan, family: Family): ReadonlyMap<string, string> {
  const routes = plan.routes.filter(({ prefix }) => prefix.family === family);
  return new Map(routes.map((route) => [routeWords(plan, route), routeLine(plan, route)]));
}

/** A found route as `standingLines` would name it. */
function foundWords({ family, type, destination, table, metric }: FoundRoute): string {
  const range = withLength(destination, family);
  if (type !== "unicast") return `${type} ${range} table ${table}`;
  const asked = metric !== undefined && !(family === 6 && metric === USUAL_METRIC_6);
  return `${range} table ${table}${asked ? ` metric ${metric}` : ""}`;
}

function routeWords({ table }: Pick<HostPlan, "table">, { prefix, own }: PlannedRoute): string {
  const asked =
    own?.metric === undefined || (prefix.family === 6 && own.metric === USUAL_METRIC_6) ? undefined : own.metric;
  const metric = asked === undefined ? "" : ` metric ${asked}`;
  return `${formatPrefix(prefix)} table ${own?.table ?? table}${metric}`;
}

/** A route into a tunnel; also replaces one with another MTU. */
export function routeLine({ tun, table }: Pick<HostPlan, "tun" | "table">, route: PlannedRoute): string {
  const { prefix, source, mtu, own } = route;
  const src = source ? ` src ${formatAddress(source)}` : "";
  const metric = own?.metric === undefined ? "" : ` metric ${own.metric}`;
  return `route replace ${formatPrefix(prefix)} dev ${own?.device ?? tun} table ${own?.table ?? table}${metric}${src} mtu ${mtu}`;
}

/** Removes everything of ours that is there, and nothing else; no lines for what is gone already. */
export function tearDownLines(
  { table, defaultTable }: Pick<HostPlan, "table" | "defaultTable">,
  found: TableState,
): Batch {
  const lines = (family: Family): string[] => [
    ...found.rules.filter((rule) => rule.family === family).map((rule) => ruleLine("del", rule)),
    ...[table, defaultTable]
      .filter((each) => found.routes.some((route) => route.family === family && route.table === each))
      .map((each) => `route flush table ${each}`),
  ];
  return { 4: lines(4), 6: lines(6) };
}

function rulesOf({ rules }: HostPlan, family: Family): readonly PlannedRule[] {
  return rules.filter((rule) => rule.family === family);
}

function ruleWords(plan: HostPlan, family: Family, verb: "add" | "del"): ReadonlyMap<string, string> {
  return new Map(rulesOf(plan, family).map((rule) => [ruleKey(rule), ruleLine(verb, rule)]));
}

function ruleKey({ words, priority }: PlannedRule): string {
  return `${words} priority ${priority}`;
}

function ruleLine(verb: "add" | "del", rule: PlannedRule): string {
  return `rule ${verb} ${ruleKey(rule)}`;
}

/** `ip` prints a host without its length. */
function withLength(destination: string, family: Family): string {
  if (destination === "default") return family === 4 ? "0.0.0.0/0" : "::/0";
  return destination.includes("/") ? destination : `${destination}/${family === 4 ? 32 : 128}`;
}
