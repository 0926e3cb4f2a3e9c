/**
 * The kernel's structures, written to and read from arena offsets.
 *
 * Sizes and offsets are those of 64-bit little-endian Linux (x86-64 and arm64 agree on all of them):
 *
 *     sockaddr_in    family u16 | port u16 BE | address 4 | zero 8                                    16
 *     sockaddr_in6   family u16 | port u16 BE | flow u32 | address 16 | scope u32                     28
 *     iovec          base u64 | length u64                                                            16
 *     msghdr         name u64 | namelen u32 . | iov u64 | iovlen u64 | control u64 | controllen u64 | flags u32 .   56
 *     mmsghdr        msghdr | octets u32 .                                                            64
 *     cmsghdr        length u64 | level i32 | type i32 | data, padded to 8                            16 + data
 *     ifreq          name 16 | value 24                                                               40
 *     sock_filter    code u16 | jt u8 | jf u8 | k u32                                                  8
 *     sock_fprog     count u16 . | filter u64                                                         16
 */
import type { Arena } from "../../crypto/interfaces.js";
import type { Address, Family, SocketAddress } from "../../esp/address.js";

export const AF_INET = 2;
export const AF_INET6 = 10;

export const SOCKADDR_BYTES = 28;
export const IOVEC_BYTES = 16;
export const MSGHDR_BYTES = 56;
export const MMSGHDR_BYTES = 64;
export const CMSG_HEADER_BYTES = 16;
export const IFREQ_BYTES = 40;
export const SOCK_FILTER_BYTES = 8;
export const SOCK_FPROG_BYTES = 16;

const MMSG_NAME_LENGTH = 8;
const MMSG_CONTROL = 32;
const MMSG_CONTROL_LENGTH = 40;
const MMSG_FLAGS = 48;
const MMSG_LENGTH = 56;

/** A pointer or size_t. Numbers are exact: user addresses have 47 (with large pages of arm64 at most 52) bits. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}

/** The number of octets that a control message with this much data takes. */
export function controlSpace(dataBytes: number): number {
  return CMSG_HEADER_BYTES + ((dataBytes + 7) & ~7);
}

export function addressFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** The octets of an address in network order at `at`: 4 or 16. */
export function writeAddress(view: DataView, at: number, address: Address): void {
  if (address.family === 4) view.setUint32(at, Number(address.value));
  else {
    view.setBigUint64(at, address.value >> 64n);
    view.setBigUint64(at + 8, address.value & 0xffffffffffffffffn);
  }
}

export function readAddress(view: DataView, at: number, family: Family): Address {
  if (family === 4) return { family, value: BigInt(view.getUint32(at)) };
  return { family, value: (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8) };
}

/** sockaddr_in or sockaddr_in6; returns its length. */
export function writeSocketAddress(arena: Arena, at: number, { address, port }: SocketAddress): number {
  arena.bytes.fill(0, at, at + SOCKADDR_BYTES);
  arena.view.setUint16(at, addressFamily(address.family), true);
  arena.view.setUint16(at + 2, port);
  writeAddress(arena.view, at + (address.family === 4 ? 4 : 8), address);
  return address.family === 4 ? 16 : 28;
}

export function readSocketAddress(view: DataView, at: number): SocketAddress {
  const family = view.getUint16(at, true) === AF_INET ? 4 : 6;
  return { address: readAddress(view, at + (family === 4 ? 4 : 8), family), port: view.getUint16(at + 2) };
}

/** Whether two sockaddr structures name the same address and, with `ports`, the same port. */
export function sameSocketAddress(view: DataView, a: number, b: number, ports: boolean): boolean {
  const family = view.getUint16(a, true);
  if (family !== view.getUint16(b, true)) return false;
  if (ports && view.getUint16(a + 2) !== view.getUint16(b + 2)) return false;
  if (family === AF_INET) return view.getUint32(a + 4) === view.getUint32(b + 4);
  for (let i = 8; i < 24; i += 4) if (view.getUint32(a + i) !== view.getUint32(b + i)) return false;
  return true;
}

export function writeIovec(arena: Arena, at: number, buffer: number, length: number): void {
  writeU64(arena.view, at, arena.address(buffer, length));
  writeU64(arena.view, at + 8, length);
}

/** Where the parts of a message stand; `name` and `control` may be 0, which means none. */
export interface MessageParts {
  readonly iovec: number;
  readonly name: number;
  readonly nameLength: number;
  readonly control: number;
  readonly controlLength: number;
}

