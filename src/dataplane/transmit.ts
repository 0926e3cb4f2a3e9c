/**
 * From the TUN device to the peers: read, choose the SA, cut into packets, seal in place, gather in the outbox.
 *
 * A packet is read straight to where it will be sent from, under the guess that it goes out on the same SA as the one before; super packets
 * (TSO, USO) are read to a staging area and cut from there. A wrong guess costs a copy.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Checksum } from "../../esp/checksum.js";
import { DROP } from "../../esp/drop-reasons.js";
import { clampMss } from "../../esp/mss.js";
import { nextHeaderFor } from "../../esp/packet.js";
import type { ChildSa, Sad } from "../../esp/sad.js";
import type { Segmenter } from "../../esp/segment.js";
import { outerTos } from "../../esp/tunnel.js";
import { GSO, NEEDS_CHECKSUM, VIRTIO_HEADER_BYTES } from "../../esp/virtio.js";
import { read } from "./libc.js";
import type { Outbox } from "./outbox.js";
import type { Outer } from "./outer.js";
import type { Origin } from "./receive.js";

export interface TransmitParts {
  readonly arena: ArenaMemory;
  readonly tun: number;
  readonly sad: Sad<Outer, Origin>;
  readonly checksum: Checksum;
  readonly segmenter: Segmenter;
  readonly outbox: Outbox;
  /** A packet of one segment that is larger than the path takes: answered to its sender. */
  readonly refuseTooBig: (packet: number, length: number, outer: Outer) => void;
  /** Milliseconds, monotonic; the time of the present round. */
  readonly now: () => number;
}

export interface Transmitter {
  /** Reads at most `packets` (super) packets and puts them into the outbox. Their number. */
  run(packets: number): number;
  /** A packet that was held for its mapping's SA, as it was read; the caller empties the outbox. */
  replay(bytes: Uint8Array): void;
}

/** The largest packet of a TUN device and its virtio header, with room for the ESP trailer. */
const READ_BYTES = 65535 + VIRTIO_HEADER_BYTES;
const STAGING_BYTES = READ_BYTES + 512;
const ROOM_BYTES = STAGING_BYTES + 64;

export function createTransmitter(parts: TransmitParts): Transmitter {
  const { arena, tun, sad, checksum, segmenter, outbox, refuseTooBig, now } = parts;
  const { view } = arena;
  // The packet starts on a multiple of 64; its virtio header stands before it.
  const staging = arena.alloc(STAGING_BYTES + 64) + 64 - VIRTIO_HEADER_BYTES;
  /** Super packets come in runs, and so do packets of one SA. */
  let expectSuper = false;
  let expectOffset = 16;

  /** False: nothing there. */
  function readOne(): boolean {
    // In place only where the virtio header does not reach into the packet before.
    const inPlace = !expectSuper && expectOffset >= VIRTIO_HEADER_BYTES;
    const virtio = inPlace ? outbox.tail() + expectOffset - VIRTIO_HEADER_BYTES : staging;
    const octets = read(tun, arena.address(virtio, READ_BYTES), READ_BYTES);
    if (octets <= 0) return false;
    forward(virtio, octets, inPlace);
    return true;
  }

  function forward(virtio: number, octets: number, inPlace: boolean): void {
    const packet = virtio + VIRTIO_HEADER_BYTES;
    const length = octets - VIRTIO_HEADER_BYTES;
    const sa = sad.route(packet, length);
    if (sa === undefined) {
      if (sad.isAwaited()) sad.hold(virtio, octets, now());
      return;
    }
    expectSuper = view.getUint8(virtio + 1) !== GSO.none;
    if (expectSuper) sendSuper(sa, virtio, packet, length, inPlace);
    else sendOne(sa, virtio, packet, length);
  }

  function sendOne(sa: ChildSa<Outer>, virtio: number, packet: number, length: number): void {
    const { outer } = sa;
    if (length > outer.innerMtu && outer.innerMtu !== 0) {
      sad.countDrop(DROP.tooBig, sa.tunnel);
      refuseTooBig(packet, length, outer);
      return;
    }
    const partial = (view.getUint8(virtio) & NEEDS_CHECKSUM) !== 0;
    if (outer.mss4 !== 0) clampMss(arena, packet, length, outer.mss4, outer.mss6, partial);
    const refused = segmenter.finishInPlace(virtio, packet, length);
    if (refused !== 0) {
      sad.countDrop(refused, sa.tunnel);
      return;
    }
    expectOffset = sa.innerOffset;
    const at = outbox.reserve(outer, sa.sealedLength(length), outerTos(arena, packet));
    if (at === 0) {
      sad.countDrop(DROP.queueFull, sa.tunnel);
      return;
    }
    if (at + sa.innerOffset !== packet) checksum.copy(at + sa.innerOffset, packet, length);
    const sealed = sa.sealAt(at, length, nextHeaderFor(view.getUint8(packet)));
    if (sealed > 0) outbox.commit(sealed);
  }

  function sendSuper(sa: ChildSa<Outer>, virtio: number, packet: number, length: number, inPlace: boolean): void {
    let from = packet;
    if (inPlace) {
      // It stands where its own segments go.
      checksum.copy(staging, virtio, length + VIRTIO_HEADER_BYTES);
      from = staging + VIRTIO_HEADER_BYTES;
    }
    const segments = segmenter.start(from - VIRTIO_HEADER_BYTES, from, length);
    if (segments < 0) {
      sad.countDrop(-segments, sa.tunnel);
      return;
    }
    const { outer } = sa;
    const tos = outerTos(arena, from);
    const nextHeader = nextHeaderFor(view.getUint8(from));
    const longest = segmenter.longest();
    if (longest > outer.innerMtu && outer.innerMtu !== 0) {
      for (let i = 0; i < segments; i++) sad.countDrop(DROP.tooBig, sa.tunnel);
      refuseTooBig(from, longest, outer);
      return;
    }
    const room = sa.sealedLength(longest);
    for (let i = 0; i < segments; i++) {
      const at = outbox.reserve(outer, room, tos);
      if (at === 0) {
        for (; i < segments; i++) sad.countDrop(DROP.queueFull, sa.tunnel);
        return;
      }
      const inner = segmenter.next(at + sa.innerOffset);
      if (inner === 0) return;
      const sealed = sa.sealAt(at, inner, nextHeader);
      if (sealed > 0) outbox.commit(sealed);
    }
  }

  return {
    run(packets) {
      for (let i = 0; i < packets; i++) {
        // Nothing is read that could not be sent: the TUN device's own queue holds the senders back.
        if (!outbox.makeRoom(ROOM_BYTES) || !readOne()) return i;
      }
      return packets;
    },
    replay(bytes) {
      arena.bytes.set(bytes, staging);
      outbox.makeRoom(ROOM_BYTES);
      forward(staging, bytes.length, false);
    },
  };
}
