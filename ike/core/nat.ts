/** NAT detection, RFC 7296 section 2.23: each side hashes the addresses that it sees, the other one compares. */
import { equal } from "../../crypto/bytes.js";
import { sha1 } from "../../crypto/hash.js";
import { addressOctets, type Path, type SocketAddress, unspecified } from "../../esp/address.js";
import type { Encapsulation } from "../../esp/sa.js";
import { spiOctets } from "../wire/header.js";
import { type NotifyPayload, notification } from "../wire/payloads/notify.js";
import type { SaContext } from "./context.js";

export interface NatVerdict {
  /** The peer does NAT traversal: it sent both hashes. */
  readonly supported: boolean;
  /** Our address is another one on the peer's side (or the peer pretends so): we send keepalives. */
  readonly here: boolean;
  /** The peer's address is another one on its own side. */
  readonly peer: boolean;
}

export const NO_NAT: NatVerdict = { supported: false, here: false, peer: false };

/** The SPIs of the header that carries the hashes: the responder's is 0 in the first message. */
export interface HeaderSpis {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

/** Notification data: SHA-1(SPIi | SPIr | address | port), everything in network order. */
export function natDetectionHash(
  { initiatorSpi, responderSpi }: HeaderSpis,
  { address, port }: SocketAddress,
): Uint8Array {
  const portOctets = new Uint8Array([port >> 8, port & 0xff]);
  return sha1(spiOctets(initiatorSpi), spiOctets(responderSpi), addressOctets(address), portOctets);
}

/**
 * The two notifications that we send. With `encapsulation: udp` the source is given as the unspecified address, which
 * never matches: the peer then believes in a NAT and encapsulates.
 */
export function natDetection(spis: HeaderSpis, path: Path, encapsulation: "auto" | "udp"): readonly NotifyPayload[] {
  const source = encapsulation === "udp" ? { address: unspecified(path.local.address.family), port: 0 } : path.local;
  return [
    notification("NAT_DETECTION_SOURCE_IP", natDetectionHash(spis, source)),
    notification("NAT_DETECTION_DESTINATION_IP", natDetectionHash(spis, path.remote)),
  ];
}

/** What the peer's notifications say. It may send several source hashes, of all its addresses: one match is enough. */
export function natVerdict(spis: HeaderSpis, path: Path, notifies: readonly NotifyPayload[]): NatVerdict {
  const sources = notifies.filter(({ notify }) => notify === "NAT_DETECTION_SOURCE_IP");
  const destinations = notifies.filter(({ notify }) => notify === "NAT_DETECTION_DESTINATION_IP");
  if (sources.length === 0 || destinations.length === 0) return NO_NAT;
  const ours = natDetectionHash(spis, path.local);
  const theirs = natDetectionHash(spis, path.remote);
  return {
    supported: true,
    here: !destinations.some(({ data }) => equal(data, ours)),
    peer: !sources.some(({ data }) => equal(data, theirs)),
  };
}

/** As `status` shows it. */
export function natWords({ here, peer }: NatVerdict): "none" | "here" | "peer" | "both" {
  if (here) return peer ? "both" : "here";
  return peer ? "peer" : "none";
}

const PEER_IKE_PORT = 500;
const PEER_NAT_PORT = 4500;

/** Port 4500 on both sides (RFC 7296 section 2.23, RFC 3947 section 4); a peer that is met on a port of its own stays there. */
export function onNatPort({ local, remote }: Path, { policy }: Pick<SaContext, "policy">): Path {
  return {
    local: { ...local, port: policy.ports.natT },
    remote: { ...remote, port: remote.port === PEER_IKE_PORT ? PEER_NAT_PORT : remote.port },
  };
}

/** Encapsulated ESP always leaves from the NAT-T port, wherever IKE is spoken. */
export function espPath(path: Path, encapsulation: Encapsulation, ctx: Pick<SaContext, "policy">): Path {
  return encapsulation === "udp" && path.local.port !== ctx.policy.ports.natT ? onNatPort(path, ctx) : path;
}
