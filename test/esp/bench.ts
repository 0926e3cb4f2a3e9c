/** A bench for ESP tests: an arena, sealers, and a SAD that is filled with one line. */
import { createSealer, keyLengths } from "../../crypto/backends.js";
import { type ArenaMemory, createArena } from "../../crypto/openssl/arena.js";
import { fillRandom } from "../../crypto/random.js";
import { rowByName } from "../../crypto/registry/lookup.js";
import type { SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { type Path, parseAddress, parsePrefix } from "../../esp/address.js";
import { type DropReason, dropName } from "../../esp/drop-reasons.js";
import { type ChildParameters, createSad, type Sad, type Sealers } from "../../esp/sad.js";
import { ANY_PROTOCOL, type ProtocolPorts, selectorFromPrefix, type TrafficSelector } from "../../esp/selector.js";
import { SHARED_DEVICE } from "../../esp/spd.js";

export const AES_GCM: SealerSpec = { encryption: rowByName("encryption", "ENCR_AES_GCM_16"), keyBits: 128 };

export const AES_CBC: SealerSpec = {
  encryption: rowByName("encryption", "ENCR_AES_CBC"),
  keyBits: 128,
  integrity: rowByName("integrity", "AUTH_HMAC_SHA2_256_128"),
};

export const NO_LIMITS = { softOctets: 0, hardOctets: 0, softPackets: 0, hardPackets: 0 };

export const PATH: Path = {
  local: { address: parseAddress("192.0.2.1"), port: 4500 },
  remote: { address: parseAddress("198.51.100.1"), port: 4500 },
};

/** "10.1.0.0/16". */
export function selector(prefix: string, ports: ProtocolPorts = ANY_PROTOCOL): TrafficSelector {
  return selectorFromPrefix(parsePrefix(prefix), ports);
}

/** Both ends of a pair use the same keys, so that what one SAD seals another one opens. */
export function sealers(arena: ArenaMemory, spec: SealerSpec = AES_GCM): Sealers {
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const keys = {
    encryption: secret(new Uint8Array(encryptionBytes).fill(1)),
    integrity: secret(new Uint8Array(integrityBytes).fill(2)),
  };
  return { inbound: createSealer(arena, spec, keys), outbound: createSealer(arena, spec, keys) };
}

export function childParameters(changes: Partial<ChildParameters> = {}): ChildParameters {
  return {
    id: 1,
    tunnel: "office",
    spiIn: 0xc000_0001,
    spiOut: 0xc000_0002,
    local: [selector("10.1.0.0/16")],
    remote: [selector("10.2.0.0/16")],
    mappings: [0],
    path: PATH,
    extendedSequence: false,
    replayWindow: 64,
    volume: NO_LIMITS,
    ...changes,
  };
}

/** The other end of a child: what it sends, the child receives. */
export function mirrored(child: ChildParameters): ChildParameters {
  return {
    ...child,
    spiIn: child.spiOut,
    spiOut: child.spiIn,
    local: child.remote,
    remote: child.local,
    path: { local: child.path.remote, remote: child.path.local },
  };
}

export interface Bench {
  readonly arena: ArenaMemory;
  readonly sad: Sad<string, string>;
  /** "limit 1 soft", "first 1". */
  readonly events: string[];
  /** Where packets stand. */
  readonly at: number;
  /** Writes an ESP packet to `at`. */
  place(packet: Uint8Array): void;
  /** Seals an inner packet on the child, and takes it out. */
  seal(child: number, inner: Uint8Array, nextHeader?: number): Uint8Array;
  /** Opens an ESP packet: the inner packet, "parked", or why it was dropped. */
  open(packet: Uint8Array, outerTos?: number): Uint8Array | "parked" | DropReason;
  /** The child that an inner packet would be sent on, or why it would be dropped; "awaited": it may be held. */
  route(inner: Uint8Array, device?: number): number | "awaited" | DropReason;
}

export function createBench(): Bench {
  const arena = createArena(1 << 20);
  const events: string[] = [];
  const sad = createSad<string, string>(arena, (at, length) => fillRandom(arena, at, length), {
    limit: (child, kind) => events.push(`limit ${child} ${kind}`),
    firstInbound: (child) => events.push(`first ${child}`),
  });
  const at = arena.alloc(70000);
  const place = (packet: Uint8Array) => arena.bytes.set(packet, at);
  return {
    arena,
    sad,
    events,
    at,
    place,
    seal(id, inner, nextHeader = inner[0]! >> 4 === 6 ? 41 : 4) {
      const child = sad.child(id)!;
      arena.bytes.set(inner, at + child.innerOffset);
      const length = child.sealAt(at, inner.length, nextHeader);
      if (length < 0) throw new Error(dropName(-length));
      return arena.bytes.slice(at, at + length);
    },
    open(packet, outerTos = 0) {
      place(packet);
      const length = sad.openAt(at, packet.length, outerTos);
      if (length === 0) return "parked";
      if (length < 0) return dropName(-length);
      const inner = at + sad.opened()!.innerOffset;
      return arena.bytes.slice(inner, inner + length);
    },
    route(inner, device = SHARED_DEVICE) {
      place(inner);
      const before = drops(sad);
      const child = sad.route(at, inner.length, device);
      if (child) return child.id;
      if (sad.isAwaited()) return "awaited";
      const after = drops(sad);
      return Object.keys(after).find((name) => after[name] !== before[name]) as DropReason;
    },
  };
}

/** All drops by reason, whoever they belong to. */
export function drops(sad: Sad<unknown, unknown>): Record<string, number> {
  const { tunnels, drops } = sad.counters();
  const total: Record<string, number> = { ...drops };
  for (const tunnel of Object.values(tunnels))
    for (const [name, count] of Object.entries(tunnel.drops)) total[name] = (total[name] ?? 0) + count;
  return total;
}
