/**
 * Datagrams as they come in: `recvmmsg` into a few large buffers, with what the kernel tells beside each one (how it merged
 * several of equal length, the outer TOS, the address that was reached).
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Address, Family } from "../../esp/address.js";
import {
  CMSG_HEADER_BYTES,
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  messageControlLength,
  messageFlags,
  messageLength,
  readAddress,
  resetReceived,
  SOCKADDR_BYTES,
  writeIovec,
  writeMessage,
} from "./layout.js";
import { recvmmsg } from "./libc.js";
import { IP_PKTINFO, IP_TOS, IPV6_PKTINFO, IPV6_TCLASS, SOL_IP, SOL_IPV6, SOL_UDP, UDP_GRO } from "./socket-options.js";

export interface Inbox {
  /** Receives at most BATCH messages without waiting. Their number; 0 or less: there are none. */
  receive(fd: number): number;
  /** Points the fields below at one message of the last `receive`. False: it did not fit, and is useless. */
  select(message: number): boolean;
  /** Arena offset and octets of the whole message. */
  at: number;
  length: number;
  /** Each datagram has this many octets, the last one perhaps fewer. */
  segment: number;
  /** Outer TOS or Traffic Class. */
  tos: number;
  /** The sender's sockaddr, at an arena offset. */
  name: number;
  /** The address that was reached, of the selected message; undefined where the socket does not tell. */
  ownAddress(): Address | undefined;
}

/** recvmmsg of 8: more gained nothing, one alone cost a fifth of the CPU (measured). */
export const BATCH = 8;
/** The largest datagram, or batch of merged ones. */
const BUFFER_BYTES = 65536;
/** Octets before a datagram that whoever opens it may write to. */
export const HEADROOM = 64;
const STRIDE = HEADROOM + BUFFER_BYTES;
const NAME_BYTES = 32;
const CONTROL_BYTES = 128;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x08;

export function createInbox(arena: ArenaMemory): Inbox {
  const { view } = arena;
  const buffers = arena.alloc(BATCH * STRIDE) + HEADROOM;
  const headers = arena.alloc(BATCH * MMSGHDR_BYTES);
  const iovecs = arena.alloc(BATCH * IOVEC_BYTES);
  const names = arena.alloc(BATCH * NAME_BYTES);
  const controls = arena.alloc(BATCH * CONTROL_BYTES);
  for (let i = 0; i < BATCH; i++) {
    const iovec = iovecs + i * IOVEC_BYTES;
    writeIovec(arena, iovec, buffers + i * STRIDE, BUFFER_BYTES);
    writeMessage(arena, headers + i * MMSGHDR_BYTES, {
      iovec,
      name: names + i * NAME_BYTES,
      nameLength: SOCKADDR_BYTES,
      control: controls + i * CONTROL_BYTES,
      controlLength: CONTROL_BYTES,
    });
  }
  /** Octets of the address information of the selected message; 0: none. */
  let ownAddressAt = 0;
  let ownFamily: Family = 4;

  const inbox = {
    at: 0,
    length: 0,
    segment: 0,
    tos: 0,
    name: 0,
    receive(fd: number) {
      for (let i = 0; i < BATCH; i++) resetReceived(view, headers + i * MMSGHDR_BYTES, SOCKADDR_BYTES, CONTROL_BYTES);
      return recvmmsg(fd, arena.address(headers, BATCH * MMSGHDR_BYTES), BATCH, MSG_DONTWAIT, 0);
    },
    select(message: number) {
      const header = headers + message * MMSGHDR_BYTES;
      inbox.at = buffers + message * STRIDE;
      inbox.length = messageLength(view, header);
      inbox.segment = inbox.length;
      inbox.tos = 0;
      inbox.name = names + message * NAME_BYTES;
      ownAddressAt = 0;
      if ((messageFlags(view, header) & (MSG_TRUNC | MSG_CTRUNC)) !== 0) return false;
      readControl(controls + message * CONTROL_BYTES, messageControlLength(view, header));
      return true;
    },
    ownAddress: () => (ownAddressAt === 0 ? undefined : readAddress(view, ownAddressAt, ownFamily)),
  };

  function readControl(start: number, octets: number): void {
    const end = start + octets;
    for (let at = start; at + CMSG_HEADER_BYTES <= end; ) {
      const length = view.getUint32(at, true);
      if (length < CMSG_HEADER_BYTES) return;
      const type = view.getInt32(at + 12, true);
      const data = at + CMSG_HEADER_BYTES;
      switch (view.getInt32(at + 8, true)) {
        case SOL_UDP:
          if (type === UDP_GRO) inbox.segment = view.getInt32(data, true) || inbox.length;
          break;
        case SOL_IP:
          if (type === IP_TOS) inbox.tos = view.getUint8(data);
          else if (type === IP_PKTINFO) {
            ownAddressAt = data + 4; // ipi_spec_dst
            ownFamily = 4;
          }
          break;
        case SOL_IPV6:
          if (type === IPV6_TCLASS) inbox.tos = view.getInt32(data, true) & 0xff;
          else if (type === IPV6_PKTINFO) {
            ownAddressAt = data;
            ownFamily = 6;
          }
          break;
      }
      at += (length + 7) & ~7;
    }
  }

  return inbox;
}
