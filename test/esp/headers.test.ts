/** Reading inner headers, and what tunnelling does to headers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, hex } from "../../crypto/bytes.js";
import type { Arena } from "../../crypto/interfaces.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { DROP } from "../../esp/drop-reasons.js";
import { createIpHeader, type IpHeader, readIpHeader, readQuotedHeader } from "../../esp/ip-header.js";
import { clampMss } from "../../esp/mss.js";
import { innerLimits, innerMtu, mssFor } from "../../esp/mtu.js";
import { applyOuterEcn, COPY_DSCP, OUTER, outerFragmentation, outerTos } from "../../esp/tunnel.js";
import { classifyDatagram, DATAGRAM } from "../../esp/udp-encap.js";
import { counting, icmpPacket, ipPacket, TCP, tcpPacket, udpPacket } from "./packets.js";

const arena: Arena = createArena(1 << 17);
const at = arena.alloc(66000);
const V4 = { source: "10.1.0.1", destination: "192.0.2.2" };
const V6 = { source: "2001:db8:1::1", destination: "2001:db8:2::2" };
const PORTS = { sourcePort: 1000, destinationPort: 2000 };

function read(packet: Uint8Array, length = packet.length): IpHeader | number {
  const header = createIpHeader();
  arena.bytes.fill(0xee, at, at + 200);
  arena.bytes.set(packet, at);
  return readIpHeader(arena, at, length, header) || header;
}

/** An IPv6 packet with a chain of extension headers: [protocol number, octets]. */
function withExtensions(
  chain: readonly (readonly [number, Uint8Array])[],
  last: number,
  payload: Uint8Array,
): Uint8Array {
  const headers = chain.map(([, octets], i) => {
    const copy = octets.slice();
    copy[0] = chain[i + 1]?.[0] ?? last;
    return copy;
  });
  return ipPacket(V6, chain[0]?.[0] ?? last, concat(...headers, payload));
}

test("an IPv4 header is read with its ports, also behind options", () => {
  const header = read(udpPacket({ ...V4, ...PORTS, tos: 0xb9, ttl: 7 })) as IpHeader;
  assert.deepEqual(
    [header.family, header.totalBytes, header.tos, header.ttl, header.protocol, header.transport - at],
    [4, 28, 0xb9, 7, 17, 20],
  );
  assert.deepEqual([header.source[0], header.destination[0]], [0x0a01_0001, 0xc000_0202]);
  assert.deepEqual([header.sourcePort, header.destinationPort, header.fragment], [1000, 2000, false]);
  const plain = udpPacket({ ...V4, ...PORTS });
  const options = concat(plain.subarray(0, 20), new Uint8Array(8).fill(1), plain.subarray(20));
  options[0] = 0x47;
  options[3] = options.length;
  assert.deepEqual([(read(options) as IpHeader).transport - at, (read(options) as IpHeader).sourcePort], [28, 1000]);
});

test("the transport header of IPv6 is found behind extension headers", () => {
  const udp = udpPacket({ ...V6, ...PORTS }).subarray(40);
  const options = new Uint8Array(16);
  options[1] = 1;
  const authentication = new Uint8Array(24);
  authentication[1] = 4;
  const fragment = new Uint8Array(8);
  const header = read(
    withExtensions(
      [
        [0, options],
        [43, new Uint8Array(8)],
        [51, authentication],
        [44, fragment],
        [60, new Uint8Array(8)],
      ],
      17,
      udp,
    ),
  ) as IpHeader;
  assert.deepEqual(
    [header.protocol, header.transport - at, header.sourcePort, header.destinationPort],
    [17, 40 + 64, 1000, 2000],
  );
  assert.deepEqual([header.fragment, header.laterFragment], [true, false]);
});

test("later fragments have a protocol and no ports, first ones have both", () => {
  const first = udpPacket({ ...V4, ...PORTS });
  first[6] = 0x20;
  assert.deepEqual([(read(first) as IpHeader).fragment, (read(first) as IpHeader).sourcePort], [true, 1000]);
  const later = first.slice();
  later[7] = 3;
  const header = read(later) as IpHeader;
  assert.deepEqual(
    [header.laterFragment, header.protocol, header.sourcePort, header.destinationPort],
    [true, 17, -1, -1],
  );
  const fragment = new Uint8Array(8);
  fragment[3] = 0x08;
  const later6 = read(withExtensions([[44, fragment]], 17, counting(8))) as IpHeader;
  assert.deepEqual([later6.laterFragment, later6.protocol, later6.sourcePort], [true, 17, -1]);
});

