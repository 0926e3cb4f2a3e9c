/** What the outbox sends is what the inbox receives: over loopback, with the kernel in between. Needs no privilege. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import type { Family } from "../../esp/address.js";
import { OUTER, USUAL_WRAPPING } from "../../esp/tunnel.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import { BATCH, createInbox } from "../../src/dataplane/inbox.js";
import { writeSocketAddress } from "../../src/dataplane/layout.js";
import { createOutbox } from "../../src/dataplane/outbox.js";
import { createOuterTable, type Outer } from "../../src/dataplane/outer.js";
import { createSocketCalls, SOCK_DGRAM, SOL_UDP, UDP_GRO } from "../../src/dataplane/socket-options.js";
import type { OuterSocket } from "../../src/dataplane/udp.js";
import { at } from "./gateway.js";

const arena = createArena(4 << 20);
const descriptors = createDescriptors(allocateDescriptors());
const calls = createSocketCalls(arena, descriptors);
after(() => descriptors.closeAll());

const LOOPBACK = { 4: "127.0.0.1", 6: "::1" } as const;
const WRAPPED = { tunnel: "test", wrapping: USUAL_WRAPPING, takesFragments: true };
const PORTS = { 4: 45_401, 6: 45_601 } as const;

/** A sending and a receiving socket, and the way between them. */
function pair(family: Family): { receiver: number; outer: Outer } {
  const [local, remote] = [at(LOOPBACK[family], PORTS[family]), at(LOOPBACK[family], PORTS[family] + 1)];
  const open = (address: typeof local) => {
    const fd = calls.open(family, SOCK_DGRAM, 0);
    calls.buffers(fd, 4 << 20, 4 << 20);
    calls.bind(fd, address);
    return fd;
  };
  const receiver = open(remote);
  calls.receiveHeaderFields(receiver, family, true);
  calls.set(receiver, SOL_UDP, UDP_GRO, 1);
  const socket: OuterSocket = { fd: open(local), family, carries: "udpEsp", local, wildcard: false };
  return { receiver, outer: createOuterTable(arena, [socket]).make({ local, remote }, "udp", WRAPPED) };
}

const dropped: string[] = [];
const fragments: boolean[] = [];
const outbox = createOutbox(arena, {
  dropped: (reason, packets, tunnel) => void dropped.push(`${reason} ${packets} ${tunnel}`),
  tooBig: () => void dropped.push("too big"),
  allowFragments: ({ fd, family: version }, allowed) => {
    fragments.push(allowed);
    calls.fragmentation(fd, version, allowed ? "allowed" : "refusedByLink");
  },
});
const inbox = createInbox(arena);

function put(outer: Outer, length: number, octet: number, tos: number, fragmentation: number = OUTER.whole): void {
  const where = outbox.reserve(outer, length, tos, fragmentation);
  arena.bytes.fill(octet, where, where + length);
  outbox.commit(length);
}

/** Each datagram as "length x octet, tos", in order. */
function received(fd: number): string[] {
  const found: string[] = [];
  for (;;) {
    const messages = inbox.receive(fd);
    for (let i = 0; i < messages; i++) {
      assert.ok(inbox.select(i));
      for (let from = 0; from < inbox.length; from += inbox.segment) {
        const length = Math.min(inbox.segment, inbox.length - from);
        const octets = arena.bytes.subarray(inbox.at + from, inbox.at + from + length);
        assert.ok(octets.every((octet) => octet === octets[0]));
        found.push(`${length} x ${octets[0]}, ${inbox.tos}`);
      }
    }
    if (messages < BATCH) return found;
  }
}

for (const family of [4, 6] as const) {
  const { receiver, outer } = pair(family);

  test(`IPv${family}: a train of equal packets with a shorter last one is one system call, and arrives packet by packet`, () => {
    const before = outbox.sendCalls;
    for (let i = 0; i < 10; i++) put(outer, 1400, i, 0);
    put(outer, 600, 10, 0);
    assert.equal(outbox.isEmpty(), false);
    assert.ok(outbox.flush());
    assert.equal(outbox.sendCalls, before + 1);
    assert.ok(outbox.isEmpty());
    const expected = [...Array.from({ length: 10 }, (_, i) => `1400 x ${i}, 0`), "600 x 10, 0"];
    assert.deepEqual(received(receiver), expected);
    assert.deepEqual(dropped, []);
  });

  test(`IPv${family}: lengths that grow, and another TOS, begin another train; the order stays`, () => {
    const packets = [
      [100, 0],
      [100, 0],
      [200, 0],
      [200, 0xb8],
      [200, 0xb8],
      [90, 0xb8],
      [90, 0xb8],
      [1, 0x02],
    ] as const;
    const before = outbox.sendCalls;
    packets.forEach(([length, tos], i) => {
      put(outer, length, i, tos);
    });
    assert.ok(outbox.flush());
    assert.equal(outbox.sendCalls, before + 1);
    assert.deepEqual(
      received(receiver),
      packets.map(([length, tos], i) => `${length} x ${i}, ${tos}`),
    );
  });

  test(`IPv${family}: packets that may be fragmented, and those that may not, go apart, with the socket told in between`, () => {
    fragments.length = 0;
    const modes = [OUTER.whole, OUTER.whole, OUTER.mayFragment, OUTER.mayFragment, OUTER.whole];
    const before = outbox.sendCalls;
    for (const [i, mode] of modes.entries()) put(outer, 500, i, 0, mode);
    assert.ok(outbox.flush());
    assert.equal(outbox.sendCalls, before + 3);
    assert.deepEqual(fragments, [true, false]);
    assert.deepEqual(
      received(receiver),
      modes.map((_, i) => `500 x ${i}, 0`),
    );
  });

  test(`IPv${family}: a packet that is larger than the path is no part of a train`, () => {
    for (let i = 0; i < 3; i++) put(outer, 500, i, 0, OUTER.fragments);
    const before = outbox.sendCalls;
    assert.ok(outbox.flush());
    assert.equal(outbox.sendCalls, before + 1, "three messages of one call");
    assert.equal(received(receiver).length, 3);
    put(outer, 40_000, 9, 0, OUTER.fragments);
    put(outer, 500, 1, 0);
    assert.ok(outbox.flush());
    assert.deepEqual(received(receiver), ["40000 x 9, 0", "500 x 1, 0"]);
    assert.deepEqual(dropped, []);
  });

  test(`IPv${family}: more than fits is sent on the way, and nothing is lost`, () => {
    const expected: string[] = [];
    const found: string[] = [];
    for (let i = 0; i < 1000; i++) {
      if (i % 20 === 0) found.push(...received(receiver)); // the queue of a socket without privileges is short
      assert.ok(outbox.makeRoom(1500));
      put(outer, 1000 + (i % 7), i & 0xff, 0);
      expected.push(`${1000 + (i % 7)} x ${i & 0xff}, 0`);
    }
    assert.ok(outbox.flush());
    assert.deepEqual([...found, ...received(receiver)], expected);
  });

  test(`IPv${family}: the receiver learns the sender and the address that was reached`, () => {
    put(outer, 8, 1, 0);
    outbox.flush();
    assert.equal(inbox.receive(receiver), 1);
    inbox.select(0);
    assert.deepEqual(inbox.ownAddress(), at(LOOPBACK[family], 0).address);
    const expected = arena.alloc(32);
    const length = writeSocketAddress(arena, expected, outer.path.local);
    assert.deepEqual(
      arena.bytes.slice(inbox.name, inbox.name + length),
      arena.bytes.slice(expected, expected + length),
    );
  });
}
