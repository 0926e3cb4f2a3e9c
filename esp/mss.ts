/** TCP MSS clamp on SYN segments: both ends then never send what does not fit the tunnel. */
import type { Arena } from "../crypto/interfaces.js";
import { PROTOCOL } from "./ip-header.js";
import { updateChecksum } from "./tunnel.js";

const SYN = 0x02;
const OPTION = { end: 0, none: 1, mss: 2 } as const;

/**
 * Lowers the MSS option (RFC 9293 section 3.7.1) of a TCP SYN to `mss4` or `mss6`, with the checksum; anything else is
 * left alone. Headers behind IPv6 extension headers are not looked for. `partialChecksum`: the checksum field holds
 * the pseudo-header sum (a packet from the TUN device) and stays as it is. True when the packet was changed.
 */
export function clampMss(
  { bytes, view }: Arena,
  packet: number,
  length: number,
  mss4: number,
  mss6: number,
  partialChecksum: boolean,
): boolean {
  const ipv6 = bytes[packet]! >> 4 === 6;
  const protocol = bytes[packet + (ipv6 ? 6 : 9)];
  if (protocol !== PROTOCOL.tcp) return false;
  if (!ipv6 && (view.getUint16(packet + 6) & 0x1fff) !== 0) return false;
  const tcp = packet + (ipv6 ? 40 : (bytes[packet]! & 15) * 4);
  if (tcp + 20 > packet + length || (bytes[tcp + 13]! & SYN) === 0) return false;
  const end = Math.min(tcp + (bytes[tcp + 12]! >> 4) * 4, packet + length);
  const mss = ipv6 ? mss6 : mss4;
  for (let at = tcp + 20; at < end && bytes[at] !== OPTION.end; ) {
    if (bytes[at] === OPTION.none) {
      at++;
      continue;
    }
    const optionBytes = at + 1 < end ? bytes[at + 1]! : 0;
    if (optionBytes < 2 || at + optionBytes > end) return false;
    if (bytes[at] === OPTION.mss && optionBytes === 4) return lower(view, tcp, at + 2, mss, partialChecksum);
    at += optionBytes;
  }
  return false;
}

function lower(view: DataView, tcp: number, at: number, mss: number, partialChecksum: boolean): boolean {
  const before = view.getUint16(at);
  if (before <= mss) return false;
  view.setUint16(at, mss);
  if (partialChecksum) return true;
  // An option at an odd offset straddles two words of the sum; swapped octets add up to the same.
  const odd = ((at - tcp) & 1) !== 0;
  const swap = (word: number) => (odd ? ((word & 0xff) << 8) | (word >> 8) : word);
  view.setUint16(tcp + 16, updateChecksum(view.getUint16(tcp + 16), swap(before), swap(mss)));
  return true;
}
