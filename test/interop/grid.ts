/** Many mappings: each of some parts of our network with each of some parts of the peer's. */
import { must } from "../child.js";
import type { Scenario, Who } from "./scenario.js";
import { HOST, NAMESPACE, type Topology } from "./topology.js";

export interface Grid {
  readonly locals: number;
  readonly peers: number;
  /** What the peer is configured with: one child for all of them, or one for each pair. */
  readonly peerHas: "one child" | "a child for each";
  /** What must come of it. */
  readonly result: "one SA" | "an SA for each";
}

export interface Part {
  readonly net: string;
  readonly gateway: string;
  readonly host: string;
}

/** Parts of eight addresses of the /24 of a site, behind those of `Topology.addresses.parts`. */
export function partsOf({ locals, peers }: Grid, who: Who): readonly Part[] {
  const network = who === "ours" ? "10.81.1" : "10.81.2";
  return Array.from({ length: who === "ours" ? locals : peers }, (_, i) => ({
    net: `${network}.${48 + 8 * i}/29`,
    gateway: `${network}.${49 + 8 * i}`,
    host: `${network}.${50 + 8 * i}`,
  }));
}

/** Each with each, as mappings are made of an entry of `policies`. */
export function pairsOf(grid: Grid): readonly { readonly ours: Part; readonly peer: Part }[] {
  return partsOf(grid, "ours").flatMap((ours) => partsOf(grid, "peer").map((peer) => ({ ours, peer })));
}

/** How many children both ends must show. */
export function childCount({ grid, mappings }: Scenario): number {
  if (grid === undefined) return mappings ?? 1;
  return grid.result === "one SA" ? 1 : grid.locals * grid.peers;
}

/** A host in each part; and an address of the peer itself, without which strongSwan's userspace ESP installs no policy. */
export async function addHosts({ namespaces }: Topology, grid: Grid, guest: boolean): Promise<void> {
  const add = (who: Who, which: "host" | "gateway", dev: string): string =>
    partsOf(grid, who)
      .map((part) => `addr replace ${part[which]}/24 dev ${dev}`)
      .join("\n");
  for (const who of ["ours", "peer"] as const) await namespaces.ip(HOST[who], add(who, "host", "eth0"));
  if (!guest) await namespaces.ip(NAMESPACE.peer, add("peer", "gateway", "inner"));
}

/** An echo request for each mapping from the hosts behind `from`; those that had no answer. */
export async function unanswered({ namespaces }: Topology, grid: Grid, from: Who): Promise<readonly string[]> {
  const to = from === "ours" ? "peer" : "ours";
  const pairs = pairsOf(grid).map((pair) => `${pair[from].host} ${pair[to].host}`);
  const script = `while read -r source target; do
      ping -n -q -c 1 -w 5 -I "$source" "$target" > /dev/null || echo "$source to $target"
    done`;
  const words = namespaces.inside(HOST[from], "sh", "-c", script);
  const out = await must(words, { seconds: 240, input: `${pairs.join("\n")}\n` });
  return out.trim().split("\n").filter(Boolean);
}
