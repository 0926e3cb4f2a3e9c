/** ICMP "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6 "packet too big" (RFC 4443 section 3.2) about an ESP packet of ours. */
import type { Arena } from "../crypto/interfaces.js";
import type { Address, Family } from "./address.js";
import type { Checksum } from "./checksum.js";
import { createIpHeader, type IpHeader, PROTOCOL, readQuotedHeader } from "./ip-header.js";
import { UDP_HEADER_BYTES } from "./mtu.js";
import type { Encapsulation } from "./sa.js";

export interface OuterTooBig {
  /** The next-hop MTU; 0: not told. */
  readonly mtu: number;
  /** Of the packet that was too big. */
  readonly quotedBytes: number;
  readonly source: Address;
  readonly destination: Address;
  readonly encapsulation: Encapsulation;
  /** 0 without UDP. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Undefined where the quote ends before it: RFC 792 asks for eight octets behind the IP header, which is all of UDP's. */
  readonly spi: number | undefined;
}

const ICMP_HEADER_BYTES = 8;
const PROTOCOL_ESP = 50;
/** Destination unreachable: fragmentation needed and DF set. Packet too big. */
const TYPE_AND_CODE: Readonly<Record<Family, number>> = { 4: 0x0304, 6: 0x0200 };

/**
 * Reads the ICMP message of `length` octets at `at`, behind its IP header. Undefined: it is another one, is damaged, or quotes
 * nothing of ours. ICMPv6's checksum covers a header that is not here: the kernel has checked it.
 */
export function readOuterTooBig(
  arena: Arena,
  checksum: Checksum,
  at: number,
  length: number,
  family: Family,
): OuterTooBig | undefined {
  const { view } = arena;
  if (length < ICMP_HEADER_BYTES || view.getUint16(at) !== TYPE_AND_CODE[family]) return undefined;
  if (family === 4 && checksum.sum(at, length) !== 0xffff) return undefined;
  const quote = createIpHeader();
  const end = at + length;
  if (readQuotedHeader(arena, at + ICMP_HEADER_BYTES, length - ICMP_HEADER_BYTES, quote) !== 0) return undefined;
  if (quote.family !== family || quote.laterFragment) return undefined;
  const mtu = family === 4 ? view.getUint16(at + 6) : view.getUint32(at + 4);
  const common = { mtu, quotedBytes: quote.totalBytes, source: address(quote, "source") };
  const rest = { ...common, destination: address(quote, "destination") };
  const spiAt = (where: number) => (where + 4 <= end ? view.getUint32(where) : undefined);
  if (quote.protocol === PROTOCOL_ESP) {
    const spi = spiAt(quote.transport);
    return { ...rest, encapsulation: "esp", sourcePort: 0, destinationPort: 0, spi };
  }
  if (quote.protocol !== PROTOCOL.udp || quote.sourcePort < 0) return undefined;
  const { sourcePort, destinationPort } = quote;
  const spi = spiAt(quote.transport + UDP_HEADER_BYTES);
  return { ...rest, encapsulation: "udp", sourcePort, destinationPort, spi };
}

function address(header: IpHeader, which: "source" | "destination"): Address {
  const words = Array.from(header[which].subarray(0, header.family === 4 ? 1 : 4));
  return { family: header.family, value: words.reduce((value, word) => (value << 32n) | BigInt(word), 0n) };
}
