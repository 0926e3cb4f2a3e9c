import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { parseAddress } from "../../esp/address.js";
import {
  controlSpace,
  MMSGHDR_BYTES,
  messageLength,
  readInterfaceName,
  readSocketAddress,
  resetReceived,
  sameSocketAddress,
  setControlLength,
  writeControlHeader,
  writeFilter,
  writeInterfaceRequest,
  writeIovec,
  writeMessage,
  writeSocketAddress,
  writeU64,
} from "../../src/dataplane/layout.js";

const arena = createArena(65536);
const at = arena.alloc(512);
const written = (length: number, from = at) => hex(arena.bytes.subarray(from, from + length));
/** An address as the structures hold it. */
function pointer(offset: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(arena.address(offset, 1)), true);
  return hex(new Uint8Array(view.buffer));
}

test("sockaddr_in: family in host order, port and address in network order", () => {
  assert.equal(writeSocketAddress(arena, at, { address: parseAddress("192.0.2.1"), port: 4500 }), 16);
  assert.equal(written(16), "02001194c00002010000000000000000");
  assert.deepEqual(readSocketAddress(arena.view, at), { address: parseAddress("192.0.2.1"), port: 4500 });
});

test("sockaddr_in6: no flow, no scope", () => {
  assert.equal(writeSocketAddress(arena, at, { address: parseAddress("2001:db8::1"), port: 500 }), 28);
  assert.equal(written(28), "0a0001f400000000" + "20010db8000000000000000000000001" + "00000000");
  assert.deepEqual(readSocketAddress(arena.view, at), { address: parseAddress("2001:db8::1"), port: 500 });
});

test("socket addresses compare by family, address, and port where it counts", () => {
  const other = at + 64;
  const write = (where: number, address: string, port: number) =>
    writeSocketAddress(arena, where, { address: parseAddress(address), port });
  write(at, "2001:db8::1", 4500);
  write(other, "2001:db8::1", 4501);
  assert.equal(sameSocketAddress(arena.view, at, other, true), false);
  assert.equal(sameSocketAddress(arena.view, at, other, false), true);
  write(other, "2001:db9::1", 4500);
  assert.equal(sameSocketAddress(arena.view, at, other, false), false);
  write(other, "192.0.2.1", 4500);
  assert.equal(sameSocketAddress(arena.view, at, other, false), false);
});

test("an address of 47 bits is written as two exact halves", () => {
  writeU64(arena.view, at, 0x7fff_1234_5678);
  assert.equal(written(8), "78563412ff7f0000");
});

test("mmsghdr: name, iovec and control by address, lengths beside them", () => {
  const [name, iovec, control] = [at + 128, at + 192, at + 256];
  writeIovec(arena, iovec, at + 300, 100);
  assert.equal(written(16, iovec), `${pointer(at + 300)}6400000000000000`);
  writeMessage(arena, at, { iovec, name, nameLength: 16, control, controlLength: 24 });
  const expected = [
    pointer(name),
    "1000000000000000",
    pointer(iovec),
    "0100000000000000",
    pointer(control),
    "1800000000000000",
    "0000000000000000",
    "0000000000000000",
  ];
  assert.equal(written(MMSGHDR_BYTES), expected.join(""));
  arena.view.setUint32(at + 56, 1400, true);
  assert.equal(messageLength(arena.view, at), 1400);
  resetReceived(arena.view, at, 28, 128);
  setControlLength(arena.view, at, 64);
  assert.equal(written(48).slice(-16), "4000000000000000");
  assert.equal(written(16).slice(16), "1c00000000000000");
});

test("cmsghdr: the length counts the header and the data, the space is padded to 8", () => {
  assert.equal(controlSpace(2), 24);
  assert.equal(controlSpace(20), 40);
  assert.equal(writeControlHeader(arena.view, at, 17, 103, 2), at + 24);
  assert.equal(written(16), "12000000000000001100000067000000");
});

test("sock_fprog points to the instructions behind it", () => {
  const used = writeFilter(arena, at, [
    { code: 0x20, k: 0 },
    { code: 0x15, jumpTrue: 0, jumpFalse: 1, k: 0 },
    { code: 0x06, k: 1 },
  ]);
  assert.equal(used, 40);
  assert.equal(written(16), `0300000000000000${pointer(at + 16)}`);
  assert.equal(written(24, at + 16), "2000000000000000" + "1500000100000000" + "0600000001000000");
});

test("ifreq holds names of 1 to 15 characters, and refuses others", () => {
  writeInterfaceRequest(arena, at, "causeway0");
  assert.equal(written(16), hex(octets("6361757365776179300000000000000000".slice(0, 32))));
  assert.equal(readInterfaceName(arena, at), "causeway0");
  for (const name of ["", "sixteen-letters-", "a b", "a/b", "ä"])
    assert.throws(() => writeInterfaceRequest(arena, at, name), /is no interface name/);
});
