/** Vendor IDs (RFC 7296 section 3.12): who the peer says it is. For logs only; nothing is decided by them. */
import { hex, text, utf8 } from "../../crypto/bytes.js";

/** What we send. Without a version: it would help nobody but a scanner. */
export const OUR_VENDOR_ID: Uint8Array = utf8("Causeway");

/** Opaque vendor IDs by the hex they start with. */
const BY_PREFIX: readonly (readonly [prefix: string, name: string])[] = [
  ["882fe56d6fd20dbc2251613b2ebe5beb", "strongSwan"],
  ["1e2b516905991c7d7c96fcbfb587e461", "Microsoft Windows"],
  ["fb1de3cdf341b7ea16b7e5be0855f120", "Microsoft negotiation discovery"],
  ["26244d38eddb61b3172a36e3d0cfb819", "Microsoft initial contact"],
  ["e3a5966a76379fe707228231e5ce8652", "Microsoft IKE CGA"],
  ["8299031757a36082c6a621de", "Fortinet FortiGate"],
  ["f4ed19e0c114eb516faaac0ee37daf2807b4381f", "Check Point"],
  ["4048b7d56ebce88525e7de7f00d6c2d3", "fragmentation (Cisco, Microsoft)"],
  ["afcad71368a1f1c96b8696fc77570100", "dead peer detection"],
];

/** Vendor IDs that are text, by how they start. */
const BY_TEXT: readonly (readonly [prefix: string, name: string])[] = [
  ["OE-Libreswan-", "libreswan"],
  ["OE", "Openswan"],
  ["CISCO-DELETE-REASON", "Cisco delete reason"],
  ["CISCO(COPYRIGHT)", "Cisco"],
  ["CISCO-DYNAMIC-ROUTE", "Cisco dynamic route"],
  ["CISCO-GRE-MODE", "Cisco GRE mode"],
  ["FLEXVPN-SUPPORTED", "Cisco FlexVPN"],
  ["Causeway", "Causeway"],
];

/** A name for the log: the known vendor, the text itself where it is printable, hex otherwise. At most 80 characters. */
export function vendorName(data: Uint8Array): string {
  const octets = hex(data);
  const opaque = BY_PREFIX.find(([prefix]) => octets.startsWith(prefix));
  if (opaque !== undefined) return opaque[1];
  const words = text(data.subarray(0, LONGEST));
  const known = BY_TEXT.find(([prefix]) => words.startsWith(prefix));
  const printable = data.length > 0 && data.subarray(0, LONGEST).every((octet) => octet >= 0x20 && octet < 0x7f);
  if (known !== undefined) return printable && words !== known[1] ? `${known[1]} (${words})` : known[1];
  return printable ? `"${words}"` : octets.slice(0, LONGEST);
}

const LONGEST = 60;
