/**
 * ESP packets on their way out, gathered into as few system calls as possible.
 *
 * Packets are built one behind the other in one buffer. Over UDP, packets of equal length to the same peer make a train that the kernel
 * cuts (UDP_SEGMENT); a shorter one closes it. Over raw ESP each packet is a message. `sendmmsg` takes many messages.
 *
 *     buffer   | 1400 | 1400 | 1400 | 612 | 1400 | 1400 | 96 |     (free)
 *     messages   `------- train --------'   `--- train ----'
 *
 * When a socket takes no more, what is gathered stays, nothing more is taken, and the caller waits for the socket.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import { DROP } from "../../esp/drop-reasons.js";
import { OUTER } from "../../esp/tunnel.js";
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  setControlLength,
  setMessageName,
  writeControlHeader,
  writeIovec,
  writeMessage,
} from "./layout.js";
import { EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS, errno, sendmmsg, sendmsg } from "./libc.js";
import type { Outer } from "./outer.js";
import { IP_TOS, IPV6_TCLASS, SOL_IP, SOL_IPV6, SOL_UDP, UDP_SEGMENT } from "./socket-options.js";
import type { OuterSocket } from "./udp.js";

export interface Outbox {
  /** Where the next packet will stand, if it is not the end of the buffer: packets may be read to here before it is known whose they are. */
  tail(): number;
  /** Makes room for `octets` and one more message, by sending. False: a socket takes no more. */
  makeRoom(octets: number): boolean;
  /**
   * Where to build the next packet, at most `length` octets; 0: there is no room, for `makeRoom` was not asked or said so.
   * `fragmentation`: one of `OUTER`.
   */
  reserve(outer: Outer, length: number, tos: number, fragmentation: number): number;
  /** The packet stands where `reserve` said, `length` octets. */
  commit(length: number): void;
  /** Whether nothing waits: only then may what an `Outer` points to be used again. */
  isEmpty(): boolean;
  /** Sends everything. False: a socket takes no more, see `blockedOn`. */
  flush(): boolean;
  readonly blockedOn: OuterSocket | undefined;
  /** Packets and system calls so far: the ratio is what batching is worth. */
  readonly sentPackets: number;
  readonly sendCalls: number;
}

export interface OutboxEvents {
  /** Packets that were not sent. */
  dropped(reason: number, packets: number, tunnel: string): void;
  /** An ESP packet of this length did not fit the path to the peer. */
  tooBig(outer: Outer, length: number): void;
  /** From now on the packets of this socket may be fragmented, or may not; at first they may not. */
  allowFragments(socket: OuterSocket, allowed: boolean): void;
}

const BUFFER_BYTES = 512 << 10;
const MESSAGES = 64;
/** Of the kernel (UDP_MAX_SEGMENTS before Linux 6.9). */
const TRAIN_SEGMENTS = 64;
/** 65535 less the IPv4 and UDP headers. */
const TRAIN_BYTES = 65507;
const CONTROL_BYTES = 128;
const MSG_DONTWAIT = 0x40;

