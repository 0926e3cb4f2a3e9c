/** The network between simulated gateways: it loses, repeats, delays and reorders, and may hold a NAT. */
import { type Address, type SocketAddress, sameAddress } from "../../esp/address.js";
import type { Clock } from "./clock.js";
import type { SeededRandom } from "./random.js";

/** What a simulated packet carries. */
export type Content =
  | { readonly kind: "ike"; readonly bytes: Uint8Array }
  /** `key` stands for the keys it was sealed with. */
  | { readonly kind: "esp"; readonly spi: number; readonly key: string; readonly encapsulated: boolean }
  | { readonly kind: "keepalive" };

export interface Packet {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly content: Content;
}

/** May be changed while a run goes on. */
export interface Conditions {
  /** Probabilities per packet. */
  loss: number;
  duplicate: number;
  /** Of an IKE message: a copy with a few octets changed comes as well. */
  forge: number;
  /** Milliseconds one way; a wide range reorders. */
  shortestDelay: number;
  longestDelay: number;
  /** Octets of IKE in one datagram; what is longer would need IP fragments, which this path drops. Default: no limit. */
  longestMessage?: number;
}

export interface Network {
  readonly conditions: Conditions;
  /** Where packets to an address arrive. */
  attach(address: Address, receive: (packet: Packet) => void): void;
  /** Puts a NAT in front of an attached address. */
  place(nat: Nat): void;
  send(packet: Packet): void;
}

export function createNetwork(clock: Clock, random: SeededRandom, conditions: Conditions): Network {
  const hosts: { readonly address: Address; readonly receive: (packet: Packet) => void }[] = [];
  const nats: Nat[] = [];

  const deliver = (sent: Packet) => {
    let packet: Packet | undefined = sent;
    const inward = nats.find((nat) => sameAddress(nat.outside, sent.destination.address));
    if (inward !== undefined) packet = inward.inbound(sent, clock.now);
    if (packet === undefined) return;
    const { destination } = packet;
    hosts.find(({ address }) => sameAddress(address, destination.address))?.receive(packet);
  };

  return {
    conditions,
    attach(address, receive) {
      hosts.push({ address, receive });
    },
    place(nat) {
      nats.push(nat);
    },
    send(sent) {
      const outward = nats.find((nat) => sameAddress(nat.inside, sent.source.address));
      const packet = outward === undefined ? sent : outward.outbound(sent, clock.now);
      if (packet === undefined) return;
      const { longestMessage = Number.POSITIVE_INFINITY } = conditions;
      if (packet.content.kind === "ike" && packet.content.bytes.length > longestMessage) return;
      const { loss, duplicate, forge, shortestDelay, longestDelay } = conditions;
      const copies = [packet];
      if (random.chance(duplicate)) copies.push(packet);
      if (random.chance(forge)) copies.push(forged(packet, random));
      for (const copy of copies)
        if (!random.chance(loss)) clock.after(random.between(shortestDelay, longestDelay), () => deliver(copy));
    },
  };
}

export interface Nat {
  /** The address behind it, and the one that the world sees. */
  readonly inside: Address;
  readonly outside: Address;
  outbound(packet: Packet, now: number): Packet | undefined;
  inbound(packet: Packet, now: number): Packet | undefined;
  /** Forgets every mapping: the next outbound packet gets another port. */
  forget(): void;
}

/** A NAT that translates address and port and forgets mappings that were idle for `idleMilliseconds`. Raw ESP has no ports: it does not pass. */
export function createNat(inside: Address, outside: Address, idleMilliseconds: number): Nat {
  const mappings: { readonly inner: number; readonly outer: number; usedAt: number }[] = [];
  let nextPort = 20_000;
  const live = (now: number) => mappings.filter(({ usedAt }) => now - usedAt < idleMilliseconds);
  return {
    inside,
    outside,
    outbound(packet, now) {
      if (isRawEsp(packet)) return undefined;
      let mapping = live(now).find(({ inner }) => inner === packet.source.port);
      if (mapping === undefined) {
        mapping = { inner: packet.source.port, outer: nextPort++, usedAt: now };
        mappings.push(mapping);
      }
      mapping.usedAt = now;
      return { ...packet, source: { address: outside, port: mapping.outer } };
    },
    inbound(packet, now) {
      if (isRawEsp(packet)) return undefined;
      const mapping = live(now).find(({ outer }) => outer === packet.destination.port);
      return mapping && { ...packet, destination: { address: inside, port: mapping.inner } };
    },
    forget() {
      mappings.length = 0;
    },
  };
}

function forged(packet: Packet, random: SeededRandom): Packet {
  const { content } = packet;
  if (content.kind !== "ike") return packet;
  const bytes = content.bytes.slice();
  for (let i = random.between(1, 4); i > 0; i--) bytes[random.integer(bytes.length)]! ^= random.between(1, 255);
  return { ...packet, content: { kind: "ike", bytes } };
}

function isRawEsp({ content }: Packet): boolean {
  return content.kind === "esp" && !content.encapsulated;
}
