/**
 * When something is due: of the IKE SAs, and of the supervisor of every tunnel. The earliest time is kept for each part of the tables,
 * and found anew for the parts that have changed.
 */
import type { Endpoint } from "./endpoint.js";
import { type AnySa, isHandshake, isHolder, saDeadline } from "./sas.js";
import { supervisorDeadline, type TunnelState } from "./supervisor.js";
import { type Group, NO_PARTS, NOTHING, type Part } from "./table.js";
import { earlier } from "./timers.js";
import type { Instant } from "./types.js";

type Parts = Pick<Endpoint, "sas" | "tunnels" | "byName">;
type Units = Part<string, readonly AnySa[]>;
type Tunnels = Part<string, TunnelState>;

/** The earliest times of one part, or of a group of them. */
interface Soonest<U = Units, T = Tunnels> {
  readonly units: U;
  readonly tunnels: T;
  readonly byName: Endpoint["byName"];
  readonly sa: Instant | undefined;
  readonly tunnel: Instant | undefined;
}

interface SoonestOfGroup extends Soonest<Group<string, readonly AnySa[]>, Group<string, TunnelState>> {
  readonly parts: readonly (Soonest | undefined)[];
}

/** The earliest of all IKE SAs, and of all tunnels. */
export function soonest(parts: Parts): { readonly sa: Instant | undefined; readonly tunnel: Instant | undefined } {
  let sa: Instant | undefined;
  let tunnel: Instant | undefined;
  for (const one of agenda(parts)) {
    sa = earlier(sa, one.sa);
    tunnel = earlier(tunnel, one.tunnel);
  }
  return { sa, tunnel };
}

/** The IKE SAs whose time has come, in the order in which they came. */
export function sasDue(parts: Parts, now: Instant): readonly AnySa[] {
  const { sas, byName } = parts;
  const due: AnySa[] = [];
  for (const { sa: at, units } of partsOf(agenda(parts))) {
    if (!isDue(at, now)) continue;
    for (const { value } of units.values())
      for (const sa of value) if (isDue(saDeadline(sa, policies(byName)), now)) due.push(sa);
  }
  return due.sort((a, b) => sas.all.serial(a.key) - sas.all.serial(b.key));
}

/** The tunnels whose time has come, in the order of the configuration. */
export function tunnelsDue(parts: Parts, now: Instant): readonly string[] {
  const due: string[] = [];
  for (const { tunnel: at, tunnels, units } of partsOf(agenda(parts))) {
    if (!isDue(at, now)) continue;
    for (const [name, { value }] of tunnels) if (isDue(tunnelDeadline(name, value, units), now)) due.push(name);
  }
  return due.sort((a, b) => parts.tunnels.serial(a) - parts.tunnels.serial(b));
}

function isDue(at: Instant | undefined, now: Instant): boolean {
  return at !== undefined && at <= now;
}

/** What was found last, by the number of the group: a process has one endpoint, and what is of another one does not fit. */
let known: readonly (SoonestOfGroup | undefined)[] = [];

/** Tables with the same keys have them in places of the same number: a tunnel's IKE SAs stand beside its state. */
function agenda({ sas, tunnels, byName }: Parts): readonly SoonestOfGroup[] {
  const all: SoonestOfGroup[] = [];
  const next = known.slice();
  for (let i = 0; i < tunnels.groups.length; i++) {
    const here = tunnels.groups[i]!;
    const units = sas.units.groups[i]!;
    if (units === NO_PARTS && here === NO_PARTS) continue;
    let found = known[i];
    if (found === undefined || found.units !== units || found.tunnels !== here || found.byName !== byName)
      found = lookAtGroup(units, here, byName, found?.parts ?? []);
    next[i] = found;
    all.push(found);
  }
  known = next;
  return all;
}

function partsOf(groups: readonly SoonestOfGroup[]): readonly Soonest[] {
  return groups.flatMap(({ parts }) => parts.filter((part) => part !== undefined));
}

function lookAtGroup(
  units: SoonestOfGroup["units"],
  tunnels: SoonestOfGroup["tunnels"],
  byName: Endpoint["byName"],
  before: SoonestOfGroup["parts"],
): SoonestOfGroup {
  let ofSas: Instant | undefined;
  let ofTunnels: Instant | undefined;
  // Every step comes by here, also those of a gateway that has just begun: a plain loop costs less than a call for each part.
  const parts: (Soonest | undefined)[] = before.slice();
  for (let i = 0; i < units.length; i++) {
    const unit = units[i]!;
    const here = tunnels[i]!;
    if (unit === NOTHING && here === NOTHING) {
      parts[i] = undefined;
      continue;
    }
    const last = before[i];
    const isSame = last !== undefined && last.units === unit && last.tunnels === here && last.byName === byName;
    const found = isSame ? last : look(unit, here, byName);
    ofSas = earlier(ofSas, found.sa);
    ofTunnels = earlier(ofTunnels, found.tunnel);
    parts[i] = found;
  }
  return { units, tunnels, byName, sa: ofSas, tunnel: ofTunnels, parts };
}

function look(units: Units, tunnels: Tunnels, byName: Endpoint["byName"]): Soonest {
  let ofSas: Instant | undefined;
  let ofTunnels: Instant | undefined;
  const policy = policies(byName);
  units.forEach(({ value }) => {
    for (const sa of value) ofSas = earlier(ofSas, saDeadline(sa, policy));
  });
  tunnels.forEach(({ value }, name) => {
    ofTunnels = earlier(ofTunnels, tunnelDeadline(name, value, units));
  });
  return { units, tunnels, byName, sa: ofSas, tunnel: ofTunnels };
}

function tunnelDeadline(name: string, state: TunnelState, units: Units): Instant | undefined {
  const sas = units.get(name)?.value ?? [];
  return supervisorDeadline(
    state,
    sas.some(isHolder),
    sas.some((sa) => !isHolder(sa) && isHandshake(sa)),
  );
}

function policies(byName: Endpoint["byName"]) {
  return (name: string) => byName.get(name)!;
}
