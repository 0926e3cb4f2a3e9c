/** When the supervisor has something to do, for all tunnels in one pass over the IKE SAs. */
import type { Endpoint } from "./endpoint.js";
import { isHandshake, isHolder, tunnelOf } from "./sas.js";
import { supervisorDeadline } from "./supervisor.js";
import { earlier } from "./timers.js";
import type { Instant } from "./types.js";

type Parts = Pick<Endpoint, "sas" | "tunnels">;

/** The earliest of all tunnels. */
export function soonestTunnel(parts: Parts): Instant | undefined {
  let at: Instant | undefined;
  for (const [, due] of deadlines(parts)) at = earlier(at, due);
  return at;
}

/** The tunnels whose time has come. */
export function tunnelsDue(parts: Parts, now: Instant): readonly string[] {
  const names: string[] = [];
  for (const [name, due] of deadlines(parts)) if (due !== undefined && due <= now) names.push(name);
  return names;
}

function* deadlines({ sas, tunnels }: Parts): Iterable<readonly [string, Instant | undefined]> {
  const connected = new Set<string>();
  const busy = new Set<string>();
  for (const sa of sas.values()) {
    const name = tunnelOf(sa);
    if (name === undefined) continue;
    if (isHolder(sa)) connected.add(name);
    else if (isHandshake(sa)) busy.add(name);
  }
  for (const [name, state] of tunnels) yield [name, supervisorDeadline(state, connected.has(name), busy.has(name))];
}