export function createOutbox(arena: ArenaMemory, events: OutboxEvents): Outbox {
  const { view, bytes } = arena;
  const buffer = arena.alloc(BUFFER_BYTES);
  const headers = arena.alloc((MESSAGES + 1) * MMSGHDR_BYTES);
  const iovecs = arena.alloc((MESSAGES + 1) * IOVEC_BYTES);
  const controls = arena.alloc((MESSAGES + 1) * CONTROL_BYTES);
  for (let i = 0; i <= MESSAGES; i++)
    writeMessage(arena, headers + i * MMSGHDR_BYTES, {
      iovec: iovecs + i * IOVEC_BYTES,
      name: 0,
      nameLength: 0,
      control: controls + i * CONTROL_BYTES,
      controlLength: CONTROL_BYTES,
    });

  // Of each message: where it goes and how it is cut.
  const outers: (Outer | undefined)[] = Array(MESSAGES).fill(undefined);
  const starts = new Uint32Array(MESSAGES);
  const lengths = new Uint32Array(MESSAGES);
  const segmentBytes = new Uint32Array(MESSAGES);
  const toses = new Uint8Array(MESSAGES);
  const fragmentable = new Uint8Array(MESSAGES);
  /** DF is a matter of the socket (decision 27): those whose packets may be fragmented now. */
  const fragmenting = new Set<OuterSocket>();

  let used = 0;
  /** Messages up to here are complete; the one that is being filled has this index. */
  let complete = 0;
  let sent = 0;
  // The message that is being filled; without `outer` there is none.
  let outer: Outer | undefined;
  let trainTos = 0;
  let trainFragmentation: number = OUTER.whole;
  let trainStart = 0;
  let trainBytes = 0;
  let trainSegment = 0;
  let trainPackets = 0;
  let trainClosed = false;
  let longestTrain = TRAIN_SEGMENTS;

  /** A message's control data: how to cut, DSCP and ECN, our source address. Returns its length. */
  function writeControl(at: number, to: Outer, segment: number, tos: number): number {
    let end = at;
    if (segment !== 0) {
      view.setUint32(end + 16, segment, true); // u16 of UDP_SEGMENT and padding
      end = writeControlHeader(view, end, SOL_UDP, UDP_SEGMENT, 2);
    }
    if (tos !== 0) {
      view.setInt32(end + 16, tos, true);
      const v4 = to.socket.family === 4;
      end = writeControlHeader(view, end, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, 4);
    }
    if (to.sourceLength !== 0) {
      bytes.copyWithin(end, to.source, to.source + to.sourceLength);
      end += to.sourceLength;
    }
    return end - at;
  }

  function writeSlot(slot: number, to: Outer, at: number, length: number, segment: number, tos: number): void {
    const header = headers + slot * MMSGHDR_BYTES;
    writeIovec(arena, iovecs + slot * IOVEC_BYTES, at, length);
    setMessageName(arena, header, to.name, to.nameLength);
    setControlLength(view, header, writeControl(controls + slot * CONTROL_BYTES, to, segment, tos));
  }

  function closeMessage(): void {
    if (outer === undefined) return;
    if (trainPackets > 0) {
      writeSlot(complete, outer, trainStart, trainBytes, trainPackets > 1 ? trainSegment : 0, trainTos);
      outers[complete] = outer;
      starts[complete] = trainStart;
      lengths[complete] = trainBytes;
      segmentBytes[complete] = trainSegment;
      toses[complete] = trainTos;
      fragmentable[complete] = trainFragmentation === OUTER.whole ? 0 : 1;
      complete++;
    }
    outer = undefined;
    trainPackets = 0;
  }

  function packetsOf(message: number): number {
    return Math.ceil(lengths[message]! / segmentBytes[message]!);
  }

  /** One message failed as a whole: a train is sent packet by packet, because it may be the train that was refused. */
  function sendSingly(message: number): void {
    const to = outers[message]!;
    const end = starts[message]! + lengths[message]!;
    for (let at = starts[message]!; at < end; at += segmentBytes[message]!) {
      const length = Math.min(segmentBytes[message]!, end - at);
      writeSlot(MESSAGES, to, at, length, 0, toses[message]!);
      const header = arena.address(headers + MESSAGES * MMSGHDR_BYTES, MMSGHDR_BYTES);
      outbox.sendCalls++;
      if (sendmsg(to.socket.fd, header, MSG_DONTWAIT) >= 0) outbox.sentPackets++;
      else countFailure(to, errno(), 1, length);
    }
  }

  function setFragmentation(socket: OuterSocket, allowed: boolean): void {
    if (fragmenting.has(socket) === allowed) return;
    if (allowed) fragmenting.add(socket);
    else fragmenting.delete(socket);
    events.allowFragments(socket, allowed);
  }

  function countFailure(to: Outer, error: number, packets: number, length: number): void {
    if (error === EMSGSIZE) {
      events.dropped(DROP.tooBig, packets, to.tunnel);
      events.tooBig(to, length);
    } else if (error === EAGAIN || error === ENOBUFS) events.dropped(DROP.queueFull, packets, to.tunnel);
    else events.dropped(DROP.sendFailed, packets, to.tunnel);
  }

  function flush(): boolean {
    closeMessage();
    while (sent < complete) {
      const { socket } = outers[sent]!;
      const allowed = fragmentable[sent]!;
      let end = sent + 1;
      while (end < complete && outers[end]!.socket === socket && fragmentable[end] === allowed) end++;
      setFragmentation(socket, allowed === 1);
      const count = end - sent;
      outbox.sendCalls++;
      const taken = sendmmsg(
        socket.fd,
        arena.address(headers + sent * MMSGHDR_BYTES, count * MMSGHDR_BYTES),
        count,
        MSG_DONTWAIT,
      );
      if (taken > 0) {
        for (let i = sent; i < sent + taken; i++) outbox.sentPackets += packetsOf(i);
        sent += taken;
        continue;
      }
      const error = errno();
      if (error === EINTR) continue;
      if (error === EAGAIN) {
        outbox.blockedOn = socket;
        return false;
      }
      // A device without checksum offload takes no trains at all.
      if (error === EIO) longestTrain = 1;
      if ((error === EMSGSIZE || error === EINVAL || error === EIO) && packetsOf(sent) > 1) sendSingly(sent);
      else countFailure(outers[sent]!, error, packetsOf(sent), segmentBytes[sent]!);
      sent++;
    }
    outbox.blockedOn = undefined;
    used = 0;
    complete = 0;
    sent = 0;
    return true;
  }

  const outbox = {
    blockedOn: undefined as OuterSocket | undefined,
    sentPackets: 0,
    sendCalls: 0,
    tail: () => buffer + used,
    makeRoom(octets: number) {
      if (outbox.blockedOn === undefined && used + octets <= BUFFER_BYTES && complete + 1 < MESSAGES) return true;
      return flush();
    },
    reserve(to: Outer, length: number, tos: number, fragmentation: number) {
      // What is larger than the path is no part of a train: the kernel does not cut segments into fragments.
      const joins =
        to === outer &&
        to.encapsulation === "udp" &&
        tos === trainTos &&
        fragmentation === trainFragmentation &&
        fragmentation !== OUTER.fragments &&
        !trainClosed &&
        length <= trainSegment &&
        trainPackets < longestTrain &&
        trainBytes + length <= TRAIN_BYTES;
      if (joins && used + length <= BUFFER_BYTES) return buffer + used;
      closeMessage();
      if ((complete === MESSAGES || used + length > BUFFER_BYTES) && !flush()) return 0;
      outer = to;
      trainTos = tos;
      trainFragmentation = fragmentation;
      trainStart = buffer + used;
      trainBytes = 0;
      trainSegment = length;
      trainPackets = 0;
      trainClosed = false;
      return trainStart;
    },
    commit(length: number) {
      if (trainPackets === 0) trainSegment = length;
      else if (length < trainSegment) trainClosed = true;
      trainBytes += length;
      trainPackets++;
      used += length;
    },
    isEmpty: () => complete === 0 && trainPackets === 0,
    flush,
  };
  return outbox;
}
