/** Two data planes with static keys, each in a network namespace, joined by a link: what passes and what does not. Needs root. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { DataplaneSettings, SuiteName } from "../../src/dataplane/protocol.js";
import { type Running, start, until } from "../child.js";
import { bothEnds, type Gateway, type SharedChild, settingsFor, startGateway, tunnels } from "./gateway.js";
import { createLink, type Link, whyNot } from "./namespaces.js";

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

interface Variant {
  readonly name: string;
  readonly left: Partial<DataplaneSettings>;
  readonly right: Partial<DataplaneSettings>;
  /** Before the command of the left one. */
  readonly leftWrapper?: readonly string[];
  readonly cases: typeof CASES;
}

const VARIANTS: readonly Variant[] = [
  { name: "a tunnel between two namespaces", left: {}, right: {}, cases: CASES },
  {
    name: "a tunnel between a host that has neither io_uring nor segmentation offload and one with two workers",
    left: { batchedReads: false, tunOffload: "none" },
    right: { workers: 2 },
    cases: [CASES[2]!, CASES[0]!],
  },
  {
    name: "a tunnel between a host where no EVP function is found and one that has no UDP segmentation offload",
    left: {},
    leftWrapper: ["env", `NODE_OPTIONS=--import=${new URL("./without-evp.js", import.meta.url)}`],
    right: { tunOffload: "tcp" },
    cases: [CASES[2]!, CASES[0]!],
  },
];

