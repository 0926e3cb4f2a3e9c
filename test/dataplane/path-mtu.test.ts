/** Two data planes with two routers between them, and a narrow link between these: what a path of 1280 octets lets through. Needs root. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { concat, hex } from "../../crypto/bytes.js";
import { ANY_PROTOCOL, type ProtocolPorts } from "../../esp/selector.js";
import { USUAL_WRAPPING, type Wrapping } from "../../esp/tunnel.js";
import type { ChildMessage, SuiteName, ToWorker } from "../../src/dataplane/protocol.js";
import { must, type Running, start, until } from "../child.js";
import { ipPacket, naiveChecksum, udpPacket } from "../esp/packets.js";
import { bothEnds, type Gateway, settingsFor, startGateway, tunnels } from "./gateway.js";
import { createRoutedLink, type RoutedLink, routedAddress, whyNot } from "./namespaces.js";

const TRANSFER = fileURLToPath(new URL("./transfer-program.js", import.meta.url));
const ICMP = fileURLToPath(new URL("./icmp-program.js", import.meta.url));
const GCM: SuiteName = { encryption: "ENCR_AES_GCM_16", keyBits: 256, extendedSequence: false };
const PEER = { 4: "10.2.0.1", 6: "fd02::1" } as const;
/** Of the routes into the tunnel: what fits 1500, so that the kernel never knows better than the data plane. */
const WIDE = 1438;
/** SPI, sequence number, IV, ICV, pad length and next header of AES-GCM. */
const ESP_OCTETS = 8 + 8 + 16 + 2;

