import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, hex } from "../../crypto/bytes.js";
import { parseAddress } from "../../esp/address.js";
import type { DropReason } from "../../esp/drop-reasons.js";
import type { ChildParameters } from "../../esp/sad.js";
import type { TrafficSelector } from "../../esp/selector.js";
import {
  AES_CBC,
  AES_GCM,
  type Bench,
  childParameters,
  createBench,
  drops,
  mirrored,
  NO_LIMITS,
  PATH,
  sealers,
  selector,
} from "./bench.js";
import { counting, icmpPacket, tcpPacket, udpPacket } from "./packets.js";

const OUT = { source: "10.1.0.5", destination: "10.2.0.9", sourcePort: 1000, destinationPort: 2000 };
const IN = { ...OUT, source: "10.2.0.9", destination: "10.1.0.5" };
const LOCAL = selector("10.1.0.0/16");
const PEER = selector("10.2.0.0/16");

type Mapping = { readonly local: TrafficSelector; readonly peer: TrafficSelector };

/** Two ends with one child between them: what `far` seals, `near` opens. */
function pair(
  changes: Partial<ChildParameters> = {},
  spec = AES_GCM,
  mappings: readonly Mapping[] = [{ local: LOCAL, peer: PEER }],
) {
  const near = createBench();
  const far = createBench();
  const child = childParameters(changes);
  near.sad.setTunnels([{ name: "office", mappings }]);
  far.sad.setTunnels([{ name: "office", mappings: mappings.map(({ local, peer }) => ({ local: peer, peer: local })) }]);
  near.sad.install(child, sealers(near.arena, spec), "path", 0);
  far.sad.install(mirrored({ ...child, replayWindow: 64 }), sealers(far.arena, spec), "path", 0);
  near.sad.use(child.id, 0);
  far.sad.use(child.id, 0);
  return { near, far, child };
}

/** A sealed text of our choosing: what a peer could send that makes its own padding and headers. */
function sealText(bench: Bench, text: Uint8Array, spec = AES_GCM, sequence = 1): Uint8Array {
  const { outbound } = sealers(bench.arena, spec);
  const { bytes, view } = bench.arena;
  view.setUint32(bench.at, 0xc000_0001);
  view.setUint32(bench.at + 4, sequence);
  const iv = bench.at + 8;
  bytes.set(text, iv + outbound.ivBytes);
  outbound.sealAt(bench.at, 8, iv, text.length, -1);
  const length = 8 + outbound.ivBytes + text.length + outbound.icvBytes;
  outbound.free();
  return bytes.slice(bench.at, bench.at + length);
}

for (const [name, spec] of [
  ["AES-GCM", AES_GCM],
  ["AES-CBC with HMAC-SHA-256", AES_CBC],
] as const)
  for (const extendedSequence of [false, true])
    test(`${name}${extendedSequence ? " with ESN" : ""}: packets of every length arrive as they were sent`, () => {
      const { near, far } = pair({ extendedSequence }, spec);
      for (let length = 0; length < 70; length++) {
        const inner = udpPacket({ ...IN, payload: counting(length) });
        const packet = far.seal(1, inner);
        assert.equal(packet.length % 4, 0);
        assert.equal(hex(near.open(packet) as Uint8Array), hex(inner));
      }
      assert.deepEqual(drops(near.sad), {});
    });

test("IPv6 travels inside, with its own next header", () => {
  const mapping = { local: selector("2001:db8:1::/48"), peer: selector("2001:db8:2::/48") };
  const { near, far } = pair({ local: [mapping.local], remote: [mapping.peer] }, AES_GCM, [mapping]);
  const inner = tcpPacket({ ...IN, source: "2001:db8:2::9", destination: "2001:db8:1::5", payload: counting(99) });
  assert.equal(hex(near.open(far.seal(1, inner)) as Uint8Array), hex(inner));
});

test("a packet is accepted once: replays and every altered octet change nothing but a counter", () => {
  const { near, far } = pair({}, AES_CBC);
  const first = far.seal(1, udpPacket(IN));
  const second = far.seal(1, udpPacket(IN));
  for (let i = 0; i < second.length; i++) {
    const altered = second.slice();
    altered[i]! ^= 0x40;
    const expected = i < 4 ? "unknownSpi" : "forged";
    assert.equal(near.open(altered), expected, `octet ${i}`);
  }
  assert.ok(near.open(second) instanceof Uint8Array);
  assert.equal(near.open(second), "replayed");
  assert.ok(near.open(first) instanceof Uint8Array, "forged packets moved the window");
  assert.equal(near.open(first), "replayed");
  assert.deepEqual(near.sad.counters().children[1], { packetsIn: 2, bytesIn: 56, packetsOut: 0, bytesOut: 0 });
});

