/** Inner IPv4 packets that do not fit: cut before they are sealed. RFC 791 section 3.2. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createChecksum } from "../../esp/checksum.js";
import { createFragmenter } from "../../esp/fragment.js";
import { counting, ipPacket, naiveChecksum } from "./packets.js";

const arena = createArena(1 << 20);
const fragmenter = createFragmenter(arena, createChecksum(arena));
const at = arena.alloc(70000);
const to = arena.alloc(70000);
const V4 = { source: "10.1.0.1", destination: "10.2.0.1", id: 0x1234, tos: 0xb9, dontFragment: false };

/** With options behind the header; their length is a multiple of four. */
function withOptions(packet: Uint8Array, options: Uint8Array): Uint8Array {
  const whole = concat(packet.subarray(0, 20), options, packet.subarray(20));
  whole[0] = 0x45 + options.length / 4;
  const view = new DataView(whole.buffer);
  view.setUint16(2, whole.length);
  view.setUint16(10, 0);
  view.setUint16(10, naiveChecksum(whole.subarray(0, 20 + options.length)));
  return whole;
}

function cut(packet: Uint8Array, mtu: number): Uint8Array[] {
  arena.bytes.set(packet, at);
  const count = fragmenter.start(at, packet.length, mtu);
  const found: Uint8Array[] = [];
  for (let length = fragmenter.next(to); length > 0; length = fragmenter.next(to))
    found.push(arena.bytes.slice(to, to + length));
  assert.equal(found.length, count);
  return found;
}

const headerOf = (packet: Uint8Array) => (packet[0]! & 15) * 4;
const fieldOf = (packet: Uint8Array) => (packet[6]! << 8) | packet[7]!;

test("fragments fit, have right headers, and make the packet again, whatever its length and options are", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 68, max: 1500 }),
      fc.integer({ min: 8, max: 5000 }),
      fc.integer({ min: 0, max: 10 }),
      fc.boolean(),
      (mtu, octets, words, fragment) => {
        const packet = withOptions(ipPacket(V4, 17, counting(octets)), new Uint8Array(words * 4).fill(1));
        if (fragment) {
          if (octets % 8 !== 0) return;
          packet.set([0x20, 100], 6);
        }
        const fragments = cut(packet, mtu);
        const offset = fieldOf(packet) & 0x1fff;
        const payload = new Uint8Array(octets);
        for (const [i, one] of fragments.entries()) {
          const header = headerOf(one);
          assert.ok(one.length <= mtu && one.length === ((one[2]! << 8) | one[3]!));
          assert.equal(naiveChecksum(one.subarray(0, header)), 0);
          assert.equal(hex(concat(one.subarray(1, 2), one.subarray(4, 6), one.subarray(8, 10))), "b912344011");
          assert.equal(hex(one.subarray(12, 20)), hex(packet.subarray(12, 20)));
          const last = i === fragments.length - 1;
          assert.equal((fieldOf(one) & 0x2000) !== 0, !last || fragment, "more fragments");
          if (!last) assert.equal((one.length - header) % 8, 0);
          payload.set(one.subarray(header), ((fieldOf(one) & 0x1fff) - offset) * 8);
        }
        assert.equal(hex(payload), hex(packet.subarray(headerOf(packet))));
      },
    ),
    { numRuns: 300 },
  );
});

test("every fragment has the options with the copied flag, only the first one has the others", () => {
  // Router alert (copied) between a record route (not copied) and the end.
  const options = Uint8Array.from([7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0]);
  const [first, ...others] = cut(withOptions(ipPacket(V4, 17, counting(600)), options), 200);
  assert.equal(hex(first!.subarray(20, headerOf(first!))), hex(options));
  assert.ok(others.length > 0);
  for (const one of others) assert.equal(hex(one.subarray(20, headerOf(one))), "94040000");
});

test("options that run over the header end the list, and nothing is read behind it", () => {
  const [, second] = cut(withOptions(ipPacket(V4, 17, counting(600)), Uint8Array.from([0x94, 9, 0, 0])), 300);
  assert.equal(headerOf(second!), 20);
});
