/** TCP MSS clamp on SYN segments: both ends then never send what does not fit the tunnel. */
import type { Arena } from "../crypto/interfaces.js";

/**
 * Lowers the MSS option (RFC 9293 section 3.7.1) of a TCP SYN to `mss`, with the checksum; anything else is left
 * alone. With a partial checksum (from the TUN device) the checksum field holds the pseudo-header sum and stays as it is. True when changed.
 */
export declare function clampMss(
  arena: Arena,
  packet: number,
  length: number,
  mss: number,
  partialChecksum: boolean,
): boolean;
