/** What tunnelling does to the fields of both IP headers: RFC 4301 section 5.1.2, RFC 6040 (ECN), RFC 2983 (DSCP). */
import type { Arena } from "../crypto/interfaces.js";
import { DROP } from "./drop-reasons.js";

/** The ECN field, the lower two bits of TOS and Traffic Class. RFC 3168 section 5. */
export const ECN = { mask: 3, notEct: 0, ect1: 1, ect0: 2, ce: 3 } as const;

/** The TOS or Traffic Class octet of the packet at `inner`. */
export function readTos({ bytes, view }: Arena, inner: number): number {
  return bytes[inner]! >> 4 === 6 ? (view.getUint16(inner) >> 4) & 0xff : bytes[inner + 1]!;
}

/** How the packets of a tunnel are wrapped; all its SAs alike. */
export interface Wrapping {
  /** The largest inner packet, in octets; 0: what the path takes. */
  readonly mtu: number;
  /** Don't Fragment of an outer IPv4 header. RFC 4301 section 8.1. */
  readonly df: "copy" | "set" | "clear";
  /** The outer DSCP: the inner one (uniform model of RFC 2983), or one for all packets (pipe model). */
  readonly dscp: "copy" | number;
  readonly clampMss: boolean;
  /** Octets that each payload has at least, "mtu": as many as fit the path; 0: off. RFC 4303 section 2.7. */
  readonly tfcPadding: "mtu" | number;
}

export const USUAL_WRAPPING: Wrapping = { mtu: 0, df: "copy", dscp: "copy", clampMss: true, tfcPadding: 0 };

/** The outer DSCP where it is the inner one. */
export const COPY_DSCP = -1;

/**
 * The outer TOS or Traffic Class octet for the inner packet: its ECN field (the normal mode of RFC 6040 section 4.1), and
 * `dscp`, which is `COPY_DSCP` or six bits.
 */
export function outerTos(arena: Arena, inner: number, dscp: number): number {
  const tos = readTos(arena, inner);
  return dscp === COPY_DSCP ? tos : (dscp << 2) | (tos & ECN.mask);
}

/** Whether an outer packet may be fragmented on its way. */
export const OUTER = {
  /** It has DF, and this host does not cut it either. */
  whole: 0,
  /** It fits the path that is known, and has no DF for those that are not. */
  mayFragment: 1,
  /** It is larger than the path, and this host cuts it. */
  fragments: 2,
} as const;

/**
 * What RFC 4301 section 8.1 makes of the DF bits; `fits`: the ESP packet is not larger than the path.
 *
 *     inner           set    copy         clear
 *     IPv4 with DF    whole  whole        mayFragment
 *     IPv4 without    whole  mayFragment  mayFragment
 *     IPv6            whole  whole        mayFragment     routers do not fragment IPv6 (RFC 8200 section 5)
 *
 * An outer IPv6 packet that fits is `whole`: it has no DF. One that does not fit `fragments` in any case; that happens to IPv6 packets
 * of up to 1280 octets, to IPv4 packets that may not be cut before they are sealed, and where `clear` permits a larger MTU.
 */
export function outerFragmentation(
  { bytes }: Arena,
  inner: number,
  df: Wrapping["df"],
  outerFamily: 4 | 6,
  fits: boolean,
): number {
  if (!fits) return OUTER.fragments;
  if (outerFamily === 6 || df === "set") return OUTER.whole;
  return df === "clear" || isFragmentable(bytes, inner) ? OUTER.mayFragment : OUTER.whole;
}

/** IPv4 without DF. */
export function isFragmentable(bytes: Uint8Array, packet: number): boolean {
  return bytes[packet]! >> 4 === 4 && (bytes[packet + 6]! & DONT_FRAGMENT) === 0;
}

/** In the first octet of the fragment field. */
const DONT_FRAGMENT = 0x40;

/**
 * Carries the outer ECN field into the decapsulated packet, with the IPv4 header checksum. RFC 6040 section 4.2:
 *
 *     inner \ outer   Not-ECT  ECT(0)  ECT(1)  CE
 *     Not-ECT         Not-ECT  Not-ECT Not-ECT drop
 *     ECT(0)          ECT(0)   ECT(0)  ECT(1)  CE
 *     ECT(1)          ECT(1)   ECT(1)  ECT(1)  CE
 *     CE              CE       CE      CE      CE
 *
 * 0, or the drop code `ecnCorrupt`.
 */
export function applyOuterEcn(arena: Arena, inner: number, outerTos: number): number {
  const outer = outerTos & ECN.mask;
  if (outer !== ECN.ce && outer !== ECN.ect1) return 0;
  const tos = readTos(arena, inner);
  const field = tos & ECN.mask;
  if (field === ECN.notEct) return outer === ECN.ce ? DROP.ecnCorrupt : 0;
  if (field === outer || field === ECN.ce) return 0;
  writeTos(arena, inner, (tos & ~ECN.mask) | outer);
  return 0;
}

function writeTos({ bytes, view }: Arena, inner: number, tos: number): void {
  const word = view.getUint16(inner);
  if (bytes[inner]! >> 4 === 6) {
    view.setUint16(inner, (word & 0xf00f) | (tos << 4));
    return;
  }
  bytes[inner + 1] = tos;
  view.setUint16(inner + 10, updateChecksum(view.getUint16(inner + 10), word, view.getUint16(inner)));
}

/** The header checksum after one of the words that it covers has changed, RFC 1624 equation 3. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  let sum = (~checksum & 0xffff) + (~before & 0xffff) + after;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
