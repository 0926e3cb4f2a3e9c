/**
 * The security association database, and what the data plane calls for each packet (RFC 4301 sections 4.4.2, 5).
 *
 * `Outer` is whatever the data plane keeps per SA to send its packets (socket, addresses); `Origin` is whatever it
 * wants to know about a packet that had to wait for its SA.
 */
import type { Arena, Sealer } from "../crypto/interfaces.js";
import type { Path } from "./address.js";
import { createLedger, type SadCounters, type Traffic } from "./counters.js";
import { DROP } from "./drop-reasons.js";
import { createInboundSa, type InboundSa } from "./inbound.js";
import { createIpHeader, readIpHeader } from "./ip-header.js";
import { createLarval, type ParkedPacket } from "./larval.js";
import { type LimitKind, withCipherLimits } from "./lifetime.js";
import { createOutboundSa, type FillRandom, type OutboundSa } from "./outbound.js";
import { createPeerAddresses } from "./peer-addresses.js";
import { createRouting } from "./routing.js";
import type { ChildId, SaPair } from "./sa.js";
import type { TrafficSelector } from "./selector.js";
import { SHARED_DEVICE, type TunnelMappings } from "./spd.js";
import { createTraps, type HeldPacket, type TrapNews } from "./traps.js";

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
  /** The TUN device of its tunnel: where its packets are read and written. See `TunnelMappings.device`. */
  readonly device: number;
  /** Where the inner packet stands in the ESP packets that are sent: 8 + the length of the IV. */
  readonly innerOffset: number;
  /** The length of the ESP packet for an inner packet of this length. */
  sealedLength(innerLength: number): number;
  /** See `OutboundSa.leastPayload`. */
  padTo(payload: number): void;
  /** See `OutboundSa.sealAt`; a drop is counted. */
  sealAt(at: number, innerLength: number, nextHeader: number): number;
}

/** Called from within `openAt` and `sealAt`. */
export interface SadEvents {
  /** Each kind at most once per child. */
  limit(child: ChildId, kind: LimitKind): void;
  /** The first authenticated packet on the child. */
  firstInbound(child: ChildId): void;
}

/** Sees the packets of one tunnel on both sides of the cipher; what it is given are copies. */
export interface Tap<Outer> {
  sealed(child: ChildSa<Outer>, inner: Uint8Array, esp: Uint8Array): void;
  /** `inner` is absent where the packet was dropped. */
  opened(child: ChildSa<Outer>, esp: Uint8Array, inner: Uint8Array | undefined): void;
}

export interface Sad<Outer, Origin> {
  /**
   * Replaces the policy database. SAs go on for those of their mappings that are still there; where none is, they stop sending,
   * and stay until `remove`. Packets that are held for a mapping that is gone are lost.
   */
  setTunnels(tunnels: readonly TunnelMappings[]): void;
  /** Packets for this SPI are to be parked from now on. */
  reserveSpi(spi: number): void;
  /** Forgets a reservation and what was parked for it. An installed SA stays. */
  releaseSpi(spi: number): void;
  /**
   * The SA receives from now on, and sends after `use`. The sealers belong to the SAD: `remove` frees them. The result
   * is what was parked, oldest first, to be handed to `openAt` by the caller. Throws `RangeError`
   * when id or SPI is taken; the sealers are the caller's then.
   */
  install(child: ChildParameters, sealers: Sealers, outer: Outer, now: number): readonly ParkedPacket<Origin>[];
  /** From now on the child's mappings send on it. The result is what was held for them, oldest first. `now`: as in `hold`. */
  use(id: ChildId, now: number): readonly HeldPacket[];
  /** The peer is elsewhere now. Unknown ids are ignored (the SA may have gone in between). */
  move(id: ChildId, path: Path, outer: Outer): void;
  /** Nothing is sent on the child any more; it receives until `remove`. Unknown ids are ignored. */
  stopSending(id: ChildId): void;
  remove(id: ChildId): void;
  child(id: ChildId): ChildSa<Outer> | undefined;
  /**
   * From now on the SAs of `tunnel`, also those that come, show their packets to `tap`; undefined: none does any more. There is one tap
   * at a time. It replaces functions of those SAs, so that all others do not even ask whether there is one.
   */
  setTap(tunnel: string, tap: Tap<Outer> | undefined): void;