test("a child that stops sending receives until it is removed", () => {
  const { near, far } = pair();
  const late = far.seal(1, udpPacket(IN));
  near.sad.stopSending(1);
  assert.equal(near.route(udpPacket(OUT)), "noSa");
  assert.ok(near.open(late) instanceof Uint8Array);
  near.sad.remove(1);
  assert.equal(near.open(far.seal(1, udpPacket(IN))), "unknownSpi");
});

test("a truncated packet is dropped at every length", () => {
  for (const spec of [AES_GCM, AES_CBC]) {
    const { near, far } = pair({}, spec);
    const packet = far.seal(1, udpPacket({ ...IN, payload: counting(50) }));
    for (let length = 0; length < packet.length; length++)
      assert.ok(["shortEsp", "forged"].includes(near.open(packet.slice(0, length)) as string), `${length}`);
  }
});

test("what an authentic packet carries is checked", () => {
  const inner = udpPacket(IN);
  const texts: readonly (readonly [DropReason, readonly number[], Uint8Array?])[] = [
    ["badPadding", [0, 0, 2, 4]],
    ["badPadding", [1, 3, 2, 4]],
    ["badPadding", [255, 4]],
    ["badNextHeader", [0, 17]],
    ["badNextHeader", [0, 41]],
    ["dummy", [0, 59]],
    ["malformed", [0, 4], inner.slice(0, 19)],
    ["malformed", [0, 4], inner.slice(0, 27)],
    ["malformed", [0, 4], new Uint8Array(40)],
    ["malformed", [0, 4], new Uint8Array(0)],
    ["badNextHeader", [0, 4], concat(new Uint8Array([0x60, 0, 0, 0, 0, 0, 59, 64]), new Uint8Array(32))],
  ];
  for (const [reason, trailer, payload = inner] of texts) {
    const { near } = pair();
    assert.equal(near.open(sealText(near, concat(payload, Uint8Array.from(trailer)))), reason);
    assert.deepEqual(drops(near.sad), { [reason]: 1 });
    assert.deepEqual(near.events, ["first 1"], "it was authentic: the peer is alive and uses the SA");
    assert.deepEqual(near.sad.takeAlive(), [1]);
  }
});

test("padding for traffic flow confidentiality behind the inner packet is cut off", () => {
  const { near } = pair();
  const inner = udpPacket(IN);
  const text = concat(inner, new Uint8Array(300), Uint8Array.from([1, 2, 2, 4]));
  assert.equal(hex(near.open(sealText(near, text)) as Uint8Array), hex(inner));
});

test("with TFC padding packets of every size look alike, and come out as they were", () => {
  for (const spec of [AES_GCM, AES_CBC]) {
    const { near, far } = pair({}, spec);
    const inner = (octets: number) => udpPacket({ ...IN, payload: counting(octets - 28) });
    const child = far.sad.child(1)!;
    const plain = [28, 100, 600].map((octets) => far.seal(1, inner(octets)).length);
    assert.equal(new Set(plain).size, 3);
    child.padTo(500);
    // What stood there before must not travel: the padding is written.
    far.arena.bytes.fill(0xee, far.at, far.at + 2000);
    const padded = [28, 100, 499, 500].map((octets) => far.seal(1, inner(octets)));
    assert.deepEqual([...new Set(padded.map(({ length }) => length))], [child.sealedLength(500)]);
    assert.equal(child.sealedLength(28), child.sealedLength(500));
    assert.ok(far.seal(1, inner(600)).length > padded[0]!.length);
    for (const [i, octets] of [28, 100, 499, 500].entries())
      assert.equal(hex(near.open(padded[i]!) as Uint8Array), hex(inner(octets)));
    child.padTo(0);
    assert.equal(far.seal(1, inner(28)).length, plain[0]);
  }
});

test("255 octets of padding are accepted", () => {
  const { near } = pair();
  const text = concat(udpPacket(IN), counting(255, 1), Uint8Array.from([255, 4]));
  assert.ok(near.open(sealText(near, text)) instanceof Uint8Array);
});

test("a packet outside the selectors is dropped in both directions, whoever sealed it", () => {
  const { near, far } = pair();
  for (const change of [
    { source: "10.3.0.1" },
    { destination: "10.9.0.1" },
    { source: IN.destination, destination: IN.source },
  ])
    assert.equal(near.open(far.seal(1, udpPacket({ ...IN, ...change }))), "selectorMismatch");
  assert.equal(near.route(udpPacket(OUT)), 1);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.3.0.1" })), "noPolicy");
  assert.equal(near.route(udpPacket({ ...OUT, source: "10.4.0.1" })), "noPolicy");
});

