/** What the configuration means to the protocol: plain values, made by src/config, never changed. */
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Address } from "../../esp/address.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { Identity } from "./identity.js";

export interface Mapping {
  readonly local: TrafficSelector;
  readonly peer: TrafficSelector;
}

export type DpdAction = "clear" | "restart" | "on-traffic";

export interface TunnelPolicy {
  readonly name: string;
  readonly peer:
    | { readonly kind: "address"; readonly address: Address }
    | { readonly kind: "name"; readonly name: string }
    | { readonly kind: "any" };
  /** Our outer address, where configured. */
  readonly localAddress?: Address;
  /** Absent: our own outer address / the peer's. */
  readonly localId?: Identity;
  readonly peerId?: Identity;
  readonly start: "active" | "passive" | "on-traffic";
  readonly close: "none" | "restart" | "on-traffic";
  /** What becomes of an older IKE SA with the same peer when a new one comes: see `duplicates.ts`. */
  readonly duplicates: "replace" | "keep" | "never";
  readonly encapsulation: "auto" | "udp";
  readonly mappings: readonly Mapping[];
  /**
   * IKEv2: whether mappings of one entry share an SA. "auto": where the peer takes them so; "always": each has one of its own; "never":
   * those that the peer does not take together stay down. In IKEv1 each has one of its own.
   */
  readonly split: "auto" | "always" | "never";
  /** The mappings of one `policies[]` entry, as ranges of indices: entry k covers mappings groups[k].first .. +count-1. */
  readonly entries: readonly { readonly first: number; readonly count: number }[];
  readonly ike: {
    readonly version: 1 | 2;
    /** Version 1 alone, where it is always there. */
    readonly exchange?: "main" | "aggressive";
    /** Version 1 alone; absent: off. */
    readonly volumeOctets?: number;
    readonly proposals: readonly IkeProposal[];
    readonly lifetimeSeconds: number;
    readonly rekeyMarginSeconds?: number;
    readonly keepaliveSeconds: number;
    /** A new IKE SA, with a new proof of both identities, instead of a rekey (RFC 7296 section 2.8.3). */
    readonly reauth?: boolean;
    /** RFC 7383. */
    readonly fragmentation: "auto" | "off";
    /** RFC 4555. */
    readonly mobike: boolean;
  };
  readonly esp: {
    readonly proposals: readonly EspProposal[];
    readonly lifetimeSeconds: number;
    readonly rekeyMarginSeconds?: number;
    /** 0: off. */
    readonly volumeOctets: number;
    readonly replayWindow: number;
    /** A rekey of the first child soon after it is up: whether PFS agrees shows at once, not when the child ends. */
    readonly pfsCheck?: boolean;
  };
  /** Absent: off. */
  readonly dpd?: { readonly timeoutSeconds: number; readonly action: DpdAction };
}

export interface Policy {
  /** What tokens of quick crash detection are made from (RFC 6290): the same after a restart. Absent: none are made. */
  readonly crashSecret?: Secret;
  readonly tunnels: readonly TunnelPolicy[];
  readonly ports: { readonly ike: number; readonly natT: number };
  /** IKE SAs that others began and have not authenticated: of all strangers, and of one address. */
  readonly limits: { readonly halfOpen: number; readonly halfOpenPerAddress: number };
}

/** Whether traffic may bring the tunnel up, at first or after it was lost. */
export function waitsForTraffic({ start, close, dpd, peer }: TunnelPolicy): boolean {
  if (start === "passive" || peer.kind === "any") return false;
  return start === "on-traffic" || close === "on-traffic" || dpd?.action === "on-traffic";
}
