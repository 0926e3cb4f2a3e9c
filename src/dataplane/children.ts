/**
 * The children of this worker: makes an SA out of what the main thread sends, and keeps beside each what the outer path lets through.
 */
import { createSealer } from "../../crypto/backends.js";
import type { Sealer } from "../../crypto/interfaces.js";
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import { sealerSpecByName } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { isUnspecified, type Path, sameAddress } from "../../esp/address.js";
import type { ParkedPacket } from "../../esp/larval.js";
import { innerLimits } from "../../esp/mtu.js";
import type { OuterTooBig } from "../../esp/outer-icmp.js";
import type { EspLengths } from "../../esp/packet.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import type { Sad } from "../../esp/sad.js";
import type { TrafficSelector } from "../../esp/selector.js";
import { USUAL_WRAPPING, type Wrapping } from "../../esp/tunnel.js";
import type { Outer, OuterTable } from "./outer.js";
import type { PathWidth } from "./path-width.js";
import type { ChildMessage, FromWorker, TunnelMessage } from "./protocol.js";
import type { Origin, Receiver } from "./receive.js";

export interface ChildrenParts {
  readonly arena: ArenaMemory;
  readonly sad: Sad<Outer, Origin>;
  readonly outers: OuterTable;
  readonly receiver: Receiver;
  readonly width: PathWidth;
  readonly post: (message: FromWorker) => void;
  readonly now: () => number;
  /** Gives an Outer back as soon as nothing queued points to it. */
  readonly retire: (outer: Outer) => void;
}

export interface Children {
  /** How packets are wrapped from now on, also those of children that are there. */
  setTunnels(tunnels: readonly TunnelMessage[]): void;
  /** Throws `RangeError` for a child that cannot be: its algorithms, its sockets, or its numbers are not there. */
  install(child: ChildMessage): void;
  /** Throws `RangeError` when there is no socket for the new path. Unknown ids are ignored. */
  update(id: ChildId, path: Path, encapsulation: Encapsulation): void;
  remove(id: ChildId): void;
  /** Asks again how wide every path is: a change is told. */
  measureAll(): void;
  /** As `measureAll`, for the child that uses this Outer. */
  measure(outer: Outer): void;
  /** A router's message. Whether it is about a packet of one of the children, and believed. */
  narrow(message: OuterTooBig): boolean;
}

interface Kept {
  readonly id: ChildId;
  readonly tunnel: string;
  readonly spiOut: number;
  readonly lengths: EspLengths;
  readonly refusesTfc: boolean;
  outer: Outer;
}

