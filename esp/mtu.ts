/** How large an inner packet can be, so that its ESP packet fits the outer path (RFC 4459, RFC 8201). */
import type { Family } from "./address.js";
import type { Encapsulation } from "./sa.js";

export interface EspOverhead {
  readonly ivBytes: number;
  readonly icvBytes: number;
  readonly blockBytes: number;
}

/** The largest inner packet whose ESP packet, with outer IP and UDP headers, has at most `outerMtu` octets. */
export declare function innerMtu(
  outerMtu: number,
  outerFamily: Family,
  encapsulation: Encapsulation,
  overhead: EspOverhead,
): number;

/** TCP MSS for an inner MTU. */
export declare function mssFor(mtu: number, innerFamily: Family): number;
