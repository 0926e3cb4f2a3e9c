/** An ESP security association pair as IKE hands it down: everything the data plane needs, nothing of the protocol. */
import type { SealerKeys } from "../crypto/registry/row.js";
import type { EspSuite } from "../crypto/registry/suite.js";
import type { Path } from "./address.js";
import type { TrafficSelector } from "./selector.js";

/** Unique in one run of the daemon; never reused. */
export type ChildId = number;

export type Encapsulation = "esp" | "udp";

export interface VolumeLimits {
  /** Octets after which a "soft" limit event is reported once; 0: none. */
  readonly softOctets: number;
  /** Octets after which the SA stops in either direction; 0: none. */
  readonly hardOctets: number;
  /** Packets likewise; the sequence number space is a hard limit of its own, with a soft limit ahead of it. */
  readonly softPackets: number;
  readonly hardPackets: number;
}

export interface SaPair {
  readonly id: ChildId;
  readonly tunnel: string;
  /** Allocated here: the peer puts it into packets to us. */
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: EspSuite;
  readonly keys: { readonly inbound: SealerKeys; readonly outbound: SealerKeys };
  /** Negotiated selectors; a packet matches when its inner addresses match one local and one remote selector. */
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  /** The configured mappings that it carries, as indices of the tunnel's mapping list. */
  readonly mappings: readonly number[];
  /** Outer addresses; ports count for UDP encapsulation only. */
  readonly path: Path;
  readonly encapsulation: Encapsulation;
  /** Packets; 0 turns replay protection off. */
  readonly replayWindow: number;
  readonly volume: VolumeLimits;
  /** The peer sent ESP_TFC_PADDING_NOT_SUPPORTED (RFC 7296 section 1.3.1): its packets have no TFC padding. */
  readonly refusesTfc?: true;
}