export function createChildren(parts: ChildrenParts): Children {
  const { arena, sad, outers, receiver, width, post, now, retire } = parts;
  const kept = new Map<ChildId, Kept>();
  let wrappings = new Map<string, Wrapping>();

  function measure({ id, outer, lengths, refusesTfc }: Kept): void {
    const { path, encapsulation, wrapping } = outer;
    const limits = innerLimits(width.of(path, now()), path.remote.address.family, encapsulation, lengths, wrapping);
    if (limits.whole === outer.whole && limits.mtu4 === outer.mtu4) return;
    outer.whole = limits.whole;
    outer.mtu4 = limits.mtu4;
    outer.mtu6 = limits.mtu6;
    if (wrapping.clampMss) {
      outer.mss4 = limits.mss4;
      outer.mss6 = limits.mss6;
    }
    if (!refusesTfc) sad.child(id)?.padTo(leastPayload(wrapping, Math.min(limits.mtu4, limits.whole)));
    post({ kind: "innerMtu", child: id, mtu: limits.mtu4 });
  }

  function replaceOuter(one: Kept, outer: Outer): void {
    const before = one.outer;
    one.outer = outer;
    sad.move(one.id, outer.path, outer);
    retire(before);
    measure(one);
  }

  /** Whether a router's message quotes a packet that this child can have sent. */
  function isFrom({ outer, spiOut }: Kept, message: OuterTooBig): boolean {
    const { local, remote } = outer.path;
    if (outer.encapsulation !== message.encapsulation) return false;
    if (!sameAddress(remote.address, message.destination)) return false;
    if (!isUnspecified(local.address) && !sameAddress(local.address, message.source)) return false;
    if (
      message.encapsulation === "udp" &&
      (local.port !== message.sourcePort || remote.port !== message.destinationPort)
    )
      return false;
    return message.spi === undefined || message.spi === spiOut;
  }

  return {
    setTunnels(tunnels) {
      wrappings = new Map(tunnels.map(({ name, wrapping }) => [name, wrapping ?? USUAL_WRAPPING]));
      for (const one of kept.values()) {
        const wrapping = wrappings.get(one.tunnel);
        if (wrapping === undefined || sameWrapping(wrapping, one.outer.wrapping)) continue;
        replaceOuter(one, outers.make(one.outer.path, one.outer.encapsulation, { ...one.outer, wrapping }));
      }
    },
    install(child) {
      const spec = sealerSpecByName(child.suite);
      const outer = outers.make(child.path, child.encapsulation, {
        tunnel: child.tunnel,
        wrapping: wrappings.get(child.tunnel) ?? USUAL_WRAPPING,
        takesFragments: [...child.local, ...child.remote].every(anyPort),
      });
      const made: Sealer[] = [];
      let parked: readonly ParkedPacket<Origin>[];
      try {
        for (const keys of [child.inboundKeys, child.outboundKeys])
          made.push(
            createSealer(arena, spec, { encryption: secret(keys.encryption), integrity: secret(keys.integrity) }),
          );
        const [inbound, outbound] = made as [Sealer, Sealer];
        const parameters = { ...child, extendedSequence: child.suite.extendedSequence };
        parked = sad.install(parameters, { inbound, outbound }, outer, now());
      } catch (error) {
        for (const sealer of made) sealer.free();
        outers.release(outer);
        throw error;
      }
      const { id, tunnel, spiOut, refusesTfc = false } = child;
      const one = { id, tunnel, spiOut, lengths: made[1]!, refusesTfc, outer };
      kept.set(id, one);
      measure(one);
      for (const { bytes, outerTos, origin } of parked) receiver.replay(bytes, outerTos, origin);
    },
    update(id, path, encapsulation) {
      const one = kept.get(id);
      if (one === undefined) return;
      replaceOuter(one, outers.make(path, encapsulation, one.outer));
    },
    remove(id) {
      sad.remove(id);
      const one = kept.get(id);
      if (one === undefined) return;
      kept.delete(id);
      retire(one.outer);
    },
    measureAll() {
      for (const one of kept.values()) measure(one);
    },
    measure(outer) {
      for (const one of kept.values()) if (one.outer === outer) measure(one);
    },
    narrow(message) {
      for (const one of kept.values()) {
        if (!isFrom(one, message)) continue;
        const { path } = one.outer;
        if (!width.narrow(path, { ...message, verified: message.spi !== undefined }, now())) return false;
        for (const other of kept.values()) if (sameWay(other.outer.path, path)) measure(other);
        return true;
      }
      return false;
    },
  };
}

/** Whether packets take the same way: ports do not choose it. */
function sameWay(a: Path, b: Path): boolean {
  return sameAddress(a.local.address, b.local.address) && sameAddress(a.remote.address, b.remote.address);
}

function sameWrapping(a: Wrapping, b: Wrapping): boolean {
  return (
    a.mtu === b.mtu && a.df === b.df && a.dscp === b.dscp && a.clampMss === b.clampMss && a.tfcPadding === b.tfcPadding
  );
}

function anyPort({ startPort, endPort }: TrafficSelector): boolean {
  return startPort === 0 && endPort === 65535;
}

/** `most`: larger ones would not travel whole. */
function leastPayload({ tfcPadding }: Wrapping, most: number): number {
  return tfcPadding === "mtu" ? most : Math.min(tfcPadding, most);
}
