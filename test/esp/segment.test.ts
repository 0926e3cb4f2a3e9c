import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createChecksum, createJavaScriptChecksum } from "../../esp/checksum.js";
import { createCoalescer } from "../../esp/coalesce.js";
import { DROP } from "../../esp/drop-reasons.js";
import { createSegmenter } from "../../esp/segment.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import { counting, pseudoHeaderSum, TCP, type TcpFields, tcpPacket, type UdpFields, udpPacket } from "./packets.js";

const arena = createArena(4 << 20);
const checksums = [createChecksum(arena), createJavaScriptChecksum(arena)];
const input = arena.alloc(70000) + 6;
const output = arena.alloc(70000);

const V4 = { source: "10.1.0.1", destination: "10.2.0.2" };
const V6 = { source: "2001:db8:1::1", destination: "2001:db8:2::2" };

/** The virtio header of a packet whose transport checksum is partial. */
function virtioHeader(
  gsoType: number,
  gsoSize: number,
  headerBytes: number,
  start: number,
  offset: number,
): Uint8Array {
  const header = new Uint8Array(10);
  const view = new DataView(header.buffer);
  header[0] = 1;
  header[1] = gsoType;
  view.setUint16(2, headerBytes, true);
  view.setUint16(4, gsoSize, true);
  view.setUint16(6, start, true);
  view.setUint16(8, offset, true);
  return header;
}

/** The packet as the kernel hands it over: the checksum field holds the pseudo-header's sum. */
function partial(packet: Uint8Array, fields: TcpFields | UdpFields, protocol: number): Uint8Array {
  const start = fields.source.includes(":") ? 40 : 20;
  const copy = packet.slice();
  new DataView(copy.buffer).setUint16(
    start + (protocol === 6 ? 16 : 6),
    pseudoHeaderSum(fields, protocol, packet.length - start),
  );
  return copy;
}

function split(checksum: (typeof checksums)[number], header: Uint8Array, packet: Uint8Array): Uint8Array[] {
  const segmenter = createSegmenter(arena, checksum);
  arena.bytes.set(header, input - 10);
  arena.bytes.set(packet, input);
  const count = segmenter.start(input - 10, input, packet.length);
  assert.ok(count > 0, `refused with ${count}`);
  const longest = segmenter.longest();
  const segments: Uint8Array[] = [];
  for (let n = segmenter.next(output); n > 0; n = segmenter.next(output)) {
    assert.ok(n <= longest);
    segments.push(arena.bytes.slice(output, output + n));
  }
  assert.equal(segments.length, count);
  return segments;
}

function cut(payload: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += size) parts.push(payload.subarray(at, at + size));
  return parts;
}

const anyTcp = fc
  .record({
    ip: fc.constantFrom(V4, V6),
    tos: fc.integer({ min: 0, max: 255 }),
    id: fc.integer({ min: 0, max: 65535 }),
    dontFragment: fc.boolean(),
    sequence: fc.oneof(fc.constant(0xffff_fff0), fc.integer({ min: 0, max: 0xffff_ffff })),
    flags: fc.constantFrom(
      TCP.ack,
      TCP.ack | TCP.psh,
      TCP.ack | TCP.fin | TCP.psh,
      TCP.ack | TCP.cwr,
      TCP.ack | TCP.ece,
    ),
    options: fc.constantFrom(0, 4, 12, 40).map((n) => counting(n, 1)),
    size: fc.integer({ min: 1, max: 300 }),
    length: fc.integer({ min: 0, max: 12 * 300 }),
    first: fc.integer({ min: 0, max: 255 }),
  })
  .map(({ ip, size, length, first, ...rest }) => ({
    size,
    fields: {
      ...ip,
      ...rest,
      // A dozen segments, so that a counterexample can be read.
      payload: counting(Math.min(length, 12 * size), first),
      sourcePort: 40000,
      destinationPort: 443,
      acknowledgement: 0xdead_beef,
    },
  }));

