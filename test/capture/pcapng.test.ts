import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../crypto/bytes.js";
import { parseAddress } from "../../esp/address.js";
import { espPacket, udpPacket } from "../../src/capture/outer-packet.js";
import { pcapngHead, pcapngPacket } from "../../src/capture/pcapng.js";
import { tsharkCommand } from "../../src/capture/wireshark.js";

/** The blocks of a file, as a reader walks through them: both lengths have to agree. */
function blocksOf(file: Uint8Array): { type: number; body: Uint8Array }[] {
  const view = new DataView(file.buffer, file.byteOffset);
  const blocks: { type: number; body: Uint8Array }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = view.getUint32(at + 4, true);
    assert.equal(length % 4, 0);
    assert.equal(view.getUint32(at + length - 4, true), length);
    blocks.push({ type: view.getUint32(at, true), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

test("a recording begins with a section and one description per interface, all raw IP", () => {
  const [section, ...interfaces] = blocksOf(pcapngHead("Causeway", ["outer", "inner"]));
  assert.equal(section!.type, 0x0a0d0d0a);
  assert.equal(hex(section!.body.subarray(0, 8)), "4d3c2b1a01000000");
  assert.deepEqual(
    interfaces.map(({ type, body }) => [type, new DataView(body.buffer, body.byteOffset).getUint16(0, true)]),
    [
      [1, 101],
      [1, 101],
    ],
  );
});

test("a packet block holds interface, time in microseconds, both lengths, the octets filled up to four, and the comment", () => {
  const time = 1_764_450_000_123_456;
  const [block] = blocksOf(pcapngPacket({ interface: 1, time, bytes: octets("4500010203"), comment: "dropped" }));
  const view = new DataView(block!.body.buffer, block!.body.byteOffset);
  assert.equal(block!.type, 6);
  assert.equal(view.getUint32(0, true), 1);
  assert.equal(view.getUint32(4, true) * 2 ** 32 + view.getUint32(8, true), time);
  assert.deepEqual([view.getUint32(12, true), view.getUint32(16, true)], [5, 5]);
  assert.equal(hex(block!.body.subarray(20, 28)), "4500010203000000");
  assert.equal(new TextDecoder().decode(block!.body.subarray(32, 39)), "dropped");
});

test("the headers around a message have right lengths and checksums in both IP versions", () => {
  const sum = (bytes: Uint8Array): number => {
    let total = 0;
    for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };
  const four = {
    local: { address: parseAddress("192.0.2.1"), port: 4500 },
    remote: { address: parseAddress("192.0.2.2"), port: 4500 },
  };
  const packet = udpPacket(four, octets("0102030405"));
  assert.equal(packet.length, 33);
  assert.equal(sum(packet.subarray(0, 20)), 0xffff, "IPv4 header");
  const pseudo = Uint8Array.from([...packet.subarray(12, 20), 0, 17, 0, 13, ...packet.subarray(20)]);
  assert.equal(sum(pseudo), 0xffff, "UDP");
  const six = {
    local: { address: parseAddress("2001:db8::1"), port: 0 },
    remote: { address: parseAddress("2001:db8::2"), port: 0 },
  };
  const esp = espPacket(six, octets("00000001"));
  assert.deepEqual([esp.length, esp[6], new DataView(esp.buffer).getUint16(4)], [44, 50, 4]);
});

test("the command survives a folder with spaces and quotes", () => {
  assert.match(tsharkCommand("/tmp/it's here"), /^WIRESHARK_CONFIG_DIR='\/tmp\/it'\\''s here' tshark /);
});
