/** Words that strongSwan's and libreswan's files share: durations, sizes, addresses, identities, traffic selectors. */
import { hex, octets, text, utf8 } from "../../crypto/bytes.js";
import { type Address, formatAddress, formatPrefix, isUnspecified, parseAddress, prefixOf } from "../../esp/address.js";
import {
  ANY_PROTOCOL,
  isAnyProtocol,
  type ProtocolPorts,
  selectorFromAddress,
  selectorFromPrefix,
  selectorFromRange,
  type TrafficSelector,
  toPrefixes,
} from "../../esp/selector.js";
import { type Identity, parseIdentity } from "../../ike/core/identity.js";
import { parsePeer } from "../config/peer.js";
import type { End } from "./connection.js";

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, sec: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** "30s", "1h", "3600"; undefined for anything else. */
export function secondsOf(words: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,9})\s*([a-z]*)$/i.exec(words.trim()) ?? [];
  const factor = SECONDS[unit.toLowerCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

const OCTETS: Readonly<Record<string, number>> = {
  "": 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  k: 1e3,
  m: 1e6,
  g: 1e9,
};

/** "1843200KiB", "4GiB", plain octets. */
export function octetsOf(words: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})\s*([a-z]*)$/i.exec(words.trim()) ?? [];
  const factor = OCTETS[unit.toLowerCase().replace(/^([kmg]i)?b$/, "$1b")];
  const size = Number(digits) * (factor ?? Number.NaN);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** A section, connection or file name: what every product takes. */
export function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  return plain === "" ? "tunnel" : plain;
}

