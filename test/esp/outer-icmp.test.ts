/** ICMP errors about ESP packets of ours, as routers send them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { formatAddress } from "../../esp/address.js";
import { createChecksum } from "../../esp/checksum.js";
import { readOuterTooBig } from "../../esp/outer-icmp.js";
import { counting, ipPacket, naiveChecksum, udpPacket } from "./packets.js";

const arena = createArena(1 << 17);
const checksum = createChecksum(arena);
const at = arena.alloc(4096);
const V4 = { source: "192.0.2.1", destination: "198.51.100.1" };
const V6 = { source: "2001:db8::1", destination: "2001:db8:1::1" };
const ESP = concat(Uint8Array.from([0xc0, 0, 0, 1, 0, 0, 0, 7]), counting(1400));
const PORTS = { sourcePort: 4500, destinationPort: 4501 };

/** The message, behind its IP header; `quote`: so many octets of the packet. */
function message(type: number, code: number, mtu: number, packet: Uint8Array, quote: number): Uint8Array {
  const icmp = concat(Uint8Array.from([type, code, 0, 0, 0, 0, mtu >> 8, mtu & 255]), packet.subarray(0, quote));
  new DataView(icmp.buffer).setUint16(2, naiveChecksum(icmp));
  return icmp;
}

function read(icmp: Uint8Array, family: 4 | 6) {
  arena.bytes.fill(0xee, at, at + 2048);
  arena.bytes.set(icmp, at);
  const found = readOuterTooBig(arena, checksum, at, icmp.length, family);
  return found && { ...found, source: formatAddress(found.source), destination: formatAddress(found.destination) };
}

test("raw ESP is known by its SPI in the eight octets that every router quotes", () => {
  for (const [ip, family] of [
    [V4, 4],
    [V6, 6],
  ] as const) {
    const packet = ipPacket(ip, 50, ESP);
    const header = family === 4 ? 20 : 40;
    const [type, code] = family === 4 ? [3, 4] : [2, 0];
    assert.deepEqual(read(message(type, code, 1280, packet, header + 8), family), {
      mtu: 1280,
      quotedBytes: packet.length,
      ...ip,
      encapsulation: "esp",
      sourcePort: 0,
      destinationPort: 0,
      spi: 0xc000_0001,
    });
  }
});

test("ESP in UDP is known by its ports, and by its SPI where the quote goes so far", () => {
  for (const [ip, family] of [
    [V4, 4],
    [V6, 6],
  ] as const) {
    const packet = udpPacket({ ...ip, ...PORTS, payload: ESP });
    const header = family === 4 ? 20 : 40;
    const [type, code] = family === 4 ? [3, 4] : [2, 0];
    const expected = { mtu: 1400, quotedBytes: packet.length, ...ip, ...PORTS, encapsulation: "udp" };
    assert.deepEqual(read(message(type, code, 1400, packet, header + 8), family), { ...expected, spi: undefined });
    assert.deepEqual(read(message(type, code, 1400, packet, header + 11), family), { ...expected, spi: undefined });
    assert.deepEqual(read(message(type, code, 1400, packet, 540), family), { ...expected, spi: 0xc000_0001 });
  }
});

test("other messages, damaged ones, other protocols and later fragments are not ours", () => {
  const packet = ipPacket(V4, 50, ESP);
  assert.equal(read(message(3, 3, 0, packet, 28), 4), undefined);
  assert.equal(read(message(11, 0, 0, packet, 28), 4), undefined);
  assert.equal(read(message(1, 0, 0, ipPacket(V6, 50, ESP), 48), 6), undefined);
  const damaged = message(3, 4, 1280, packet, 28);
  damaged[7]! ^= 1;
  assert.equal(read(damaged, 4), undefined);
  assert.equal(read(message(3, 4, 1280, ipPacket(V4, 6, ESP), 28), 4), undefined);
  assert.equal(read(message(3, 4, 1280, ipPacket(V6, 50, ESP), 48), 4), undefined);
  const later = packet.slice();
  later[7] = 9;
  assert.equal(read(message(3, 4, 1280, later, 28), 4), undefined);
  assert.equal(read(message(3, 4, 1280, packet, 19), 4), undefined);
  assert.equal(read(new Uint8Array(7), 4), undefined);
});

test("whatever the octets are, reading ends", () => {
  fc.assert(
    fc.property(fc.constantFrom(4 as const, 6 as const), fc.uint8Array({ maxLength: 200 }), (family, octets) => {
      const icmp = concat(Uint8Array.from(family === 4 ? [3, 4, 0, 0] : [2, 0, 0, 0]), octets);
      if (family === 4) new DataView(icmp.buffer).setUint16(2, naiveChecksum(icmp));
      read(icmp, family);
    }),
    { numRuns: 500 },
  );
});
