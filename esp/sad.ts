/**
 * The security association database, and what the data plane calls for each packet (RFC 4301 sections 4.4.2, 5).
 *
 * `Outer` is whatever the data plane keeps per SA to send its packets (socket, addresses); `Origin` is whatever it
 * wants to know about a packet that had to wait for its SA.
 */
import type { Arena, Sealer } from "../crypto/interfaces.js";
import type { Path } from "./address.js";
import type { FillRandom } from "./outbound.js";
import type { ChildId, SaPair } from "./sa.js";
import type { TrafficSelector } from "./selector.js";

export interface ChildParameters extends Omit<SaPair, "suite" | "keys" | "encapsulation"> {
  readonly extendedSequence: boolean;
}

export interface Sealers {
  readonly inbound: Sealer;
  readonly outbound: Sealer;
}

/** An installed SA pair, as the packet path sees it. */
export interface ChildSa<Outer> {
  readonly id: ChildId;
  readonly tunnel: string;
  readonly spiIn: number;
  readonly spiOut: number;
  /** How its packets travel. The data plane reads and changes it. */
  outer: Outer;
  /** Where the inner packet stands in the ESP packet: 8 + the length of the IV. */
  readonly innerOffset: number;
  /** The length of the ESP packet for an inner packet of this length. */
  sealedLength(innerLength: number): number;
  /** See `OutboundSa.sealAt`; a drop is counted. */
  sealAt(at: number, innerLength: number, nextHeader: number): number;
}

/** A packet that came before its SA. */
export interface ParkedPacket<Origin> {
  readonly bytes: Uint8Array;
  readonly outerTos: number;
  readonly origin: Origin;
}

export interface TunnelMappings {
  readonly name: string;
  readonly mappings: readonly { readonly local: TrafficSelector; readonly peer: TrafficSelector }[];
}

/** Called from within `openAt` and `sealAt`. */
export interface SadEvents {
  limit(child: ChildId, kind: "soft" | "hard"): void;
  /** The first authenticated packet on the child. */
  firstInbound(child: ChildId): void;
}

export interface Traffic {
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** Of inner packets. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface SadCounters {
  /** Monotonic over rekeys. */
  readonly tunnels: Readonly<Record<string, Traffic & { readonly drops: Readonly<Record<string, number>> }>>;
  readonly children: Readonly<Record<ChildId, Traffic>>;
  /** Drops that belong to no tunnel. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface Sad<Outer, Origin> {
  /** Replaces the policy database. SAs of mappings that are gone stop sending, and stay until `remove`. */
  setTunnels(tunnels: readonly TunnelMappings[]): void;
  /** Packets for this SPI are parked from now on (decision 9 of the design). */
  reserveSpi(spi: number): void;
  /** Forgets a reservation and what was parked for it. An installed SA stays. */
  releaseSpi(spi: number): void;
  /**
   * The SA receives from now on, and sends after `use`. The sealers belong to the SAD: `remove` frees them. The result
   * is what was parked, oldest first, to be handed to `openAt` by the caller. Throws `RangeError` when id or SPI is taken.
   */
  install(child: ChildParameters, sealers: Sealers, outer: Outer, now: number): readonly ParkedPacket<Origin>[];
  /** From now on the child's mappings send on it. */
  use(id: ChildId): void;
  /** The peer is elsewhere now. Unknown ids are ignored (the SA may have gone in between). */
  move(id: ChildId, path: Path, outer: Outer): void;
  remove(id: ChildId): void;
  child(id: ChildId): ChildSa<Outer> | undefined;

  /** The SA for a packet from the TUN device; undefined: dropped and counted. */
  route(packet: number, length: number): ChildSa<Outer> | undefined;
  /**
   * Opens the ESP packet of `length` octets at `at`; the inner packet is written to `out` (which may be the place of
   * the ciphertext, at + innerOffset, and else must not overlap it; it needs room for `length` octets).
   * Its length; 0: its SA is being negotiated, call `park`; negative: minus a drop code, counted.
   */
  openAt(at: number, length: number, out: number, outerTos: number): number;
  /** The SA of the last packet that `openAt` opened. */
  readonly opened: ChildSa<Outer>;
  /** Whether that packet had the highest sequence number so far: only then does its outer source say where the peer is. */
  readonly openedNewest: boolean;
  /** Keeps a copy of the packet for which `openAt` gave 0, for `install`. `now`: milliseconds, monotonic. */
  park(at: number, length: number, outerTos: number, origin: Origin, now: number): void;
  /** Counts a drop that the data plane decided. */
  countDrop(code: number, tunnel?: string): void;
  /** Children that received authenticated packets since the last call. */
  takeAlive(): readonly ChildId[];
  counters(): SadCounters;
  /** Frees every sealer. */
  close(): void;
}

export declare function createSad<Outer, Origin>(
  arena: Arena,
  fillRandom: FillRandom,
  events: SadEvents,
): Sad<Outer, Origin>;