test("ICMP types and codes stand where ports would be", () => {
  const echo = read(icmpPacket(V4, 8, 3, new Uint8Array(0))) as IpHeader;
  assert.deepEqual([echo.sourcePort, echo.destinationPort], [0x803, 0x803]);
  assert.equal((read(icmpPacket(V6, 135, 0, new Uint8Array(16))) as IpHeader).sourcePort, 0x8700);
  assert.equal((read(ipPacket(V6, 135, Uint8Array.from([59, 0, 5, 0, 0, 0, 0, 0]))) as IpHeader).sourcePort, 0x500);
  assert.equal((read(ipPacket(V4, 50, counting(8))) as IpHeader).sourcePort, -1);
  assert.equal((read(ipPacket(V4, 17, counting(3))) as IpHeader).sourcePort, -1);
});

test("a header that does not fit its packet is malformed", () => {
  const good = tcpPacket({ ...V4, ...PORTS });
  const change = (offset: number, value: number, packet = good) => {
    const copy = packet.slice();
    copy[offset] = value;
    return copy;
  };
  const good6 = udpPacket({ ...V6, ...PORTS });
  const hopByHop = withExtensions([[0, new Uint8Array(8)]], 17, counting(8));
  const wrong = [
    new Uint8Array(0),
    good.slice(0, 19),
    change(0, 0x55),
    change(0, 0x44),
    change(0, 0x4f),
    change(3, 41),
    change(3, 19),
    good6.slice(0, 39),
    change(5, 9, good6),
    change(41, 9, hopByHop),
    withExtensions([[0, new Uint8Array(4)]], 17, new Uint8Array(0)),
  ];
  for (const packet of wrong) assert.equal(read(packet), DROP.malformed, hex(packet));
});

test("whatever the octets are, reading stays inside the packet", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x6f),
      fc.uint8Array({ minLength: 1, maxLength: 120 }),
      (first, rest) => {
        const packet = rest.slice();
        packet[0] = first;
        if (first >= 0x60 && packet.length > 6)
          packet.set([0, packet.length - 40, [0, 43, 44, 51, 60][packet[6]! % 5]!], 4);
        else if (packet.length > 3) packet.set([0, packet.length], 2);
        const header = read(packet);
        if (typeof header === "number") return;
        assert.ok(
          header.totalBytes <= packet.length && header.transport >= at && header.transport <= at + packet.length,
        );
      },
    ),
    { numRuns: 1000 },
  );
});

test("a quoted packet may be cut off behind its header, and anywhere in IPv6 extension headers", () => {
  const header = createIpHeader();
  const packet = tcpPacket({ ...V4, ...PORTS, payload: counting(500) });
  arena.bytes.set(packet, at);
  assert.equal(readQuotedHeader(arena, at, 28, header), 0);
  assert.deepEqual([header.sourcePort, header.destinationPort], [1000, 2000]);
  assert.equal(readQuotedHeader(arena, at, 20, header), 0);
  assert.equal(header.sourcePort, -1);
  arena.bytes.set(withExtensions([[0, new Uint8Array(16)]], 6, counting(40)), at);
  for (let length = 40; length < 60; length++) assert.equal(readQuotedHeader(arena, at, length, header), 0);
});

test("ECN passes between inner and outer header as RFC 6040 tables it", () => {
  // Rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer likewise; -1: drop.
  const table = [
    [0, 0, 0, -1],
    [1, 1, 1, 3],
    [2, 1, 2, 3],
    [3, 3, 3, 3],
  ];
  for (const ip of [V4, V6])
    for (const [inner, row] of table.entries())
      for (const [outer, expected] of row.entries()) {
        const packet = udpPacket({ ...ip, ...PORTS, tos: 0x48 | inner });
        arena.bytes.set(packet, at);
        assert.equal(outerTos(arena, at, COPY_DSCP), 0x48 | inner);
        const code = applyOuterEcn(arena, at, 0x80 | outer);
        assert.equal(code, expected < 0 ? DROP.ecnCorrupt : 0);
        const after = udpPacket({ ...ip, ...PORTS, tos: 0x48 | (expected < 0 ? inner : expected) });
        assert.equal(hex(arena.bytes.slice(at, at + packet.length)), hex(after), `inner ${inner}, outer ${outer}`);
      }
});

