/** What the kernel says about the first link to an address. Needs no privilege. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import { parseAddress } from "../../esp/address.js";
import { PATH_MTU_MILLISECONDS } from "../../esp/path-mtu.js";
import { allocateDescriptors, createDescriptors } from "../../src/dataplane/descriptors.js";
import { createFirstLink, type FirstLink } from "../../src/dataplane/first-link.js";
import { createPathWidth } from "../../src/dataplane/path-width.js";
import { at } from "./gateway.js";

const arena = createArena(1 << 20);
const descriptors = createDescriptors(allocateDescriptors());
after(() => descriptors.closeAll());
const link = createFirstLink(arena, descriptors);
const LOOPBACK = parseAddress("127.0.0.1");
const LOOPBACK_MTU = 65536;

test("a route's device has an MTU, with and without our address and mark", () => {
  for (const local of ["0.0.0.0", "127.0.0.1"])
    for (const mark of [0, 0x4341]) assert.equal(link.mtu(LOOPBACK, parseAddress(local), mark), LOOPBACK_MTU);
});

test("where there is no route there is no MTU, and the next question is answered all the same", () => {
  assert.equal(link.mtu(parseAddress("0.0.0.1"), parseAddress("192.0.2.77"), 0), undefined);
  assert.equal(link.mtu(LOOPBACK, parseAddress("0.0.0.0"), 0), LOOPBACK_MTU);
});

test("a path is what its first link is, less what a router said in the last ten minutes; without ICMP sockets, what the kernel knows", () => {
  const path = { local: at("192.0.2.1", 4500), remote: at("198.51.100.1", 4500) };
  const kernel = { pathMtu: () => 1400 };
  const asked: number[] = [];
  const first: FirstLink = {
    mtu(_remote, _local, mark) {
      asked.push(mark);
      return 1500;
    },
  };
  const width = createPathWidth(kernel, first, 7);
  assert.equal(width.of(path, 0), 1500);
  assert.deepEqual(asked, [7]);
  assert.ok(width.narrow(path, { mtu: 1300, quotedBytes: 1500, verified: true }, 0));
  assert.equal(width.of(path, PATH_MTU_MILLISECONDS - 1), 1300);
  assert.equal(width.of(path, PATH_MTU_MILLISECONDS), 1500);
  assert.equal(createPathWidth(kernel, { mtu: () => undefined }, 7).of(path, 0), 1400);
  assert.equal(createPathWidth({ pathMtu: () => undefined }, undefined, 7).of(path, 0), 1500);
  assert.equal(
    createPathWidth(kernel, undefined, 7).narrow(path, { mtu: 1, quotedBytes: 2, verified: true }, 0),
    false,
  );
});
