/** What `status` shows of the protocol's state; counters are added by the data plane's figures. */
import type { ChildId } from "../../esp/sa.js";
import type { Instant } from "./types.js";

/** `architecture.md` section 2 and the contract of `status --json`. */
export type TunnelState = "established" | "degraded" | "connecting" | "waiting" | "passive" | "down";

export interface ChildView {
  /** Absent: a mapping that is not up. */
  readonly id?: ChildId;
  readonly local: readonly string[];
  readonly peer: readonly string[];
  readonly state: "established" | "connecting" | "waiting" | "passive" | "down";
  readonly reason: string;
  readonly spiIn?: number;
  readonly spiOut?: number;
  readonly proposal?: string;
  readonly encapsulation?: "esp" | "udp";
  readonly rekeyAt?: Instant;
}

export interface IkeView {
  readonly version: 1 | 2;
  readonly role: "initiator" | "responder";
  readonly local: string;
  readonly remote: string;
  readonly localId: string;
  readonly peerId: string;
  readonly spiI: string;
  readonly spiR: string;
  readonly proposal: string;
  readonly nat: "none" | "here" | "peer" | "both";
  readonly establishedAt: Instant;
  readonly rekeyAt: Instant;
}

export interface TunnelView {
  readonly name: string;
  readonly state: TunnelState;
  readonly reason: string;
  /** What happens next, as a clause. */
  readonly next: string;
  readonly peer: string;
  readonly ike?: IkeView;
  readonly children: readonly ChildView[];
}
