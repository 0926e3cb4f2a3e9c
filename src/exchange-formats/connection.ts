/**
 * A tunnel as one of its two sides describes it, whatever file it was written in: what writers of other products' files start
 * from, what readers of them end with, and what `lint` compares. What a file leaves to its product's defaults is absent.
 */
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Address } from "../../esp/address.js";
import { addressIdentity, type Identity } from "../../ike/core/identity.js";
import type { DpdAction, Mapping, TunnelPolicy } from "../../ike/core/policy.js";

/** One end: where it is, and who it says it is. */
export interface End {
  /** Absent: not said. */
  readonly at?: TunnelPolicy["peer"];
  /** Absent: its address. */
  readonly id?: Identity;
}

export type Start = TunnelPolicy["start"];

export interface Connection {
  readonly name: string;
  /** Absent: both. */
  readonly version?: 1 | 2;
  /** Of version 1. */
  readonly exchange?: "main" | "aggressive";
  readonly local: End;
  readonly remote: End;
  readonly psk?: Secret;
  readonly start?: Start;
  readonly encapsulation?: "auto" | "udp";
  readonly dpd?: "off" | { readonly timeoutSeconds: number; readonly action?: DpdAction };
  readonly ike: {
    readonly proposals?: readonly IkeProposal[];
    readonly lifetimeSeconds?: number;
    readonly fragmentation?: "auto" | "off";
    readonly mobike?: boolean;
  };
  readonly esp: {
    /** Their `sequence` is empty where the file says nothing of it, and 32 bits are meant. */
    readonly proposals?: readonly EspProposal[];
    readonly lifetimeSeconds?: number;
    /** Octets; 0: off. */
    readonly volumeOctets?: number;
    readonly replayWindow?: number;
  };
  readonly mappings: readonly Mapping[];
  /** The mappings are what is negotiated; what goes into the tunnel is a matter of routes. */
  readonly routed?: true;
}

/** What our own configuration always says, and writers need. */
export interface CompleteConnection extends Connection {
  readonly version: 1 | 2;
  readonly ike: Connection["ike"] & Required<Pick<Connection["ike"], "proposals" | "lifetimeSeconds">>;
  readonly esp: Connection["esp"] & Required<Pick<Connection["esp"], "proposals" | "lifetimeSeconds">>;
}

/** Our side of a tunnel of our own configuration. `outerAddress`: ours as the peer sees it, where the file does not say. `routed`: in route mode. */
export function connectionOf(
  tunnel: TunnelPolicy,
  psk: Secret | undefined,
  outerAddress?: Address,
  routed = false,
): CompleteConnection {
  const { name, peer, localId, localAddress, peerId, start, encapsulation, dpd, ike, esp, mappings } = tunnel;
  const address = outerAddress ?? localAddress;
  return {
    name,
    version: ike.version,
    ...(ike.exchange && { exchange: ike.exchange }),
    local: { ...(address && { at: { kind: "address", address } }), ...(localId && { id: localId }) },
    remote: { at: peer, ...(peerId && { id: peerId }) },
    ...(psk && { psk }),
    start,
    encapsulation,
    dpd: dpd ?? "off",
    ike: {
      proposals: ike.proposals,
      lifetimeSeconds: ike.lifetimeSeconds,
      fragmentation: ike.fragmentation,
      ...(ike.version === 2 && { mobike: ike.mobike }),
    },
    esp: {
      proposals: esp.proposals,
      lifetimeSeconds: esp.lifetimeSeconds,
      volumeOctets: esp.volumeOctets,
      replayWindow: esp.replayWindow,
    },
    mappings,
    ...(routed && { routed }),
  };
}

/** Whoever calls on one side is answered on the other one. */
const MIRRORED_START: Readonly<Record<Start, Start>> = {
  active: "passive",
  passive: "active",
  "on-traffic": "on-traffic",
};

/** The same tunnel from its other end. */
export function mirrored<C extends Connection>(connection: C): C {
  const { local, remote, start, dpd, mappings } = connection;
  const other = start && MIRRORED_START[start];
  return {
    ...connection,
    local: remote,
    remote: local,
    ...(other && { start: other }),
    ...(dpd !== undefined &&
      dpd !== "off" && { dpd: { timeoutSeconds: dpd.timeoutSeconds, action: actionFor(other) } }),
    mappings: mappings.map((mapping) => ({ local: mapping.peer, peer: mapping.local })),
  };
}

/** What a side does about a dead peer: whoever waited waits again. */
function actionFor(start: Start | undefined): DpdAction {
  return start === "active" ? "restart" : start === "on-traffic" ? "on-traffic" : "clear";
}

/** The identity that goes over the wire; undefined where it is the address, and that is not known. */
export function identityAt({ id, at }: End): Identity | undefined {
  return id ?? (at?.kind === "address" ? addressIdentity(at.address) : undefined);
}
