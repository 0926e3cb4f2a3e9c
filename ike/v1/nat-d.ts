/**
 * NAT traversal of IKEv1, RFC 3947 and the drafts 02 and 03 of it: the same hashes under other payload numbers. The first NAT-D
 * payload hashes the receiver's address as the sender knows it, those behind it the sender's own.
 */
import { equal } from "../../crypto/bytes.js";
import type { Hash } from "../../crypto/interfaces.js";
import { addressOctets, type Path, type SocketAddress, unspecified } from "../../esp/address.js";
import { type NatVerdict, NO_NAT } from "../core/nat.js";
import type { Feature } from "../core/vendor-ids.js";
import { spiOctets } from "../wire/header.js";
import { bodiesOfV1, type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import type { EncapsulationMode } from "../wire/v1-attributes.js";
import type { Cookies } from "./keys.js";

/** One form of NAT traversal, as a vendor ID announces it. */
export interface NatTraversal {
  readonly vendorId: Feature;
  readonly detection: "NAT-D" | "NAT-D draft";
  readonly originalAddress: "NAT-OA" | "NAT-OA draft";
  readonly udpTunnel: EncapsulationMode;
}

const RFC = { detection: "NAT-D", originalAddress: "NAT-OA", udpTunnel: "udpTunnel" } as const;
const DRAFT = { detection: "NAT-D draft", originalAddress: "NAT-OA draft", udpTunnel: "udpTunnelDraft" } as const;

/** Best first. */
export const NAT_TRAVERSALS: readonly NatTraversal[] = [
  { vendorId: "natTraversal", ...RFC },
  { vendorId: "natTraversalDraft3", ...DRAFT },
  { vendorId: "natTraversalDraft2Line", ...DRAFT },
  { vendorId: "natTraversalDraft2", ...DRAFT },
];

/** HASH = hash(CKY-I | CKY-R | IP | Port), RFC 3947 section 3.2: the hash is that of phase 1. */
export function natDetectionHashV1(hash: Hash, cookies: Cookies, { address, port }: SocketAddress): Uint8Array {
  return hash.digest(
    spiOctets(cookies.initiatorCookie),
    spiOctets(cookies.responderCookie),
    addressOctets(address),
    new Uint8Array([port >> 8, port & 0xff]),
  );
}

/**
 * The two payloads that we send. With `encapsulation: udp` our own address is given as the unspecified one, which never matches: the
 * peer then believes in a NAT and encapsulates.
 */
export function natDetectionV1(
  { detection }: NatTraversal,
  hash: Hash,
  cookies: Cookies,
  path: Path,
  encapsulation: "auto" | "udp",
): readonly PayloadV1[] {
  const own = encapsulation === "udp" ? { address: unspecified(path.local.address.family), port: 0 } : path.local;
  return [path.remote, own].map((end) => payloadV1(detection, { data: natDetectionHashV1(hash, cookies, end) }));
}

/** What the peer's payloads say. It may send several hashes of its own addresses: one match is enough. */
export function natVerdictV1(
  { detection }: NatTraversal,
  hash: Hash,
  cookies: Cookies,
  path: Path,
  payloads: readonly PayloadV1[],
): NatVerdict {
  const [destination, ...sources] = bodiesOfV1(payloads, detection);
  if (destination === undefined || sources.length === 0) return NO_NAT;
  const ours = natDetectionHashV1(hash, cookies, path.local);
  const theirs = natDetectionHashV1(hash, cookies, path.remote);
  return {
    supported: true,
    here: !equal(destination.data, ours),
    peer: !sources.some(({ data }) => equal(data, theirs)),
  };
}

/** The encapsulation modes of phase 2 that we accept, the one that we offer first. Behind a NAT it is UDP, in the form that was agreed. */
export function encapsulationModes(traversal: NatTraversal | undefined, udp: boolean): readonly EncapsulationMode[] {
  if (traversal === undefined) return ["tunnel"];
  return udp ? [traversal.udpTunnel, "tunnel"] : ["tunnel", traversal.udpTunnel];
}

/** Whether ESP goes inside UDP. */
export function isUdpEncapsulation(mode: EncapsulationMode): boolean {
  return mode !== "tunnel" && mode !== "transport";
}
