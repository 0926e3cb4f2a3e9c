/**
 * Cuts an inner IPv4 packet that does not fit the tunnel into fragments (RFC 791 section 3.2, RFC 4301 section 7): before they are sealed, so
 * that the peer opens each one alone, and only the receiving host puts them together again.
 */
import type { Arena } from "../crypto/interfaces.js";
import type { Checksum } from "./checksum.js";

export interface Fragmenter {
  /**
   * Takes the packet of `length` octets at `packet`, which has no DF and a checksum that is complete. It may be a fragment itself.
   * Each fragment will have at most `mtu` octets, at least 68. The number of fragments.
   */
  start(packet: number, length: number, mtu: number): number;
  /** Writes the next fragment to `to` (outside the packet). Its length; 0: there are no more. */
  next(to: number): number;
}

const MORE_FRAGMENTS = 0x2000;
const OFFSET = 0x1fff;
/** Of an option's type octet: it stands in every fragment. */
const COPIED = 0x80;
const OPTION = { end: 0, none: 1 } as const;
const LONGEST_HEADER = 60;

export function createFragmenter(arena: Arena, checksum: Checksum): Fragmenter {
  const { bytes, view } = arena;
  /** The header of all fragments but the first. */
  const later = arena.alloc(LONGEST_HEADER + 4);
  let packet = 0;
  let headerBytes = 0;
  let laterBytes = 0;
  let payload = 0;
  let most = 0;
  let done = 0;

  /** Options that are to be copied, padded to four octets (RFC 791 section 3.1). */
  function writeLaterHeader(): void {
    bytes.copyWithin(later, packet, packet + 20);
    let to = later + 20;
    const end = packet + headerBytes;
    for (let at = packet + 20; at < end && bytes[at] !== OPTION.end; ) {
      const octets = bytes[at] === OPTION.none ? 1 : at + 1 < end ? bytes[at + 1]! : 0;
      if (octets === 0 || at + octets > end) break;
      if ((bytes[at]! & COPIED) !== 0) {
        bytes.copyWithin(to, at, at + octets);
        to += octets;
      }
      at += octets;
    }
    while ((to - later) % 4 !== 0) bytes[to++] = OPTION.end;
    laterBytes = to - later;
    bytes[later] = 0x40 | (laterBytes / 4);
  }

  /** Payload octets of a fragment behind a header of this length: a multiple of eight. */
  const room = (header: number) => (most - header) & ~7;

  return {
    start(at, length, mtu) {
      packet = at;
      headerBytes = (bytes[at]! & 15) * 4;
      payload = length - headerBytes;
      most = mtu;
      done = 0;
      writeLaterHeader();
      const rest = payload - room(headerBytes);
      return rest <= 0 ? 1 : 1 + Math.ceil(rest / room(laterBytes));
    },
    next(to) {
      if (done >= payload) return 0;
      const first = done === 0;
      const header = first ? headerBytes : laterBytes;
      const octets = Math.min(room(header), payload - done);
      bytes.copyWithin(to, first ? packet : later, (first ? packet : later) + header);
      checksum.copy(to + header, packet + headerBytes + done, octets);
      const field = view.getUint16(packet + 6);
      const more = done + octets < payload ? MORE_FRAGMENTS : field & MORE_FRAGMENTS;
      view.setUint16(to + 2, header + octets);
      view.setUint16(to + 6, more | ((field & OFFSET) + done / 8));
      view.setUint16(to + 10, 0);
      view.setUint16(to + 10, ~checksum.sum(to, header) & 0xffff, true);
      done += octets;
      return header + octets;
    },
  };
}
