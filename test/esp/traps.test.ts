import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crypto/bytes.js";
import { HELD_MILLISECONDS, HELD_PACKETS } from "../../esp/traps.js";
import { type Bench, childParameters, createBench, drops, sealers, selector } from "./bench.js";
import { counting, udpPacket } from "./packets.js";

const LOCAL = selector("10.1.0.0/16");
const MAPPINGS = [
  { local: LOCAL, peer: selector("10.2.0.0/16") },
  { local: LOCAL, peer: selector("10.3.0.0/16") },
];
const to = (destination: string, payload = 8) =>
  udpPacket({
    source: "10.1.0.5",
    destination,
    sourcePort: 1000,
    destinationPort: 2000,
    payload: counting(payload),
  });

function waiting(): Bench {
  const bench = createBench();
  bench.sad.setTunnels([
    { name: "busy", mappings: [{ local: selector("10.9.0.0/16"), peer: selector("10.2.0.0/16") }] },
    { name: "office", mappings: MAPPINGS, onTraffic: true },
  ]);
  return bench;
}

function hold({ sad, at, ...bench }: Bench, packet: Uint8Array, now: number): void {
  assert.equal(bench.route(packet), "awaited");
  sad.hold(at, packet.length, now);
}

test("packets for a mapping that traffic brings up wait for its SA, and come out as they went in, oldest first", () => {
  const bench = waiting();
  const sent = [0, 1, 2].map((i) => to("10.2.0.9", 20 + i));
  for (const packet of sent) hold(bench, packet, 0);
  hold(bench, to("10.3.0.9"), 0);
  bench.sad.install(childParameters(), sealers(bench.arena), "path", 0);
  const held = bench.sad.use(1, 1000);
  assert.deepEqual(
    held.map(({ bytes }) => hex(bytes)),
    sent.map(hex),
  );
  assert.equal(bench.route(sent[0]!), 1);
  assert.equal(bench.route(to("10.3.0.9")), "awaited", "each mapping has an SA of its own");
  assert.deepEqual(bench.sad.use(1, 1000), [], "each packet comes out once");
  assert.deepEqual(drops(bench.sad), {});
});

test("each mapping is told once a second at most, and again as soon as it lost its SA", () => {
  const bench = waiting();
  const news = () => bench.sad.takeTrapped();
  for (let i = 0; i < 50; i++) hold(bench, to("10.2.0.9"), i);
  assert.deepEqual(news(), [{ tunnel: "office", mappings: [0] }]);
  for (let i = 0; i < 50; i++) hold(bench, to("10.2.0.9"), 100 + i);
  assert.deepEqual(news(), []);
  hold(bench, to("10.3.0.9"), 150);
  assert.deepEqual(news(), [{ tunnel: "office", mappings: [1] }]);
  hold(bench, to("10.3.0.9"), 1200);
  hold(bench, to("10.2.0.9"), 1200);
  assert.deepEqual(news(), [{ tunnel: "office", mappings: [1, 0] }]);
  bench.sad.install(childParameters(), sealers(bench.arena), "path", 0);
  bench.sad.use(1, 1300);
  bench.sad.remove(1);
  hold(bench, to("10.2.0.9"), 1400);
  assert.deepEqual(news(), [{ tunnel: "office", mappings: [0] }]);
});

test("what waits is bounded in number, in octets and in time, and counted when it is lost", () => {
  const many = waiting();
  for (let i = 0; i < HELD_PACKETS + 7; i++) hold(many, to("10.2.0.9"), i);
  assert.deepEqual(drops(many.sad), { heldFull: 7 });
  assert.ok(many.sad.sweepHeld(HELD_MILLISECONDS + 9));
  assert.deepEqual(drops(many.sad), { heldFull: 7, heldExpired: 9 });
  assert.ok(!many.sad.sweepHeld(HELD_MILLISECONDS + HELD_PACKETS));
  assert.equal(drops(many.sad).heldExpired, HELD_PACKETS);

  const large = waiting();
  for (let i = 0; i < 80; i++) hold(large, to("10.2.0.9", 60_000), 0);
  const { heldFull } = drops(large.sad);
  assert.ok(heldFull! >= 10 && heldFull! < 20, `${heldFull} of 80 packets of 60,000 octets`);
  large.sad.install(childParameters(), sealers(large.arena), "path", 0);
  assert.equal(large.sad.use(1, HELD_MILLISECONDS + 1).length, 0);
  assert.equal(drops(large.sad).heldExpired, 80 - heldFull!);
});

test("a mapping of another tunnel, and one that the peer narrowed, hold nothing", () => {
  const bench = waiting();
  const other = udpPacket({ source: "10.9.0.1", destination: "10.2.0.9", sourcePort: 1, destinationPort: 2 });
  assert.equal(bench.route(other), "noSa");
  const narrow = childParameters({ remote: [selector("10.2.0.0/24")] });
  bench.sad.install(narrow, sealers(bench.arena), "path", 0);
  bench.sad.use(1, 0);
  assert.equal(bench.route(to("10.2.7.1")), "narrowed");
});

test("what waits for a mapping goes where it stands in another list, and is lost with it", () => {
  const bench = waiting();
  const packet = to("10.3.0.9");
  hold(bench, to("10.2.0.9"), 0);
  hold(bench, packet, 0);
  bench.sad.takeTrapped();
  bench.sad.setTunnels([{ name: "office", mappings: [MAPPINGS[1]!], onTraffic: true }]);
  assert.deepEqual(drops(bench.sad), { heldExpired: 1 });
  hold(bench, packet, 500);
  assert.deepEqual(bench.sad.takeTrapped(), [], "told a second ago at the earliest");
  bench.sad.install(childParameters({ remote: [MAPPINGS[1]!.peer] }), sealers(bench.arena), "path", 0);
  assert.deepEqual(
    bench.sad.use(1, 600).map(({ bytes }) => hex(bytes)),
    [packet, packet].map(hex),
  );
});

test("what waits for a tunnel that is gone is lost", () => {
  const bench = waiting();
  hold(bench, to("10.2.0.9"), 0);
  bench.sad.setTunnels([{ name: "other", mappings: MAPPINGS, onTraffic: true }]);
  assert.deepEqual(bench.sad.takeTrapped(), []);
  bench.sad.install(childParameters({ tunnel: "other" }), sealers(bench.arena), "path", 0);
  assert.deepEqual(bench.sad.use(1, 600), []);
});
