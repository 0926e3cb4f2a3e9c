/**
 * Where the handshakes are measured: a gateway with one tunnel for each of many peers, all of which live in one process behind it.
 *
 *   gateway 192.0.2.1 ==== 192.0.2.2 peers 10.66.0.0/16
 */
import type { Namespaces } from "../../netns.js";

export const GATEWAY = "192.0.2.1";
export const PSK = "a key of the benchmark alone";
export const INNER = "10.91.1.0/24";
/** charon makes no route without an address of its own in the range. */
const INNER_OWN = "10.91.1.1";
const PEERS = "192.0.2.2";
const RANGE = "10.66.0.0/16";

/** What is negotiated; the group is what costs. */
export interface Suite {
  readonly title: string;
  readonly ike: string;
  readonly esp: string;
}
export const SUITES: readonly Suite[] = [
  { title: "MODP-2048", ike: "aes256-sha256-modp2048", esp: "aes256gcm16" },
  { title: "X25519", ike: "aes256-sha256-x25519", esp: "aes256gcm16" },
];

/** The outer address of a peer. */
export function peerAddress(index: number): string {
  return `10.66.${(index >> 8) & 0xff}.${index & 0xff}`;
}

/** What is behind it. */
export function peerNetwork(index: number): string {
  return `10.${128 + (index >> 8)}.${index & 0xff}.0/24`;
}

/** Who calls: the peers, or the gateway. */
export type Caller = "peers" | "gateway";

export interface IkeBed {
  gateway(...argv: string[]): string[];
  peers(...argv: string[]): string[];
  readonly namespaces: Namespaces;
  /** The full name of the gateway's namespace among `namespaces`. */
  readonly gatewayName: string;
}

export async function openIkeBed(namespaces: Namespaces, name: string): Promise<IkeBed> {
  const gateway = `${name}-gateway`;
  const peers = `${name}-peers`;
  for (const one of [gateway, peers]) await namespaces.add(one);
  await namespaces.link({ ns: gateway, dev: "outer" }, { ns: peers, dev: "outer" });
  const routes = `addr add ${GATEWAY}/24 dev outer\naddr add ${INNER_OWN}/24 dev lo\nroute add ${RANGE} via ${PEERS}\n`;
  await namespaces.ip(gateway, routes);
  // Every address of the range is the peers' own, without a line for each.
  await namespaces.ip(peers, `addr add ${PEERS}/24 dev outer\nroute add local ${RANGE} dev lo\n`);
  return {
    namespaces,
    gatewayName: gateway,
    gateway: (...argv) => namespaces.inside(gateway, ...argv),
    peers: (...argv) => namespaces.inside(peers, ...argv),
  };
}
