import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import { openBatchedReads } from "../../src/dataplane/uring.js";
import { createSocketDevice } from "./socket-device.js";

const PORT = 24_917;
const BATCH = 8;

const arena = createArena(2 << 20);
const descriptors = createDescriptors(allocateDescriptors());
const reads = openBatchedReads(arena, descriptors, BATCH);
const skip = reads === undefined && "this host has no io_uring";
after(() => {
  reads?.close();
  descriptors.closeAll();
});

/** A device of packets whose length tells of their number, which they begin with. */
function createDevice(port: number): { readonly fd: number; put(value: number): void } {
  const device = createSocketDevice(arena, descriptors, port);
  const buffer = arena.alloc(2048);
  return {
    fd: device.fd,
    put(value) {
      arena.view.setUint32(buffer, value);
      device.put(buffer, 4 + (value % 1000));
    },
  };
}

test("a batch has the packets in order, each once, with their lengths, and ends where there are no more", {
  skip,
}, () => {
  const device = createDevice(PORT);
  const other = createDevice(PORT + 1);
  let put = 0;
  let read = 0;
  // Often enough for both queues of the ring to come round many times.
  for (let round = 0; round < 500; round++) {
    const packets = (round * 7) % (3 * BATCH);
    for (let i = 0; i < packets; i++) device.put(put++);
    let found: number;
    do {
      found = reads!.read(device.fd, BATCH);
      for (let i = 0; i < found; i++) {
        assert.equal(arena.view.getUint32(reads!.at(i)), read);
        assert.equal(reads!.octets(i), 4 + (read % 1000));
        read++;
      }
    } while (found === BATCH);
    assert.equal(read, put);
    // Another device in between, and fewer at a time.
    other.put(round);
    assert.equal(reads!.read(other.fd, 2), 1);
    assert.equal(arena.view.getUint32(reads!.at(0)), round);
  }
});

test("a descriptor that nothing can be read from ends the use of the ring instead of waiting", { skip }, () => {
  const own = openBatchedReads(arena, descriptors, BATCH)!;
  assert.equal(own.read(-1, BATCH), 0);
  own.close();
});
