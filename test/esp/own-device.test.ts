import assert from "node:assert/strict";
import { test } from "node:test";
import { hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { createChecksum } from "../../esp/checksum.js";
import { createCoalescer } from "../../esp/coalesce.js";
import { NO_DEVICE } from "../../esp/sad.js";
import { anySelector } from "../../esp/selector.js";
import { SHARED_DEVICE, type TunnelMappings } from "../../esp/spd.js";
import { childParameters, createBench, mirrored, sealers, selector } from "./bench.js";
import { counting, TCP, tcpPacket, udpPacket } from "./packets.js";

const [RED, BLUE] = [7, 8];
const EVERYTHING = [{ local: anySelector(4), peer: anySelector(4) }];
const OFFICE: TunnelMappings = {
  name: "office",
  mappings: [{ local: selector("10.1.0.0/16"), peer: selector("10.2.0.0/16") }],
  exceptions: [{ action: "drop", local: selector("10.1.0.0/16"), peer: selector("10.2.9.0/24") }],
};
const TUNNELS: readonly TunnelMappings[] = [
  { name: "red", mappings: EVERYTHING, device: RED },
  OFFICE,
  { name: "blue", mappings: EVERYTHING, device: BLUE, onTraffic: true },
];
const OUT = udpPacket({
  source: "10.1.0.5",
  destination: "10.2.0.9",
  sourcePort: 1,
  destinationPort: 2,
  payload: counting(8),
});

/** Child 1 is red's, child 2 the office's; blue has none. */
function bench() {
  const near = createBench();
  near.sad.setTunnels(TUNNELS);
  const all = { local: [anySelector(4)], remote: [anySelector(4)] };
  near.sad.install(childParameters({ tunnel: "red", ...all }), sealers(near.arena), "path", 0);
  near.sad.install(childParameters({ id: 2, spiIn: 0xc000_0003, spiOut: 0xc000_0004 }), sealers(near.arena), "path", 0);
  for (const id of [1, 2]) near.sad.use(id, 0);
  return near;
}

test("a packet goes out on the tunnel of the device that it was read from, whatever other tunnels cover it", () => {
  const near = bench();
  assert.equal(near.route(OUT, RED), 1);
  assert.equal(near.route(OUT, SHARED_DEVICE), 2);
  assert.equal(near.route(OUT, 99), "noPolicy");
  const elsewhere = udpPacket({
    source: "172.16.0.1",
    destination: "8.8.8.8",
    sourcePort: 1,
    destinationPort: 2,
    payload: counting(8),
  });
  assert.equal(near.route(elsewhere, RED), 1);
  assert.equal(near.route(elsewhere, SHARED_DEVICE), "noPolicy");
});

test("a packet that waits for its tunnel is held with the device that it was read from", () => {
  const near = bench();
  assert.equal(near.route(OUT, BLUE), "awaited");
  near.sad.hold(near.at, OUT.length, 0);
  assert.deepEqual(near.sad.takeTrapped(), [{ tunnel: "blue", mappings: [0] }]);
  const all = { local: [anySelector(4)], remote: [anySelector(4)] };
  near.sad.install(
    childParameters({ id: 3, tunnel: "blue", spiIn: 0xc000_0005, spiOut: 0xc000_0006, ...all }),
    sealers(near.arena),
    "path",
    0,
  );
  const held = near.sad.use(3, 0);
  assert.deepEqual(
    held.map(({ bytes, device }) => [hex(bytes), device]),
    [[hex(OUT), BLUE]],
  );
  assert.equal(near.route(OUT, BLUE), 3);
});

test("what comes in knows its device; policies without IPsec are of the shared one", () => {
  const near = bench();
  const far = createBench();
  const all = { local: [anySelector(4)], remote: [anySelector(4)] };
  far.sad.setTunnels([{ name: "red", mappings: EVERYTHING }]);
  far.sad.install(mirrored(childParameters({ tunnel: "red", ...all })), sealers(far.arena), "path", 0);
  const refusedElsewhere = udpPacket({
    source: "10.2.9.1",
    destination: "10.1.0.5",
    sourcePort: 1,
    destinationPort: 2,
    payload: counting(8),
  });
  assert.ok(near.open(far.seal(1, refusedElsewhere)) instanceof Uint8Array);
  assert.equal(near.sad.opened()?.device, RED);
  assert.equal(near.sad.child(2)?.device, SHARED_DEVICE);
});

test("a tunnel may change its device with its SAs, and loses it when it goes", () => {
  const near = bench();
  near.sad.setTunnels([{ name: "red", mappings: EVERYTHING, device: 12 }, OFFICE]);
  assert.equal(near.route(OUT, 12), 1);
  assert.equal(near.route(OUT, RED), "noPolicy");
  assert.equal(near.sad.child(1)?.device, 12);
  near.sad.setTunnels([OFFICE]);
  assert.equal(near.sad.child(1)?.device, NO_DEVICE);
  assert.equal(near.route(OUT, SHARED_DEVICE), 2);
});

test("segments of one flow for two devices are not merged", () => {
  const arena = createArena(2 << 20);
  const written: number[] = [];
  const coalescer = createCoalescer(arena, createChecksum(arena), true, (_at, _length, device) => written.push(device));
  const segment = (i: number, flags: number) =>
    tcpPacket({
      source: "10.1.0.5",
      destination: "10.2.0.9",
      sourcePort: 1,
      destinationPort: 2,
      id: i,
      sequence: 1000 + 100 * i,
      flags,
      payload: counting(100),
    });
  const input = arena.alloc(256) + 64;
  const add = (i: number, device: number) => {
    const packet = segment(i, TCP.ack);
    arena.bytes.set(packet, input);
    coalescer.add(input, packet.length, device);
  };
  add(0, RED);
  add(1, RED);
  add(0, BLUE);
  add(2, RED);
  add(1, BLUE);
  coalescer.flush();
  assert.deepEqual(written.sort(), [RED, BLUE]);
});
