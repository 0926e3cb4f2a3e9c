/**
 * The data plane as IKE sees it, and a judge of what IKE tells it: effects that contradict each other, keys that are
 * installed twice, and packets that nobody could have expected end the run.
 */
import assert from "node:assert/strict";
import { hex } from "../../crypto/bytes.js";
import { type Path, samePath } from "../../esp/address.js";
import type { ChildId, SaPair } from "../../esp/sa.js";
import { formatSelector } from "../../esp/selector.js";
import { renumberedPair } from "../../ike/core/child.js";
import type { Moved } from "../../ike/core/policy-change.js";
import type { Effect, Event } from "../../ike/core/types.js";

export interface Child {
  pair: SaPair;
  /** `useChild` was given: its mappings send on it. */
  sending: boolean;
  heard: boolean;
}

export interface EspPacket {
  readonly spi: number;
  /** Stands for the keys that it was sealed with. */
  readonly key: string;
  readonly path: Path;
  readonly encapsulated: boolean;
}

export interface DataPlane {
  readonly children: ReadonlyMap<ChildId, Child>;
  /** SPIs that were reserved and neither installed nor released. */
  readonly reserved: ReadonlySet<number>;
  perform(effect: Effect): void;
  /** The mappings have other numbers. */
  renumber(moved: Moved): void;
  /** The child on which this mapping sends: the last one that was told to. */
  sender(mapping: number): Child | undefined;
  /** Every SPI to which a packet may ever have been expected. */
  readonly known: ReadonlySet<number>;
  /** A packet came in; what the core is told about it. For a reserved SPI it waits for the child. */
  receive(packet: EspPacket): readonly Event[];
  /** Packets that waited for this SPI. */
  parked(spi: number): readonly EspPacket[];
  /** Packets that came in and were authentic. */
  readonly arrived: number;
  /** Packets that came for an SPI that is not there any more, or never got its child. */
  readonly lost: number;
}

const FADE_MILLISECONDS = 1_000;
/** How far back the judge looks: a year of rekeys must fit into memory. */
const MOST_REMEMBERED = 20_000;

function remember<T>(seen: Set<T>, member: T): void {
  seen.add(member);
  if (seen.size > MOST_REMEMBERED) seen.delete(seen.values().next().value!);
}

