import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import { addCounters } from "../../src/dataplane/counters.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import { checked, eventfd, eventfdWrite, read } from "../../src/dataplane/libc.js";
import { createPollSet, groupForReading, POLL_ERROR, POLL_IN, POLL_OUT } from "../../src/dataplane/poll.js";

const NONBLOCK = 0o4000;
const arena = createArena(65536);
const descriptors = createDescriptors(allocateDescriptors());
const buffer = arena.alloc(8);
const open = (value = 0) => descriptors.keep(checked(eventfd(value, NONBLOCK), "eventfd"));
const drain = (fd: number) => read(fd, arena.address(buffer, 8), 8);
after(() => descriptors.closeAll());

test("what is ready is told by its entry, until it is read; what is not wanted is not told", () => {
  const set = createPollSet(arena, 4);
  const [a, b] = [open(), open()];
  const [first, second] = [set.add(a, POLL_IN), set.add(b, POLL_IN)];
  assert.equal(set.wait(0), 0);
  eventfdWrite(b, 1);
  assert.equal(set.wait(1000), 1);
  assert.deepEqual([set.ready(first), set.ready(second)], [0, POLL_IN]);
  set.want(second, 0);
  assert.equal(set.wait(0), 0);
  assert.equal(set.ready(second), 0);
  set.want(second, POLL_IN | POLL_OUT);
  drain(b);
  assert.equal(set.wait(0), 1);
  assert.equal(set.ready(second), POLL_OUT);
});

test("a descriptor that was closed is in an error state", () => {
  const set = createPollSet(arena, 1);
  const fd = open();
  const entry = set.add(fd, POLL_IN);
  descriptors.close(fd);
  assert.equal(set.wait(0), 1);
  assert.ok((set.ready(entry) & POLL_ERROR) !== 0);
  assert.throws(() => set.add(fd, POLL_IN), /too many descriptors/);
});

test("a group is readable as long as one of its members is", () => {
  const members = [open(), open(), open()];
  const set = createPollSet(arena, 1);
  const entry = set.add(groupForReading(arena, descriptors, members), POLL_IN);
  assert.equal(set.wait(0), 0);
  for (const one of members) {
    eventfdWrite(one, 1);
    assert.equal(set.wait(1000), 1);
    assert.equal(set.ready(entry), POLL_IN);
    drain(one);
    assert.equal(set.wait(0), 0);
  }
});

test("the counters of two workers add up, and what only one of them has is kept", () => {
  const traffic = (packetsIn: number, packetsOut: number) => ({
    packetsIn,
    packetsOut,
    bytesIn: 10 * packetsIn,
    bytesOut: 10 * packetsOut,
  });
  const io = (value: number) => ({
    espSent: value,
    sendCalls: value,
    wakeUps: value,
    keepalives: value,
    ikeUnsent: value,
    pathsNarrowed: value,
    narrowingsRefused: value,
  });
  const sum = addCounters(
    {
      kind: "counters",
      request: 7,
      tunnels: { a: { ...traffic(0, 3), drops: { tooBig: 1 } }, b: { ...traffic(0, 1), drops: {} } },
      children: { 1: traffic(0, 3) },
      drops: { noPolicy: 2 },
      io: io(1),
    },
    {
      kind: "counters",
      request: 7,
      tunnels: { a: { ...traffic(5, 0), drops: { tooBig: 1, replayed: 4 } } },
      children: { 1: traffic(5, 0), 2: traffic(1, 0) },
      drops: { unknownSpi: 3 },
      io: io(2),
    },
  );
  assert.deepEqual(sum, {
    kind: "counters",
    request: 7,
    tunnels: { a: { ...traffic(5, 3), drops: { tooBig: 2, replayed: 4 } }, b: { ...traffic(0, 1), drops: {} } },
    children: { 1: traffic(5, 3), 2: traffic(1, 0) },
    drops: { noPolicy: 2, unknownSpi: 3 },
    io: io(3),
  });
});