  /** The SA for a packet from a TUN device, by its number; undefined: dropped and counted, unless `isAwaited`. */
  route(packet: number, length: number, device: number): ChildSa<Outer> | undefined;
  /** The last packet for which `route` found nothing brings up its mapping: call `hold`. */
  isAwaited(): boolean;
  /** Keeps a copy of that packet as it was read, for `use`. `now`: milliseconds, monotonic. */
  hold(at: number, length: number, now: number): void;
  /** Mappings that held packets ask for; each at most once a second. */
  takeTrapped(): readonly TrapNews[];
  /** Lets go of packets that were held too long. False: none is held any more. */
  sweepHeld(now: number): boolean;
  /**
   * Opens the ESP packet of `length` octets at `at` in place: the inner packet stands at `at` + `opened()!.innerOffset` afterwards.
   * Its length; 0: its SA is being negotiated, call `park`; negative: minus a drop code, counted.
   */
  openAt(at: number, length: number, outerTos: number): number;
  /** The SA of the last packet for which `openAt` found one; undefined before the first. */
  opened(): ChildSa<Outer> | undefined;
  /** That packet was authentic and had the highest sequence number so far: only then does its outer source say where the peer is. */
  openedNewest(): boolean;
  /** Keeps a copy of the packet for which `openAt` gave 0, for `install`. `now`: milliseconds, monotonic. */
  park(at: number, length: number, outerTos: number, origin: Origin, now: number): void;
  /** Counts a drop that the data plane decided. */
  countDrop(code: number, tunnel?: string): void;
  /** Once a second while there is traffic: volume limits follow the rate. `now`: milliseconds, monotonic. */
  pace(now: number): void;
  /** Children that received authenticated packets since the last call. */
  takeAlive(): readonly ChildId[];
  counters(): SadCounters;
  /** Frees every sealer. */
  close(): void;
}

/** Of a child whose tunnel is gone with its device. */
export const NO_DEVICE = -1;

/** A child as the SAD keeps it. */
interface Entry<Outer> extends ChildSa<Outer> {
  /** As packets find it: `plain`, or with the tap around it. */
  inbound: InboundSa;
  readonly plain: { readonly inbound: InboundSa; readonly sealAt: ChildSa<Outer>["sealAt"] };
  readonly outbound: OutboundSa;
  device: number;
  mappings: readonly number[];
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  path: Path;
  /** An authenticated packet has come, since the beginning and since the last `takeAlive`. */
  seen: boolean;
  alive: boolean;
}