for (const [
  variant,
  { name: title, left: leftSettings, leftWrapper = [], right: rightSettings, cases },
] of VARIANTS.entries())
  describe(title, { skip: whyNot() ?? false }, () => {
    let link: Link;
    let left: Gateway;
    let right: Gateway;
    const receivers: Running[] = [];

    before(async () => {
      link = await createLink();
      left = startGateway(link, "left", leftWrapper);
      right = startGateway(link, "right");
      left.start(settingsFor([V4[0], V6[0]], leftSettings));
      right.start(settingsFor(["0.0.0.0", "::"], rightSettings));
      for (const gateway of [left, right]) {
        const ready = await gateway.next("ready");
        assert.equal(ready.rawEsp, true);
        const hidden = gateway === left && leftWrapper.length > 0;
        assert.match(ready.backend, hidden ? /^node:crypto \(no OpenSSL 3 here.*hidden from this test/ : /^OpenSSL 3/);
      }
      await link.routeInto("left", "causeway0", 1380);
      await link.routeInto("right", "causeway0", 1380);
      left.post(tunnels(0));
      right.post(tunnels(1));
      for (const [address, protocol] of [
        ["10.2.0.1", "tcp"],
        ["fd02::1", "tcp"],
        ["10.2.0.1", "udp"],
        ["fd02::1", "udp"],
      ] as const)
        receivers.push(await receive(link, protocol, address));
    });

    after(async () => {
      await Promise.all([left?.end(), right?.end(), ...receivers.map((one) => one.stop())]);
      await link?.close();
    });

    cases.forEach(({ name, ...shared }, i) => {
      test(`${name}: pings, datagrams and a checked TCP transfer pass, of both families`, async () => {
        const [forLeft, forRight] = bothEnds({ ...shared, id: i + 1, spis: [0x1000 + i, 0x2000 + i] });
        left.post({ kind: "installChild", child: forLeft });
        right.post({ kind: "installChild", child: forRight }, { kind: "useChild", id: i + 1 });
        await right.counters();
        left.post({ kind: "useChild", id: i + 1 });
        for (const address of ["10.2.0.1", "fd02::1"]) {
          const amount = 5_000_000 + 1000 * variant + 100 * i + address.length;
          // ping gives up one interval after its last request once anything has come back: on a busy machine that must not be short.
          assert.match(await link.run("left", "ping", "-c", "3", "-i", "0.4", "-W", "2", address), / 3 received/);
          const echoed = JSON.parse(
            await link.run("left", process.execPath, TRANSFER, "send", "udp", address, "5000", "100"),
          );
          assert.deepEqual(echoed, { sent: 100, echoed: 100 });
          const sent = JSON.parse(
            await link.run("left", process.execPath, TRANSFER, "send", "tcp", address, "5000", `${amount}`),
          );
          assert.equal(sent.bytes, amount);
          assert.equal(await receivedHash(receivers), sent.sha256);
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
      const wide = (await left.next("innerMtu", ({ child }) => child === cases.length)).mtu;
      for (const side of ["left", "right"] as const) await link.namespaces.ip(side, "link set wan mtu 1300");
      const pings = ["ping", "-M", "do", "-c", "4", "-i", "0.1", "-W", "1", "-s", "1300", "10.2.0.1"];
      const said = await link.run("left", "sh", "-c", `${pings.join(" ")} || true`);
      const { mtu } = await left.next("innerMtu", (told) => told.child === cases.length && told.mtu !== wide);
      assert.equal(wide - mtu, 200);
      assert.match(said, new RegExp(`mtu ?= ?${mtu}`));
      assert.ok((await left.counters()).tunnels.test!.drops.tooBig! >= 1);
      const sent = JSON.parse(
        await link.run("left", process.execPath, TRANSFER, "send", "tcp", "fd02::1", "5000", `${1_000_000 + variant}`),
      );
      assert.equal(await receivedHash(receivers), sent.sha256);
    });

    test("packets of a tunnel that traffic brings up are told, wait for its SA, and none of them is lost", async () => {
      const id = cases.length + 1;
      left.post({ kind: "removeChild", id: id - 1 }, tunnels(0, true));
      right.post({ kind: "removeChild", id: id - 1 });
      const pings = link.run("left", "ping", "-c", "6", "-i", "0.2", "-W", "8", "10.2.0.1");
      const { tunnel, mappings } = await left.next("traffic");
      assert.deepEqual([tunnel, mappings], ["test", [0]]);
      const [forLeft, forRight] = bothEnds({ suite: GCM, encapsulation: "udp", outer: V4, id, spis: [0x3000, 0x4000] });
      right.post({ kind: "installChild", child: forRight }, { kind: "useChild", id });
      await right.counters();
      left.post({ kind: "installChild", child: forLeft }, { kind: "useChild", id });
      assert.match(await pings, / 6 received/);
      const { noSa = 0, heldFull = 0, heldExpired = 0 } = (await left.counters()).tunnels.test!.drops;
      assert.deepEqual([noSa, heldFull, heldExpired], [0, 0, 0]);
    });

    test("an idle data plane does not wake up", async () => {
      const before = (await left.counters()).io.wakeUps;
      for (let i = 0; i < 100; i++) await left.counters();
      const after = (await left.counters()).io.wakeUps;
      // The kernel's own multicast may pass; a loop that does not block would wake up between any two questions.
      assert.ok(after - before < 50, `${after - before} rounds`);
    });

    test("packets go both ways at once, and each is counted once", async () => {
      const [before, then] = [await left.counters(), await right.counters()];
      const pings = ["ping", "-i", "0.002", "-c", "1000", "-W", "2", "-q"];
      const [there, back] = await Promise.all([
        link.run("left", ...pings, "10.2.0.1"),
        link.run("right", ...pings, "10.1.0.1"),
      ]);
      for (const said of [there, back]) assert.match(said, / 1000 received/);
      for (const [gateway, earlier] of [
        [left, before],
        [right, then],
      ] as const) {
        const now = (await gateway.counters()).tunnels.test!;
        const was = earlier.tunnels.test!;
        assert.deepEqual([now.packetsIn - was.packetsIn, now.packetsOut - was.packetsOut], [2000, 2000]);
      }
    });

    test("a device that somebody removes ends the data plane with a reason", async () => {
      await link.namespaces.ip("right", "link del causeway0");
      const { reason } = await right.next("failed");
      assert.match(reason, /the TUN device "causeway0" is gone/);
    });

    test("stop leaves neither device nor socket", async () => {
      await left.stop();
      assert.deepEqual(await link.devices("left"), ["lo", "wan"]);
      const { descriptors } = await left.usage();
      assert.deepEqual(
        descriptors.filter((link) => link.startsWith("/dev/net")),
        [],
      );
    });
  });

/** Receives transfers on the right until it is stopped. */
async function receive(link: Link, protocol: "tcp" | "udp", address: string): Promise<Running> {
  const argv = link.namespaces.inside("right", process.execPath, TRANSFER, "receive", protocol, address, "5000");
  const running = start(argv, { seconds: 600 });
  await until(`${protocol} on ${address}`, 60, async () => running.output().includes("listening") || undefined);
  return running;
}

const seen = new Set<string>();

/** The hash of the transfer that ended last. No two transfers are equal: each has its own length. */
function receivedHash(receivers: readonly Running[]): Promise<string> {
  return until("the receiver's hash", 60, async () => {
    const hashes = receivers.flatMap((one) =>
      [...one.output().matchAll(/"sha256":"(\w+)"/g)].map((match) => match[1]!),
    );
    const fresh = hashes.find((hash) => !seen.has(hash));
    if (fresh !== undefined) seen.add(fresh);
    return fresh;
  });
}
