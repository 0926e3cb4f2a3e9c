/** `bypass` and `drop` of a tunnel: policies without IPsec, which take something out of its mappings. */
import { inOrder, type PolicyException, swallows, withinMappings } from "../../esp/exception.js";
import { anySelector, selectorFromPrefix, type TrafficSelector } from "../../esp/selector.js";
import { pairWords } from "../../ike/core/joint.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import { excess, type Limits } from "./limits.js";
import type { PlacedMapping } from "./mappings.js";
import type { ValuePath } from "./path.js";
import { protocolPorts } from "./protocol-ports.js";
import type { ExceptionBlock } from "./schema.js";

const ACTIONS = ["drop", "bypass"] as const;

/** Cut to the mappings, drops first. */
export function exceptionsOf(
  tunnel: InheritedTunnel,
  mappings: readonly PlacedMapping[],
  limits: Limits,
  findings: Findings,
): readonly PolicyException[] {
  const found: PolicyException[] = [];
  for (const action of ACTIONS) {
    const blocks = tunnel.block[action] ?? [];
    const tooMany = excess(limits, "policies_per_tunnel", blocks.length, `${action} policies in one tunnel`);
    if (tooMany !== undefined) findings.complain(tunnel.where(action), tooMany);
    for (const [k, block] of blocks.entries())
      found.push(...expand(action, block, [...tunnel.where(action), k], mappings, limits, findings));
  }
  return inOrder(found);
}

function expand(
  action: PolicyException["action"],
  block: ExceptionBlock,
  entry: ValuePath,
  mappings: readonly PlacedMapping[],
  limits: Limits,
  findings: Findings,
): readonly PolicyException[] {
  const tooMany = excess(limits, "peers_per_policy", block.peer?.length ?? 0, `peer ranges in one ${action} policy`);
  if (tooMany !== undefined) {
    findings.complain([...entry, "peer"], tooMany);
    return [];
  }
  const ports = protocolPorts(block, entry, findings.complain);
  if (ports === undefined) return [];
  const ranges = (prefixes: ExceptionBlock["local"]): readonly TrafficSelector[] =>
    prefixes?.map((prefix) => selectorFromPrefix(prefix)) ?? [anySelector(4), anySelector(6)];
  const wide: PolicyException[] = [];
  for (const local of ranges(block.local))
    for (const peer of ranges(block.peer))
      if (local.family === peer.family)
        for (const localPorts of ports.local)
          for (const peerPorts of ports.peer)
            wide.push({ action, local: { ...local, ...localPorts }, peer: { ...peer, ...peerPorts } });
  const inside = wide.flatMap((exception) => withinMappings(exception, mappings));
  if (inside.length === 0 && mappings.length > 0 && ports.local.length > 0 && ports.peer.length > 0)
    findings.complain(
      entry,
      `no mapping of this tunnel covers any of it, so there is nothing to ${action}: what no mapping covers never enters the ` +
        "tunnel; name a part of the local and peer ranges in `policies`",
    );
  for (const mapping of mappings)
    if (wide.some((exception) => swallows(exception, mapping)))
      findings.warn(entry, `covers the whole mapping ${pairWords(mapping)}: nothing is left of it for the tunnel`);
  return inside;
}
