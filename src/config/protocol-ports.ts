/** `protocol`, `local_ports` and `peer_ports` of an entry. */
import { ANY_PROTOCOL, type ProtocolPorts } from "../../esp/selector.js";
import type { Complain } from "./mappings.js";
import type { ValuePath } from "./path.js";
import type { PolicyBlock } from "./schema.js";

type PortKeys = Pick<PolicyBlock, "protocol" | "local_ports" | "peer_ports">;

/** The ranges of either side, at least one each; `undefined`: the protocol is unknown. */
export function protocolPorts(
  block: PortKeys,
  entry: ValuePath,
  complain: Complain,
): { readonly local: readonly ProtocolPorts[]; readonly peer: readonly ProtocolPorts[] } | undefined {
  const protocol = protocolNumber(block.protocol);
  if (protocol === undefined) {
    complain(
      [...entry, "protocol"],
      `unknown protocol "${block.protocol}"; allowed: any, ${[...PROTOCOLS.keys()].join(", ")}, or 1 to 255`,
    );
    return undefined;
  }
  return {
    local: portRanges(protocol, block.local_ports, [...entry, "local_ports"], complain),
    peer: portRanges(protocol, block.peer_ports, [...entry, "peer_ports"], complain),
  };
}

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["icmp", 1],
  ["ipip", 4],
  ["tcp", 6],
  ["udp", 17],
  ["dccp", 33],
  ["gre", 47],
  ["icmpv6", 58],
  ["ospf", 89],
  ["sctp", 132],
  ["udplite", 136],
]);
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);

function protocolNumber(protocol: PolicyBlock["protocol"]): number | undefined {
  if (protocol === undefined || protocol === "any") return 0;
  return typeof protocol === "number" ? protocol : PROTOCOLS.get(protocol.toLowerCase());
}

function portRanges(
  protocol: number,
  ports: PolicyBlock["local_ports"],
  path: ValuePath,
  complain: Complain,
): readonly ProtocolPorts[] {
  if (ports === undefined) return [{ ...ANY_PROTOCOL, protocol }];
  if (!WITH_PORTS.has(protocol)) {
    complain(path, "ports need a protocol that has them; allowed with protocol: tcp, udp, sctp, dccp or udplite");
    return [];
  }
  const written = typeof ports === "object" ? ports : [ports];
  const ranges: ProtocolPorts[] = [];
  for (const each of written) {
    const [first = "", last = first] = String(each).split("-");
    const range = { protocol, startPort: Number(first), endPort: Number(last) };
    const twin = ranges.find((other) => range.startPort <= other.endPort && other.startPort <= range.endPort);
    if (range.startPort < 1 || range.startPort > range.endPort || range.endPort > 65535) {
      complain(path, `found ${each}; allowed: a port or a range such as 8000-8080, from 1 to 65535`);
      continue;
    }
    if (twin !== undefined)
      complain(path, `found ${each}, which overlaps ${formatPorts(twin)} in the same list; keep the one that is meant`);
    ranges.push(range);
  }
  return ranges;
}

function formatPorts({ startPort, endPort }: ProtocolPorts): string {
  return startPort === endPort ? `${startPort}` : `${startPort}-${endPort}`;
}
