/**
 * From the TUN device to the peers: read, choose the SA, cut into packets, seal in place, gather in the outbox.
 *
 * A packet is read straight to where it will be sent from, under the guess that it goes out on the same SA as the one before; super packets
 * (TSO, USO) are read to a staging area and cut from there. A wrong guess costs a copy.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Checksum } from "../../esp/checksum.js";
import { DROP } from "../../esp/drop-reasons.js";
import type { Fragmenter } from "../../esp/fragment.js";
import { clampMss } from "../../esp/mss.js";
import { nextHeaderFor } from "../../esp/packet.js";
import type { ChildSa, Sad } from "../../esp/sad.js";
import type { Segmenter } from "../../esp/segment.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import { isFragmentable, outerFragmentation, outerTos } from "../../esp/tunnel.js";
import { GSO, NEEDS_CHECKSUM, VIRTIO_HEADER_BYTES } from "../../esp/virtio.js";
import { read } from "./libc.js";
import type { Outbox } from "./outbox.js";
import type { Outer } from "./outer.js";
import type { Origin } from "./receive.js";
import type { BatchedReads } from "./uring.js";

export interface TransmitParts {
  readonly arena: ArenaMemory;
  /** Many packets with one system call; undefined where the kernel has no such thing. */
  readonly batched: BatchedReads | undefined;
  readonly sad: Sad<Outer, Origin>;
  readonly checksum: Checksum;
  readonly segmenter: Segmenter;
  readonly fragmenter: Fragmenter;
  readonly outbox: Outbox;
  /** A packet that is larger than the tunnel carries, `mtu` octets, and may not be fragmented: answered to its sender. */
  readonly refuseTooBig: (packet: number, length: number, mtu: number, device: number) => void;
  /** Milliseconds, monotonic; the time of the present round. */
  readonly now: () => number;
}

export interface Transmitter {
  /**
   * Reads at most `packets` (super) packets of a TUN device, by its descriptor and number, and puts them into the outbox. Their number;
   * fewer: the device is empty, or a socket takes no more.
   */
  run(tun: number, device: number, packets: number): number;
  /** A packet that was held for its mapping's SA, as it was read from that device; the caller empties the outbox. */
  replay(bytes: Uint8Array, device: number): void;
}

/** The largest packet of a TUN device and its virtio header, with room for the ESP trailer. */
export const READ_BYTES = 65535 + VIRTIO_HEADER_BYTES;
const STAGING_BYTES = READ_BYTES + 512;
const ROOM_BYTES = STAGING_BYTES + 64;
/** So many small packets in a row are read one by one, to where they are sent from; more are worth a batch. */
const SINGLY = 4;
/** Octets up to which the system call is most of what a read costs, of super packets as well. */
const SMALL = 4096;
const LEAST_BATCH = 4;

