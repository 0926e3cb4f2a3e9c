/** One data plane and a peer that sends it datagrams, good and bad: what is told, what is counted. Needs root. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { formatSocketAddress } from "../../esp/address.js";
import type { ChildMessage, SuiteName } from "../../src/dataplane/protocol.js";
import { createPeerSa, innerPacket } from "./esp-packets.js";
import { at, bothEnds, type Gateway, IKE_PORT, NAT_T_PORT, settingsFor, startGateway, tunnels } from "./gateway.js";
import { createLink, type Link, whyNot } from "./namespaces.js";
import type { PeerCommand, PeerTold } from "./peer-program.js";
import { type Program, startProgram } from "./program.js";

const GCM: SuiteName = { encryption: "ENCR_AES_GCM_16", keyBits: 128, extendedSequence: false };
const OURS = "192.0.2.1";
const THEIRS = "192.0.2.2";
/** A second address of ours, which nobody configured. */
const ALSO_OURS = "192.0.2.11";

const SHARED = { suite: GCM, encapsulation: "udp", outer: [OURS, THEIRS] } as const;
const BARRIER = 1000;

/** IKE header and nothing behind it: what the worker looks at are its lengths. */
function ikeMessage(mark: number, octets = 60): Uint8Array {
  const message = new Uint8Array(octets).fill(mark);
  message.set([0, 0, 0, octets], 24);
  return message;
}

const marked = (message: Uint8Array) => new Uint8Array([0, 0, 0, 0, ...message]);