describe("a path that is narrower than both ends know", { skip: whyNot() ?? false }, () => {
  let link: RoutedLink;
  let left: Gateway;
  let right: Gateway;
  const receivers: Running[] = [];
  let ids = 0;
  let transfers = 0;

  before(async () => {
    link = await createRoutedLink();
    left = startGateway(link, "left");
    right = startGateway(link, "right");
    for (const gateway of [left, right]) {
      gateway.start(settingsFor(["0.0.0.0", "::"]));
      await gateway.next("ready");
    }
    for (const side of ["left", "right"] as const) await link.routeInto(side, "causeway0", WIDE);
    for (const family of [4, 6] as const) receivers.push(await receive(PEER[family]));
    await link.narrow(1280);
  });
  after(async () => {
    await Promise.all([left?.end(), right?.end(), ...receivers.map((one) => one.stop())]);
    await link?.close();
  });

  async function receive(address: string): Promise<Running> {
    const running = start(
      link.namespaces.inside("right", process.execPath, TRANSFER, "receive", "tcp", address, "5000"),
      { seconds: 120 },
    );
    await until(`the receiver on ${address}`, 30, async () => running.output().includes("listening") || undefined);
    return running;
  }

  /** Both ends of a child between a pair of outer addresses, in use; the one before is gone. Its id. */
  async function tunnel(
    number: number,
    encapsulation: "esp" | "udp",
    outer: 4 | 6,
    wrapping: Partial<Wrapping> = {},
    ports: ProtocolPorts = ANY_PROTOCOL,
  ): Promise<number> {
    const id = ++ids;
    const addresses = [routedAddress("left", outer, number), routedAddress("right", outer, number)] as const;
    const ends = bothEnds({ id, suite: GCM, encapsulation, outer: addresses, spis: [0x1000 + id, 0x2000 + id] });
    for (const [i, gateway] of [left, right].entries()) {
      const message = tunnels(i as 0 | 1) as Extract<ToWorker, { kind: "tunnels" }>;
      const wrapped = message.tunnels.map((one) => ({ ...one, wrapping: { ...USUAL_WRAPPING, ...wrapping } }));
      const narrowed = (selectors: ChildMessage["local"]) => selectors.map((one) => ({ ...one, ...ports }));
      const child = { ...ends[i]!, local: narrowed(ends[i]!.local), remote: narrowed(ends[i]!.remote) };
      gateway.post({ kind: "tunnels", tunnels: wrapped }, { kind: "installChild", child });
      if (id > 1) gateway.post({ kind: "removeChild", id: id - 1 });
      await gateway.counters();
    }
    for (const gateway of [left, right]) gateway.post({ kind: "useChild", id });
    await Promise.all([left.counters(), right.counters()]);
    // What the kernel learnt about the inner destinations through the tunnel before.
    for (const side of ["left", "right"] as const)
      await link.run(side, "sh", "-c", "ip route flush cache; ip -6 route flush cache");
    return id;
  }

  const seen = new Set<string>();
  /** A transfer from the left to the right, compared by its hash. */
  async function transfer(family: 4 | 6): Promise<void> {
    const begun = performance.now();
    const octets = 3_000_000 + ++transfers * 1000;
    const argv = ["send", "tcp", PEER[family], "5000", `${octets}`];
    const sent = JSON.parse(await link.run("left", process.execPath, TRANSFER, ...argv)) as { sha256: string };
    const hash = await until("the receiver's hash", 10, async () =>
      receivers
        .flatMap((one) => [...one.output().matchAll(/"sha256":"(\w+)"/g)].map((match) => match[1]!))
        .find((one) => !seen.has(one)),
    );
    seen.add(hash);
    assert.equal(hash, sent.sha256);
    // A connection that starves gives up after minutes, or crawls on by one small segment per timeout.
    assert.ok(performance.now() - begun < 15_000, `${performance.now() - begun} ms`);
  }

  /** How many of three echo requests with so many octets of IP packet come back. */
  async function pings(family: 4 | 6, octets: number, ...more: readonly string[]): Promise<number> {
    const size = octets - (family === 4 ? 28 : 48);
    const argv = ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", "-s", `${size}`, ...more, PEER[family]];
    const said = await link.run("left", "sh", "-c", `${argv.join(" ")} || true`);
    return Number(/(\d+) received/.exec(said)![1]);
  }

  const overhead = (encapsulation: "esp" | "udp", outer: 4 | 6) =>
    (outer === 4 ? 20 : 40) + (encapsulation === "udp" ? 8 : 0) + ESP_OCTETS;
  /** The text of ESP is a multiple of four octets. */
  const fits = (mtu: number, encapsulation: "esp" | "udp", outer: 4 | 6) =>
    Math.floor((mtu - overhead(encapsulation, outer) + 2) / 4) * 4 - 2;

  for (const [number, encapsulation, outer] of [
    [1, "udp", 4],
    [2, "esp", 4],
    [3, "udp", 6],
    [4, "esp", 6],
  ] as const)
    test(`large transfers pass at once: ${encapsulation === "udp" ? "ESP in UDP" : "raw ESP"} over IPv${outer}, IPv4 and IPv6 inside`, async () => {
      const before = (await left.counters()).io.pathsNarrowed;
      const id = await tunnel(number, encapsulation, outer);
      await transfer(4);
      await transfer(6);
      const mtu = fits(1280, encapsulation, outer);
      const told = await left.next("innerMtu", (message) => message.child === id && message.mtu < WIDE - 100);
      assert.equal(told.mtu, mtu);
      assert.ok((await left.counters()).io.pathsNarrowed > before);
      assert.equal(await pings(4, mtu, "-M", "do"), 3);
      // What the kernel has not heard of: it is answered with the MTU by us.
      const said = await link.run("left", "sh", "-c", `ping -n -M do -c 2 -i 0.2 -W 1 -s ${mtu} 10.2.0.77 || true`);
      assert.match(said, new RegExp(`mtu ?= ?${mtu}`));
      // Every IPv6 link carries 1280 octets: this one does it with outer fragments.
      assert.ok(mtu < 1280);
      await pings(6, 1280, "-M", "do"); // the first answer teaches the other end
      assert.equal(await pings(6, 1280, "-M", "do"), 3);
      // Without DF they come in fragments, which the kernel has cut to what the route says and we again to what fits.
      assert.equal(await pings(4, 4000, "-M", "dont"), 3);
    });

  test("an SA that was rekeyed knows the path from the beginning", async () => {
    const id = await tunnel(1, "udp", 4);
    assert.equal((await left.next("innerMtu", ({ child }) => child === id)).mtu, fits(1280, "udp", 4));
  });

  test("a forged message with another SPI, another path, or no SPI narrows nothing, or not below 1280", async () => {
    const id = await tunnel(5, "udp", 4);
    const local = routedAddress("left", 4, 5);
    const remote = routedAddress("right", 4, 5);
    const before = (await left.counters()).io;
    const ports = { sourcePort: 4500, destinationPort: 4500 };
    const esp = (spi: number) => concat(Uint8Array.from([0, 0, spi >> 8, spi & 255, 0, 0, 0, 1]), new Uint8Array(1400));
    const quoting = (packet: Uint8Array, quote = 100) => {
      const icmp = concat(Uint8Array.from([3, 4, 0, 0, 0, 0, 2, 0x58]), packet.subarray(0, quote));
      new DataView(icmp.buffer).setUint16(2, naiveChecksum(icmp));
      return hex(icmp);
    };
    const way = { source: local, destination: remote, ...ports };
    const told = () => left.messages().filter((one) => one.kind === "innerMtu" && one.child === id).length;
    await link.run(
      "right",
      process.execPath,
      ICMP,
      "4",
      local,
      quoting(udpPacket({ ...way, payload: esp(0x7777) })),
      quoting(udpPacket({ ...way, destination: routedAddress("right", 4, 1), payload: esp(0x2000 + id) })),
      quoting(udpPacket({ ...way, destinationPort: 4501, payload: esp(0x2000 + id) })),
      quoting(ipPacket(way, 50, esp(0x2000 + id))),
    );
    await until("the messages to be judged", 10, async () =>
      (await left.counters()).io.narrowingsRefused === before.narrowingsRefused + 4 ? true : undefined,
    );
    assert.equal(told(), 1);
    await link.run("right", process.execPath, ICMP, "4", local, quoting(udpPacket({ ...way, payload: esp(0) }), 28));
    const floor = await left.next("innerMtu", ({ child, mtu }) => child === id && mtu < WIDE - 100);
    assert.equal(floor.mtu, fits(1280, "udp", 4));
  });

  test("where routers' messages are filtered, `mtu` or `df: clear` still let everything through", async () => {
    await link.filter(["icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop"]);
    await link.run("left", "sh", "-c", "ip route flush cache");
    // Paths that nobody has said anything about: routers are asked anew after a restart.
    await left.stop();
    await right.stop();
    for (const gateway of [left, right]) {
      const ready = gateway.messages().filter(({ kind }) => kind === "ready").length;
      gateway.start(settingsFor(["0.0.0.0", "::"]));
      await until("another data plane", 30, async () =>
        gateway.messages().filter(({ kind }) => kind === "ready").length > ready ? true : undefined,
      );
    }
    for (const side of ["left", "right"] as const) await link.routeInto(side, "causeway0", WIDE);
    await tunnel(1, "udp", 4, { df: "set" });
    assert.equal(await pings(4, 1400, "-M", "do"), 0, "the path is a black hole for large packets");
    await tunnel(1, "udp", 4, { df: "set", mtu: 1200 });
    await transfer(4);
    await tunnel(1, "udp", 4, { df: "clear" });
    assert.equal(await pings(4, 1400, "-M", "do"), 3);
    await transfer(4);
    for (const side of ["left", "right"] as const) await link.routeInto(side, "causeway0", 1500);
    await tunnel(1, "esp", 4, { df: "clear", mtu: 1500 });
    assert.equal(await pings(4, 1500, "-M", "do"), 3);
    await tunnel(1, "udp", 4, { df: "clear", mtu: 1500 });
    assert.equal(await pings(4, 1500, "-M", "do"), 3);
    // An SA for echo messages alone: fragments have no type, so the packet goes whole, and its ESP packet in fragments.
    await tunnel(1, "udp", 4, { df: "set" }, { protocol: 1, startPort: 0, endPort: 0x08ff });
    assert.equal(await pings(4, 1500, "-M", "dont"), 3);
    // An inner packet without DF takes it along.
    await tunnel(1, "esp", 4, { df: "copy" });
    assert.equal(await pings(4, 1400, "-M", "dont"), 3);
  });

  test("outer packets carry the configured DSCP with the inner ECN field, DF as configured, and padding", async () => {
    const counters = [
      "ip dscp ef counter",
      "ip dscp cs1 counter",
      "ip ecn ect0 counter",
      "ip frag-off & 0x4000 == 0 counter",
      "ip length 1280 counter",
    ];
    const count = async (number: number, wrapping: Partial<Wrapping>, ...options: readonly string[]) => {
      await tunnel(number, "esp", 4, wrapping);
      await link.filter(counters);
      assert.equal(await pings(4, 100, ...options), 3);
      return link.counted();
    };
    // Requests and answers: six packets; an answer never has DF. CS1 is 0x20; the lower two bits are ECT(0).
    assert.deepEqual(await count(2, {}, "-Q", "0x22", "-M", "do"), [0, 6, 6, 3, 0]);
    assert.deepEqual(await count(2, { dscp: 46 }, "-Q", "0x22", "-M", "dont"), [6, 0, 6, 6, 0]);
    assert.deepEqual(await count(2, { dscp: 46, df: "set" }, "-M", "dont"), [6, 0, 0, 0, 0]);
    assert.deepEqual(await count(2, { df: "clear", mtu: 1226, tfcPadding: "mtu" }, "-M", "do"), [0, 0, 0, 6, 6]);
  });

  test("a congestion mark of the path is carried inside, and a packet that cannot carry one is dropped and counted", async () => {
    const counting =
      "table inet marks\ndelete table inet marks\ntable inet marks { chain input { type filter hook input priority 0\n" +
      'iifname "causeway0" ip ecn ce counter\n}\n}\n';
    for (const [encapsulation, outer] of [
      ["udp", 4],
      ["esp", 6],
    ] as const) {
      await tunnel(3, encapsulation, outer);
      await link.filter(["ip ecn set ce", "ip6 ecn set ce"]);
      await must(link.namespaces.inside("right", "nft", "-f", "-"), { input: counting, seconds: 10 });
      const before = (await right.counters()).tunnels.test!.drops.ecnCorrupt ?? 0;
      assert.equal(await pings(4, 100, "-Q", "0x02"), 3);
      const listed = await link.run("right", "nft", "list", "chain", "inet", "marks", "input");
      assert.match(listed, /counter packets 3 /, `${encapsulation} over IPv${outer}`);
      assert.equal(await pings(4, 100, "-Q", "0"), 0);
      assert.equal((await right.counters()).tunnels.test!.drops.ecnCorrupt, before + 3);
    }
  });
});