test("the outer DSCP is the inner one or one for all, the outer ECN field always the inner one, and the inner DSCP stays", () => {
  for (const ip of [V4, V6])
    for (let tos = 0; tos < 256; tos++) {
      const packet = udpPacket({ ...ip, ...PORTS, tos });
      arena.bytes.set(packet, at);
      assert.equal(outerTos(arena, at, COPY_DSCP), tos);
      assert.equal(outerTos(arena, at, 46), (46 << 2) | (tos & 3));
      assert.equal(outerTos(arena, at, 0), tos & 3);
      // RFC 2983 section 3: whatever the network made of the outer DSCP, decapsulation leaves the inner one.
      if (applyOuterEcn(arena, at, 0xfc | (tos & 3)) === 0)
        assert.equal(hex(arena.bytes.slice(at, at + packet.length)), hex(packet));
    }
});

test("the outer DF bit is what RFC 4301 section 8.1 makes of the inner one", () => {
  const inner = {
    "IPv4 with DF": udpPacket({ ...V4, ...PORTS, dontFragment: true }),
    "IPv4 without": udpPacket({ ...V4, ...PORTS, dontFragment: false }),
    IPv6: udpPacket({ ...V6, ...PORTS }),
  };
  const outer = (packet: Uint8Array, df: "copy" | "set" | "clear", family: 4 | 6, fits = true) => {
    arena.bytes.set(packet, at);
    return outerFragmentation(arena, at, df, family, fits);
  };
  const { whole, mayFragment, fragments } = OUTER;
  const table = {
    "IPv4 with DF": [whole, whole, mayFragment],
    "IPv4 without": [whole, mayFragment, mayFragment],
    IPv6: [whole, whole, mayFragment],
  };
  for (const [name, packet] of Object.entries(inner))
    for (const [i, df] of (["set", "copy", "clear"] as const).entries()) {
      assert.equal(outer(packet, df, 4), table[name as keyof typeof table][i], `${name}, ${df}`);
      assert.equal(outer(packet, df, 6), whole, `${name}, ${df}, IPv6 outside`);
      for (const family of [4, 6] as const) assert.equal(outer(packet, df, family, false), fragments);
    }
});

test("the MSS of a SYN is lowered in both families, wherever the option stands, with a right checksum", () => {
  const options = (mss: number) => [
    Uint8Array.from([2, 4, mss >> 8, mss & 255]),
    Uint8Array.from([1, 2, 4, mss >> 8, mss & 255, 1, 1, 0]),
    Uint8Array.from([3, 3, 7, 1, 2, 4, mss >> 8, mss & 255]),
    Uint8Array.from([8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, mss >> 8, mss & 255, 0, 0]),
  ];
  for (const ip of [V4, V6])
    for (const flags of [TCP.syn, TCP.syn | TCP.ack])
      for (const [i, before] of options(1460).entries()) {
        const limit = ip === V4 ? 1300 : 1280;
        const packet = tcpPacket({ ...ip, ...PORTS, flags, options: before });
        arena.bytes.set(packet, at);
        assert.ok(clampMss(arena, at, packet.length, 1300, 1280, false));
        const expected = tcpPacket({ ...ip, ...PORTS, flags, options: options(limit)[i]! });
        assert.equal(hex(arena.bytes.slice(at, at + packet.length)), hex(expected));
        assert.ok(!clampMss(arena, at, packet.length, 1300, 1280, false), "low enough now");
      }
});

