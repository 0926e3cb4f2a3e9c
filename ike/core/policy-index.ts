/** The tunnels of a policy by the address of their peer. */
import type { Address } from "../../esp/address.js";
import type { Policy, TunnelPolicy } from "./policy.js";

interface Index {
  readonly byAddress: ReadonlyMap<string, readonly Numbered[]>;
  /** Those whose peer has a name, or may be anybody. */
  readonly others: readonly Numbered[];
}

/** `place`: in the configuration. */
interface Numbered {
  readonly tunnel: TunnelPolicy;
  readonly place: number;
}

/** The tunnels that a peer at this address may belong to, in the order of the configuration. */
export function tunnelsFor(policy: Policy, address: Address): readonly TunnelPolicy[] {
  const { byAddress, others } = indexOf(policy);
  const own = byAddress.get(keyOf(address)) ?? [];
  const all = own.length === 0 ? others : others.length === 0 ? own : [...own, ...others];
  return [...all].sort((a, b) => a.place - b.place).map(({ tunnel }) => tunnel);
}

/** Whether a tunnel names this address as its peer's. */
export function isExpected(policy: Policy, address: Address): boolean {
  return indexOf(policy).byAddress.has(keyOf(address));
}

const known = new WeakMap<readonly TunnelPolicy[], Index>();

function indexOf({ tunnels }: Policy): Index {
  const found = known.get(tunnels);
  if (found !== undefined) return found;
  const byAddress = new Map<string, Numbered[]>();
  const others: Numbered[] = [];
  for (const [place, tunnel] of tunnels.entries()) {
    if (tunnel.peer.kind !== "address") {
      others.push({ tunnel, place });
      continue;
    }
    const key = keyOf(tunnel.peer.address);
    const same = byAddress.get(key);
    if (same === undefined) byAddress.set(key, [{ tunnel, place }]);
    else same.push({ tunnel, place });
  }
  const index = { byAddress, others };
  known.set(tunnels, index);
  return index;
}

function keyOf({ family, value }: Address): string {
  return `${family} ${value}`;
}