test("the cross product of a merged SA carries only the configured pairs", () => {
  const [a, b, c, d] = ["10.1.0.0/24", "10.1.1.0/24", "10.2.0.0/24", "10.2.1.0/24"].map((p) => selector(p)) as [
    TrafficSelector,
    TrafficSelector,
    TrafficSelector,
    TrafficSelector,
  ];
  const mappings = [
    { local: a, peer: c },
    { local: b, peer: d },
  ];
  const { near, far } = pair({ local: [a, b], remote: [c, d], mappings: [0, 1] }, AES_GCM, mappings);
  const open = (source: string, destination: string) =>
    near.open(far.seal(1, udpPacket({ ...IN, source, destination })));
  assert.ok(open("10.2.0.1", "10.1.0.1") instanceof Uint8Array);
  assert.ok(open("10.2.1.1", "10.1.1.1") instanceof Uint8Array);
  assert.equal(open("10.2.0.1", "10.1.1.1"), "selectorMismatch");
  assert.equal(near.route(udpPacket({ ...OUT, source: "10.1.0.1", destination: "10.2.1.1" })), "noPolicy");
});

test("an ICMP error from a router passes when the packet in it, reversed, is covered", () => {
  const router = { source: "172.16.0.1", destination: OUT.source };
  for (const [quoted, expected] of [
    [udpPacket(OUT), true],
    [udpPacket(OUT).slice(0, 28), true],
    [udpPacket({ ...OUT, destination: "10.7.0.1" }), false],
    [udpPacket(IN), false],
    [udpPacket({ ...OUT, source: "10.1.0.6" }), false], // somebody else's packet
    [new Uint8Array(7), false],
  ] as const) {
    const { near, far } = pair();
    const opened = near.open(far.seal(1, icmpPacket(router, 3, 1, quoted)));
    assert.equal(opened instanceof Uint8Array, expected);
    if (!expected) assert.equal(opened, "selectorMismatch");
  }
  const { near, far } = pair();
  assert.equal(
    near.open(far.seal(1, icmpPacket(router, 8, 0, udpPacket(OUT)))),
    "selectorMismatch",
    "an echo is no error",
  );
  // The other way: a router of ours answers the peer's packet.
  assert.equal(near.route(icmpPacket({ source: "172.16.0.1", destination: IN.source }, 11, 0, udpPacket(IN))), 1);
  assert.equal(
    near.route(icmpPacket({ source: "172.16.0.1", destination: IN.source }, 11, 0, udpPacket(OUT))),
    "noPolicy",
  );
});

test("the same rule holds for ICMPv6", () => {
  const mapping = { local: selector("2001:db8:1::/48"), peer: selector("2001:db8:2::/48") };
  const { near, far } = pair({ local: [mapping.local], remote: [mapping.peer] }, AES_GCM, [mapping]);
  const sent = udpPacket({ ...OUT, source: "2001:db8:1::5", destination: "2001:db8:2::9", payload: counting(60) });
  const error = icmpPacket({ source: "2001:db8:ffff::1", destination: "2001:db8:1::5" }, 2, 0, sent);
  assert.ok(near.open(far.seal(1, error)) instanceof Uint8Array);
});

test("the outer ECN field is carried inside, and a mark on a packet that cannot carry it drops the packet", () => {
  const { near, far } = pair();
  const capable = near.open(far.seal(1, udpPacket({ ...IN, tos: 0xa2 })), 0x03) as Uint8Array;
  assert.equal(hex(capable), hex(udpPacket({ ...IN, tos: 0xa3 })), "with the header checksum");
  assert.equal(near.open(far.seal(1, udpPacket({ ...IN, tos: 0xa0 })), 0x03), "ecnCorrupt");
});

test("an SA goes on for its mapping wherever that stands in another list, with its counters, and ends with it", () => {
  const other = { local: LOCAL, peer: selector("10.3.0.0/16") };
  const { near, far } = pair();
  const packet = udpPacket(OUT);
  near.seal(1, packet);
  near.sad.setTunnels([
    { name: "first", mappings: [{ local: selector("10.7.0.0/16"), peer: selector("10.8.0.0/16") }] },
    { name: "office", mappings: [other, { local: LOCAL, peer: PEER }] },
  ]);
  assert.equal(near.route(packet), 1);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.3.0.1" })), "noSa");
  assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array);
  assert.equal(near.sad.counters().tunnels.office!.packetsOut, 1);
  near.sad.setTunnels([{ name: "office", mappings: [other] }]);
  assert.equal(near.route(packet), "noPolicy");
  near.sad.setTunnels([{ name: "office", mappings: [other, { local: LOCAL, peer: PEER }] }]);
  assert.equal(near.route(packet), "noSa", "an SA that lost its mapping does not come back");
});

