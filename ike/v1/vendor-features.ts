/** What the vendor IDs of an IKEv1 peer promise, and which we send. An extension is used when both sides have announced it. */
import { equal } from "../../crypto/bytes.js";
import { FEATURE_VENDOR_ID, OUR_VENDOR_ID } from "../core/vendor-ids.js";
import { NAT_TRAVERSALS, type NatTraversal } from "./nat-d.js";

export interface VendorFeatures {
  /** The best that the peer announced and we speak too. */
  readonly natTraversal?: NatTraversal;
  readonly deadPeerDetection: boolean;
  readonly xauth: boolean;
  readonly ciscoUnity: boolean;
  /** The proprietary IKE fragmentation. */
  readonly fragmentation: boolean;
}

/** From the data of all VID payloads of a message. */
export function vendorFeatures(vendorIds: readonly Uint8Array[]): VendorFeatures {
  const has = (wanted: Uint8Array) => vendorIds.some((data) => equal(data, wanted));
  const begins = (wanted: Uint8Array, length: number) =>
    vendorIds.some((data) => data.length >= length && equal(data.subarray(0, length), wanted.subarray(0, length)));
  const natTraversal = NAT_TRAVERSALS.find(({ vendorId }) => has(FEATURE_VENDOR_ID[vendorId]));
  const { deadPeerDetection, xauth, ciscoUnity } = FEATURE_VENDOR_ID;
  return {
    ...(natTraversal && { natTraversal }),
    deadPeerDetection: begins(deadPeerDetection, deadPeerDetection.length - VERSION_BYTES),
    xauth: has(xauth),
    ciscoUnity: begins(ciscoUnity, ciscoUnity.length - VERSION_BYTES),
    fragmentation: vendorIds.some(announcesFragmentation),
  };
}

/** What we announce as initiator: every form of NAT traversal, the best first; fragmentation where it is wanted. */
export function initiatorVendorIds({ fragmentation }: { readonly fragmentation: boolean }): readonly Uint8Array[] {
  return [
    ...NAT_TRAVERSALS.map(({ vendorId }) => FEATURE_VENDOR_ID[vendorId]),
    FEATURE_VENDOR_ID.deadPeerDetection,
    ...(fragmentation ? [FRAGMENTATION_ID] : []),
    OUR_VENDOR_ID,
  ];
}

/**
 * What we answer: of NAT traversal the one form that is used from now on (RFC 3947 section 3.1), liveness and fragmentation if both
 * want them. To who announces nothing we say nothing, not even who made us: anybody can ask.
 */
export function responderVendorIds(
  peer: VendorFeatures,
  { fragmentation }: { readonly fragmentation: boolean },
): readonly Uint8Array[] {
  return [
    ...(peer.natTraversal ? [FEATURE_VENDOR_ID[peer.natTraversal.vendorId]] : []),
    ...(peer.deadPeerDetection ? [FEATURE_VENDOR_ID.deadPeerDetection] : []),
    ...(fragmentation && peer.fragmentation ? [FRAGMENTATION_ID] : []),
  ];
}

/** At the end of the vendor IDs of dead peer detection and of Cisco Unity. */
const VERSION_BYTES = 2;
/** Flag of the fragmentation vendor ID: main and aggressive mode may be fragmented. Windows sends no flags and means it. */
const MAIN_MODE_FRAGMENTS = 0x80;
const FRAGMENTATION_ID = new Uint8Array([...FEATURE_VENDOR_ID.fragmentation, MAIN_MODE_FRAGMENTS, 0, 0, 0]);

function announcesFragmentation(data: Uint8Array): boolean {
  const { length } = FEATURE_VENDOR_ID.fragmentation;
  if (data.length < length || !equal(data.subarray(0, length), FEATURE_VENDOR_ID.fragmentation)) return false;
  return data.length === length || (data[length]! & MAIN_MODE_FRAGMENTS) !== 0;
}
