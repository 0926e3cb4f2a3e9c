/** Who the peer is: an address, a name that DNS resolves, or anybody who knows the key. */
import { type Address, formatAddress, isUnspecified, parseAddress } from "../../esp/address.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";

/** Throws `RangeError` with what is wrong and what is allowed. */
export function parsePeer(text: string): TunnelPolicy["peer"] {
  if (text === "any") return { kind: "any" };
  if (text.includes(":") || /^[\d.]+$/.test(text)) return { kind: "address", address: hostAddress(text) };
  if (!isDnsName(text)) throw new RangeError(`found "${text}"; ${ALLOWED}`);
  return { kind: "name", name: text };
}

const ALLOWED = "allowed: an IP address, a DNS name, or any (with start: passive)";

function hostAddress(text: string): Address {
  let address: Address;
  try {
    address = parseAddress(text);
  } catch {
    throw new RangeError(`found "${text}"; ${ALLOWED}`);
  }
  if (isUnspecified(address)) throw new RangeError(`found "${text}"; write "any" for a peer with any address`);
  if (isGroup(address))
    throw new RangeError(`found ${formatAddress(address)}, which is no address of one host; ${ALLOWED}`);
  return address;
}

/** Multicast and broadcast. */
function isGroup({ family, value }: Address): boolean {
  return family === 4 ? value >> 28n === 0xen || value === 0xffff_ffffn : value >> 120n === 0xffn;
}

/** RFC 1123 section 2.1: letters, digits and hyphens; a last label of digits alone would be an address. */
function isDnsName(text: string): boolean {
  const labels = text.replace(/\.$/, "").split(".");
  return (
    text.length <= 253 &&
    labels.every((label) => /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/.test(label)) &&
    !/^\d+$/.test(labels.at(-1)!)
  );
}