/** An address, a DNS name, or anybody; undefined for what is none of them. */
export function placeOf(words: string): End["at"] | undefined {
  const plain = words.trim();
  if (/^(%any|%any4|%any6|%defaultroute|%group|%opportunistic|0\.0\.0\.0|::|any)$/.test(plain)) return { kind: "any" };
  try {
    return parsePeer(plain);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export function placeWords(at: End["at"]): string {
  if (at === undefined || at.kind === "any") return "%any";
  return at.kind === "name" ? at.name : formatAddress(at.address);
}

export function addressOf(words: string): Address | undefined {
  try {
    const address = parseAddress(words.trim());
    return isUnspecified(address) ? undefined : address;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * An identity in strongSwan's or libreswan's words. `undefined` with the reason for what we do not have (distinguished names);
 * "any" for an identity that is not checked.
 */
export function identityOfWords(words: string): Identity | "any" | { readonly problem: string } {
  const plain = words.trim();
  if (plain === "" || plain === "%any" || plain === "%any4" || plain === "%any6") return "any";
  try {
    if (/^@#/.test(plain)) return keyId(plain.slice(2).replace(/^0x/, ""), true);
    if (/^@\[.*\]$/.test(plain)) return keyId(plain.slice(2, -1), false);
    const [, prefix = "", rest = ""] = /^(keyid|fqdn|dns|email|rfc822|userfqdn|ipv4|ipv6):(.*)$/s.exec(plain) ?? [];
    if (prefix === "keyid") return rest.startsWith("#") ? keyId(rest.slice(1), true) : keyId(rest, false);
    if (rest.startsWith("#")) return { problem: `an identity in hex of type ${prefix}` };
    return parseIdentity(prefix === "" ? plain.replace(/^@@/, "") : rest);
  } catch (error) {
    if (error instanceof RangeError) return { problem: error.message };
    throw error;
  }
}

function keyId(words: string, inHex: boolean): Identity {
  if (inHex && !/^(?:[0-9a-f]{2})+$/i.test(words)) throw new RangeError("a key ID whose hex digits are wrong");
  if (words === "") throw new RangeError("an empty key ID");
  return { type: "keyId", data: inHex ? octets(words) : utf8(words) };
}

/** Undefined for a distinguished name, which our own file cannot have either. */
export function identityWords(identity: Identity, keyIdForm: "keyid:#" | "@#"): string {
  const words = text(identity.data);
  switch (identity.type) {
    case "ipv4":
    case "ipv6":
      return formatAddress(addressOfIdentity(identity));
    case "fqdn":
      return keyIdForm === "@#" || !words.includes(".") ? `@${words}` : words;
    case "email":
      return words;
    case "keyId":
    case "dn":
      return `${keyIdForm}${hex(identity.data)}`;
  }
}

function addressOfIdentity({ data }: Identity): Address {
  let value = 0n;
  for (const octet of data) value = (value << 8n) | BigInt(octet);
  return { family: data.length === 4 ? 4 : 6, value };
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  any: 0,
  icmp: 1,
  ipip: 4,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  "ipv6-icmp": 58,
  ospf: 89,
  ospfigp: 89,
  sctp: 132,
  udplite: 136,
};

/** "tcp", "6"; undefined for an unknown name. */
export function protocolOf(words: string): number | undefined {
  const plain = words.trim().toLowerCase();
  if (plain === "" || plain === "%any") return 0;
  if (/^\d{1,3}$/.test(plain)) return Number(plain) <= 255 ? Number(plain) : undefined;
  return PROTOCOLS[plain];
}

/** The numbers that stand for every port in such files: none, 0, "%any". */
export function portsOf(words: string): Pick<ProtocolPorts, "startPort" | "endPort"> | undefined {
  const plain = words.trim().toLowerCase();
  if (plain === "" || plain === "%any" || plain === "any" || plain === "0") return { startPort: 0, endPort: 65535 };
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(plain) ?? [];
  if (first === undefined || Number(first) > Number(last) || Number(last) > 65535) return undefined;
  return { startPort: Number(first), endPort: Number(last) };
}

/**
 * strongSwan's traffic selectors: "10.1.0.0/16[tcp/443]", "10.0.0.1-10.0.0.9", "dynamic" (the end's own address). Undefined for
 * what is none; host bits behind a prefix are cleared, as the product does.
 */
export function selectorOfWords(words: string, own: Address | undefined): TrafficSelector | undefined {
  const [, range = "", narrower] = /^([^[\]\s]*)(?:\s*\[([^[\]]*)\])?$/.exec(words.trim()) ?? [];
  const ports = narrower === undefined ? ANY_PROTOCOL : protocolPortsOf(narrower);
  if (ports === undefined) return undefined;
  if (range === "dynamic" || range === "%dynamic") return own && { ...selectorFromAddress(own), ...ports };
  const [from = "", to, ...more] = range.split("-");
  if (to !== undefined) {
    const first = addressOrZero(from);
    const last = addressOrZero(to);
    if (more.length > 0 || first === undefined || last?.family !== first.family || first.value > last.value)
      return undefined;
    return selectorFromRange(first.family, first.value, last.value, ports);
  }
  const [host = "", length, ...rest] = range.split("/");
  const address = addressOrZero(host);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > bits)) return undefined;
  return selectorFromPrefix(prefixOf(address, length === undefined ? bits : Number(length)), ports);
}

function addressOrZero(words: string): Address | undefined {
  try {
    return parseAddress(words.trim());
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** "tcp/443", "/53", "17". */
function protocolPortsOf(words: string): ProtocolPorts | undefined {
  const [name = "", port = "", ...more] = words.split("/");
  const protocol = protocolOf(name);
  const ports = portsOf(port);
  return more.length > 0 || protocol === undefined || ports === undefined ? undefined : { protocol, ...ports };
}

/** A selector as one word; ranges that are no prefix become "first-last". */
export function selectorWords(selector: TrafficSelector): string {
  const { family, start, end, protocol, startPort, endPort } = selector;
  const [prefix, ...more] = toPrefixes(selector);
  const range =
    more.length === 0
      ? formatPrefix(prefix!)
      : `${formatAddress({ family, value: start })}-${formatAddress({ family, value: end })}`;
  if (isAnyProtocol(selector)) return range;
  const ports =
    startPort === 0 && endPort === 65535 ? "" : startPort === endPort ? `/${startPort}` : `/${startPort}-${endPort}`;
  return `${range}[${protocol}${ports}]`;
}