test("a TCP super packet is cut into the segments that a sender without offload would have sent", () => {
  for (const checksum of checksums)
    fc.assert(
      fc.property(anyTcp, ({ fields, size }) => {
        const start = fields.source.includes(":") ? 40 : 20;
        const header = virtioHeader(start === 20 ? 1 : 4, size, start + 20 + fields.options!.length, start, 16);
        const parts = cut(fields.payload, size);
        const expected = parts.map((payload, i) => {
          const last = i === parts.length - 1;
          const flags = fields.flags! & ~(last ? 0 : TCP.fin | TCP.psh) & ~(i === 0 ? 0 : TCP.cwr);
          const sequence = (fields.sequence! + i * size) % 0x1_0000_0000;
          return tcpPacket({ ...fields, payload, flags, sequence, id: (fields.id! + i) & 0xffff });
        });
        const segments = split(checksum, header, partial(tcpPacket(fields), fields, 6));
        assert.deepEqual(segments.map(hex), expected.map(hex));
      }),
      { numRuns: 150 },
    );
});

test("a UDP super packet is cut into datagrams of the gso size", () => {
  for (const ip of [V4, V6])
    for (const length of [1, 100, 3000, 3001]) {
      const fields = { ...ip, id: 65535, tos: 3, sourcePort: 5000, destinationPort: 53, payload: counting(length) };
      const start = ip === V6 ? 40 : 20;
      const segments = split(
        checksums[0]!,
        virtioHeader(5, 1000, start + 8, start, 6),
        partial(udpPacket(fields), fields, 17),
      );
      const expected = cut(fields.payload, 1000).map((payload, i) =>
        udpPacket({ ...fields, payload, id: (65535 + i) & 0xffff }),
      );
      assert.deepEqual(segments.map(hex), expected.map(hex));
    }
});

test("a UDP checksum that comes out as zero is sent as all ones", () => {
  // Some payload of two octets makes the sum vanish.
  const fields = { ...V4, sourcePort: 1, destinationPort: 2, payload: new Uint8Array(2) };
  const view = new DataView(udpPacket(fields).buffer);
  fields.payload.set([view.getUint8(26), view.getUint8(27)]);
  const packet = udpPacket(fields);
  assert.equal(new DataView(packet.buffer).getUint16(26), 0xffff);
  const [segment] = split(checksums[0]!, virtioHeader(0, 0, 0, 20, 6), partial(packet, fields, 17));
  assert.equal(hex(segment!), hex(packet));
});

test("a partial checksum is finished by copying and in place, and a complete packet stays as it is", () => {
  const fields = { ...V6, sourcePort: 1, destinationPort: 2, payload: counting(777) };
  const packet = tcpPacket(fields);
  const header = virtioHeader(0, 0, 0, 40, 16);
  assert.deepEqual(split(checksums[0]!, header, partial(packet, fields, 6)).map(hex), [hex(packet)]);
  assert.deepEqual(split(checksums[0]!, new Uint8Array(10), packet).map(hex), [hex(packet)]);
  arena.bytes.set(header, input - 10);
  arena.bytes.set(partial(packet, fields, 6), input);
  assert.equal(createSegmenter(arena, checksums[0]!).finishInPlace(input - 10, input, packet.length), 0);
  assert.equal(hex(arena.bytes.slice(input, input + packet.length)), hex(packet));
});

test("an offload header that does not fit its packet is refused", () => {
  const fields = { ...V4, sourcePort: 1, destinationPort: 2, payload: counting(100) };
  const tcp = partial(tcpPacket(fields), fields, 6);
  const cases: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ["gso size 0", virtioHeader(1, 0, 40, 20, 16), tcp],
    ["IPv6 type on IPv4", virtioHeader(4, 50, 40, 20, 16), tcp],
    ["UDP type on TCP", virtioHeader(5, 50, 28, 20, 6), tcp],
    ["the old UDP fragmentation", virtioHeader(3, 50, 28, 20, 6), tcp],
    ["checksum start elsewhere", virtioHeader(1, 50, 40, 24, 16), tcp],
    ["no partial checksum", virtioHeader(1, 50, 40, 20, 16).fill(0, 0, 1), tcp],
    ["checksum field behind the packet", virtioHeader(0, 0, 0, 139, 0), tcp],
    [
      "headers cut off",
      virtioHeader(1, 50, 40, 20, 16),
      concat(tcp.subarray(0, 2), new Uint8Array([0, 30]), tcp.subarray(4, 30)),
    ],
  ];
  const segmenter = createSegmenter(arena, checksums[0]!);
  for (const [what, header, packet] of cases) {
    arena.bytes.set(header, input - 10);
    arena.bytes.set(packet, input);
    assert.equal(segmenter.start(input - 10, input, packet.length), -DROP.badOffload, what);
  }
});

/** What was written to the TUN device since the last look. */
let written: Uint8Array[] = [];
const coalescers = [false, true].map((udp) =>
  createCoalescer(arena, checksums[0]!, udp, (at, length) => written.push(arena.bytes.slice(at, at + length))),
);

