/**
 * The children of this worker: makes an SA out of what the main thread sends, and keeps beside each what the outer path lets through.
 */
import { createSealer } from "../../crypto/backends.js";
import type { Sealer } from "../../crypto/interfaces.js";
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import { sealerSpecByName } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ParkedPacket } from "../../esp/larval.js";
import { innerMtu, mssFor } from "../../esp/mtu.js";
import type { EspLengths } from "../../esp/packet.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import type { Sad } from "../../esp/sad.js";
import type { Outer, OuterTable } from "./outer.js";
import type { ChildMessage, FromWorker } from "./protocol.js";
import type { Origin, Receiver } from "./receive.js";
import type { SocketCalls } from "./socket-options.js";

export interface ChildrenParts {
  readonly arena: ArenaMemory;
  readonly sad: Sad<Outer, Origin>;
  readonly outers: OuterTable;
  readonly receiver: Receiver;
  readonly calls: SocketCalls;
  readonly mark: number;
  readonly clampMss: boolean;
  readonly post: (message: FromWorker) => void;
  readonly now: () => number;
  /** Gives an Outer back as soon as nothing queued points to it. */
  readonly retire: (outer: Outer) => void;
}

export interface Children {
  /** Throws `RangeError` for a child that cannot be: its algorithms, its sockets, or its numbers are not there. */
  install(child: ChildMessage): void;
  /** Throws `RangeError` when there is no socket for the new path. Unknown ids are ignored. */
  update(id: ChildId, path: Path, encapsulation: Encapsulation): void;
  remove(id: ChildId): void;
  /** Asks the kernel again how wide every path is: a change is told. */
  measureAll(): void;
  /** As `measureAll`, for the child that uses this Outer. */
  measure(outer: Outer): void;
}

/** Where the kernel knows no route (yet): Ethernet. */
const USUAL_MTU = 1500;

interface Kept {
  readonly id: ChildId;
  readonly lengths: EspLengths;
  outer: Outer;
}

export function createChildren(parts: ChildrenParts): Children {
  const { arena, sad, outers, receiver, calls, mark, clampMss, post, now, retire } = parts;
  const kept = new Map<ChildId, Kept>();

  function measure({ id, outer, lengths }: Kept): void {
    const { remote, local } = outer.path;
    const outerMtu = calls.pathMtu(remote, local.address, mark) ?? USUAL_MTU;
    const mtu = Math.min(innerMtu(outerMtu, remote.address.family, outer.encapsulation, lengths), 65535);
    if (mtu === outer.innerMtu) return;
    outer.innerMtu = mtu;
    if (clampMss) {
      outer.mss4 = mssFor(mtu, 4);
      outer.mss6 = mssFor(mtu, 6);
    }
    post({ kind: "innerMtu", child: id, mtu });
  }

  return {
    install(child) {
      const spec = sealerSpecByName(child.suite);
      const outer = outers.make(child.path, child.encapsulation, child.tunnel);
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
      const one = { id: child.id, lengths: made[1]!, outer };
      kept.set(child.id, one);
      measure(one);
      for (const { bytes, outerTos, origin } of parked) receiver.replay(bytes, outerTos, origin);
    },
    update(id, path, encapsulation) {
      const one = kept.get(id);
      if (one === undefined) return;
      const outer = outers.make(path, encapsulation, one.outer.tunnel);
      const before = one.outer;
      one.outer = outer;
      sad.move(id, path, outer);
      retire(before);
      measure(one);
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
  };
}
