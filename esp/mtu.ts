/** How large an inner packet can be, so that its ESP packet fits the outer path (RFC 4459, RFC 8201). */
import type { Family } from "./address.js";
import { type EspLengths, payloadOffset, TRAILER_BYTES, textAlignment } from "./packet.js";
import type { Encapsulation } from "./sa.js";

/** Header lengths without options. */
export const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
export const UDP_HEADER_BYTES = 8;
export const TCP_HEADER_BYTES = 20;

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
