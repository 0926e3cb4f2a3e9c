/** The plan as lines for `ip -batch`: what sets it up from any state, and what takes it away. Pure. */
import { type Family, formatAddress, formatPrefix } from "../../esp/address.js";
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
  const replace = (type: string, destination: string, rest: string): void => {
    wanted.add(`${type} ${destination}`);
    lines.push(`route replace ${type} ${destination} ${rest}`);
  };
  for (const prefix of direct) replace("throw", formatPrefix(prefix), `table ${plan.table}`);
  if (plan.leakProtection)
    for (const { prefix } of routes)
      replace("unreachable", formatPrefix(prefix), `table ${plan.table} metric ${WORST_METRIC}`);
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