test("the counters of a tunnel are forgotten with it", () => {
  const { near } = pair();
  near.sad.remove(1);
  near.sad.setTunnels([{ name: "other", mappings: [{ local: LOCAL, peer: PEER }] }]);
  assert.deepEqual(Object.keys(near.sad.counters().tunnels), ["other"]);
});

test("a child receives when it is installed, and sends when it is put to use", () => {
  const { near, far } = pair();
  const second = childParameters({ id: 2, spiIn: 0xc000_0011, spiOut: 0xc000_0012 });
  near.sad.install(second, sealers(near.arena), "path", 0);
  far.sad.install(mirrored(second), sealers(far.arena), "path", 0);
  assert.equal(near.route(udpPacket(OUT)), 1);
  assert.ok(near.open(far.seal(2, udpPacket(IN))) instanceof Uint8Array);
  near.sad.use(2, 0);
  assert.equal(near.route(udpPacket(OUT)), 2);
  assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array, "the old one still receives");
  near.sad.remove(1);
  assert.equal(near.route(udpPacket(OUT)), 2);
  assert.equal(near.open(far.seal(1, udpPacket(IN))), "unknownSpi");
  near.sad.remove(2);
  assert.equal(near.route(udpPacket(OUT)), "noSa");
});

test("counters of a tunnel survive rekeys, those of a child end with it", () => {
  const { near, far } = pair();
  const inner = udpPacket({ ...IN, payload: counting(72) });
  for (let i = 0; i < 3; i++) near.open(far.seal(1, inner));
  near.seal(1, udpPacket(OUT));
  near.open(new Uint8Array([0xc0, 0, 0, 1, ...new Uint8Array(60)]));
  const next = childParameters({ id: 2, spiIn: 0xc000_0011, spiOut: 0xc000_0012 });
  near.sad.install(next, sealers(near.arena), "path", 0);
  near.sad.use(2, 0);
  near.sad.remove(1);
  near.seal(2, udpPacket(OUT));
  const { tunnels, children, drops } = near.sad.counters();
  assert.deepEqual(tunnels, {
    office: { packetsIn: 3, bytesIn: 300, packetsOut: 2, bytesOut: 56, drops: { replayedOld: 1 } },
  });
  assert.deepEqual(children, { 2: { packetsIn: 0, bytesIn: 0, packetsOut: 1, bytesOut: 28 } });
  assert.deepEqual(drops, {});
});

test("a narrowed child leaves the rest of its mapping to another one", () => {
  const { near } = pair({ remote: [selector("10.2.0.0/24")] });
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.0.1" })), 1);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.1.1" })), "narrowed");
  const rest = childParameters({ id: 2, spiIn: 7777, spiOut: 8888, remote: [selector("10.2.1.0/24")] });
  near.sad.install(rest, sealers(near.arena), "path", 0);
  near.sad.use(2, 0);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.0.1" })), 1);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.1.1" })), 2);
  const error = (source: string) =>
    near.route(icmpPacket({ source: "172.16.0.1", destination: source }, 3, 1, udpPacket({ ...IN, source })));
  assert.deepEqual([error("10.2.0.1"), error("10.2.1.1"), error("10.2.2.1")], [1, 2, "narrowed"]);
  near.sad.setTunnels([{ name: "office", mappings: [{ local: LOCAL, peer: PEER }] }]);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.0.1" })), 1, "children stay with their mapping");
});

test("protocol and ports belong to the policy", () => {
  const web = { protocol: 6, startPort: 443, endPort: 443 };
  const mapping = {
    local: selector("10.1.0.0/16", { ...web, startPort: 0, endPort: 65535 }),
    peer: selector("10.2.0.0/16", web),
  };
  const { near, far } = pair({ local: [mapping.local], remote: [mapping.peer] }, AES_GCM, [mapping]);
  assert.equal(near.route(tcpPacket({ ...OUT, destinationPort: 443 })), 1);
  assert.equal(near.route(tcpPacket({ ...OUT, destinationPort: 444 })), "noPolicy");
  assert.equal(near.route(udpPacket({ ...OUT, destinationPort: 443 })), "noPolicy");
  assert.ok(near.open(far.seal(1, tcpPacket({ ...IN, sourcePort: 443 }))) instanceof Uint8Array);
  assert.equal(near.open(far.seal(1, tcpPacket({ ...IN, sourcePort: 80 }))), "selectorMismatch");
  const fragment = tcpPacket({ ...OUT, destinationPort: 443 });
  fragment[7] = 9; // a later fragment shows no ports
  assert.equal(near.route(fragment), "noPolicy");
});

