import assert from "node:assert/strict";
import { test } from "node:test";
import { text, utf8 } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { bind, checked, close, read, socket } from "../../src/dataplane/libc.js";
import { serviceManager } from "../../src/sd-notify.js";

/** Node cannot receive Unix datagrams, so libc does. */
function receiver(name: string) {
  const arena = createArena(65536);
  const address = arena.alloc(110);
  const buffer = arena.alloc(4096);
  arena.view.setUint16(address, 1, true); // AF_UNIX
  arena.bytes.set(utf8(`\0${name}`), address + 2); // the abstract name space
  const descriptor = checked(socket(1, 2 | 0x800, 0), "socket"); // SOCK_DGRAM | SOCK_NONBLOCK
  checked(bind(descriptor, arena.address(address, 110), 3 + name.length), "bind");
  return {
    next(): string {
      const length = checked(read(descriptor, arena.address(buffer, 4096), 4096), "read");
      return text(arena.bytes.subarray(buffer, buffer + length));
    },
    close: () => close(descriptor),
  };
}

test("states reach the socket of the service manager as datagrams, and the watchdog wants half its time", () => {
  const name = `causeway-test-${process.pid}`;
  const manager = receiver(name);
  try {
    const service = serviceManager({ NOTIFY_SOCKET: `@${name}`, WATCHDOG_USEC: "3000000" });
    service.notify("READY=1");
    service.notify("STOPPING=1");
    assert.equal(manager.next(), "READY=1");
    assert.equal(manager.next(), "STOPPING=1");
    assert.equal(service.watchdogInterval, 1_500);
  } finally {
    manager.close();
  }
});

test("without a service manager there is silence and no watchdog", () => {
  const service = serviceManager({});
  service.notify("READY=1");
  assert.equal(service.watchdogInterval, undefined);
});

test("a socket that is gone, and a watchdog meant for another process, change nothing", () => {
  const service = serviceManager({ NOTIFY_SOCKET: "/nonexistent/notify", WATCHDOG_USEC: "3000000", WATCHDOG_PID: "1" });
  service.notify("READY=1");
  assert.equal(service.watchdogInterval, undefined);
});
