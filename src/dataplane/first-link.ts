/**
 * The MTU of the first link towards a peer, as routes and devices have it: without what the kernel has learnt about the path, which
 * anybody can teach it. By rtnetlink, whose messages are
 *
 *     nlmsghdr   length u32 | type u16 | flags u16 | sequence u32 | port u32                                        16
 *     rtmsg      family u8 | dst_len u8 | src_len u8 | tos u8 | table u8 | protocol u8 | scope u8 | type u8 | flags u32   12
 *     rtattr     length u16 | type u16 | data, padded to 4
 */
import type { Arena } from "../../crypto/interfaces.js";
import { type Address, addressBits, isUnspecified } from "../../esp/address.js";
import type { Descriptors } from "./descriptors.js";
import { addressFamily, IFREQ_BYTES, writeAddress } from "./layout.js";
import { checked, ioctl, read, SystemError, socket, write } from "./libc.js";

export interface FirstLink {
  /** Undefined when there is no route, or the kernel does not say. */
  mtu(remote: Address, local: Address, mark: number): number | undefined;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_FLAGS = 0o2004000;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const NLM_F_REQUEST = 1;
/** The route as it was configured, not what was learnt beside it. */
const RTM_F_FIB_MATCH = 0x2000;
const RTA = { destination: 1, source: 2, device: 4, metrics: 8, mark: 16 } as const;
const RTAX_MTU = 2;
const NLMSGHDR_BYTES = 16;
const RTMSG_BYTES = 12;
const RTA_BYTES = 4;
const SIOCGIFNAME = 0x8910;
const SIOCGIFMTU = 0x8921;
const IFREQ_VALUE = 16;
const BUFFER_BYTES = 8192;

/** `descriptors` closes the socket in the end. Throws `SystemError` where the kernel gives none. */
export function createFirstLink(arena: Arena, descriptors: Descriptors): FirstLink {
  const { view, bytes } = arena;
  const buffer = arena.alloc(BUFFER_BYTES);
  const request = arena.alloc(IFREQ_BYTES);
  const fd = descriptors.keep(checked(socket(AF_NETLINK, SOCK_RAW | SOCK_FLAGS, 0), "socket(AF_NETLINK)"));
  let sequence = 0;

  /** Writes an attribute with an address or a number. Returns the offset of the next one. */
  function writeAttribute(at: number, type: number, value: Address | number): number {
    const octets = typeof value === "number" ? 4 : addressBits(value.family) / 8;
    view.setUint16(at, RTA_BYTES + octets, true);
    view.setUint16(at + 2, type, true);
    if (typeof value === "number") view.setUint32(at + RTA_BYTES, value, true);
    else writeAddress(view, at + RTA_BYTES, value);
    return at + RTA_BYTES + octets;
  }

  function ask(remote: Address, local: Address, mark: number): void {
    const message = buffer + NLMSGHDR_BYTES;
    bytes.fill(0, buffer, message + RTMSG_BYTES);
    view.setUint8(message, addressFamily(remote.family));
    view.setUint8(message + 1, addressBits(remote.family));
    view.setUint32(message + 8, RTM_F_FIB_MATCH, true);
    let end = writeAttribute(message + RTMSG_BYTES, RTA.destination, remote);
    if (!isUnspecified(local)) {
      view.setUint8(message + 2, addressBits(local.family));
      end = writeAttribute(end, RTA.source, local);
    }
    if (mark !== 0) end = writeAttribute(end, RTA.mark, mark);
    sequence++;
    view.setUint32(buffer, end - buffer, true);
    view.setUint16(buffer + 4, RTM_GETROUTE, true);
    view.setUint16(buffer + 6, NLM_F_REQUEST, true);
    view.setUint32(buffer + 8, sequence, true);
    checked(write(fd, arena.address(buffer, end - buffer), end - buffer), "RTM_GETROUTE");
  }

  /** Octets of the answer at `buffer`. An earlier request may have left one behind when it failed. */
  function answer(): number {
    for (;;) {
      const octets = checked(read(fd, arena.address(buffer, BUFFER_BYTES), BUFFER_BYTES), "RTM_NEWROUTE");
      if (octets >= NLMSGHDR_BYTES && view.getUint32(buffer + 8, true) === sequence) return octets;
    }
  }

  /** Calls `found` with the type, the offset and the octets of each attribute's data. */
  function attributes(from: number, end: number, found: (type: number, at: number, octets: number) => void): void {
    for (let at = from; at + RTA_BYTES <= end; ) {
      const octets = view.getUint16(at, true);
      if (octets < RTA_BYTES || at + octets > end) return;
      found(view.getUint16(at + 2, true), at + RTA_BYTES, octets - RTA_BYTES);
      at += (octets + 3) & ~3;
    }
  }

  function deviceMtu(index: number): number {
    bytes.fill(0, request, request + IFREQ_BYTES);
    view.setInt32(request + IFREQ_VALUE, index, true);
    const address = arena.address(request, IFREQ_BYTES);
    checked(ioctl(ioctlSocket(), SIOCGIFNAME, address), "SIOCGIFNAME");
    checked(ioctl(ioctlSocket(), SIOCGIFMTU, address), "SIOCGIFMTU");
    return view.getInt32(request + IFREQ_VALUE, true);
  }

  let control = -1;
  /** Devices are asked through a socket of an IP version. */
  function ioctlSocket(): number {
    if (control < 0) control = descriptors.keep(checked(socket(addressFamily(4), 2 | SOCK_FLAGS, 0), "socket"));
    return control;
  }

  return {
    mtu(remote, local, mark) {
      try {
        ask(remote, local, mark);
        const end = buffer + answer();
        if (view.getUint16(buffer + 4, true) !== RTM_NEWROUTE) return undefined;
        let device = 0;
        let metric = Number.POSITIVE_INFINITY;
        attributes(buffer + NLMSGHDR_BYTES + RTMSG_BYTES, end, (type, at, octets) => {
          if (type === RTA.device) device = view.getInt32(at, true);
          if (type === RTA.metrics)
            attributes(at, at + octets, (one, value) => {
              if (one === RTAX_MTU) metric = view.getUint32(value, true);
            });
        });
        return device === 0 ? undefined : Math.min(deviceMtu(device), metric);
      } catch (error) {
        if (error instanceof SystemError) return undefined;
        throw error;
      }
    },
  };
}
