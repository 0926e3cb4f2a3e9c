/**
 * What the control socket answers: the contract of `status --json` and of the three commands that act. The daemon
 * writes these values, the command line prints them; times are whole seconds, counters are octets and packets since
 * the daemon started and survive rekeying.
 *
 *     GET  /v1/status                 -> StatusReport
 *     GET  /v1/status/NAME            -> StatusReport with that tunnel alone, or 404 with ControlError
 *     POST /v1/tunnels/NAME/up        -> ActionResult once it is decided, or 404 with ControlError
 *     POST /v1/tunnels/NAME/down      -> likewise
 *     POST /v1/tunnels/NAME/rekey     -> likewise; the body may be RekeyRequest
 *
 * NAME is percent-encoded (RFC 3986 section 2.1).
 */
import type { TunnelState } from "../../ike/core/view.js";

export interface StatusReport {
  readonly gateway: {
    readonly name: string;
    readonly version: string;
    readonly uptime_s: number;
    /** Packets that belong to no tunnel, by reason. */
    readonly drops: Readonly<Record<string, number>>;
  };
  /** Every configured tunnel in the order of the file, also those that are down. */
  readonly tunnels: readonly TunnelStatus[];
}

export interface TunnelStatus {
  readonly name: string;
  readonly state: TunnelState;
  /** Why it is in that state, as a sentence; empty where the state says it all. */
  readonly reason: string;
  /** The peer as configured, or its address once that is known. */
  readonly peer: string;
  readonly ike: IkeStatus | null;
  /** The live children, and the mappings that are not up. */
  readonly children: readonly ChildStatus[];
  readonly counters: Counters & { readonly drops: Readonly<Record<string, number>> };
}

export interface IkeStatus {
  readonly version: 1 | 2;
  readonly role: "initiator" | "responder";
  /** Outer addresses with ports: "192.0.2.1:4500". */
  readonly local: string;
  readonly remote: string;
  readonly local_id: string;
  readonly peer_id: string;
  /** 16 hex digits each. */
  readonly spi_i: string;
  readonly spi_r: string;
  readonly proposal: string;
  /** Who is behind a NAT. */
  readonly nat: "none" | "here" | "peer" | "both";
  readonly established_s: number;
  readonly rekey_in_s: number;
}

export interface ChildStatus extends Counters {
  readonly local: readonly string[];
  readonly peer: readonly string[];
  readonly state: "established" | "rekeying" | "connecting" | "waiting" | "passive" | "down";
  readonly reason: string;
  /** 8 hex digits; null while the mapping is not up, as are the three below. */
  readonly spi_in: string | null;
  readonly spi_out: string | null;
  readonly proposal: string | null;
  readonly encapsulation: "esp" | "udp" | null;
  readonly rekey_in_s: number | null;
}

export interface Counters {
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly packets_in: number;
  readonly packets_out: number;
}

export interface RekeyRequest {
  /** Renew the IKE SA; otherwise the children. */
  readonly ike?: boolean;
}

/** What came of `up`, `down` or `rekey`. */
export interface ActionResult {
  readonly ok: boolean;
  /** One sentence: "tunnel site-a is established". */
  readonly result: string;
  /** Why not, in words, when `ok` is false. */
  readonly reason?: string;
}

/** The body of every answer with a status of 400 and more. */
export interface ControlError {
  readonly error: string;
}
