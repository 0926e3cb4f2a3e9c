import assert from "node:assert/strict";
import { after, test } from "node:test";
import { concat } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import type { Path } from "../../esp/address.js";
import { createChecksum } from "../../esp/checksum.js";
import { createFragmenter } from "../../esp/fragment.js";
import { createSad } from "../../esp/sad.js";
import { createSegmenter } from "../../esp/segment.js";
import { SHARED_DEVICE } from "../../esp/spd.js";
import { USUAL_WRAPPING } from "../../esp/tunnel.js";
import { GSO, VIRTIO_HEADER_BYTES, writeGsoHeader } from "../../esp/virtio.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import type { Outbox } from "../../src/dataplane/outbox.js";
import { createOuterTable, type Outer } from "../../src/dataplane/outer.js";
import type { Origin } from "../../src/dataplane/receive.js";
import { createTransmitter } from "../../src/dataplane/transmit.js";
import { type BatchedReads, openBatchedReads } from "../../src/dataplane/uring.js";
import { childParameters, mirrored, PATH, sealers, selector } from "../esp/bench.js";
import { pseudoHeaderSum, udpPacket } from "../esp/packets.js";
import { createSocketDevice } from "./socket-device.js";

const PORT = 24_921;
const ROUND = 64;
const HEADER_BYTES = 28;
const HOSTS = { source: "10.1.0.5", destination: "10.2.0.9", sourcePort: 1, destinationPort: 2 };

const arena = createArena(16 << 20);
const descriptors = createDescriptors(allocateDescriptors());
const reads = openBatchedReads(arena, descriptors, 16);
after(() => {
  reads?.close();
  descriptors.closeAll();
});

interface Bed {
  /** A super packet of so many datagrams, each with its number and so many octets of payload; one alone is a plain packet. */
  put(datagrams: number, octets: number): void;
  /** Runs the transmitter until the device is empty: the numbers of what it sent, as the other end opens them. */
  sent(): readonly number[];
}

/** A transmitter behind a loopback socket that hands over whole packets as a TUN device does. */
function createBed(batched: BatchedReads | undefined, port: number): Bed {
  const { bytes, view } = arena;
  const checksum = createChecksum(arena);
  const device = createSocketDevice(arena, descriptors, port);
  const quiet = { limit: () => {}, firstInbound: () => {} };
  const [near, far] = [
    createSad<Outer, Origin>(arena, () => {}, quiet),
    createSad<Outer, Origin>(arena, () => {}, quiet),
  ];
  const outers = createOuterTable(arena, [
    { fd: -1, family: 4, carries: "udpEsp", local: PATH.local, wildcard: false },
  ]);
  const outer = (path: Path) =>
    outers.make(path, "udp", { tunnel: "office", wrapping: USUAL_WRAPPING, takesFragments: true });
  const child = childParameters();
  const mappings = [{ local: selector("10.1.0.0/16"), peer: selector("10.2.0.0/16") }];
  near.setTunnels([{ name: child.tunnel, mappings }]);
  near.install(child, sealers(arena), outer(PATH), 0);
  near.use(child.id, 0);
  far.install(mirrored(child), sealers(arena), outer(PATH), 0);

  const numbers: number[] = [];
  const buffer = arena.alloc(1 << 17);
  const outbox: Outbox = {
    blockedOn: undefined,
    sentPackets: 0,
    sendCalls: 0,
    tail: () => buffer,
    makeRoom: () => true,
    reserve: () => buffer,
    commit(length) {
      const inner = far.openAt(buffer, length, 0);
      assert.ok(inner > 0, `packet ${numbers.length} does not open`);
      numbers.push(view.getUint32(buffer + far.opened()!.innerOffset + HEADER_BYTES));
    },
    isEmpty: () => true,
    flush: () => true,
  };
  const transmitter = createTransmitter({
    arena,
    batched,
    sad: near,
    checksum,
    segmenter: createSegmenter(arena, checksum),
    fragmenter: createFragmenter(arena, checksum),
    outbox,
    refuseTooBig: () => assert.fail("nothing is too large here"),
    now: () => 0,
  });
  const place = arena.alloc(1 << 17);
  let next = 0;
  return {
    put(datagrams, octets) {
      const payloads = Array.from({ length: datagrams }, () => {
        const payload = new Uint8Array(octets);
        new DataView(payload.buffer).setUint32(0, next++);
        return payload;
      });
      const packet = udpPacket({ ...HOSTS, payload: concat(...payloads) });
      bytes.fill(0, place, place + VIRTIO_HEADER_BYTES);
      bytes.set(packet, place + VIRTIO_HEADER_BYTES);
      if (datagrams > 1) {
        writeGsoHeader(arena, place, GSO.udp, HEADER_BYTES, octets, 20, 6);
        view.setUint16(place + VIRTIO_HEADER_BYTES + 26, pseudoHeaderSum(HOSTS, 17, packet.length - 20));
      }
      device.put(place, VIRTIO_HEADER_BYTES + packet.length);
    },
    sent() {
      while (transmitter.run(device.fd, SHARED_DEVICE, ROUND) > 0);
      return numbers.splice(0);
    },
  };
}

/** As much as fits into a socket's queue. Datagrams of each packet, and their octets: single ones, small and large super packets, in runs that begin and end batches. */
const RUNS: readonly (readonly [packets: number, datagrams: number, octets: number])[] = [
  [3, 1, 64],
  [40, 1, 64],
  [30, 4, 64],
  [2, 20, 1300],
  [20, 1, 1300],
  [3, 12, 1300],
  [40, 2, 500],
  [1, 20, 1000],
  [25, 3, 64],
];

for (const [i, { name, batched, skip }] of [
  { name: "read in batches", batched: reads, skip: reads === undefined && "this host has no io_uring" },
  { name: "read one by one", batched: undefined, skip: false },
].entries())
  test(`single packets and super packets of every size leave in the order in which they came, each once, ${name}`, {
    skip,
  }, () => {
    const bed = createBed(batched, PORT + i);
    let expected = 0;
    for (const together of [1, 2])
      for (let from = 0; from < RUNS.length; from += together) {
        const first = expected;
        for (const [packets, datagrams, octets] of RUNS.slice(from, from + together))
          for (let packet = 0; packet < packets; packet++, expected += datagrams) bed.put(datagrams, octets);
        const wanted = Array.from({ length: expected - first }, (_, i) => first + i);
        assert.deepEqual(bed.sent(), wanted);
      }
  });
