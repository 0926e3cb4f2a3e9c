/** The data plane's beginning and end: what it leaves behind, and what it says when it cannot be. Needs root. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { ToWorker } from "../../src/dataplane/protocol.js";
import { type Gateway, settingsFor, startGateway } from "./gateway.js";
import { createLink, type Link, whyNot } from "./namespaces.js";

const SETTINGS = settingsFor(["192.0.2.1", "2001:db8::1"]);

describe("the life of a data plane", { skip: whyNot() ?? false }, () => {
  let link: Link;
  let gateway: Gateway;

  before(async () => {
    link = await createLink();
  });
  after(() => link?.close());
  beforeEach(() => {
    gateway = startGateway(link, "left");
  });
  afterEach(() => gateway.end());

  async function sockets(): Promise<string> {
    return link.run("left", "ss", "-H", "-u", "-n", "-a");
  }

  test("it starts, stops, and leaves no device, socket or descriptor", async () => {
    const before = (await gateway.usage()).descriptors.length;
    gateway.start(SETTINGS);
    const ready = await gateway.next("ready");
    assert.equal(ready.tunName, "causeway0");
    assert.equal(ready.sockets.length, 4);
    assert.ok((await link.devices("left")).includes("causeway0"));
    assert.match(await sockets(), /192\.0\.2\.1:4500/);
    await gateway.stop();
    assert.ok(!(await link.devices("left")).includes("causeway0"));
    assert.equal(await sockets(), "");
    assert.equal((await gateway.usage()).descriptors.length, before);
    assert.ok(!gateway.messages().some(({ kind }) => kind === "failed"));
  });

  test("a crash is told, closes everything, and a new one can start in the same process", async () => {
    gateway.start(SETTINGS);
    await gateway.next("ready");
    gateway.post({ kind: "installChild" } as unknown as ToWorker);
    const { reason } = await gateway.next("failed");
    assert.match(reason, /the data plane crashed: TypeError/);
    assert.ok(!(await link.devices("left")).includes("causeway0"));
    gateway.start(SETTINGS);
    await gateway.next("ready", (ready) => ready !== gateway.messages().find(({ kind }) => kind === "ready"));
    await gateway.stop();
  });

  test("a second gateway on the same ports is refused, and says who is in the way", async () => {
    gateway.start(SETTINGS);
    await gateway.next("ready");
    const second = startGateway(link, "left");
    try {
      second.start({
        ...SETTINGS,
        tunName: "causeway1",
        sockets: SETTINGS.sockets.filter(({ port }) => port === 4500),
      });
      assert.match((await second.next("failed")).reason, /UDP 192\.0\.2\.1:4500 is in use.*ss -ulnp/);
      second.start({ ...SETTINGS, sockets: [] });
      const named = await second.next("failed", ({ reason }) => /TUN/.test(reason));
      assert.match(named.reason, /the TUN device "causeway0" is in use by another process/);
    } finally {
      await second.end();
    }
  });

  test("an address that the host does not have is refused with the remedy", async () => {
    gateway.start(settingsFor(["203.0.113.9"]));
    assert.match((await gateway.next("failed")).reason, /UDP 203\.0\.113\.9:500: no interface.*1:1 NAT.*local_id/);
  });

  test("without CAP_NET_ADMIN it says what is missing and how to grant it", async () => {
    const bounded = startGateway(link, "left", ["setpriv", "--bounding-set", "-net_admin"]);
    try {
      bounded.start(SETTINGS);
      assert.match((await bounded.next("failed")).reason, /CAP_NET_ADMIN is missing; run as root, grant it/);
    } finally {
      await bounded.end();
    }
  });

  test("without CAP_NET_RAW there is no raw ESP, and it says so", async () => {
    const bounded = startGateway(link, "left", ["setpriv", "--bounding-set", "-net_raw"]);
    try {
      bounded.start(SETTINGS);
      assert.equal((await bounded.next("ready")).rawEsp, false);
      await bounded.stop();
    } finally {
      await bounded.end();
    }
  });

  test("the wildcards serve hosts of both families", async () => {
    gateway.start(settingsFor(["0.0.0.0", "::"]));
    assert.equal((await gateway.next("ready")).sockets.length, 4);
    await gateway.stop();
  });
});
