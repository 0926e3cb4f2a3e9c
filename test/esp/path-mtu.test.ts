/** What routers say about paths, on a clock of the test. RFC 1191, RFC 8201. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Path, parseAddress } from "../../esp/address.js";
import { createPathMtus, PATH_MTU_MILLISECONDS } from "../../esp/path-mtu.js";

const between = (local: string, remote: string): Path => ({
  local: { address: parseAddress(local), port: 4500 },
  remote: { address: parseAddress(remote), port: 4500 },
});
const V4 = between("192.0.2.1", "198.51.100.1");
const V6 = between("2001:db8::1", "2001:db8:1::1");
const MINUTE = 60_000;
const told = (mtu: number, quotedBytes = 1500, verified = true) => ({ mtu, quotedBytes, verified });

test("a path is as wide as its first link until a router says less, and that path alone", () => {
  const paths = createPathMtus();
  assert.equal(paths.get(V4, 1500, 0), 1500);
  assert.ok(paths.narrow(V4, told(1400), 0));
  assert.equal(paths.get(V4, 1500, 1), 1400);
  assert.equal(paths.get(V4, 1300, 1), 1300, "the first link may be the narrowest");
  assert.equal(paths.get(between("192.0.2.1", "198.51.100.2"), 1500, 1), 1500);
  assert.equal(paths.get({ ...V4, remote: { ...V4.remote, port: 1024 } }, 1500, 1), 1400, "ports choose no path");
});

test("an estimate lives ten minutes from the last message that confirmed it, and then the full size is tried", () => {
  const paths = createPathMtus();
  assert.equal(PATH_MTU_MILLISECONDS, 10 * MINUTE);
  paths.narrow(V4, told(1400), 0);
  assert.equal(paths.get(V4, 1500, 10 * MINUTE - 1), 1400);
  assert.ok(paths.narrow(V4, told(1400), 9 * MINUTE));
  assert.equal(paths.get(V4, 1500, 18 * MINUTE), 1400);
  assert.equal(paths.get(V4, 1500, 19 * MINUTE), 1500);
  assert.equal(paths.size, 0);
  assert.ok(paths.narrow(V4, told(1450), 20 * MINUTE), "what comes then may be more than before");
  assert.equal(paths.get(V4, 1500, 20 * MINUTE), 1450);
});

test("a message never widens a path", () => {
  const paths = createPathMtus();
  paths.narrow(V4, told(1300), 0);
  assert.ok(!paths.narrow(V4, told(1400), 1));
  assert.equal(paths.get(V4, 1500, 1), 1300);
  assert.ok(!paths.narrow(V4, told(1500), 1), "nor one that is not below the packet that it quotes");
  assert.ok(!paths.narrow(V4, told(1290, 1280), 1));
});

test("below 576 for IPv4 nobody is believed, below 1280 nobody who quotes no SPI, for IPv6 nobody at all", () => {
  const paths = createPathMtus();
  assert.ok(paths.narrow(V4, told(68, 1500, false), 0));
  assert.equal(paths.get(V4, 1500, 0), 1280);
  assert.ok(paths.narrow(V4, told(1000), 0));
  assert.equal(paths.get(V4, 1500, 0), 1000);
  assert.ok(paths.narrow(V4, told(68), 0));
  assert.equal(paths.get(V4, 1500, 0), 576);
  for (const mtu of [0, 68, 1279]) assert.ok(!paths.narrow(V6, told(mtu), 0), `${mtu}`);
  assert.equal(paths.get(V6, 1500, 0), 1500);
  assert.ok(paths.narrow(V6, told(1280, 1500, false), 0));
  assert.equal(paths.get(V6, 1500, 0), 1280);
});

test("a router that does not say how much fits makes the next smaller plateau", () => {
  const paths = createPathMtus();
  const steps: number[] = [];
  for (let size = 9000; size > 600; size = paths.get(V4, 9000, 0)) {
    assert.ok(paths.narrow(V4, told(0, size), 0));
    steps.push(paths.get(V4, 9000, 0));
  }
  assert.deepEqual(steps, [8166, 4352, 2002, 1492, 1006, 576]);
  assert.ok(!paths.narrow(V4, told(0, 576), 0));
});

test("a flood of messages about ever new paths takes no more memory", () => {
  const paths = createPathMtus();
  for (let i = 0; i < 10_000; i++) paths.narrow(between("192.0.2.1", `10.0.${i >> 8}.${i & 255}`), told(1400), i);
  assert.ok(paths.size <= 4096);
  assert.equal(paths.get(between("192.0.2.1", "10.0.39.15"), 1500, 10_000), 1400, "the newest stay");
});
