/** Packets of a peer that uses an SA before we have it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crypto/bytes.js";
import { LARVAL_OCTETS, LARVAL_PACKETS } from "../../esp/larval.js";
import { PARKED_OVERHEAD } from "../../esp/parking.js";
import { type Bench, childParameters, createBench, drops, mirrored, sealers, selector } from "./bench.js";
import { counting, udpPacket } from "./packets.js";

const IN = { source: "10.2.0.9", destination: "10.1.0.5", sourcePort: 1000, destinationPort: 2000 };
const LOCAL = selector("10.1.0.0/16");
const PEER = selector("10.2.0.0/16");

/** The peer, with the SA. */
function farEnd(): Bench {
  const far = createBench();
  far.sad.setTunnels([{ name: "office", mappings: [{ local: PEER, peer: LOCAL }] }]);
  far.sad.install(mirrored(childParameters()), sealers(far.arena), "path", 0);
  far.sad.use(1, 0);
  return far;
}

test("packets for an SPI under negotiation wait for their SA, in order, and are counted when they cannot", () => {
  const far = farEnd();
  const near = createBench();
  near.sad.setTunnels([{ name: "office", mappings: [{ local: LOCAL, peer: PEER }] }]);
  const inners = Array.from({ length: 70 }, (_, i) => udpPacket({ ...IN, payload: counting(4, i) }));
  const packets = inners.map((inner) => far.seal(1, inner));
  assert.equal(near.open(packets[0]!), "unknownSpi");
  near.sad.reserveSpi(0xc000_0001);
  for (const [i, packet] of packets.entries()) {
    assert.equal(near.open(packet), "parked");
    near.sad.park(near.at, packet.length, 2, `from ${i}`, i < 10 ? 0 : 500);
  }
  const parked = near.sad.install(childParameters(), sealers(near.arena), "path", 1200);
  assert.equal(drops(near.sad).larvalExpired, 10);
  assert.deepEqual(
    parked.map(({ origin, outerTos }) => `${origin} ${outerTos}`),
    Array.from({ length: 60 }, (_, i) => `from ${i + 10} 2`),
  );
  assert.deepEqual(
    parked.map(({ bytes }) => hex(near.open(bytes) as Uint8Array)),
    inners.slice(10).map(hex),
  );
});

test("a peer that switches at once may send 2,000 packets a second for a second before its SA is here", () => {
  const far = farEnd();
  const near = createBench();
  near.sad.setTunnels([{ name: "office", mappings: [{ local: LOCAL, peer: PEER }] }]);
  near.sad.reserveSpi(0xc000_0001);
  const packet = far.seal(1, udpPacket({ ...IN, payload: counting(1400) }));
  for (let i = 0; i < 2000; i++) {
    assert.equal(near.open(packet), "parked");
    near.sad.park(near.at, packet.length, 0, "", i / 2);
  }
  assert.equal(near.sad.install(childParameters(), sealers(near.arena), "path", 1000).length, 2000);
  assert.deepEqual(drops(near.sad), {});
});

test("what all SAs under negotiation may park together is bounded in octets, their cost on the heap counted", () => {
  const far = farEnd();
  const near = createBench();
  const packet = far.seal(1, udpPacket({ ...IN, payload: counting(1400) }));
  const view = new DataView(packet.buffer, packet.byteOffset);
  const most = Math.floor(LARVAL_OCTETS / (packet.length + PARKED_OVERHEAD));
  const spis = [0xc000_0001, 0xc000_0002, 0xc000_0003];
  for (const spi of spis) near.sad.reserveSpi(spi);
  for (let i = 0; i < most + 9; i++) {
    view.setUint32(0, spis[i % 3]!);
    assert.equal(near.open(packet), "parked");
    near.sad.park(near.at, packet.length, 0, "", 0);
  }
  assert.deepEqual(drops(near.sad), { larvalFull: 9 });
  near.sad.releaseSpi(0xc000_0001);
  view.setUint32(0, 0xc000_0002);
  assert.equal(near.open(packet), "parked");
  near.sad.park(near.at, packet.length, 0, "", 0);
  assert.equal(drops(near.sad).larvalFull, 9, "there is room again");
});

test("forged packets that filled the room of a reservation have to leave it after a second", () => {
  const far = farEnd();
  const near = createBench();
  near.sad.reserveSpi(0xc000_0001);
  const forged = far.seal(1, udpPacket({ ...IN, payload: counting(4, 1) }));
  for (let i = 0; i < LARVAL_PACKETS + 6; i++) {
    assert.equal(near.open(forged), "parked");
    near.sad.park(near.at, forged.length, 0, "nobody", 0);
  }
  assert.deepEqual(drops(near.sad), { larvalFull: 6 });
  assert.equal(near.open(forged), "parked");
  near.sad.park(near.at, forged.length, 0, "the peer", 1500);
  assert.deepEqual(drops(near.sad), { larvalFull: 6, larvalExpired: LARVAL_PACKETS });
});

test("a reservation that is released parks nothing more", () => {
  const far = farEnd();
  const near = createBench();
  near.sad.reserveSpi(0xc000_0001);
  const packet = far.seal(1, udpPacket(IN));
  assert.equal(near.open(packet), "parked");
  near.sad.park(near.at, packet.length, 0, "", 0);
  near.sad.releaseSpi(0xc000_0001);
  assert.equal(near.open(packet), "unknownSpi");
  assert.deepEqual(drops(near.sad), { larvalExpired: 1, unknownSpi: 1 });
});
