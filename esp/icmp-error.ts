/**
 * ICMP errors that a router on the way sends: their source is the router, which no mapping needs to cover. They belong to
 * the SA of the packet that they quote, reversed (RFC 4301 section 6.2).
 */
import type { Arena } from "../crypto/interfaces.js";
import { type IpHeader, PROTOCOL, readQuotedHeader } from "./ip-header.js";

/** Type, code, checksum, and four octets that depend on the type; the same in both versions. */
const QUOTE_OFFSET = 8;

/**
 * Reads the header of the packet that an ICMP error quotes. False: the packet is no ICMP error, quotes nothing readable, or is
 * addressed to somebody else than the sender of what it quotes.
 */
export function readIcmpQuote(arena: Arena, header: IpHeader, quoted: IpHeader): boolean {
  if (!isIcmpError(header)) return false;
  const quote = header.transport + QUOTE_OFFSET;
  if (readQuotedHeader(arena, quote, header.at + header.totalBytes - quote, quoted) !== 0) return false;
  if (quoted.family !== header.family) return false;
  for (let i = header.family === 4 ? 0 : 3; i >= 0; i--) if (quoted.source[i] !== header.destination[i]) return false;
  return true;
}

/** Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792); types below 128 (RFC 4443 section 2.1). */
function isIcmpError(header: IpHeader): boolean {
  if (header.sourcePort < 0) return false;
  const type = header.sourcePort >> 8;
  if (header.family === 6) return header.protocol === PROTOCOL.icmpV6 && type < 128;
  return header.protocol === PROTOCOL.icmp && ((type >= 3 && type <= 5) || type === 11 || type === 12);
}