/** Hands the packets over one by one. What is written: virtio header and packet. */
function write(packets: readonly Uint8Array[], udp = true): readonly Uint8Array[] {
  const coalescer = coalescers[Number(udp)]!;
  written = [];
  for (const packet of packets) {
    arena.bytes.set(packet, input);
    coalescer.add(input, packet.length, SHARED_DEVICE);
  }
  coalescer.flush();
  return written;
}

/** What the kernel would deliver of it: super packets are segmented again. */
function coalesce(packets: readonly Uint8Array[], udp = true): { written: number; delivered: Uint8Array[] } {
  const frames = write(packets, udp);
  const delivered = frames.flatMap((frame) => split(checksums[0]!, frame.subarray(0, 10), frame.subarray(10)));
  return { written: frames.length, delivered };
}

/** Packets of one flow in their order: what a receiver can tell. */
function byFlow(packets: readonly Uint8Array[]): Record<string, string[]> {
  const flows: Record<string, string[]> = {};
  for (const packet of packets) {
    const ipv6 = packet[0]! >> 4 === 6;
    const key = hex(packet.subarray(ipv6 ? 8 : 12, ipv6 ? 44 : 24)) + packet[ipv6 ? 6 : 9];
    flows[key] = [...(flows[key] ?? []), hex(ipv6 ? packet : withoutIdentification(packet))];
  }
  return flows;
}

/** With DF the identification means nothing, and may be made anew (RFC 6864 section 4.1). */
function withoutIdentification(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  if ((copy[6]! & 0x40) !== 0) {
    copy.fill(0, 4, 6);
    copy.fill(0, 10, 12);
  }
  return copy;
}

test("segments of a bulk transfer become few super packets, and come out as they were", () => {
  for (const ip of [V4, V6]) {
    const segments = Array.from({ length: 200 }, (_, i) =>
      tcpPacket({
        ...ip,
        id: i,
        dontFragment: true,
        sourcePort: 1,
        destinationPort: 2,
        options: counting(12),
        sequence:
          0xffff_0000 + i * 1300 > 0xffff_ffff ? 0xffff_0000 + i * 1300 - 0x1_0000_0000 : 0xffff_0000 + i * 1300,
        payload: counting(1300, i),
      }),
    );
    const { written, delivered } = coalesce(segments);
    assert.deepEqual(delivered.map(hex), segments.map(hex));
    assert.ok(written <= 5, `${written} writes`);
  }
});

test("datagrams of equal size merge where the device takes them, a shorter one ends the train", () => {
  for (const ip of [V4, V6]) {
    const sizes = [500, 500, 500, 100, 500, 600, 600];
    const datagrams = sizes.map((size, i) =>
      udpPacket({ ...ip, id: i, sourcePort: 1, destinationPort: 2, payload: counting(size, i) }),
    );
    const merged = coalesce(datagrams);
    assert.deepEqual(merged.delivered.map(hex), datagrams.map(hex));
    assert.equal(merged.written, 3);
    assert.equal(coalesce(datagrams, false).written, datagrams.length);
  }
});

test("flows that alternate are merged side by side", () => {
  const packets = Array.from({ length: 40 }, (_, i) =>
    tcpPacket({
      ...V4,
      id: i >> 2,
      sourcePort: 1 + (i & 3),
      destinationPort: 2,
      sequence: (i >> 2) * 100,
      payload: counting(100),
    }),
  );
  const { written, delivered } = coalesce(packets);
  assert.equal(written, 4);
  assert.deepEqual(byFlow(delivered), byFlow(packets));
});

