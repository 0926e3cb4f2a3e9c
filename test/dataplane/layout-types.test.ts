/**
 * The structures as the C compiler of this architecture lays them out: koffi computes that from the types of their members, by the rules
 * of the platform's ABI. Where offsets of ours are wrong on an architecture, this fails there; octets in layout.test.ts show the same on x86-64.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import koffi, { type TypeObject } from "koffi";
import { createArena } from "../../crypto/openssl/arena.js";
import { parseAddress } from "../../esp/address.js";
import {
  CMSG_HEADER_BYTES,
  IFREQ_BYTES,
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MSGHDR_BYTES,
  messageControlLength,
  messageFlags,
  messageLength,
  SOCK_FILTER_BYTES,
  SOCK_FPROG_BYTES,
  SOCKADDR_BYTES,
  writeControlHeader,
  writeFilter,
  writeInterfaceRequest,
  writeIovec,
  writeMessage,
  writeSocketAddress,
} from "../../src/dataplane/layout.js";

/** <sys/socket.h>, <netinet/in.h>, <linux/filter.h>, <net/if.h>, with the member types of the headers; pointers as numbers. */
const IOVEC = koffi.struct({ base: "uintptr_t", length: "size_t" });
const MSGHDR = koffi.struct({
  name: "uintptr_t",
  nameLength: "uint32_t",
  iov: "uintptr_t",
  iovLength: "size_t",
  control: "uintptr_t",
  controlLength: "size_t",
  flags: "int",
});
const MMSGHDR = koffi.struct({ header: MSGHDR, length: "unsigned int" });
const CMSGHDR = koffi.struct({ length: "size_t", level: "int", type: "int" });
const SOCKADDR_IN = koffi.struct({
  family: "unsigned short",
  port: "uint16_t",
  address: koffi.array("uint8_t", 4),
  zero: koffi.array("uint8_t", 8),
});
const SOCKADDR_IN6 = koffi.struct({
  family: "unsigned short",
  port: "uint16_t",
  flow: "uint32_t",
  address: koffi.array("uint8_t", 16),
  scope: "uint32_t",
});
const SOCK_FILTER = koffi.struct({ code: "uint16_t", jumpTrue: "uint8_t", jumpFalse: "uint8_t", k: "uint32_t" });
const SOCK_FPROG = koffi.struct({ count: "unsigned short", filter: "uintptr_t" });
/** The largest member of its union is an ifmap: two longs, a short and three octets. */
const IFMAP = koffi.struct({
  start: "unsigned long",
  end: "unsigned long",
  base: "unsigned short",
  irq: "uint8_t",
  dma: "uint8_t",
  port: "uint8_t",
});
const IFREQ = koffi.struct({ name: koffi.array("char", 16), value: IFMAP });

const arena = createArena(65536);
const at = arena.alloc(256);

/** What native code finds at `offset`. */
function seen<T>(offset: number, type: TypeObject): T {
  return koffi.decode(arena.bytes.subarray(offset, offset + koffi.sizeof(type)), type) as T;
}

test("sizes are those of the types", () => {
  const sizes: readonly (readonly [TypeObject, number])[] = [
    [IOVEC, IOVEC_BYTES],
    [MSGHDR, MSGHDR_BYTES],
    [MMSGHDR, MMSGHDR_BYTES],
    [CMSGHDR, CMSG_HEADER_BYTES],
    [SOCKADDR_IN6, SOCKADDR_BYTES],
    [SOCK_FILTER, SOCK_FILTER_BYTES],
    [SOCK_FPROG, SOCK_FPROG_BYTES],
    [IFREQ, IFREQ_BYTES],
  ];
  for (const [type, octets] of sizes) assert.equal(koffi.sizeof(type), octets);
});

test("native code reads a message as it was written, and the kernel's answers are read where it leaves them", () => {
  const [iovec, name, control] = [at + 64, at + 96, at + 128];
  writeIovec(arena, iovec, at + 200, 40);
  assert.deepEqual(seen(iovec, IOVEC), { base: arena.address(at + 200, 40), length: 40 });
  writeMessage(arena, at, { iovec, name, nameLength: 28, control, controlLength: 24 });
  assert.deepEqual(seen(at, MMSGHDR), {
    header: {
      name: arena.address(name, 28),
      nameLength: 28,
      iov: arena.address(iovec, 16),
      iovLength: 1,
      control: arena.address(control, 24),
      controlLength: 24,
      flags: 0,
    },
    length: 0,
  });
  const header = koffi.offsetof(MMSGHDR, "header");
  arena.view.setUint32(at + header + koffi.offsetof(MSGHDR, "flags"), 0x20, true);
  arena.view.setUint32(at + header + koffi.offsetof(MSGHDR, "controlLength"), 72, true);
  arena.view.setUint32(at + koffi.offsetof(MMSGHDR, "length"), 1400, true);
  assert.equal(messageFlags(arena.view, at), 0x20);
  assert.equal(messageControlLength(arena.view, at), 72);
  assert.equal(messageLength(arena.view, at), 1400);
});

test("native code reads control messages, addresses, filters and interface names as they were written", () => {
  writeControlHeader(arena.view, at, 17, 103, 2);
  assert.deepEqual(seen(at, CMSGHDR), { length: 18, level: 17, type: 103 });
  writeSocketAddress(arena, at, { address: parseAddress("192.0.2.1"), port: 0x1234 });
  const v4 = seen<{ family: number; port: number; address: Uint8Array }>(at, SOCKADDR_IN);
  assert.deepEqual([v4.family, v4.port, ...v4.address], [2, 0x3412, 192, 0, 2, 1]);
  writeSocketAddress(arena, at, { address: parseAddress("2001:db8::9"), port: 0x1234 });
  const v6 = seen<{ family: number; port: number; address: Uint8Array; scope: number }>(at, SOCKADDR_IN6);
  assert.deepEqual([v6.family, v6.port, v6.address[0], v6.address[15], v6.scope], [10, 0x3412, 0x20, 9, 0]);
  const rule = { code: 0x15, jumpTrue: 1, jumpFalse: 2, k: 0x12345678 };
  writeFilter(arena, at, [rule]);
  const { count, filter } = seen<{ count: number; filter: number }>(at, SOCK_FPROG);
  assert.deepEqual([count, filter], [1, arena.address(at + SOCK_FPROG_BYTES, SOCK_FILTER_BYTES)]);
  assert.deepEqual(seen(at + SOCK_FPROG_BYTES, SOCK_FILTER), rule);
  writeInterfaceRequest(arena, at, "causeway0");
  assert.equal(seen<{ name: string }>(at, IFREQ).name, "causeway0");
});
