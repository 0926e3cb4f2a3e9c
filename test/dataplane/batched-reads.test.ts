import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import { parseAddress } from "../../esp/address.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import { AF_INET, SOCKADDR_BYTES, writeSocketAddress } from "../../src/dataplane/layout.js";
import { bind, checked, connect, socket, write } from "../../src/dataplane/libc.js";
import { openBatchedReads } from "../../src/dataplane/uring.js";

const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const PORT = 45_917;
const BATCH = 8;

const arena = createArena(2 << 20);
const descriptors = createDescriptors(allocateDescriptors());
const reads = openBatchedReads(arena, descriptors, BATCH);
const skip = reads === undefined && "this host has no io_uring";
after(() => {
  reads?.close();
  descriptors.closeAll();
});

/** A pair of loopback sockets, as a device that has whole packets to read. */
function createDevice(port: number): { readonly fd: number; put(value: number): void } {
  const name = arena.alloc(SOCKADDR_BYTES);
  const length = writeSocketAddress(arena, name, { address: parseAddress("127.0.0.1"), port });
  const address = arena.address(name, SOCKADDR_BYTES);
  const open = () => descriptors.keep(checked(socket(AF_INET, SOCK_DGRAM_NONBLOCK, 0), "socket"));
  const fd = open();
  const sender = open();
  checked(bind(fd, address, length), "bind");
  checked(connect(sender, address, length), "connect");
  const buffer = arena.alloc(2048);
  return {
    fd,
    put(value) {
      arena.view.setUint32(buffer, value);
      checked(write(sender, arena.address(buffer, 2048), 4 + (value % 1000)), "write");
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
