/**
 * The C library as the data plane calls it: the one file with its signatures, and the names of its errors.
 *
 * Addresses are Numbers that only `Arena.address` makes; a wrong one ends the process. Functions of the packet path take
 * nothing but Numbers, which is what makes them cheap (a Buffer argument costs as much again as the call). There is no
 * `ssize_t` in koffi: `long` is the same on every 64-bit Linux. Each thread that imports this file loads its own functions.
 */
import koffi from "koffi";

const library = koffi.load(null);

/** -1 tells an error, which `errno()` names until the next call. */
type Result = number;

function declare<F>(name: string, result: string, parameters: string[]): F {
  return library.func(name, result, parameters) as F;
}

// The packet path.
export const read = declare<(fd: number, buffer: number, length: number) => Result>("read", "long", [
  "int",
  "uintptr_t",
  "size_t",
]);
export const write = declare<(fd: number, buffer: number, length: number) => Result>("write", "long", [
  "int",
  "uintptr_t",
  "size_t",
]);
/** `timeout` is always 0 (none): a non-blocking socket never waits. */
export const recvmmsg = declare<
  (fd: number, messages: number, count: number, flags: number, timeout: number) => Result
>("recvmmsg", "int", ["int", "uintptr_t", "uint", "int", "uintptr_t"]);
export const sendmmsg = declare<(fd: number, messages: number, count: number, flags: number) => Result>(
  "sendmmsg",
  "int",
  ["int", "uintptr_t", "uint", "int"],
);
export const sendmsg = declare<(fd: number, message: number, flags: number) => Result>("sendmsg", "long", [
  "int",
  "uintptr_t",
  "int",
]);

/** `set`: pollfd structures. */
export const poll = declare<(set: number, count: number, milliseconds: number) => Result>("poll", "int", [
  "uintptr_t",
  "ulong",
  "int",
]);

/**
 * System calls that the C library has no function for. It is variadic in C; but the system call convention takes six registers, and Linux
 * on x86-64 and arm64 passes integers of variadic functions in the same ones as those of others.
 */
export const syscall = declare<
  (number: number, a: number, b: number, c: number, d: number, e: number, f: number) => Result
>("syscall", "long", ["long", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t"]);

// Set-up and tear-down.
export const epollCreate = declare<(flags: number) => Result>("epoll_create1", "int", ["int"]);
const epollControl = declare<(epoll: number, operation: number, fd: number, event: number) => Result>(
  "epoll_ctl",
  "int",
  ["int", "int", "int", "uintptr_t"],
);
/** `event`: the address of an epoll_event. */
export function epollAdd(epoll: number, fd: number, event: number): Result {
  const EPOLL_CTL_ADD = 1;
  return epollControl(epoll, EPOLL_CTL_ADD, fd, event);
}
export const eventfd = declare<(value: number, flags: number) => Result>("eventfd", "int", ["uint", "int"]);
/** Makes an eventfd readable. */
export const eventfdWrite = declare<(fd: number, value: number) => Result>("eventfd_write", "int", ["int", "uint64"]);
/** The address of the mapping, or -1. */
export const mmap = declare<
  (address: number, length: number, protection: number, flags: number, fd: number, offset: number) => Result
>("mmap", "long", ["uintptr_t", "size_t", "int", "int", "int", "long"]);
export const munmap = declare<(address: number, length: number) => Result>("munmap", "int", ["uintptr_t", "size_t"]);
export const open = declare<(path: string, flags: number) => Result>("open", "int", ["const char *", "int"]);
export const close = declare<(fd: number) => Result>("close", "int", ["int"]);
export const socket = declare<(domain: number, type: number, protocol: number) => Result>("socket", "int", [
  "int",
  "int",
  "int",
]);
export const bind = declare<(fd: number, address: number, length: number) => Result>("bind", "int", [
  "int",
  "uintptr_t",
  "uint",
]);
export const connect = declare<(fd: number, address: number, length: number) => Result>("connect", "int", [
  "int",
  "uintptr_t",
  "uint",
]);
export const setsockopt = declare<(fd: number, level: number, option: number, value: number, length: number) => Result>(
  "setsockopt",
  "int",
  ["int", "int", "int", "uintptr_t", "uint"],
);
/** `length` is the address of a socklen_t. */
export const getsockname = declare<(fd: number, address: number, length: number) => Result>("getsockname", "int", [
  "int",
  "uintptr_t",
  "uintptr_t",
]);
/** `length` is the address of a socklen_t. */
export const getsockopt = declare<(fd: number, level: number, option: number, value: number, length: number) => Result>(
  "getsockopt",
  "int",
  ["int", "int", "int", "uintptr_t", "uintptr_t"],
);
const getsockoptInto = library.func(
  "int getsockopt(int fd, int level, int option, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
) as (fd: number, level: number, option: number, value: Uint8Array, length: [number]) => Result;

/** An option's value, of at most `most` octets; undefined when there is none. For sockets that Node has opened. */
export function socketOption(fd: number, level: number, option: number, most: number): Uint8Array | undefined {
  const value = new Uint8Array(most);
  const length: [number] = [most];
  if (getsockoptInto(fd, level, option, value, length) < 0) return undefined;
  return value.subarray(0, length[0]);
}

/** 0: no such interface. */
export const ifNameToIndex = declare<(name: string) => number>("if_nametoindex", "uint", ["const char *"]);

// ioctl is variadic in C, and some architectures pass variadic arguments elsewhere: so it is declared as it is.
const variadicIoctl = library.func("int ioctl(int fd, ulong request, ...)") as (
  fd: number,
  request: number,
  type: string,
  value: number,
) => Result;

/** `argument` is an address or a number, as the request wants it. */
export function ioctl(fd: number, request: number, argument: number): Result {
  return variadicIoctl(fd, request, "uintptr_t", argument);
}

/** The errno of the last failed call of this thread. */
export function errno(): number {
  return koffi.errno();
}

const NAMES = new Map<number, string>(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/** "EPERM" for 1; "errno 4711" for one without a name. */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `errno ${number}`;
}

/** A system call that failed during set-up. */
export class SystemError extends Error {
  readonly errno: number;
  readonly code: string;

  constructor(call: string, number: number) {
    super(`${call}: ${errnoName(number)}`);
    this.errno = number;
    this.code = errnoName(number);
  }
}

/** Passes a good result through; throws `SystemError` for -1. */
export function checked(result: Result, call: string): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** Linux error numbers that the packet path decides on (asm-generic/errno.h; equal on x86-64 and arm64). */
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EINVAL = 22;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const ENOBUFS = 105;