test("neighbours that differ in more than segmentation makes never merge", () => {
  const first: TcpFields = {
    ...V4,
    id: 1,
    sourcePort: 1,
    destinationPort: 2,
    sequence: 100,
    options: counting(4),
    payload: counting(100),
  };
  const second: TcpFields = { ...first, id: 2, sequence: 200 };
  assert.equal(coalesce([tcpPacket(first), tcpPacket(second)]).written, 1);
  const differences: readonly Partial<TcpFields>[] = [
    { tos: 1 },
    { tos: 3 },
    { ttl: 63 },
    { id: 7 },
    { id: 1 },
    { dontFragment: true },
    { sequence: 201 },
    { acknowledgement: 9 },
    { window: 9 },
    { options: counting(4, 9) },
    { options: counting(8) },
    { flags: TCP.ack | TCP.fin },
    { flags: TCP.ack | TCP.ece },
    { flags: TCP.ack | TCP.urg },
    { payload: counting(101) },
    { payload: new Uint8Array(0) },
    { sourcePort: 3 },
    { destination: "10.2.0.3" },
  ];
  for (const difference of differences) {
    const packets = [tcpPacket(first), tcpPacket({ ...second, ...difference })];
    const { written, delivered } = coalesce(packets);
    assert.equal(written, 2, JSON.stringify(difference));
    assert.deepEqual(delivered.map(hex), packets.map(hex));
  }
  const flow: TcpFields = { ...first, ...V6 };
  assert.equal(coalesce([tcpPacket(flow), tcpPacket({ ...flow, sequence: 200 })]).written, 1);
  for (const difference of [{ tos: 2 }, { ttl: 1 }, { flowLabel: 5 }])
    assert.equal(coalesce([tcpPacket(flow), tcpPacket({ ...flow, sequence: 200, ...difference })]).written, 2);
});

test("a fixed identification is accepted with DF alone", () => {
  const first: TcpFields = {
    ...V4,
    id: 0,
    dontFragment: true,
    sourcePort: 1,
    destinationPort: 2,
    sequence: 0,
    payload: counting(10),
  };
  assert.equal(coalesce([tcpPacket(first), tcpPacket({ ...first, sequence: 10 })]).written, 1);
});

test("a packet with a wrong checksum is delivered alone, first or second, with its wrong checksum", () => {
  for (const wrong of [0, 1, 2]) {
    const packets = Array.from({ length: 4 }, (_, i) =>
      tcpPacket({ ...V4, id: i, sourcePort: 1, destinationPort: 2, sequence: i * 50, payload: counting(50) }),
    );
    packets[wrong]![60]! ^= 0x10;
    const { delivered } = coalesce(packets);
    assert.deepEqual(delivered.map(hex), packets.map(hex));
  }
});

test("fragments, options, other protocols and cut-off headers pass alone and in order", () => {
  const plain = (i: number) =>
    tcpPacket({ ...V4, id: i, sourcePort: 1, destinationPort: 2, sequence: i * 50, payload: counting(50) });
  const fragment = plain(1);
  fragment[6] = 0x20;
  const short = new Uint8Array([0x45, 0, 0, 21, ...counting(17)]);
  const packets = [plain(0), fragment, plain(1), short, plain(2)];
  assert.deepEqual(
    write(packets).map((frame) => hex(frame.subarray(10))),
    packets.map(hex),
  );
});

test("whatever the traffic is, each flow comes out as it went in", () => {
  const packet = fc
    .record({
      ip: fc.constantFrom(V4, V6),
      tcp: fc.boolean(),
      port: fc.integer({ min: 1, max: 12 }),
      id: fc.integer({ min: 0, max: 3 }),
      dontFragment: fc.boolean(),
      step: fc.integer({ min: 0, max: 3 }),
      length: fc.constantFrom(0, 1, 99, 100, 100, 100, 100),
      flags: fc.constantFrom(TCP.ack, TCP.ack, TCP.ack, TCP.ack | TCP.psh, TCP.ack | TCP.fin, TCP.syn),
      broken: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    })
    .map(({ ip, tcp, port, step, length, flags, broken, id, dontFragment }) => {
      const fields = { ...ip, id, dontFragment, sourcePort: port, destinationPort: 7, payload: counting(length, port) };
      const bytes = tcp ? tcpPacket({ ...fields, sequence: step * 100, flags }) : udpPacket(fields);
      if (broken) bytes[bytes.length - 1]! ^= 1;
      return bytes;
    });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 40 }), fc.boolean(), (packets, udp) => {
      assert.deepEqual(byFlow(coalesce(packets, udp).delivered), byFlow(packets));
    }),
    { numRuns: 300 },
  );
});

test("splitting and coalescing are each other's inverse", () => {
  fc.assert(
    fc.property(anyTcp, ({ fields, size }) => {
      const start = fields.source.includes(":") ? 40 : 20;
      const header = virtioHeader(start === 20 ? 1 : 4, size, start + 20 + fields.options!.length, start, 16);
      const segments = split(checksums[0]!, header, partial(tcpPacket(fields), fields, 6));
      assert.deepEqual(coalesce(segments).delivered.map(hex), segments.map(hex));
    }),
    { numRuns: 50 },
  );
});
