/** Two data planes with static keys, each in a network namespace, joined by a link: what passes and what does not. Needs root. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { SuiteName } from "../../src/dataplane/protocol.js";
import { bothEnds, type Gateway, type SharedChild, settingsFor, startGateway, tunnels } from "./gateway.js";
import { createLink, devices, ip, LEFT, RIGHT, removeLink, routeInto, whyNot } from "./namespaces.js";
import { inside } from "./program.js";

const TRANSFER = fileURLToPath(new URL("./transfer-program.js", import.meta.url));
const V4 = ["192.0.2.1", "192.0.2.2"] as const;
const V6 = ["2001:db8::1", "2001:db8::2"] as const;

const GCM: SuiteName = { encryption: "ENCR_AES_GCM_16", keyBits: 256, extendedSequence: false };
const CBC: SuiteName = {
  encryption: "ENCR_AES_CBC",
  keyBits: 256,
  integrity: "AUTH_HMAC_SHA2_256_128",
  extendedSequence: false,
};
const CHACHA: SuiteName = { encryption: "ENCR_CHACHA20_POLY1305", keyBits: 256, extendedSequence: false };

const CASES: readonly (Omit<SharedChild, "id" | "spis"> & { readonly name: string })[] = [
  { name: "AES-GCM over UDP, IPv4 outside", suite: GCM, encapsulation: "udp", outer: V4 },
  {
    name: "AES-GCM with ESN over raw ESP, IPv4 outside",
    suite: { ...GCM, extendedSequence: true },
    encapsulation: "esp",
    outer: V4,
  },
  {
    name: "AES-CBC with HMAC-SHA2-256 and ESN over raw ESP, IPv6 outside",
    suite: { ...CBC, extendedSequence: true },
    encapsulation: "esp",
    outer: V6,
  },
  { name: "AES-CBC with HMAC-SHA2-256 over UDP, IPv4 outside", suite: CBC, encapsulation: "udp", outer: V4 },
  { name: "ChaCha20-Poly1305 over UDP, IPv6 outside", suite: CHACHA, encapsulation: "udp", outer: V6 },
];

describe("a tunnel between two namespaces", { skip: whyNot() ?? false }, () => {
  let left: Gateway;
  let right: Gateway;
  const peers: ChildProcess[] = [];

  before(async () => {
    createLink();
    left = startGateway(LEFT);
    right = startGateway(RIGHT);
    left.start(settingsFor([V4[0], V6[0]]));
    right.start(settingsFor(["0.0.0.0", "::"]));
    for (const gateway of [left, right]) {
      const ready = await gateway.next("ready");
      assert.equal(ready.rawEsp, true);
    }
    routeInto(LEFT, "causeway0", 1380);
    routeInto(RIGHT, "causeway0", 1380);
    left.post(tunnels(0));
    right.post(tunnels(1));
    for (const [address, protocol] of [
      ["10.2.0.1", "tcp"],
      ["fd02::1", "tcp"],
      ["10.2.0.1", "udp"],
      ["fd02::1", "udp"],
    ] as const)
      peers.push(await serve(protocol, address));
  });

  after(async () => {
    for (const peer of peers) peer.kill();
    await Promise.all([left?.end(), right?.end()]);
    removeLink();
  });

  CASES.forEach(({ name, ...shared }, i) => {
    test(`${name}: pings, datagrams and a checked TCP transfer pass, of both families`, async () => {
      const [forLeft, forRight] = bothEnds({ ...shared, id: i + 1, spis: [0x1000 + i, 0x2000 + i] });
      left.post({ kind: "installChild", child: forLeft });
      right.post({ kind: "installChild", child: forRight }, { kind: "useChild", id: i + 1 });
      await right.counters();
      left.post({ kind: "useChild", id: i + 1 });
      for (const address of ["10.2.0.1", "fd02::1"]) {
        assert.match(await inside(LEFT, "ping", "-c", "3", "-i", "0.02", "-W", "2", address), / 3 received/);
        const echoed = JSON.parse(
          await inside(LEFT, process.execPath, TRANSFER, "send", "udp", address, "5000", "100"),
        );
        assert.deepEqual(echoed, { sent: 100, echoed: 100 });
        const sent = JSON.parse(
          await inside(LEFT, process.execPath, TRANSFER, "send", "tcp", address, "5000", "5000000"),
        );
        assert.equal(sent.bytes, 5_000_000);
        assert.equal(await receivedHash(peers), sent.sha256);
      }
      const counters = await left.counters();
      assert.deepEqual(counters.tunnels.test!.drops, {});
      if (i > 0) {
        left.post({ kind: "removeChild", id: i });
        right.post({ kind: "removeChild", id: i });
      }
    });
  });

  test("a path that becomes narrower is learned from the first packet that does not fit, and told to senders and to the main thread", async () => {
    const wide = (await left.next("innerMtu", ({ child }) => child === CASES.length)).mtu;
    for (const name of [LEFT, RIGHT]) ip("-n", name, "link", "set", "wan", "mtu", "1300");
    const pings = ["ping", "-M", "do", "-c", "4", "-i", "0.1", "-W", "1", "-s", "1300", "10.2.0.1"];
    const said = await inside(LEFT, "sh", "-c", `${pings.join(" ")} || true`);
    const { mtu } = await left.next("innerMtu", (told) => told.child === CASES.length && told.mtu !== wide);
    assert.equal(wide - mtu, 200);
    assert.match(said, new RegExp(`mtu ?= ?${mtu}`));
    assert.ok((await left.counters()).tunnels.test!.drops.tooBig! >= 1);
    const sent = JSON.parse(
      await inside(LEFT, process.execPath, TRANSFER, "send", "tcp", "fd02::1", "5000", "1000000"),
    );
    assert.equal(await receivedHash(peers), sent.sha256);
  });

  test("an idle data plane does not wake up", async () => {
    const before = (await left.counters()).io.wakeUps;
    for (let i = 0; i < 100; i++) await left.counters();
    const after = (await left.counters()).io.wakeUps;
    // The kernel's own multicast may pass; a loop that does not block would wake up between any two questions.
    assert.ok(after - before < 50, `${after - before} rounds`);
  });

  test("stop leaves neither device nor socket", async () => {
    await left.stop();
    assert.deepEqual(devices(LEFT).toSorted(), ["lo", "wan"]);
    const { descriptors } = await left.usage();
    assert.deepEqual(
      descriptors.filter((link) => link.startsWith("/dev/net")),
      [],
    );
  });
});

const heard = new Map<ChildProcess, string>();

function serve(protocol: "tcp" | "udp", address: string): Promise<ChildProcess> {
  const child = spawn(
    "timeout",
    [
      "-k",
      "1",
      "120",
      "ip",
      "netns",
      "exec",
      RIGHT,
      "sh",
      "-c",
      `while :; do "$0" "$1" receive ${protocol} ${address} 5000; done`,
      process.execPath,
      TRANSFER,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  return new Promise((resolve) => {
    child.stdout!.on("data", (chunk: Buffer) => {
      heard.set(child, (heard.get(child) ?? "") + chunk.toString());
      resolve(child);
    });
  });
}

/** What the receivers have printed since the last call. */
async function receivedHash(peers: readonly ChildProcess[]): Promise<string> {
  for (let i = 0; i < 100; i++) {
    for (const peer of peers) {
      const found = /"sha256":"(\w+)"/.exec(heard.get(peer) ?? "");
      if (found) {
        heard.delete(peer);
        return found[1]!;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return "nothing received";
}