test("the MSS is left alone where there is none, in other segments, in fragments and in broken options", () => {
  const mss = Uint8Array.from([2, 4, 5, 180]);
  const fragment = tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: mss });
  fragment[7] = 1;
  const untouched = [
    tcpPacket({ ...V4, ...PORTS, flags: TCP.ack, options: mss }),
    tcpPacket({ ...V4, ...PORTS, flags: TCP.syn }),
    tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: Uint8Array.from([3, 0, 2, 4]) }),
    tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: Uint8Array.from([3, 9, 2, 4]) }),
    tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: Uint8Array.from([0, 0, 0, 0, 2, 4, 5, 180]) }),
    udpPacket({ ...V4, ...PORTS, payload: counting(40) }),
    fragment,
    tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: mss }).slice(0, 30),
  ];
  for (const packet of untouched) {
    arena.bytes.set(packet, at);
    assert.ok(!clampMss(arena, at, packet.length, 1300, 1280, false));
    assert.equal(hex(arena.bytes.slice(at, at + packet.length)), hex(packet));
  }
});

test("a partial checksum does not cover the options, and stays", () => {
  const packet = tcpPacket({ ...V4, ...PORTS, flags: TCP.syn, options: Uint8Array.from([2, 4, 5, 180]) });
  arena.bytes.set(packet, at);
  assert.ok(clampMss(arena, at, packet.length, 1000, 1000, true));
  assert.equal(arena.view.getUint16(at + 36), new DataView(packet.buffer).getUint16(36));
});

test("the inner MTU is the largest packet whose ESP packet fits the path", () => {
  const gcm = { ivBytes: 8, icvBytes: 16, blockBytes: 1 };
  const cbc = { ivBytes: 16, icvBytes: 16, blockBytes: 16 };
  assert.equal(innerMtu(1500, 4, "esp", gcm), 1446);
  assert.equal(innerMtu(1500, 4, "udp", gcm), 1438);
  assert.equal(innerMtu(1500, 6, "udp", gcm), 1418);
  assert.equal(innerMtu(1500, 4, "udp", cbc), 1422);
  assert.deepEqual([mssFor(1438, 4), mssFor(1438, 6)], [1398, 1378]);
  for (const lengths of [gcm, cbc])
    for (const mtu of [1280, 1400, 1492, 1500, 9000]) {
      const size = (inner: number) => {
        const align = Math.max(4, lengths.blockBytes);
        return 20 + 8 + 8 + lengths.ivBytes + Math.ceil((inner + 2) / align) * align + lengths.icvBytes;
      };
      const inner = innerMtu(mtu, 4, "udp", lengths);
      assert.ok(size(inner) <= mtu && size(inner + 1) > mtu);
    }
});

test("an SA lets through what fits the path and what is configured, IPv6 never less than 1280, fragments only of IPv4", () => {
  const gcm = { ivBytes: 8, icvBytes: 16, blockBytes: 1 };
  const limits = (mtu: number, own: number, df: "set" | "clear" = "set", outer: 4 | 6 = 4) =>
    innerLimits(mtu, outer, "udp", gcm, { mtu: own, df });
  assert.deepEqual(limits(1500, 0), { whole: 1438, mtu4: 1438, mtu6: 1438, mss4: 1398, mss6: 1378 });
  assert.deepEqual(limits(1500, 1400), { whole: 1438, mtu4: 1400, mtu6: 1400, mss4: 1360, mss6: 1340 });
  assert.deepEqual(limits(1500, 1500), limits(1500, 0));
  assert.deepEqual(limits(1280, 0), { whole: 1218, mtu4: 1218, mtu6: 1280, mss4: 1178, mss6: 1158 });
  assert.deepEqual(limits(1500, 1500, "clear"), { whole: 1438, mtu4: 1500, mtu6: 1500, mss4: 1398, mss6: 1378 });
  assert.deepEqual(limits(1500, 1500, "clear", 6), limits(1500, 1500, "set", 6));
  assert.equal(limits(66000, 0).whole, 65535);
  assert.equal(limits(68, 0).mtu4, 68);
});

test("a datagram on the NAT traversal port is a keepalive, IKE, ESP, or nothing", () => {
  const classify = (bytes: Uint8Array) => classifyDatagram(concat(counting(3), bytes), 3, bytes.length);
  assert.equal(classify(Uint8Array.from([0xff])), DATAGRAM.keepalive);
  assert.equal(classify(new Uint8Array(32)), DATAGRAM.ike);
  assert.equal(classify(Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 1])), DATAGRAM.esp);
  for (const runt of [[], [0], [0xff, 0xff], [0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7]])
    assert.equal(classify(Uint8Array.from(runt)), DATAGRAM.runt);
  assert.equal(classify(new Uint8Array(31)), DATAGRAM.runt);
});
