import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createArena } from "../../crypto/openssl/arena.js";
import { type Family, formatAddress } from "../../esp/address.js";
import { createIpHeader, readIpHeader } from "../../esp/ip-header.js";
import type { TrafficSelector } from "../../esp/selector.js";
import { createSelectorIndex, type SelectorPair } from "../../esp/selector-index.js";
import { createSpd, SHARED_DEVICE } from "../../esp/spd.js";
import { selector } from "./bench.js";
import { ipPacket, tcpPacket, udpPacket } from "./packets.js";

const arena = createArena(1 << 16);
const at = arena.alloc(2048);
const header = createIpHeader();

/** Addresses with few values, in every word of an IPv6 address. */
const spread = (family: Family, n: number): bigint =>
  family === 4 ? BigInt(n) * 0x0100_0001n : (BigInt(n & 3) << 96n) | (BigInt(n >> 2) << 31n) | BigInt(n);

const range = (family: Family) =>
  fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 })).map(([a, b]) => {
    const [x, y] = [spread(family, a), spread(family, b)];
    return x < y ? { start: x, end: y } : { start: y, end: x };
  });

const ports = fc.constantFrom(
  { protocol: 0, startPort: 0, endPort: 65535 },
  { protocol: 0, startPort: 0, endPort: 65535 },
  { protocol: 6, startPort: 0, endPort: 65535 },
  { protocol: 17, startPort: 5, endPort: 9 },
  { protocol: 17, startPort: 65535, endPort: 0 },
);

const pairs = fc.constantFrom<Family>(4, 6).chain((family) =>
  fc.array(
    fc.record({ l: range(family), r: range(family), p: ports }).map(({ l, r, p }) => ({
      local: { family, ...p, ...l } as TrafficSelector,
      remote: { family, ...p, ...r } as TrafficSelector,
    })),
    { maxLength: 60 },
  ),
);

const probe = fc.record({
  family: fc.constantFrom<Family>(4, 6),
  local: fc.integer({ min: 0, max: 60 }),
  remote: fc.integer({ min: 0, max: 60 }),
  localPort: fc.integer({ min: 4, max: 10 }),
  remotePort: fc.integer({ min: 4, max: 10 }),
  transport: fc.constantFrom("tcp", "udp", "later fragment", "other"),
});

function linear(
  all: readonly SelectorPair[],
  p: { family: Family; local: bigint; remote: bigint; protocol: number; localPort: number; remotePort: number },
): number {
  const inside = (s: TrafficSelector, value: bigint, port: number) =>
    s.family === p.family &&
    value >= s.start &&
    value <= s.end &&
    (s.protocol === 0 || s.protocol === p.protocol) &&
    ((s.startPort === 0 && s.endPort === 65535) ||
      (port < 0 ? s.startPort > s.endPort : port >= s.startPort && port <= s.endPort));
  return all.findIndex(
    ({ local, remote }) => inside(local, p.local, p.localPort) && inside(remote, p.remote, p.remotePort),
  );
}

test("the index finds what a walk over all pairs finds, in both directions", () => {
  fc.assert(
    fc.property(pairs, fc.array(probe, { minLength: 1, maxLength: 30 }), (all, probes) => {
      const index = createSelectorIndex(all);
      for (const { family, transport, ...p } of probes) {
        const local = spread(family, p.local);
        const remote = spread(family, p.remote);
        for (const outbound of [true, false]) {
          const fields = {
            source: formatAddress({ family, value: outbound ? local : remote }),
            destination: formatAddress({ family, value: outbound ? remote : local }),
            sourcePort: outbound ? p.localPort : p.remotePort,
            destinationPort: outbound ? p.remotePort : p.localPort,
          };
          const packet =
            transport === "tcp"
              ? tcpPacket(fields)
              : transport === "other"
                ? ipPacket(fields, 47, new Uint8Array(8))
                : udpPacket(fields);
          const later = transport === "later fragment" && family === 4;
          if (later) packet[7] = 1;
          arena.bytes.set(packet, at);
          assert.equal(readIpHeader(arena, at, packet.length, header), 0);
          const seen = transport !== "other" && !later;
          const expected = linear(all, {
            family,
            local,
            remote,
            protocol: transport === "tcp" ? 6 : transport === "other" ? 47 : 17,
            localPort: seen ? p.localPort : -1,
            remotePort: seen ? p.remotePort : -1,
          });
          assert.equal(outbound ? index.findOutbound(header) : index.findInbound(header), expected);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("flows that are remembered are those of a search, also where they meet in one place", () => {
  const all = Array.from({ length: 64 }, (_, i) => ({
    local: selector("10.0.0.0/16"),
    peer: selector(`10.1.${i}.0/24`, { protocol: i % 2 === 0 ? 6 : 17, startPort: 0, endPort: 65535 }),
  }));
  const index = createSelectorIndex(all.map(({ local, peer }) => ({ local, remote: peer })));
  const spd = createSpd(arena, [{ name: "hub", mappings: all }]);
  const flow = fc.record({
    host: fc.integer({ min: 1, max: 40 }),
    net: fc.integer({ min: 0, max: 70 }),
    port: fc.integer({ min: 0, max: 3 }),
    udp: fc.boolean(),
    later: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(flow, { minLength: 1, maxLength: 200 }), (flows) => {
      for (const { host, net, port, udp, later } of [...flows, ...flows]) {
        const ends = { source: `10.0.0.${host}`, destination: `10.1.${net}.9`, sourcePort: port, destinationPort: 5 };
        const packet = udp ? udpPacket(ends) : tcpPacket(ends);
        if (later) packet[7] = 1;
        arena.bytes.set(packet, at);
        assert.equal(readIpHeader(arena, at, packet.length, header), 0);
        assert.equal(spd.find(header, SHARED_DEVICE), index.findOutbound(header));
      }
    }),
    { numRuns: 50 },
  );
});

test("ten thousand mappings of one hub are told apart", () => {
  const mappings = Array.from({ length: 10_000 }, (_, i) => ({
    local: selector("10.0.0.0/16"),
    peer: selector(`10.${1 + (i >> 8)}.${i & 255}.0/24`),
  }));
  const spd = createSpd(arena, [
    { name: "hub", mappings },
    { name: "other", mappings: [{ local: selector("2001:db8::/32"), peer: selector("::/0") }] },
  ]);
  for (let i = 0; i < 10_000; i += 37) {
    arena.bytes.set(
      udpPacket({
        source: "10.0.3.4",
        destination: `10.${1 + (i >> 8)}.${i & 255}.200`,
        sourcePort: 1,
        destinationPort: 2,
      }),
      at,
    );
    assert.equal(readIpHeader(arena, at, 28, header), 0);
    assert.equal(spd.find(header, SHARED_DEVICE), i);
  }
  assert.equal(spd.indexOf("other", 0), 10_000);
  assert.equal(spd.indexOf("other", 1), undefined);
  assert.equal(spd.indexOf("nobody", 0), undefined);
  arena.bytes.set(
    udpPacket({ source: "2001:db8::1", destination: "2001:db9::1", sourcePort: 1, destinationPort: 2 }),
    at,
  );
  assert.equal(readIpHeader(arena, at, 48, header), 0);
  assert.equal(spd.find(header, SHARED_DEVICE), 10_000);
});
