/**
 * The messages between the main thread and the data plane's worker. Messages are handled in the order in which they
 * were posted (the ordered effect stream): what `installChild` starts is there before the reply that a later `send` carries.
 * Everything is structured-clonable: suites travel as names, keys as octets.
 */
import type { Path, SocketAddress } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import type { OuterTooBig } from "../../esp/outer-icmp.js";
import type { ChildId, Encapsulation, VolumeLimits } from "../../esp/sa.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { Wrapping } from "../../esp/tunnel.js";
import type { Devices } from "./devices.js";
import type { Tun, TunOffload } from "./tun.js";

export interface DataplaneSettings {
  readonly tunName: string;
  /** UDP sockets to bind; an empty list of addresses in the configuration becomes the two wildcards. */
  readonly sockets: readonly SocketAddress[];
  readonly natTPort: number;
  /** SO_MARK of every outer socket: routing rules lead marked packets past the tunnel's routes. */
  readonly mark: number;
  /** Whether to open raw sockets, for ESP and for ICMP errors about it (needs CAP_NET_RAW). */
  readonly rawEsp: boolean;
  /** 2: one worker for each direction. Absent: one for both. */
  readonly workers?: 1 | 2;
  /** False: never through io_uring, as on a host that has none. */
  readonly batchedReads?: false;
  /** No more than this, as on a kernel that has no more. Absent: all. */
  readonly tunOffload?: TunOffload;
}

/**
 * What a worker does. `transmit`: from the TUN device to the peers, and everything that is sent; `receive`: everything that comes from the
 * sockets. So each SA has one owner per direction, for its sequence numbers and for its replay window.
 */
export type Role = "both" | "transmit" | "receive";

/** What a worker starts with. The shared memory is that of `descriptors.ts` and `flow.ts`. */
export interface WorkerData {
  readonly role: Role;
  /** Of the worker that transmits, for the one that receives. */
  readonly devices?: Devices;
  readonly settings: DataplaneSettings;
  readonly descriptors: SharedArrayBuffer;
  readonly flow: SharedArrayBuffer;
  /** An eventfd of the main thread's: it is written to behind every message, because the worker waits in a system call. */
  readonly waker: number;
}

/** A suite on its way to the worker: registry names. */
export interface SuiteName {
  readonly encryption: string;
  readonly keyBits: number;
  readonly integrity?: string;
  /** Of the integrity: a numbering may give it another length than the row has. */
  readonly icvBytes?: number;
  readonly extendedSequence: boolean;
}

export interface ChildMessage {
  readonly id: ChildId;
  readonly tunnel: string;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly suite: SuiteName;
  readonly inboundKeys: { readonly encryption: Uint8Array; readonly integrity: Uint8Array };
  readonly outboundKeys: { readonly encryption: Uint8Array; readonly integrity: Uint8Array };
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  readonly mappings: readonly number[];
  readonly path: Path;
  readonly encapsulation: Encapsulation;
  readonly replayWindow: number;
  readonly volume: VolumeLimits;
  readonly refusesTfc?: true;
}

/** The SPD of one tunnel: its mappings in order. A packet that matches a mapping without a usable SA is dropped and counted. */
export interface TunnelMessage {
  readonly name: string;
  readonly mappings: readonly { readonly local: TrafficSelector; readonly peer: TrafficSelector }[];
  /** Inside the mappings, and before them. */
  readonly exceptions?: readonly PolicyException[];
  /** But where this is set, it is told (`traffic`), and waits for the SA. */
  readonly onTraffic?: boolean;
  /** Absent: `USUAL_WRAPPING`. */
  readonly wrapping?: Wrapping;
  /**
   * Its own TUN device (route mode), which belongs to the main thread: it stays open until the worker has taken a message without it.
   * Absent: that of the gateway.
   */
  readonly device?: Tun;
}