describe("the sockets of a gateway", { skip: whyNot() ?? false }, () => {
  let link: Link;
  let gateway: Gateway;
  let peer: Program<PeerCommand, PeerTold>;
  let ids = 0;
  let child: ChildMessage;
  let seal: (inner: Uint8Array) => Uint8Array;
  let sealBarrier: (inner: Uint8Array) => Uint8Array;
  let barriers = 0;

  before(async () => {
    link = await createLink();
    await link.namespaces.ip("left", `addr add ${ALSO_OURS}/24 dev wan`);
    gateway = startGateway(link, "left");
    peer = startProgram(link, "right", "./peer-program.js");
    gateway.start(settingsFor(["0.0.0.0", "::"]));
    await gateway.next("ready");
    await link.routeInto("left", "causeway0", 1400);
    const [ours, theirs] = bothEnds({ ...SHARED, id: BARRIER, spis: [0x30000, 0x40000] });
    sealBarrier = createPeerSa(theirs);
    gateway.post(tunnels(0), { kind: "installChild", child: { ...ours, tunnel: "barrier" } });
  });
  after(async () => {
    await Promise.all([gateway?.end(), peer?.end()]);
    await link?.close();
  });

  /** A fresh child, not installed yet. */
  beforeEach(() => {
    ids++;
    const [ours, theirs] = bothEnds({ ...SHARED, id: ids, spis: [0x10000 + ids, 0x20000 + ids] });
    child = ours;
    seal = createPeerSa(theirs);
  });

  async function send(from: number, port: number, ...datagrams: readonly Uint8Array[]): Promise<void> {
    const sent = peer.heard("sent", ({ kind }) => (kind === "sent" ? true : undefined));
    peer.send({ from, address: OURS, port, datagrams });
    await sent;
  }
  /** Messages are handled in their order: with the answer the child is there, and packets for it may come. */
  async function install(one: ChildMessage): Promise<void> {
    gateway.post({ kind: "installChild", child: one });
    await gateway.counters();
  }
  const echo = () => seal(innerPacket("10.2.0.1", "10.1.0.1"));
  const total = (counts: Readonly<Record<string, number>>, reason: string) => counts[reason] ?? 0;

  /** The drop counts of the gateway and the tunnel, once everything that was sent has been looked at. */
  async function drops(): Promise<{
    nobody: Readonly<Record<string, number>>;
    tunnel: Readonly<Record<string, number>>;
    packets: number;
  }> {
    // Each socket is read in order: once the last datagram of each has been handled, so have all before it.
    const mark = 100 + barriers;
    const through = [IKE_PORT, NAT_T_PORT].map((port) =>
      gateway.next("datagram", ({ bytes, path }) => bytes[0] === mark && path.local.port === port),
    );
    await send(IKE_PORT, IKE_PORT, ikeMessage(mark));
    await send(NAT_T_PORT, NAT_T_PORT, marked(ikeMessage(mark)), sealBarrier(innerPacket("10.2.0.1", "10.1.0.1")));
    barriers++;
    await Promise.all(through);
    while ((await gateway.counters()).children[BARRIER]!.packetsIn < barriers);
    const counters = await gateway.counters();
    const tunnel = counters.tunnels.test!;
    // The kernel looks for routers behind the TUN device whenever it likes.
    const { linkLocal: _, ...nobody } = counters.drops;
    return { nobody, tunnel: tunnel.drops, packets: tunnel.packetsIn };
  }

  test("an IKE message comes up with the address and port it reached, on both ports", async () => {
    await send(IKE_PORT, IKE_PORT, ikeMessage(1));
    const plain = await gateway.next("datagram", ({ bytes }) => bytes[0] === 1);
    assert.equal(formatSocketAddress(plain.path.local), `${OURS}:500`);
    assert.equal(formatSocketAddress(plain.path.remote), `${THEIRS}:500`);
    assert.deepEqual(plain.bytes, ikeMessage(1));
    await send(NAT_T_PORT, NAT_T_PORT, marked(ikeMessage(2)));
    const natT = await gateway.next("datagram", ({ bytes }) => bytes[0] === 2);
    assert.equal(formatSocketAddress(natT.path.local), `${OURS}:4500`);
    assert.deepEqual(natT.bytes, ikeMessage(2));
  });

  test("a message goes out from the address and port of its path, with the non-ESP marker on the NAT traversal port", async () => {
    for (const [address, port, expected] of [
      [OURS, IKE_PORT, ikeMessage(3)],
      [ALSO_OURS, IKE_PORT, ikeMessage(3)],
      [ALSO_OURS, NAT_T_PORT, marked(ikeMessage(3))],
    ] as const) {
      await send(port, port); // binds
      const come = peer.heard("datagram", (told) => (told.kind === "datagram" ? told : undefined));
      gateway.post({
        kind: "send",
        path: { local: at(address, port), remote: at(THEIRS, port) },
        bytes: ikeMessage(3),
      });
      const { bytes, address: source, port: sourcePort } = await come;
      assert.deepEqual({ bytes, source, sourcePort }, { bytes: expected, source: address, sourcePort: port });
    }
  });

  test("an IKE message of 3,000 octets goes out in fragments", async () => {
    const come = peer.heard("datagram", (told) => (told.kind === "datagram" ? told : undefined));
    gateway.post({
      kind: "send",
      path: { local: at(OURS, 4500), remote: at(THEIRS, 4500) },
      bytes: ikeMessage(4, 3000),
    });
    assert.equal((await come).bytes.length, 3004);
  });

  test("a keepalive is one octet 0xff, and one that comes is counted and nothing else", async () => {
    const come = peer.heard("datagram", (told) => (told.kind === "datagram" ? told : undefined));
    gateway.post({ kind: "keepalive", path: { local: at(OURS, 4500), remote: at(THEIRS, 4500) } });
    assert.deepEqual((await come).bytes, new Uint8Array([0xff]));
    const before = (await gateway.counters()).io.keepalives;
    const known = await drops();
    await send(NAT_T_PORT, NAT_T_PORT, new Uint8Array([0xff]));
    assert.deepEqual(await drops(), known);
    assert.equal((await gateway.counters()).io.keepalives, before + 1);
  });

  test("truncated IKE messages are counted and not told", async () => {
    const before = await drops();
    const told = gateway.messages().length;
    const lying = ikeMessage(5);
    lying[25] = 1; // claims more than there is
    await send(IKE_PORT, IKE_PORT, ikeMessage(5).subarray(0, 27), lying);
    await send(NAT_T_PORT, NAT_T_PORT, new Uint8Array(0), new Uint8Array(4), marked(ikeMessage(5)).subarray(0, 31));
    const after = await drops();
    assert.equal(total(after.nobody, "malformed"), total(before.nobody, "malformed") + 2);
    assert.equal(total(after.nobody, "notEsp"), total(before.nobody, "notEsp") + 3);
    assert.ok(
      gateway
        .messages()
        .slice(told)
        .every((message) => message.kind !== "datagram" || message.bytes[0] !== 5),
    );
  });

  test("replayed, forged, truncated and foreign ESP packets change nothing but their counters", async () => {
    await install(child);
    const good = echo();
    await send(NAT_T_PORT, NAT_T_PORT, good);
    await gateway.next("firstInbound", (message) => message.child === child.id);
    const before = await drops();
    const forged = echo();
    forged[30]! ^= 1;
    const foreign = echo();
    foreign[0]! ^= 0x80;
    const misdirected = seal(innerPacket("10.9.0.1", "10.1.0.1"));
    await send(
      NAT_T_PORT,
      NAT_T_PORT,
      good,
      forged,
      echo().subarray(0, 33),
      echo().subarray(0, 9),
      foreign,
      misdirected,
    );
    const after = await drops();
    const grown = (which: "nobody" | "tunnel", reason: string) =>
      total(after[which], reason) - total(before[which], reason);
    assert.deepEqual(
      {
        replayed: grown("tunnel", "replayed"),
        forged: grown("tunnel", "forged"),
        shortEsp: grown("tunnel", "shortEsp"),
        unknownSpi: grown("nobody", "unknownSpi"),
        selectorMismatch: grown("tunnel", "selectorMismatch"),
        passed: after.packets - before.packets,
      },
      { replayed: 1, forged: 1, shortEsp: 2, unknownSpi: 1, selectorMismatch: 1, passed: 0 },
    );
    await send(NAT_T_PORT, NAT_T_PORT, echo());
    assert.equal((await drops()).packets, before.packets + 1);
  });

  test("packets that come before their SA wait for it, where its SPI is reserved", async () => {
    const before = await drops();
    gateway.post({ kind: "reserveSpi", spi: child.spiIn });
    await gateway.counters();
    await send(NAT_T_PORT, NAT_T_PORT, echo(), echo(), echo());
    assert.equal((await drops()).packets, before.packets);
    gateway.post({ kind: "installChild", child });
    await gateway.next("firstInbound", (message) => message.child === child.id);
    const after = await drops();
    assert.equal(after.packets, before.packets + 3);
    assert.deepEqual(after.nobody, before.nobody);
  });

  test("a peer whose port changes is told once for each place, and only by packets that are authentic and new", async () => {
    await install(child);
    const old = echo();
    await send(NAT_T_PORT, NAT_T_PORT, echo());
    const forged = echo();
    forged[30]! ^= 1;
    await send(4601, NAT_T_PORT, forged, old);
    await drops();
    const moves = () => gateway.messages().filter((message) => message.kind === "moved" && message.child === child.id);
    assert.deepEqual(moves(), []);
    await send(4601, NAT_T_PORT, echo(), echo());
    const moved = await gateway.next("moved", (message) => message.child === child.id);
    assert.equal(formatSocketAddress(moved.path.remote), `${THEIRS}:4601`);
    assert.equal(formatSocketAddress(moved.path.local), `${OURS}:4500`);
    await drops();
    assert.equal(moves().length, 1);
    gateway.post({ kind: "updateChild", id: child.id, path: moved.path, encapsulation: "udp" });
    await gateway.counters();
    await send(4601, NAT_T_PORT, echo());
    await drops();
    assert.equal(moves().length, 1);
  });

  test("life on a child is told, and so are its limits", async () => {
    const volume = { softOctets: 0, hardOctets: 0, softPackets: 2, hardPackets: 4 };
    await install({ ...child, volume });
    await send(NAT_T_PORT, NAT_T_PORT, echo(), echo(), echo(), echo(), echo());
    const alive = await gateway.next("alive", ({ children }) => children.includes(child.id));
    assert.ok(alive);
    await gateway.next("limit", (message) => message.child === child.id && message.limit === "soft");
    await gateway.next("limit", (message) => message.child === child.id && message.limit === "hard");
    assert.equal(total((await drops()).tunnel, "hardLimit"), 1);
  });

  test("no octets end the data plane, neither in the outer packet nor, from an authenticated peer, in the inner one", async () => {
    gateway.post({ kind: "installChild", child });
    let state = 1;
    const octet = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    };
    const random = (length: number) => Uint8Array.from({ length }, octet);
    const outer = Array.from({ length: 500 }, () => random(octet() * (octet() & 7)));
    // The second half looks like ours, and like the start of an IP header, so that more is looked at.
    const spi = new DataView(new ArrayBuffer(4));
    spi.setUint32(0, child.spiIn);
    const ours = Array.from({ length: 500 }, () => new Uint8Array([...new Uint8Array(spi.buffer), ...random(octet())]));
    const inner = Array.from({ length: 500 }, (_, i) => {
      const packet = random(1 + octet());
      if (i % 2 === 0) packet.set(innerPacket("10.2.0.1", "10.1.0.1").subarray(0, Math.min(20, packet.length)));
      if (i % 4 === 0 && packet.length > 20) new DataView(packet.buffer).setUint16(2, packet.length);
      if (i % 8 === 0 && packet.length > 20) packet[9] = 6;
      return seal(packet);
    });
    await send(IKE_PORT, IKE_PORT, ...outer);
    for (const some of [outer, ours, inner]) await send(NAT_T_PORT, NAT_T_PORT, ...some);
    await drops();
    assert.ok(!gateway.messages().some(({ kind }) => kind === "failed"));
  });

  test("a flood of ESP leaves every IKE message its way", async () => {
    const garbage = Array.from({ length: 50 }, (_, i) => new Uint8Array(1200).fill(i + 1));
    const told = gateway.messages().length;
    for (let i = 0; i < 40; i++) await send(NAT_T_PORT, NAT_T_PORT, ...garbage, marked(ikeMessage(6)));
    await drops();
    const come = gateway
      .messages()
      .slice(told)
      .filter((message) => message.kind === "datagram" && message.bytes[0] === 6);
    assert.equal(come.length, 40);
  });

  test("a flood of requests for new SAs is cut, counted, and does not reach the main thread", async () => {
    const fresh = ikeMessage(7);
    fresh.fill(0, 8, 16);
    const before = await drops();
    const told = gateway.messages().length;
    await send(IKE_PORT, IKE_PORT, ...Array<Uint8Array>(3000).fill(fresh));
    const after = await drops();
    const come = gateway
      .messages()
      .slice(told)
      .filter((message) => message.kind === "datagram" && message.bytes[0] === 7);
    const refused = total(after.nobody, "queueFull") - total(before.nobody, "queueFull");
    assert.ok(refused > 0);
    assert.ok(come.length + refused <= 3000);
  });

  test("a child that cannot be is refused in words, and the data plane goes on", async () => {
    gateway.post({
      kind: "installChild",
      child: { ...child, path: { ...child.path, local: at("2001:db8::1", 4501) } },
    });
    const refused = await gateway.next("refused", (message) => message.child === child.id);
    assert.match(refused.reason, /no NAT traversal socket is bound to \[2001:db8::1\]:4501/);
    await drops();
  });
});