/** An mmsghdr with one iovec; its first 56 octets are a msghdr. */
export function writeMessage(arena: Arena, at: number, parts: MessageParts): void {
  const { view } = arena;
  arena.bytes.fill(0, at, at + MMSGHDR_BYTES);
  setMessageName(arena, at, parts.name, parts.nameLength);
  writeU64(view, at + 16, arena.address(parts.iovec, IOVEC_BYTES));
  view.setUint32(at + 24, 1, true);
  if (parts.control !== 0) writeU64(view, at + MMSG_CONTROL, arena.address(parts.control, parts.controlLength));
  view.setUint32(at + MMSG_CONTROL_LENGTH, parts.controlLength, true);
}

export function setMessageName(arena: Arena, at: number, name: number, length: number): void {
  if (name !== 0) writeU64(arena.view, at, arena.address(name, length));
  arena.view.setUint32(at + MMSG_NAME_LENGTH, length, true);
}

/** The kernel overwrites these when it receives: they are set again before every call. */
export function resetReceived(view: DataView, at: number, nameLength: number, controlLength: number): void {
  view.setUint32(at + MMSG_NAME_LENGTH, nameLength, true);
  view.setUint32(at + MMSG_CONTROL_LENGTH, controlLength, true);
  view.setUint32(at + MMSG_FLAGS, 0, true);
}

export function setControlLength(view: DataView, at: number, length: number): void {
  view.setUint32(at + MMSG_CONTROL_LENGTH, length, true);
}

export function messageFlags(view: DataView, at: number): number {
  return view.getUint32(at + MMSG_FLAGS, true);
}

/** Octets received. */
export function messageLength(view: DataView, at: number): number {
  return view.getUint32(at + MMSG_LENGTH, true);
}

export function messageControlLength(view: DataView, at: number): number {
  return view.getUint32(at + MMSG_CONTROL_LENGTH, true);
}

/** The header of a control message; the data goes to `at + CMSG_HEADER_BYTES`. Returns the offset of the next one. */
export function writeControlHeader(view: DataView, at: number, level: number, type: number, dataBytes: number): number {
  view.setUint32(at, CMSG_HEADER_BYTES + dataBytes, true);
  view.setUint32(at + 4, 0, true);
  view.setInt32(at + 8, level, true);
  view.setInt32(at + 12, type, true);
  return at + controlSpace(dataBytes);
}

export interface FilterInstruction {
  readonly code: number;
  readonly jumpTrue?: number;
  readonly jumpFalse?: number;
  readonly k: number;
}

/** A classic BPF program: sock_fprog at `at`, its instructions behind it. Returns the octets used. */
export function writeFilter(arena: Arena, at: number, program: readonly FilterInstruction[]): number {
  const { view } = arena;
  const instructions = at + SOCK_FPROG_BYTES;
  arena.bytes.fill(0, at, instructions);
  view.setUint16(at, program.length, true);
  writeU64(view, at + 8, arena.address(instructions, program.length * SOCK_FILTER_BYTES));
  program.forEach(({ code, jumpTrue = 0, jumpFalse = 0, k }, i) => {
    const one = instructions + i * SOCK_FILTER_BYTES;
    view.setUint16(one, code, true);
    view.setUint8(one + 2, jumpTrue);
    view.setUint8(one + 3, jumpFalse);
    view.setUint32(one + 4, k, true);
  });
  return SOCK_FPROG_BYTES + program.length * SOCK_FILTER_BYTES;
}

/** The 16 name octets of an ifreq, zero behind them. Throws `RangeError` for a name that is no interface name. */
export function writeInterfaceRequest(arena: Arena, at: number, name: string): void {
  if (!/^[\x21-\x2e\x30-\x7e]{1,15}$/.test(name))
    throw new RangeError(`"${name}" is no interface name: 1 to 15 printable characters, no space, no "/"`);
  arena.bytes.fill(0, at, at + IFREQ_BYTES);
  for (let i = 0; i < name.length; i++) arena.bytes[at + i] = name.charCodeAt(i);
}

export function readInterfaceName(arena: Arena, at: number): string {
  let name = "";
  for (let i = 0; i < 16 && arena.bytes[at + i] !== 0; i++) name += String.fromCharCode(arena.bytes[at + i]!);
  return name;
}
