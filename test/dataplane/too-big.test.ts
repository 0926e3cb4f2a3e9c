import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createJavaScriptChecksum } from "../../esp/checksum.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import { createTooBig } from "../../src/dataplane/too-big.js";

const arena = createArena(65536);
const checksum = createJavaScriptChecksum(arena);
const written: Uint8Array[] = [];
const tooBig = createTooBig(arena, checksum, (at, length) => void written.push(arena.bytes.slice(at, at + length)));
const packet = arena.alloc(2048);

let now = 0;

/** The answer to an inner packet, without its virtio header; undefined: none. */
function answer(head: string, length: number): Uint8Array | undefined {
  written.length = 0;
  now += 1000;
  arena.bytes.fill(7, packet, packet + length);
  arena.bytes.set(octets(head), packet);
  tooBig.answer(packet, length, 1280, SHARED_DEVICE, now);
  return written[0]?.subarray(10);
}

/** 0xffff for a range whose checksum is right. */
function sum(bytes: Uint8Array): number {
  const at = arena.alloc(bytes.length);
  arena.bytes.set(bytes, at);
  return checksum.sum(at, bytes.length);
}

const UDP4 = "45000578 00014000 4011 0000 0a010005 0a020006";
const UDP6 = "60000000 0550 1140 fd010000000000000000000000000005 fd020000000000000000000000000006";

test("an IPv4 packet with DF is answered with fragmentation needed, the MTU, and its own first 548 octets", () => {
  const icmp = answer(UDP4, 1400)!;
  assert.equal(icmp.length, 576);
  assert.equal(hex(icmp.subarray(0, 10)), "45c00240000000004001");
  assert.equal(hex(icmp.subarray(12, 20)), "0a0200060a010005");
  assert.equal(hex(icmp.subarray(20, 22)), "0304");
  assert.equal(hex(icmp.subarray(24, 28)), "00000500");
  assert.equal(hex(icmp.subarray(28, 48)), hex(octets(UDP4)));
  assert.equal(sum(icmp.slice(0, 20)), 0xffff);
  assert.equal(sum(icmp.slice(20)), 0xffff);
});

test("an IPv6 packet is answered with packet too big, at most 1280 octets in all", () => {
  const icmp = answer(UDP6, 1400)!;
  assert.equal(icmp.length, 1280);
  assert.equal(hex(icmp.subarray(0, 8)), "6c00000004d83a40");
  assert.equal(hex(icmp.subarray(8, 40)), "fd020000000000000000000000000006fd010000000000000000000000000005");
  assert.equal(hex(icmp.subarray(40, 42)), "0200");
  assert.equal(hex(icmp.subarray(44, 48)), "00000500");
  const pseudo = new Uint8Array([...icmp.subarray(8, 40), 0, 0, 0x04, 0xd8, 0, 0, 0, 58, ...icmp.subarray(40)]);
  assert.equal(sum(pseudo), 0xffff);
});

test("errors, later fragments, and packets that may be fragmented are not answered", () => {
  assert.equal(answer(UDP4.replace("4000", "0000"), 1400), undefined);
  assert.equal(answer(UDP4.replace("00014000", "00014001"), 1400), undefined);
  assert.equal(answer(`${UDP4.replace("4011", "4001")} 03`, 1400), undefined);
  assert.equal(answer(`${UDP6.replace("1140", "3a40")} 01`, 1400), undefined);
  assert.ok(answer(`${UDP4.replace("4011", "4001")} 08`, 1400));
  assert.ok(answer(`${UDP6.replace("1140", "3a40")} 80`, 1400));
});

test("packets that came from or go to no single host are not answered", () => {
  for (const wrong of ["00000005", "7f000005", "e0000005", "ffffffff"]) {
    assert.equal(answer(UDP4.replace("0a010005", wrong), 1400), undefined, wrong);
    assert.equal(answer(UDP4.replace("0a020006", wrong), 1400), undefined, wrong);
  }
  const [source, destination] = UDP6.split(" ").slice(3) as [string, string];
  for (const wrong of ["ff020000000000000000000000000001", "0".repeat(32), `${"0".repeat(31)}1`]) {
    assert.equal(answer(UDP6.replace(source, wrong), 1400), undefined, wrong);
    assert.equal(answer(UDP6.replace(destination, wrong), 1400), undefined, wrong);
  }
});

test("an ICMPv6 error behind an extension header is found, and not answered", () => {
  const hopByHop = `${UDP6.replace("1140", "0040")} 3a00000000000000`;
  assert.equal(answer(`${hopByHop} 01`, 1400), undefined);
  assert.ok(answer(`${hopByHop} 80`, 1400));
});

test("a sender gets a hundred answers a second, and others get theirs", () => {
  written.length = 0;
  const send = (head: string) => {
    arena.bytes.set(octets(head), packet);
    tooBig.answer(packet, 1400, 1280, SHARED_DEVICE, now);
  };
  now += 1000;
  for (let i = 0; i < 500; i++) send(UDP4);
  assert.equal(written.length, 100);
  send(UDP4.replace("0a010005", "0a010006"));
  assert.equal(written.length, 101);
  now += 500;
  for (let i = 0; i < 500; i++) send(UDP4);
  assert.equal(written.length, 151);
});