export type ToWorker =
  | { readonly kind: "send"; readonly path: Path; readonly bytes: Uint8Array }
  | { readonly kind: "keepalive"; readonly path: Path }
  /** Our SPIs of IKE SAs that were born or are gone: datagrams for others have to share a small allowance. */
  | { readonly kind: "ikeSpis"; readonly opened: readonly bigint[]; readonly closed: readonly bigint[] }
  | { readonly kind: "reserveSpi"; readonly spi: number }
  | { readonly kind: "releaseSpi"; readonly spi: number }
  | { readonly kind: "installChild"; readonly child: ChildMessage }
  | { readonly kind: "useChild"; readonly id: ChildId }
  | { readonly kind: "updateChild"; readonly id: ChildId; readonly path: Path; readonly encapsulation: Encapsulation }
  /** `receives`: sends no more, and is gone when nothing of the peer's can be on its way any more. */
  | { readonly kind: "removeChild"; readonly id: ChildId; readonly receives?: true }
  | { readonly kind: "tunnels"; readonly tunnels: readonly TunnelMessage[] }
  /** Only from worker to worker: a router's message that was believed. */
  | { readonly kind: "narrowed"; readonly message: OuterTooBig }
  /** Answered by a `counters` message with the same number. */
  | { readonly kind: "readCounters"; readonly request: number }
  /** The packets of this tunnel are told as `tapped`, up to so many octets; null: of none any more, and `tapClosed` answers. */
  | { readonly kind: "tap"; readonly tunnel: string | null; readonly mostOctets: number }
  /** Close every descriptor and end; answered by the worker's exit. */
  | { readonly kind: "stop" };

/** An ESP packet as it went through the cipher. */
export interface TappedPacket {
  readonly kind: "tapped";
  readonly direction: "in" | "out";
  /** Microseconds since 1970. */
  readonly time: number;
  /** Of the SA. */
  readonly path: Path;
  readonly encapsulation: Encapsulation;
  readonly esp: Uint8Array;
  /** Absent: dropped. */
  readonly inner?: Uint8Array;
}

export interface TunnelCounters {
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** By reason (esp/drop-reasons.ts). */
  readonly drops: Readonly<Record<string, number>>;
}

/** What the sockets did, for the life of the worker. */
export interface IoCounters {
  /** ESP packets sent, and the system calls that it took. */
  readonly espSent: number;
  readonly sendCalls: number;
  /** How often something was ready and served. */
  readonly wakeUps: number;
  /** NAT keepalives received (RFC 3948 section 2.3). */
  readonly keepalives: number;
  /** IKE datagrams that the operating system did not take. */
  readonly ikeUnsent: number;
  /** Messages of routers that a packet to a peer was too big: believed, and not. */
  readonly pathsNarrowed: number;
  readonly narrowingsRefused: number;
}

/** What workers say for each other; the main thread alone hears it. */
export type BetweenWorkers =
  /** Before `ready`. */
  { readonly kind: "opened"; readonly devices: Devices } | { readonly kind: "narrowed"; readonly message: OuterTooBig };

export type FromWorker =
  | {
      readonly kind: "ready";
      readonly tunName: string;
      readonly tunIndex: number;
      readonly sockets: readonly SocketAddress[];
      readonly rawEsp: boolean;
      readonly backend: string;
    }
  | { readonly kind: "datagram"; readonly path: Path; readonly bytes: Uint8Array }
  | { readonly kind: "alive"; readonly children: readonly ChildId[] }
  | { readonly kind: "firstInbound"; readonly child: ChildId }
  | { readonly kind: "limit"; readonly child: ChildId; readonly limit: "soft" | "hard" }
  /** Packets wait for an SA of these mappings (`onTraffic`); told at most once a second for each. */
  | { readonly kind: "traffic"; readonly tunnel: string; readonly mappings: readonly number[] }
  | { readonly kind: "moved"; readonly child: ChildId; readonly path: Path }
  /**
   * The largest inner packet that fits the child's outer path without fragments: told after `installChild` and `updateChild`,
   * and again when the path turned out to be narrower. What the routes' `mtu` is made from.
   */
  | { readonly kind: "innerMtu"; readonly child: ChildId; readonly mtu: number }
  /** The child could not be installed or moved (no such socket, no such algorithm): it carries nothing. For the operator. */
  | { readonly kind: "refused"; readonly child: ChildId; readonly reason: string }
  | {
      readonly kind: "counters";
      readonly request: number;
      /** Monotonic over rekeys, for the life of the daemon. */
      readonly tunnels: Readonly<Record<string, TunnelCounters>>;
      readonly children: Readonly<Record<ChildId, Omit<TunnelCounters, "drops">>>;
      /** Drops that belong to no tunnel. */
      readonly drops: Readonly<Record<string, number>>;
      readonly io: IoCounters;
    }
  | TappedPacket
  /** The tap is closed; so many packets were not told, because there were too many. */
  | { readonly kind: "tapClosed"; readonly missed: number }
  /** Somebody has removed the TUN device of a tunnel; it is not read any more. */
  | { readonly kind: "deviceLost"; readonly name: string }
  /** The data plane could not start or cannot go on: what happened and what to do, for the operator. */
  | { readonly kind: "failed"; readonly reason: string };