test("what hosts send on every device, for its link alone, is told apart from packets that no mapping covers", () => {
  const { near } = pair({}, AES_GCM, [{ local: LOCAL, peer: PEER }]);
  for (const destination of ["224.0.0.22", "255.255.255.255", "169.254.7.1"])
    assert.equal(near.route(udpPacket({ ...OUT, source: "192.0.2.1", destination })), "linkLocal", destination);
  for (const destination of ["ff02::16", "ff02::1:ff00:1", "fe80::1"])
    assert.equal(near.route(udpPacket({ ...OUT, source: "::", destination })), "linkLocal", destination);
  for (const destination of ["224.0.1.1", "10.3.0.1"])
    assert.equal(near.route(udpPacket({ ...OUT, source: "192.0.2.1", destination })), "noPolicy", destination);
  for (const destination of ["ff05::2", "2001:db8::1", "fec0::1"])
    assert.equal(near.route(udpPacket({ ...OUT, source: "::", destination })), "noPolicy", destination);
});

test("a packet to the outer address of a peer is refused, until no SA has that peer", () => {
  const mapping = { local: LOCAL, peer: selector("0.0.0.0/0") };
  const { near } = pair({ remote: [mapping.peer] }, AES_GCM, [mapping]);
  const packet = udpPacket({ ...OUT, destination: "198.51.100.1" });
  assert.equal(near.route(packet), "ownPeerAddress");
  const elsewhere = { address: parseAddress("198.51.100.2"), port: 4500 };
  near.sad.move(1, { ...PATH, remote: elsewhere }, "new path");
  assert.equal(near.sad.child(1)!.outer, "new path");
  assert.equal(near.route(packet), 1);
  assert.equal(near.route(udpPacket({ ...OUT, destination: "198.51.100.2" })), "ownPeerAddress");
});

test("limits are told once, and the hard one stops the child", () => {
  const { near, far } = pair({ volume: { ...NO_LIMITS, softPackets: 2, hardPackets: 3 } });
  for (let i = 0; i < 3; i++) near.seal(1, udpPacket(OUT));
  assert.throws(() => near.seal(1, udpPacket(OUT)), /hardLimit/);
  assert.deepEqual(near.events, ["limit 1 soft", "limit 1 hard"]);
  assert.deepEqual(drops(near.sad), { hardLimit: 1 });
  for (let i = 0; i < 3; i++) assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array);
  assert.throws(() => far.seal(1, udpPacket(IN)), /hardLimit/);
});

test("the newest packet is known, and a child is alive once per look", () => {
  const { near, far } = pair();
  const [first, second, third] = [1, 2, 3].map(() => far.seal(1, udpPacket(IN))) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  near.open(second);
  assert.ok(near.sad.openedNewest());
  assert.equal(near.sad.opened()?.id, 1);
  near.open(first);
  assert.ok(!near.sad.openedNewest());
  assert.deepEqual(near.sad.takeAlive(), [1]);
  assert.deepEqual(near.sad.takeAlive(), []);
  near.open(third);
  assert.deepEqual(near.sad.takeAlive(), [1]);
  near.open(third);
  assert.ok(!near.sad.openedNewest(), "a replay says nothing");
  assert.deepEqual(near.sad.takeAlive(), []);
  assert.deepEqual(near.events, ["first 1"]);
});

test("an id or an SPI is installed once", () => {
  const { near } = pair();
  assert.throws(
    () => near.sad.install(childParameters({ spiIn: 5 }), sealers(near.arena), "", 0),
    /child 1 is installed/,
  );
  assert.throws(
    () => near.sad.install(childParameters({ id: 2 }), sealers(near.arena), "", 0),
    /SPI 0xc0000001 is in use/,
  );
});

test("removal and close free every sealer", () => {
  const near = createBench();
  const freed: string[] = [];
  const watched = (name: string) => {
    const { inbound, outbound } = sealers(near.arena);
    return {
      inbound: { ...inbound, free: () => void freed.push(`${name} in`) },
      outbound: { ...outbound, free: () => void freed.push(`${name} out`) },
    };
  };
  near.sad.install(childParameters(), watched("first"), "", 0);
  near.sad.install(childParameters({ id: 2, spiIn: 5, spiOut: 6 }), watched("second"), "", 0);
  near.sad.remove(1);
  near.sad.remove(1);
  near.sad.close();
  assert.deepEqual(freed, ["first in", "first out", "second in", "second out"]);
});
