/** What an IKE SA may see of the endpoint around it. */
import { type Path, sameAddress } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { IkeKey, SaContext, Sight } from "./context.js";
import type { Draft } from "./draft.js";
import { type Identity, sameIdentity } from "./identity.js";
import { jointWith } from "./joint.js";
import type { TunnelPolicy } from "./policy.js";
import { tunnelsFor } from "./policy-index.js";
import { type AnySa, holdersOf, tunnelOf } from "./sas.js";
import { isWanted } from "./supervisor.js";
import type { Context } from "./types.js";

export function contextOf(draft: Draft, given: Context): SaContext {
  return {
    now: given.now,
    random: given.random,
    policy: draft.policy,
    ids: draft.ids(given),
    sight: new DraftSight(draft),
  };
}

/** One object for each step: what nobody looks at costs nothing. */
class DraftSight implements Sight {
  readonly #draft: Draft;
  readonly #byName: ReadonlyMap<string, TunnelPolicy>;

  constructor(draft: Draft) {
    this.#draft = draft;
    this.#byName = draft.byName;
  }

  tunnel(name: string): TunnelPolicy {
    const found = this.#byName.get(name);
    if (found === undefined) throw new Error(`no tunnel is called ${name}`);
    return found;
  }

  candidates(path: Path, version: 1 | 2): readonly TunnelPolicy[] {
    return candidates(this.#draft, path, version);
  }

  inContact(tunnel: string, peerId: Identity, except: IkeKey): boolean {
    return holdersOf(this.#draft.sas, tunnel).some((sa) => sa.key !== except && sameIdentity(sa.peerId, peerId));
  }

  other(key: IkeKey): AnySa | undefined {
    return this.#draft.sas.get(key);
  }

  carried(tunnel: string, mapping: number): boolean {
    return this.#draft.liveChild(tunnel, mapping) !== undefined;
  }

  joint(tunnel: string, mapping: number, made?: (mapping: number) => boolean): readonly number[] {
    return joint(this.#draft, this.tunnel(tunnel), mapping, made);
  }

  inUse(id: ChildId): boolean {
    const owner = this.#draft.childOwner(id);
    const using = owner && this.#draft.tunnels.get(owner.tunnel)?.using;
    if (using === undefined) return false;
    for (const child of using.values()) if (child === id) return true;
    return false;
  }

  wanted(tunnel: string, mapping: number): boolean {
    return isWanted(this.#draft.tunnels.get(tunnel)!, mapping);
  }

  hasToKeep(tunnel: string, peerId: Identity, { key, createdAt }: Parameters<Sight["hasToKeep"]>[2]): boolean {
    return (
      this.tunnel(tunnel).duplicates === "keep" &&
      holdersOf(this.#draft.sas, tunnel).some(
        (other) => other.key !== key && other.establishedAt < createdAt && sameIdentity(other.peerId, peerId),
      )
    );
  }
}

function joint(
  draft: Draft,
  policy: TunnelPolicy,
  mapping: number,
  made: (mapping: number) => boolean = () => false,
): readonly number[] {
  const state = draft.tunnels.get(policy.name)!;
  if (policy.split === "always" || state.apart.has(mapping)) return [mapping];
  return jointWith(policy, mapping, (other) => {
    const trouble = state.troubles.get(other);
    const mayBeAsked = trouble === undefined || trouble.retryAt !== undefined || trouble.asking === true;
    const isFree = isWanted(state, other) && mayBeAsked && !state.apart.has(other) && !made(other);
    return isFree && draft.liveChild(policy.name, other) === undefined;
  });
}

const CLOSENESS = { address: 0, name: 1, any: 2 } as const;

/**
 * The tunnels that somebody at this address may be, the closest first. A name stands for any address, its identity decides; in IKEv1 main
 * mode the key comes before the identity, so there a tunnel that is connected with this address is as close as one that names it.
 */
function candidates(draft: Draft, { local, remote }: Path, version: 1 | 2): readonly TunnelPolicy[] {
  const connected = new Set<string | undefined>();
  if (version === 1) for (const sa of draft.sas.v1PeersAt(remote.address)) connected.add(tunnelOf(sa));
  const closeness = ({ name, peer }: TunnelPolicy) => (connected.has(name) ? 0 : CLOSENESS[peer.kind]);
  return tunnelsFor(draft.policy, remote.address)
    .filter(
      (tunnel) =>
        tunnel.ike.version === version &&
        draft.tunnels.get(tunnel.name)!.want !== "down" &&
        (tunnel.localAddress === undefined || sameAddress(tunnel.localAddress, local.address)),
    )
    .sort((a, b) => closeness(a) - closeness(b));
}
