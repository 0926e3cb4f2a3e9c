/** How large an inner packet can be, so that its ESP packet fits the outer path (RFC 4459, RFC 8201). */
import type { Family } from "./address.js";
import { type EspLengths, payloadOffset, TRAILER_BYTES, textAlignment } from "./packet.js";
import type { Encapsulation } from "./sa.js";
import type { Wrapping } from "./tunnel.js";

/** Header lengths without options. */
export const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
export const UDP_HEADER_BYTES = 8;
export const TCP_HEADER_BYTES = 20;

/** What every link carries (RFC 8200 section 5), and what every host takes (RFC 791). */
export const LEAST_MTU: Readonly<Record<Family, number>> = { 4: 576, 6: 1280 };
/** RFC 791: what every IPv4 link carries in one piece. A path that takes less than this and our headers takes nothing. */
const LEAST_FRAGMENT = 68;
/** Of an IP packet: its length field has 16 bits. */
export const MOST_MTU = 65535;

/** The largest inner packet whose ESP packet, with outer IP and UDP headers, has at most `outerMtu` octets. */
export function innerMtu(
  outerMtu: number,
  outerFamily: Family,
  encapsulation: Encapsulation,
  lengths: EspLengths,
): number {
  const outer = IP_HEADER_BYTES[outerFamily] + (encapsulation === "udp" ? UDP_HEADER_BYTES : 0);
  const alignment = textAlignment(lengths);
  const room = outerMtu - outer - payloadOffset(lengths) - lengths.icvBytes;
  return Math.floor(room / alignment) * alignment - TRAILER_BYTES;
}

/** The TCP MSS for an inner MTU: without room for options, as RFC 9293 section 3.7.1 wants it. */
export function mssFor(mtu: number, innerFamily: Family): number {
  return mtu - IP_HEADER_BYTES[innerFamily] - TCP_HEADER_BYTES;
}

/** What one SA lets through; all of them octets of inner packets. */
export interface InnerLimits {
  /** The largest packet whose ESP packet leaves in one piece. */
  readonly whole: number;
  /** The MTU of the tunnel for IPv4; larger packets are fragmented before they are sealed, or refused. */
  readonly mtu4: number;
  /** For IPv6, never below 1280: what fits no better travels in outer fragments (RFC 2473 section 7.1). */
  readonly mtu6: number;
  readonly mss4: number;
  readonly mss6: number;
}

/** Joins what fits the path with what the tunnel is configured for. Only fragments of IPv4 may carry more than fits. */
export function innerLimits(
  outerMtu: number,
  outerFamily: Family,
  encapsulation: Encapsulation,
  lengths: EspLengths,
  { mtu, df }: Pick<Wrapping, "mtu" | "df">,
): InnerLimits {
  const fits = innerMtu(outerMtu, outerFamily, encapsulation, lengths);
  const whole = Math.max(Math.min(fits, MOST_MTU), LEAST_FRAGMENT);
  const fragments = df === "clear" && outerFamily === 4;
  const mtu4 = mtu === 0 ? whole : fragments ? mtu : Math.min(mtu, whole);
  const segment = Math.min(mtu4, whole);
  return {
    whole,
    mtu4,
    mtu6: Math.max(mtu4, LEAST_MTU[6]),
    mss4: mssFor(segment, 4),
    mss6: mssFor(segment, 6),
  };
}