export function createSad<Outer, Origin>(arena: Arena, fillRandom: FillRandom, events: SadEvents): Sad<Outer, Origin> {
  const { bytes, view } = arena;
  const byId = new Map<ChildId, Entry<Outer>>();
  // Signed SPIs: small integers are faster keys than heap numbers, and are not allocated.
  const bySpi = new Map<number, Entry<Outer>>();
  const larval = createLarval<Origin>();
  const ledger = createLedger();
  const peers = createPeerAddresses();
  const routing = createRouting<Entry<Outer>>(arena);
  const traps = createTraps((code, packets, tunnel) => {
    for (let i = 0; i < packets; i++) ledger.drop(code, tunnel);
  });
  let awaited = -1;
  /** Where the packet was read that is awaited. */
  let awaitedOn = SHARED_DEVICE;
  /** By tunnel, of those that have a device of their own. */
  let devices = new Map<string, number>();
  const header = createIpHeader();
  let opened: Entry<Outer> | undefined;
  let alive: ChildId[] = [];
  let tapped: { readonly tunnel: string; readonly tap: Tap<Outer> } | undefined;

  function makeEntry(child: ChildParameters, sealers: Sealers, outer: Outer): Entry<Outer> {
    const reached = new Set<LimitKind>();
    const limit = (kind: LimitKind) => {
      if (reached.has(kind)) return;
      reached.add(kind);
      events.limit(child.id, kind);
    };
    const selectors = routing.selectorsOf(child);
    const volume = withCipherLimits(child.volume, sealers.outbound.blockBytes);
    const device = devices.get(child.tunnel) ?? SHARED_DEVICE;
    // Exceptions are of the policies that share a device.
    const refuses = device === SHARED_DEVICE ? routing.refusesInbound : undefined;
    const parameters = { ...child, volume, selectors, spi: child.spiOut, ...(refuses && { refuses }) };
    const outbound = createOutboundSa(arena, sealers.outbound, parameters, fillRandom, limit);
    const inbound = createInboundSa(arena, sealers.inbound, parameters, limit);
    const sealAt = (at: number, innerLength: number, nextHeader: number): number => {
      const length = outbound.sealAt(at, innerLength, nextHeader);
      if (length < 0) ledger.drop(-length, child.tunnel);
      return length;
    };
    return {
      id: child.id,
      tunnel: child.tunnel,
      spiIn: child.spiIn,
      spiOut: child.spiOut,
      outer,
      device,
      innerOffset: outbound.innerOffset,
      sealedLength: outbound.sealedLength,
      padTo(payload) {
        outbound.leastPayload = payload;
      },
      sealAt,
      inbound,
      plain: { inbound, sealAt },
      outbound,
      mappings: child.mappings,
      local: child.local,
      remote: child.remote,
      path: child.path,
      seen: false,
      alive: false,
    };
  }

  /** The SA's functions as they are, or with the tap around them. */
  function applyTap(entry: Entry<Outer>): void {
    const { plain } = entry;
    entry.sealAt = plain.sealAt;
    entry.inbound = plain.inbound;
    if (tapped?.tunnel !== entry.tunnel) return;
    const { tap } = tapped;
    entry.sealAt = (at, innerLength, nextHeader) => {
      const inner = bytes.slice(at + entry.innerOffset, at + entry.innerOffset + innerLength);
      const length = plain.sealAt(at, innerLength, nextHeader);
      if (length > 0) tap.sealed(entry, inner, bytes.slice(at, at + length));
      return length;
    };
    entry.inbound = {
      ...plain.inbound,
      openAt(at, length, outerTos) {
        const esp = bytes.slice(at, at + length);
        const inner = plain.inbound.openAt(at, length, outerTos);
        const out = at + plain.inbound.innerOffset;
        tap.opened(entry, esp, inner > 0 ? bytes.slice(out, out + inner) : undefined);
        return inner;
      },
    };
  }

  function noteAlive(entry: Entry<Outer>): void {
    entry.alive = true;
    alive.push(entry.id);
    if (entry.seen) return;
    entry.seen = true;
    events.firstInbound(entry.id);
  }

  function release(spi: number, now: number): readonly ParkedPacket<Origin>[] {
    const { packets, expired } = larval.take(spi | 0, now);
    for (let i = 0; i < expired; i++) ledger.drop(DROP.larvalExpired);
    return packets;
  }

  function removeEntry(entry: Entry<Outer>): void {
    byId.delete(entry.id);
    bySpi.delete(entry.spiIn | 0);
    if (opened === entry) opened = undefined;
    routing.remove(entry);
    peers.remove(entry.path.remote.address);
    ledger.retire(entry.tunnel, trafficOf(entry));
    entry.inbound.free();
    entry.outbound.free();
  }

  function dropPacket(code: number, tunnel?: string): undefined {
    ledger.drop(code, tunnel);
    return undefined;
  }

  return {
    setTunnels(tunnels) {
      for (const { name } of tunnels) ledger.open(name);
      devices = new Map(tunnels.flatMap(({ name, device }) => (device === undefined ? [] : [[name, device]])));
      const known = new Set(tunnels.map(({ name }) => name));
      // What is on its way to a tunnel that had a device and is gone has nowhere to go.
      for (const entry of byId.values())
        entry.device =
          devices.get(entry.tunnel) ??
          (known.has(entry.tunnel) || entry.device === SHARED_DEVICE ? SHARED_DEVICE : NO_DEVICE);
      const { mappings, moved } = routing.setTunnels(tunnels, byId.values(), (entry, places) => {
        entry.mappings = places;
      });
      traps.setMappings(mappings, moved);
      ledger.keep(new Set([...tunnels.map(({ name }) => name), ...[...byId.values()].map(({ tunnel }) => tunnel)]));
    },
    reserveSpi(spi) {
      if (!bySpi.has(spi | 0)) larval.reserve(spi | 0);
    },
    releaseSpi(spi) {
      for (const _ of release(spi, 0)) ledger.drop(DROP.larvalExpired);
    },
    install(child, sealers, outer, now) {
      if (byId.has(child.id)) throw new RangeError(`child ${child.id} is installed already`);
      if (bySpi.has(child.spiIn | 0)) throw new RangeError(`SPI 0x${child.spiIn.toString(16)} is in use`);
      const entry = makeEntry(child, sealers, outer);
      byId.set(child.id, entry);
      bySpi.set(child.spiIn | 0, entry);
      if (tapped !== undefined) applyTap(entry);
      ledger.open(child.tunnel);
      peers.add(child.path.remote.address);
      return release(child.spiIn, now);
    },
    use(id, now) {
      const entry = byId.get(id);
      if (!entry) return [];
      return routing.use(entry).flatMap((mapping) => traps.release(mapping, now));
    },
    move(id, path, outer) {
      const entry = byId.get(id);
      if (!entry) return;
      peers.add(path.remote.address);
      peers.remove(entry.path.remote.address);
      entry.path = path;
      entry.outer = outer;
    },
    stopSending(id) {
      const entry = byId.get(id);
      if (entry) routing.remove(entry);
    },
    remove(id) {
      const entry = byId.get(id);
      if (entry) removeEntry(entry);
    },
    child: (id) => byId.get(id),
    setTap(tunnel, tap) {
      tapped = tap && { tunnel, tap };
      for (const entry of byId.values()) applyTap(entry);
    },

    route(packet, length, device) {
      awaited = -1;
      const malformed = readIpHeader(arena, packet, length, header);
      if (malformed !== 0) return dropPacket(malformed);
      if (peers.has(header)) return dropPacket(DROP.ownPeerAddress);
      const entry = routing.find(header, device);
      if (entry !== undefined) return entry;
      const code = routing.code();
      if (code === DROP.noSa && traps.catches(routing.mapping())) {
        awaited = routing.mapping();
        awaitedOn = device;
        return undefined;
      }
      return dropPacket(code, routing.tunnel());
    },
    isAwaited: () => awaited >= 0,
    hold(at, length, now) {
      traps.hold(awaited, { bytes: bytes.slice(at, at + length), device: awaitedOn }, now);
    },
    takeTrapped: () => traps.takeNews(),
    sweepHeld: (now) => traps.sweep(now),
    openAt(at, length, outerTos) {
      if (length < 8) {
        ledger.drop(DROP.shortEsp);
        return -DROP.shortEsp;
      }
      const spi = view.getInt32(at);
      const entry = opened !== undefined && (opened.spiIn | 0) === spi ? opened : bySpi.get(spi);
      if (entry === undefined) {
        if (larval.has(spi)) return 0;
        ledger.drop(DROP.unknownSpi);
        return -DROP.unknownSpi;
      }
      opened = entry;
      const inner = entry.inbound.openAt(at, length, outerTos);
      if (!entry.alive && entry.inbound.authentic()) noteAlive(entry);
      if (inner < 0) ledger.drop(-inner, entry.tunnel);
      return inner;
    },
    opened: () => opened,
    openedNewest: () => opened?.inbound.newest() ?? false,
    park(at, length, outerTos, origin, now) {
      const packet = { bytes: bytes.slice(at, at + length), outerTos, origin };
      const { parked, expired } = larval.park(view.getInt32(at), packet, now);
      for (let i = 0; i < expired; i++) ledger.drop(DROP.larvalExpired);
      if (!parked) ledger.drop(DROP.larvalFull);
    },
    countDrop: (code, tunnel) => ledger.drop(code, tunnel),
    pace(now) {
      for (const { inbound, outbound } of byId.values()) {
        inbound.pace(now);
        outbound.pace(now);
      }
    },
    takeAlive() {
      const taken = alive;
      alive = [];
      for (const id of taken) {
        const entry = byId.get(id);
        if (entry) entry.alive = false;
      }
      return taken;
    },
    counters() {
      return ledger.read([...byId.values()].map((e) => ({ id: e.id, tunnel: e.tunnel, traffic: trafficOf(e) })));
    },
    close() {
      for (const entry of [...byId.values()]) removeEntry(entry);
    },
  };
}

function trafficOf({ inbound, outbound }: Entry<unknown>): Traffic {
  return {
    packetsIn: inbound.packets(),
    packetsOut: outbound.packets(),
    bytesIn: inbound.octets(),
    bytesOut: outbound.octets(),
  };
}
