/** The TUN devices of route mode: opened all or none, kept as long as they are wanted, made again when somebody removes them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Tun, TunError } from "../../src/dataplane/tun.js";
import { HostError } from "../../src/host/command.js";
import type { Log } from "../../src/log.js";
import { createRouteDevices, type WantedDevice, watchRouteDevices } from "../../src/route-devices.js";
import { manualClock } from "./manual-clock.js";

const RED = { tunnel: "red", name: "ipsec-red" };
const BLUE = { tunnel: "blue", name: "ipsec-blue" };

/** A host whose devices are entries of a map. */
function host() {
  /** Name -> interface index. */
  const links = new Map<string, number>();
  const open = new Set<number>();
  const broken = new Set<string>();
  let last = 10;
  const devices = createRouteDevices(
    ({ tunnel, name }: WantedDevice): Tun => {
      if (broken.has(name)) throw new TunError(`tun of tunnel ${tunnel}: the kernel says no`);
      const fd = ++last;
      open.add(fd);
      links.set(name, fd * 100);
      return { fd, name, index: fd * 100, udpOffload: true };
    },
    (name) => links.get(name) ?? 0,
    (fd) => void open.delete(fd),
  );
  return { devices, links, open, broken };
}

test("devices are opened once each, and found by their name", () => {
  const { devices, open } = host();
  devices.open([RED, BLUE]);
  const { fd } = devices.find("ipsec-red")!;
  devices.open([RED, BLUE]);
  assert.equal(open.size, 2);
  assert.equal(devices.find("ipsec-red")!.fd, fd, "the routes over it stay");
  assert.equal(devices.find("ipsec-green"), undefined);
});

test("when one of them cannot be opened none is, and what was open stays", () => {
  const { devices, open, broken } = host();
  devices.open([RED]);
  broken.add("ipsec-blue");
  const wanted = [RED, { tunnel: "green", name: "ipsec-green" }, BLUE];
  assert.throws(
    () => devices.open(wanted),
    (error) => error instanceof HostError && /tunnel blue/.test(error.message),
  );
  assert.equal(open.size, 1);
  assert.ok(devices.find("ipsec-red"));
  assert.equal(devices.find("ipsec-green"), undefined);
});

test("what a trial opened is closed with it, and nothing else", () => {
  const { devices, open } = host();
  devices.open([RED]);
  const undo = devices.open([RED, BLUE]);
  undo();
  assert.equal(open.size, 1);
  assert.ok(devices.find("ipsec-red"));
});

test("devices that nobody wants any more are closed", () => {
  const { devices, open } = host();
  devices.open([RED, BLUE]);
  devices.keepOnly(new Set(["ipsec-blue"]));
  assert.deepEqual([devices.find("ipsec-red"), open.size], [undefined, 1]);
});

test("a device that was removed, or removed and made again by somebody else, is lost", () => {
  const { devices, links } = host();
  devices.open([RED, BLUE]);
  assert.deepEqual(devices.lost(), []);
  links.delete("ipsec-red");
  links.set("ipsec-blue", 7);
  assert.deepEqual(devices.lost(), ["ipsec-red", "ipsec-blue"]);
});

/** The device of RED under watch. */
function watched() {
  const { devices, links, open, broken } = host();
  const time = manualClock();
  const told: string[] = [];
  const log = {
    warn: (words: string) => void told.push(`warn ${words}`),
    error: (words: string) => void told.push(`error ${words}`),
  } as unknown as Log;
  const restored = (names: readonly string[]) => void told.push(`restored ${names}`);
  devices.open([RED]);
  const watch = watchRouteDevices(devices, () => [RED], { clock: time.clock, log, restored });
  return { devices, links, open, broken, time, told, watch };
}

test("a removed device is made again within seconds, and its owner is told which", () => {
  const { devices, links, open, time, told } = watched();
  const { fd } = devices.find("ipsec-red")!;
  time.advance(60_000);
  assert.deepEqual(told, [], "nothing is missing");
  links.delete("ipsec-red");
  time.advance(5_000);
  assert.deepEqual(told, ["warn somebody removed ipsec-red: made again", "restored ipsec-red"]);
  assert.ok(links.has("ipsec-red"));
  assert.equal(open.has(fd), false, "the descriptor of the old one is closed");
  assert.equal(open.size, 1);
});

test("where it cannot be made again it is tried again, and each time it is said why", () => {
  const { devices, links, broken, time, told } = watched();
  links.delete("ipsec-red");
  broken.add("ipsec-red");
  time.advance(10_000);
  const why = "error ipsec-red cannot be made again: tun of tunnel red: the kernel says no";
  assert.deepEqual(told, [why, "restored ipsec-red", why, "restored ipsec-red"]);
  broken.clear();
  time.advance(5_000);
  assert.ok(devices.find("ipsec-red"));
});

test("nobody looks any more after the end", () => {
  const { links, time, told, watch } = watched();
  watch.stop();
  links.delete("ipsec-red");
  time.advance(60_000);
  assert.deepEqual([told, time.next()], [[], undefined]);
});