/** `name` is for messages; `before` is what a gateway had that lost its power: packets for its SPIs may still come. */
export function createDataPlane(name: string, now: () => number, before: Iterable<number> = []): DataPlane {
  const children = new Map<ChildId, Child>();
  const bySpi = new Map<number, ChildId>();
  const order: ChildId[] = [];
  const reserved = new Set<number>();
  /** Deleted children that still receive what was on its way: until when, by SPI. */
  const fading = new Map<number, { readonly key: string; readonly until: number }>();
  const known = new Set<number>(before);
  const keysSeen = new Set<string>();
  const idsSeen = new Set<ChildId>();
  let waiting: EspPacket[] = [];
  let lost = 0;
  let arrived = 0;

  const byId = (id: ChildId, what: string): Child => {
    const child = children.get(id);
    assert(child !== undefined, `${name}: ${what} of child ${id}, which is not installed`);
    return child;
  };

  return {
    children,
    reserved,
    perform(effect) {
      switch (effect.kind) {
        case "reserveSpi":
          assert(!reserved.has(effect.spi), `${name}: SPI ${effect.spi} reserved twice`);
          reserved.add(effect.spi);
          remember(known, effect.spi);
          return;
        case "releaseSpi":
          assert(reserved.delete(effect.spi), `${name}: SPI ${effect.spi} released without being reserved`);
          return;
        case "installChild":
          install(effect.child);
          return;
        case "useChild": {
          const child = byId(effect.id, "useChild");
          assert(
            order.at(-1) !== effect.id,
            `${name}: useChild again for child ${effect.id}, on which is sent already`,
          );
          child.sending = true;
          order.push(effect.id);
          return;
        }
        case "updateChild": {
          const child = byId(effect.id, "updateChild");
          child.pair = { ...child.pair, path: effect.path, encapsulation: effect.encapsulation };
          return;
        }
        case "removeChild":
          if (effect.receives) {
            const { pair } = byId(effect.id, "removeChild");
            fading.set(pair.spiIn, { key: inboundKey(pair), until: now() + FADE_MILLISECONDS });
          }
          byId(effect.id, "removeChild");
          bySpi.delete(children.get(effect.id)!.pair.spiIn);
          children.delete(effect.id);
          if (order.length > MOST_REMEMBERED) order.splice(0, order.length, ...order.filter((id) => children.has(id)));
          return;
        default:
          return;
      }
    },
    renumber(moved) {
      for (const child of children.values()) child.pair = renumberedPair(child, moved).pair;
    },
    sender(mapping) {
      for (let i = order.length - 1; i >= 0; i--) {
        const child = children.get(order[i]!);
        if (child?.pair.mappings.includes(mapping)) return child;
      }
      return undefined;
    },
    known,
    get lost() {
      return lost + waiting.length;
    },
    get arrived() {
      return arrived;
    },
    parked(spi) {
      const found = waiting.filter((packet) => packet.spi === spi);
      waiting = waiting.filter((packet) => packet.spi !== spi);
      return found;
    },
    receive(packet) {
      const { spi, key, path, encapsulated } = packet;
      const id = bySpi.get(spi);
      const child = id === undefined ? undefined : children.get(id);
      if (child === undefined) {
        assert(known.has(spi), `${name}: a packet came for SPI ${spi.toString(16)}, which was never reserved`);
        const faded = fading.get(spi);
        if (faded !== undefined && now() < faded.until) {
          assert.equal(key, faded.key, `${name}: SPI ${spi.toString(16)} has other keys at the peer`);
          return [];
        }
        if (reserved.has(spi)) waiting.push(packet);
        else lost++;
        return [];
      }
      const { pair } = child;
      assert.equal(key, inboundKey(pair), `${name}: SPI ${spi.toString(16)} has other keys at the peer`);
      arrived++;
      const events: Event[] = [{ kind: "alive", children: [pair.id] }];
      if (!child.heard) events.unshift({ kind: "firstInbound", child: pair.id });
      child.heard = true;
      if (encapsulated && pair.encapsulation === "udp" && !samePath(path, pair.path))
        events.push({ kind: "moved", child: pair.id, path });
      return events;
    },
  };

  function install(pair: SaPair): void {
    assert(!idsSeen.has(pair.id), `${name}: child ${pair.id} installed twice`);
    remember(idsSeen, pair.id);
    assert(!bySpi.has(pair.spiIn), `${name}: inbound SPI ${pair.spiIn.toString(16)} installed twice`);
    for (const key of [inboundKey(pair), outboundKey(pair)]) {
      assert(!keysSeen.has(key), `${name}: the same keys were installed twice`);
      remember(keysSeen, key);
    }
    assert(pair.local.length > 0 && pair.remote.length > 0 && pair.mappings.length > 0, `${name}: a child for nothing`);
    assert(reserved.delete(pair.spiIn), `${name}: SPI ${pair.spiIn.toString(16)} was installed without being reserved`);
    remember(known, pair.spiIn);
    bySpi.set(pair.spiIn, pair.id);
    children.set(pair.id, { pair, sending: false, heard: false });
  }
}

/** Whether two ends of one SA pair fit: SPIs crossed, keys crossed, selectors mirrored, the same algorithms. */
export function assertPartners(a: SaPair, b: SaPair): void {
  const what = `SPIs ${a.spiIn.toString(16)}/${a.spiOut.toString(16)}`;
  assert.equal(a.spiOut, b.spiIn, what);
  assert.equal(a.spiIn, b.spiOut, what);
  assert.equal(outboundKey(a), inboundKey(b), what);
  assert.equal(inboundKey(a), outboundKey(b), what);
  assert.deepEqual(a.local.map(formatSelector).sort(), b.remote.map(formatSelector).sort(), what);
  assert.deepEqual(a.remote.map(formatSelector).sort(), b.local.map(formatSelector).sort(), what);
  assert.equal(a.suite.encryption, b.suite.encryption, what);
  assert.equal(a.suite.sequence, b.suite.sequence, what);
  assert.equal(a.encapsulation, b.encapsulation, what);
}

export function inboundKey({ keys: { inbound } }: SaPair): string {
  return hex(inbound.encryption.reveal()) + hex(inbound.integrity.reveal());
}

export function outboundKey({ keys: { outbound } }: SaPair): string {
  return hex(outbound.encryption.reveal()) + hex(outbound.integrity.reveal());
}
