/** Identification payload contents, RFC 7296 section 3.5: reading, printing and comparing them. */
import { equal, hex, octets, text, utf8 } from "../../crypto/bytes.js";
import {
  type Address,
  addressFromOctets,
  addressOctets,
  formatAddress,
  type Path,
  parseAddress,
} from "../../esp/address.js";
import { ID_TYPE, type IdTypeName, idTypeName } from "../wire/id-types.js";
import type { IdPayload } from "../wire/payloads/id.js";
import type { TunnelPolicy } from "./policy.js";

export type IdentityType = IdTypeName;

export interface Identity {
  readonly type: IdentityType;
  /** As on the wire. */
  readonly data: Uint8Array;
}

/**
 * Reads what the configuration writes: "192.0.2.1", "2001:db8::1", "gw.example.com" (or "@gw.example.com"),
 * "user@example.com", "keyid:any text" or "keyid:0x0011…". Throws `RangeError` with the reason.
 */
export function parseIdentity(words: string): Identity {
  if (words === "") throw new RangeError("an identity is empty");
  if (words.startsWith(KEY_ID)) return keyIdentity(words.slice(KEY_ID.length));
  if (words.includes("=")) throw new RangeError(`distinguished names are not supported yet: "${words}"`);
  const address = tryAddress(words);
  if (address !== undefined) return addressIdentity(address);
  if (words.includes(":")) throw new RangeError(`neither an IPv6 address nor "keyid:…": "${words}"`);
  const at = words.lastIndexOf("@");
  const domain = words.slice(at + 1);
  if (!DOMAIN.test(domain)) throw new RangeError(`not an address, a domain name or user@domain: "${words}"`);
  if (at <= 0) return { type: "fqdn", data: utf8(domain) };
  if (!USER.test(words.slice(0, at))) throw new RangeError(`not a user name before "@": "${words}"`);
  return { type: "email", data: utf8(words) };
}

export function addressIdentity(address: Address): Identity {
  return { type: address.family === 4 ? "ipv4" : "ipv6", data: addressOctets(address) };
}

/** As `parseIdentity` reads it, up to a length that no name has. What a peer sent is shown with every character outside of printable ASCII replaced. */
export function formatIdentity({ type, data }: Identity): string {
  switch (type) {
    case "ipv4":
    case "ipv6":
      return formatAddress(addressFromOctets(data));
    case "fqdn":
    case "email":
      return shown(data, printable);
    case "dn":
      return `DN 0x${shown(data, hex)}`;
    case "keyId":
      return isPrintable(data) && !text(data).startsWith("0x")
        ? `${KEY_ID}${shown(data, text)}`
        : `${KEY_ID}0x${shown(data, hex)}`;
  }
}

/** Domain names and mail addresses without regard to the case of ASCII letters, everything else octet for octet. */
export function sameIdentity(a: Identity, b: Identity): boolean {
  if (a.type !== b.type) return false;
  if (a.type === "fqdn" || a.type === "email") return equal(lowerCase(a.data), lowerCase(b.data));
  return equal(a.data, b.data);
}

/** The contents of IDi or IDr. */
export function idPayload({ type, data }: Identity): IdPayload {
  return { idType: ID_TYPE[type], data };
}

/** The identity of an ID payload; undefined for a type that we do not know, or an address of the wrong length. */
export function identityOf({ idType, data }: IdPayload): Identity | undefined {
  const type = idTypeName(idType);
  if (type === undefined) return undefined;
  if ((type === "ipv4" && data.length !== 4) || (type === "ipv6" && data.length !== 16)) return undefined;
  return { type, data };
}

/** For logs, whatever came. */
export function formatIdPayload(payload: IdPayload): string {
  const identity = identityOf(payload);
  return identity === undefined ? `ID type ${payload.idType} 0x${shown(payload.data, hex)}` : formatIdentity(identity);
}

/** Who we say we are: as configured, else our own outer address. */
export function ourIdentity({ localId }: TunnelPolicy, { local }: Path): Identity {
  return localId ?? addressIdentity(local.address);
}

/** Who the peer has to be: as configured, else the peer's address. */
export function theirIdentity({ peerId, peer }: TunnelPolicy, { remote }: Path): Identity {
  return peerId ?? addressIdentity(peer.kind === "address" ? peer.address : remote.address);
}

const KEY_ID = "keyid:";
const DOMAIN =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;
const USER = /^[\x21-\x3f\x41-\x7e]+$/;

function keyIdentity(words: string): Identity {
  if (words === "") throw new RangeError(`"keyid:" needs a text or 0x and hex behind it`);
  return { type: "keyId", data: words.startsWith("0x") ? octets(words.slice(2)) : utf8(words) };
}

function tryAddress(words: string): Address | undefined {
  try {
    return parseAddress(words);
  } catch {
    return undefined;
  }
}

/** A domain name has at most 253 characters. */
const MOST_SHOWN = 255;

function shown(data: Uint8Array, format: (octets: Uint8Array) => string): string {
  if (data.length <= MOST_SHOWN) return format(data);
  return `${format(data.subarray(0, MOST_SHOWN))}... (${data.length} octets)`;
}

function isPrintable(data: Uint8Array): boolean {
  return data.length > 0 && data.every((octet) => octet >= 0x20 && octet < 0x7f);
}

function printable(data: Uint8Array): string {
  return text(data.map((octet) => (octet > 0x20 && octet < 0x7f ? octet : 0x3f)));
}

function lowerCase(data: Uint8Array): Uint8Array {
  return data.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet));
}