export function createTransmitter(parts: TransmitParts): Transmitter {
  const { arena, sad, checksum, segmenter, fragmenter, outbox, refuseTooBig, now } = parts;
  const { bytes, view } = arena;
  // The packet starts on a multiple of 64; its virtio header stands before it.
  const staging = arena.alloc(STAGING_BYTES + 64) + 64 - VIRTIO_HEADER_BYTES;
  /** Where a packet stands that is too large as it is. */
  const large = arena.alloc(READ_BYTES);
  /** Super packets come in runs, and so do packets of one SA. */
  let expectSuper = false;
  let expectOffset = 16;
  let { batched } = parts;
  /** Of the last batch: how many packets it has, and how many were forwarded. */
  let inBatch = 0;
  let taken = 0;
  let batchDevice = SHARED_DEVICE;
  let batchSize = LEAST_BATCH;

  /** Its octets; 0 or less: nothing there. */
  function readOne(tun: number, device: number): number {
    // In place only where the virtio header does not reach into the packet before.
    const inPlace = !expectSuper && expectOffset >= VIRTIO_HEADER_BYTES;
    const virtio = inPlace ? outbox.tail() + expectOffset - VIRTIO_HEADER_BYTES : staging;
    const octets = read(tun, arena.address(virtio, READ_BYTES), READ_BYTES);
    if (octets > 0) forward(virtio, octets, inPlace, device);
    return octets;
  }

  /** Reads as many packets as lately came at once. False: there are no more behind these. */
  function readBatch(tun: number, device: number, reads: BatchedReads): boolean {
    const wanted = batchSize;
    const packets = reads.read(tun, wanted);
    if (packets < 0) {
      batched = undefined;
      return true;
    }
    inBatch = packets;
    batchDevice = device;
    taken = 0;
    if (packets === wanted && reads.octets(packets - 1) <= SMALL) batchSize = Math.min(2 * wanted, reads.most);
    else batchSize = LEAST_BATCH;
    return packets === wanted;
  }

  /** What stands in the batch, as long as there is room: nothing of it is dropped because a socket takes no more. False: none. */
  function forwardBatch(reads: BatchedReads): boolean {
    while (taken < inBatch) {
      if (!outbox.makeRoom(ROOM_BYTES)) return false;
      const packet = taken++;
      forward(reads.at(packet), reads.octets(packet), false, batchDevice);
    }
    return true;
  }

  function forward(virtio: number, octets: number, inPlace: boolean, device: number): void {
    const packet = virtio + VIRTIO_HEADER_BYTES;
    const length = octets - VIRTIO_HEADER_BYTES;
    const sa = sad.route(packet, length, device);
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
    const partial = (bytes[virtio]! & NEEDS_CHECKSUM) !== 0;
    if (outer.mss4 !== 0) clampMss(arena, packet, length, outer.mss4, outer.mss6, partial);
    const refused = segmenter.finishInPlace(virtio, packet, length);
    if (refused !== 0) {
      sad.countDrop(refused, sa.tunnel);
      return;
    }
    expectOffset = sa.innerOffset;
    if (length <= mtuFor(outer, packet)) sendPacket(sa, packet, length);
    else {
      checksum.copy(large, packet, length);
      sendLarge(sa, length, 1);
    }
  }

  function mtuFor(outer: Outer, packet: number): number {
    return bytes[packet]! >> 4 === 4 ? outer.mtu4 : outer.mtu6;
  }

  /** Seals a packet with complete checksums. */
  function sendPacket(sa: ChildSa<Outer>, packet: number, length: number): void {
    const at = outbox.reserve(
      sa.outer,
      sa.sealedLength(length),
      tosFor(sa, packet),
      fragmentationFor(sa, packet, length),
    );
    if (at === 0) {
      sad.countDrop(DROP.queueFull, sa.tunnel);
      return;
    }
    if (at + sa.innerOffset !== packet) checksum.copy(at + sa.innerOffset, packet, length);
    seal(sa, at, length, packet);
  }

  function tosFor({ outer }: ChildSa<Outer>, packet: number): number {
    return outerTos(arena, packet, outer.dscp);
  }

  function fragmentationFor({ outer }: ChildSa<Outer>, packet: number, length: number): number {
    return outerFragmentation(arena, packet, outer.wrapping.df, outer.socket.family, length <= outer.whole);
  }

  function seal(sa: ChildSa<Outer>, at: number, length: number, packet: number): void {
    const sealed = sa.sealAt(at, length, nextHeaderFor(bytes[packet]!));
    if (sealed > 0) outbox.commit(sealed);
  }

  /**
   * The packet at `large`, with complete checksums, is larger than the tunnel's MTU: it goes in fragments where it may be fragmented.
   * Where it may not, its sender is told, and as many `packets` are counted. True: it was sent.
   */
  function sendLarge(sa: ChildSa<Outer>, length: number, packets: number): boolean {
    const { outer } = sa;
    const mtu = mtuFor(outer, large);
    if (!isFragmentable(bytes, large)) {
      for (let i = 0; i < packets; i++) sad.countDrop(DROP.tooBig, sa.tunnel);
      refuseTooBig(large, length, mtu, sa.device);
      return false;
    }
    // Fragments without ports would not pass the peer's selectors: there the ESP packet is what is cut.
    if (!outer.takesFragments) sendPacket(sa, large, length);
    else sendFragments(sa, length, mtu);
    return true;
  }

  function sendFragments(sa: ChildSa<Outer>, length: number, mtu: number): void {
    const fragments = fragmenter.start(large, length, mtu);
    const room = sa.sealedLength(mtu);
    const tos = tosFor(sa, large);
    const fragmentation = fragmentationFor(sa, large, mtu);
    for (let i = 0; i < fragments; i++) {
      const at = outbox.reserve(sa.outer, room, tos, fragmentation);
      if (at === 0) {
        sad.countDrop(DROP.queueFull, sa.tunnel);
        return;
      }
      seal(sa, at, fragmenter.next(at + sa.innerOffset), large);
    }
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
    const longest = segmenter.longest();
    if (longest > mtuFor(sa.outer, from)) sendLargeSegments(sa, segments);
    else sendSegments(sa, from, longest, segments);
  }

  function sendSegments(sa: ChildSa<Outer>, from: number, longest: number, segments: number): void {
    const room = sa.sealedLength(longest);
    const tos = tosFor(sa, from);
    const fragmentation = fragmentationFor(sa, from, longest);
    for (let i = 0; i < segments; i++) {
      const at = outbox.reserve(sa.outer, room, tos, fragmentation);
      if (at === 0) {
        for (; i < segments; i++) sad.countDrop(DROP.queueFull, sa.tunnel);
        return;
      }
      const inner = segmenter.next(at + sa.innerOffset);
      if (inner === 0) return;
      seal(sa, at, inner, from);
    }
  }

  /** One answer for all of them quotes the first, as it would have travelled: its sender checks what is quoted. */
  function sendLargeSegments(sa: ChildSa<Outer>, segments: number): void {
    for (let left = segments; left > 0; left--) {
      const length = segmenter.next(large);
      if (length === 0 || !sendLarge(sa, length, left)) return;
    }
  }

  return {
    run(tun, device, packets) {
      let done = 0;
      if (batched !== undefined && taken < inBatch) {
        const left = inBatch - taken;
        if (!forwardBatch(batched)) return 0;
        done = left;
      }
      // Where packets came in batches a moment ago they do so now.
      let small = batchSize > LEAST_BATCH ? SINGLY : 0;
      while (done < packets) {
        if (batched === undefined || small < SINGLY) {
          // Nothing is read that could not be sent: the TUN device's own queue holds the senders back.
          if (!outbox.makeRoom(ROOM_BYTES)) return done;
          const octets = readOne(tun, device);
          if (octets <= 0) return done;
          done++;
          small = octets <= SMALL ? small + 1 : 0;
          continue;
        }
        const more = readBatch(tun, device, batched);
        if (batchSize === LEAST_BATCH) small = 0;
        done += inBatch - taken;
        if (batched !== undefined && !forwardBatch(batched)) return done;
        if (!more) return Math.min(done, packets - 1);
      }
      return done;
    },
    replay(bytes, device) {
      arena.bytes.set(bytes, staging);
      outbox.makeRoom(ROOM_BYTES);
      forward(staging, bytes.length, false, device);
    },
  };
}
