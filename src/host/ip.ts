/** The plan as lines for `ip -batch`: what sets it up from any state, and what takes it away. Pure. */
import { type Family, formatAddress, formatPrefix, type Prefix } from "../../esp/address.js";
import type { HostPlan, PlannedRoute } from "./plan.js";

/** What `ip -json` shows of our table: from this run, or left by one that crashed. */
export interface TableState {
  readonly rules: readonly FoundRule[];
  readonly routes: readonly FoundRoute[];
}

export interface FoundRule {
  readonly family: Family;
  readonly priority: number;
  readonly table: string;
}

export interface FoundRoute {
  readonly family: Family;
  /** "10.2.0.0/16", a host without a length, or "default". */
  readonly destination: string;
  readonly type: string;
  readonly device?: string;
}

/** Lines for one family; `ip -4 -batch` and `ip -6 -batch` are two runs. */
export type Batch = Readonly<Record<Family, readonly string[]>>;

/** Ahead of the main table (32766), behind the local one (0) and behind the rules that operators usually add. */
const RULE_PRIORITY = 5200;
/** The largest metric: any other route to the same range wins. */
const WORST_METRIC = 4294967295;

/**
 * From whatever stands there to the plan. The unreachable routes come first and stale routes go last, so that there is
 * no moment in which a covered packet could leave in clear.
 */
export function setUpLines(plan: HostPlan, found: TableState): Batch {
  return { 4: familySetUp(plan, found, 4), 6: familySetUp(plan, found, 6) };
}

/** The device: run before the batch of `setUpLines`, because routes need a device that is up. */
export function linkLines(plan: HostPlan): readonly string[] {
  return [`link set dev ${plan.tun} mtu ${plan.tunMtu} txqueuelen ${plan.queueLength} up`];
}

/**
 * From one plan that stands to another one: nothing is said of what stays. `coming` goes before the gateway changes its tunnels,
 * `going` after it, so that a range that is covered is covered throughout.
 */
export function changeLines(before: HostPlan, after: HostPlan): { readonly coming: Batch; readonly going: Batch } {
  const coming: Record<Family, string[]> = { 4: [], 6: [] };
  const going: Record<Family, string[]> = { 4: [], 6: [] };
  for (const family of [4, 6] as const) {
    const old = standingLines(before, family);
    const next = standingLines(after, family);
    for (const [what, line] of next) if (old.get(what) !== line) coming[family].push(line);
    if (before.tunMtu !== after.tunMtu && family === 4) coming[4].unshift(...linkLines(after));
    const hadRule = hasRoutes(before, family);
    if (!hadRule && hasRoutes(after, family)) coming[family].push(ruleLine("add", after, RULE_PRIORITY));
    if (hadRule && !hasRoutes(after, family)) going[family].push(ruleLine("del", after, RULE_PRIORITY));
    for (const what of old.keys()) if (!next.has(what)) going[family].push(`route del ${what} table ${after.table}`);
  }
  return { coming, going };
}

/** What stands there under a plan, by what names it: the unreachable routes first. */
function standingLines(plan: HostPlan, family: Family): ReadonlyMap<string, string> {
  const lines = new Map<string, string>();
  const routes = plan.routes.filter(({ prefix }) => prefix.family === family);
  for (const prefix of plan.direct.filter((direct) => direct.family === family))
    lines.set(`throw ${formatPrefix(prefix)}`, throwLine(plan, prefix));
  if (plan.leakProtection)
    for (const { prefix } of routes) lines.set(`unreachable ${formatPrefix(prefix)}`, unreachableLine(plan, prefix));
  for (const route of routes) lines.set(formatPrefix(route.prefix), routeLine(plan, route));
  return lines;
}

function hasRoutes({ routes }: HostPlan, family: Family): boolean {
  return routes.some(({ prefix }) => prefix.family === family);
}

function throwLine({ table }: HostPlan, prefix: Prefix): string {
  return `route replace throw ${formatPrefix(prefix)} table ${table}`;
}

function unreachableLine({ table }: HostPlan, prefix: Prefix): string {
  return `route replace unreachable ${formatPrefix(prefix)} table ${table} metric ${WORST_METRIC}`;
}

/** Removes everything of ours that is there, and nothing else; no lines for what is gone already. */
export function tearDownLines(plan: Pick<HostPlan, "table" | "mark">, found: TableState): Batch {
  const lines = (family: Family): string[] => [
    ...found.rules.filter((rule) => rule.family === family).map((rule) => ruleLine("del", plan, rule.priority)),
    ...(found.routes.some((route) => route.family === family) ? [`route flush table ${plan.table}`] : []),
  ];
  return { 4: lines(4), 6: lines(6) };
}

function familySetUp(plan: HostPlan, found: TableState, family: Family): string[] {
  const routes = plan.routes.filter(({ prefix }) => prefix.family === family);
  const direct = plan.direct.filter((prefix) => prefix.family === family);
  const rules = found.rules.filter((rule) => rule.family === family);
  const lines: string[] = [];
  const wanted = new Set<string>();
  for (const prefix of direct) {
    wanted.add(`throw ${formatPrefix(prefix)}`);
    lines.push(throwLine(plan, prefix));
  }
  if (plan.leakProtection)
    for (const { prefix } of routes) {
      wanted.add(`unreachable ${formatPrefix(prefix)}`);
      lines.push(unreachableLine(plan, prefix));
    }
  if (routes.length > 0 && !rules.some(({ priority }) => priority === RULE_PRIORITY))
    lines.push(ruleLine("add", plan, RULE_PRIORITY));
  for (const route of routes) {
    wanted.add(` ${formatPrefix(route.prefix)}`);
    lines.push(routeLine(plan, route));
  }
  for (const rule of rules)
    if (rule.priority !== RULE_PRIORITY || routes.length === 0) lines.push(ruleLine("del", plan, rule.priority));
  for (const { destination, type } of found.routes.filter((route) => route.family === family)) {
    const kind = type === "unicast" ? "" : type;
    const name = withLength(destination, family);
    if (!wanted.has(`${kind} ${name}`))
      lines.push(`route del ${kind}${kind === "" ? "" : " "}${name} table ${plan.table}`);
  }
  return lines;
}

/** A route into the tunnel; also replaces one with another MTU. */
export function routeLine({ tun, table }: Pick<HostPlan, "tun" | "table">, route: PlannedRoute): string {
  const source = route.source ? ` src ${formatAddress(route.source)}` : "";
  return `route replace ${formatPrefix(route.prefix)} dev ${tun} table ${table}${source} mtu ${route.mtu}`;
}

function ruleLine(verb: "add" | "del", plan: Pick<HostPlan, "table" | "mark">, priority: number): string {
  return `rule ${verb} not fwmark ${plan.mark} table ${plan.table} priority ${priority}`;
}

/** `ip` prints a host without its length. */
function withLength(destination: string, family: Family): string {
  if (destination === "default") return family === 4 ? "0.0.0.0/0" : "::/0";
  return destination.includes("/") ? destination : `${destination}/${family === 4 ? 32 : 128}`;
}
