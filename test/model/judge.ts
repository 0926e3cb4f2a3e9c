/** What both ends must have come to when nothing can happen any more. */
import { hex } from "../../crypto/bytes.js";
import type { SaPair } from "../../esp/sa.js";
import type { Established } from "../../ike/v2/state.js";
import type { Side, World } from "./world.js";

/** One IKE SA, the same at both ends; one child for each mapping, the same at both ends; and nothing else anywhere. */
export function agreement({ sides }: World): string | undefined {
  const [a, b] = sides;
  const problem = alone(a, "A") ?? alone(b, "B");
  if (problem !== undefined) return problem;
  const [mine, theirs] = [theSa(a), theSa(b)];
  if (mine.initiatorSpi !== theirs.initiatorSpi || mine.responderSpi !== theirs.responderSpi)
    return "two different IKE SAs";
  for (const pair of a.plane.children.values()) {
    const other = [...b.plane.children.values()].find(({ spiIn }) => spiIn === pair.spiOut);
    if (other === undefined) return "two different children";
    if (
      other.spiOut !== pair.spiIn ||
      keys(pair) !== keys({ ...other, keys: { inbound: other.keys.outbound, outbound: other.keys.inbound } })
    )
      return "a child whose ends differ";
  }
  return undefined;
}

/** Nothing is left at either end. */
export function nothing({ sides }: World): string | undefined {
  for (const [who, { endpoint, plane }] of sides.entries()) {
    if (endpoint.sas.size > 0) return `${"AB"[who]} has ${endpoint.sas.size} IKE SAs`;
    if (plane.children.size > 0) return `${"AB"[who]} has ${plane.children.size} children`;
    if (plane.reserved.size > 0) return `${"AB"[who]} has reserved SPIs`;
    if (endpoint.asks.size > 0) return `${"AB"[who]} waits for answers`;
  }
  return undefined;
}

function theSa({ endpoint }: Side): Established {
  return [...endpoint.sas.values()][0] as Established;
}

function alone({ endpoint, plane }: Side, name: string): string | undefined {
  const phases = [...endpoint.sas.values()].map(({ phase }) => phase);
  if (phases.join() !== "established") return `${name} has IKE SAs in ${phases.join()}`;
  const [sa] = [...endpoint.sas.values()] as [Established];
  if (sa.task !== undefined || sa.answering !== undefined || sa.wishes.length > 0)
    return `${name} has something to do still`;
  if (plane.reserved.size > 0) return `${name} has reserved SPIs`;
  if (endpoint.asks.size > 0) return `${name} waits for answers`;
  const { using, troubles } = endpoint.tunnels.get("t")!;
  const { mappings } = endpoint.policy.tunnels[0]!;
  if (plane.children.size !== mappings.length || sa.children.size !== mappings.length)
    return `${name} has ${sa.children.size} children, ${plane.children.size} in the data plane`;
  if (troubles.size > 0) return `${name}: ${[...troubles.values()][0]!.reason}`;
  for (const index of mappings.keys()) {
    const child = [...sa.children.values()].find(({ pair }) => pair.mappings.includes(index));
    if (child?.state !== "live" || !plane.children.has(child.id))
      return `${name} has no live child for mapping ${index}`;
    if (using.get(index) !== child.id || plane.told.at(-1) === undefined) return `${name} does not send on its child`;
  }
  return undefined;
}

function keys({ keys: { inbound, outbound } }: Pick<SaPair, "keys">): string {
  return `${hex(inbound.encryption.reveal())} ${hex(outbound.encryption.reveal())}`;
}
