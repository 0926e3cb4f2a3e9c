/** IP addresses as values that compare, hash and clone: the number, not the text. */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A range of addresses that is one prefix: `value` has its host bits zero. */
export interface Prefix extends Address {
  readonly length: number;
}

export interface SocketAddress {
  readonly address: Address;
  readonly port: number;
}

/** Where an IKE or ESP packet comes from or goes to, seen from here. */
export interface Path {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** How many bits an address of the family has. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The highest address of a family, as a number. */
export function lastAddress(family: Family): bigint {
  return family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
}

/** 0.0.0.0 or ::, the wildcard that sockets bind. */
export function unspecified(family: Family): Address {
  return { family, value: 0n };
}

export function isUnspecified(address: Address): boolean {
  return address.value === 0n;
}

/** Reads "192.0.2.1" or "2001:db8::1" (RFC 4291 section 2.2). Throws `RangeError` with the text that is not an address. */
export function parseAddress(text: string): Address {
  const value = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  if (value === undefined) throw new RangeError(`not an IP address: "${text}"`);
  return { family: text.includes(":") ? 6 : 4, value };
}

/** Reads "10.0.0.0/8"; without a length it is one host. Throws `RangeError`, also when host bits are set. */
export function parsePrefix(text: string): Prefix {
  const [host = "", length, ...more] = text.split("/");
  const { family, value } = parseAddress(host);
  const bits = addressBits(family);
  if (length === undefined) return { family, value, length: bits };
  if (more.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits)
    throw new RangeError(`not a prefix: "${text}" (the length goes from 0 to ${bits})`);
  const prefix = prefixOf({ family, value }, Number(length));
  if (prefix.value !== value)
    throw new RangeError(`"${text}" has bits set behind its length: the prefix is ${formatPrefix(prefix)}`);
  return prefix;
}

/** The prefix of this length that holds the address. */
export function prefixOf(address: Address, length: number): Prefix {
  const hostBits = BigInt(addressBits(address.family) - length);
  return { family: address.family, value: (address.value >> hostBits) << hostBits, length };
}

/** Dotted decimal, or the form of RFC 5952. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIpv4(address.value) : formatIpv6(address.value);
}

/** "10.0.0.0/8"; always with a length. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** "192.0.2.1:500", "[2001:db8::1]:500". */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  const host = formatAddress(address);
  return address.family === 4 ? `${host}:${port}` : `[${host}]:${port}`;
}

/** Network order: 4 or 16 octets. */
export function addressOctets(address: Address): Uint8Array {
  const octets = new Uint8Array(addressBits(address.family) / 8);
  let rest = address.value;
  for (let i = octets.length - 1; i >= 0; i--) {
    octets[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return octets;
}

/** The inverse of `addressOctets`. Throws `RangeError` unless there are 4 or 16 octets. */
export function addressFromOctets(octets: Uint8Array): Address {
  if (octets.length !== 4 && octets.length !== 16)
    throw new RangeError(`an address has 4 or 16 octets, not ${octets.length}`);
  let value = 0n;
  for (const octet of octets) value = (value << 8n) | BigInt(octet);
  return { family: octets.length === 4 ? 4 : 6, value };
}

/** The address as 32-bit words, most significant first: 1 or 4 of them. What the packet path compares. */
export function addressWords(family: Family, value: bigint): readonly number[] {
  const shifts = family === 4 ? [0n] : [96n, 64n, 32n, 0n];
  return shifts.map((shift) => Number((value >> shift) & 0xffff_ffffn));
}

/** IPv4 before IPv6, then by number. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

export function sameSocketAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && sameAddress(a.address, b.address);
}

export function samePath(a: Path, b: Path): boolean {
  return sameSocketAddress(a.local, b.local) && sameSocketAddress(a.remote, b.remote);
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  return prefix.family === address.family && prefixOf(address, prefix.length).value === prefix.value;
}

/** The last address of a prefix, as a number. */
export function prefixEnd(prefix: Prefix): bigint {
  return prefix.value | ((1n << BigInt(addressBits(prefix.family) - prefix.length)) - 1n);
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    // No leading zeros: some readers take them as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<number>(missing).fill(0), ...tail]) value = (value << 16n) | BigInt(group);
  return value;
}

/** The 16-bit groups of one side of "::"; dotted decimal may stand at the very end. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const found: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes(".")) {
      const value = parseIpv4(part);
      if (value === undefined) return undefined;
      found.push(Number(value >> 16n), Number(value & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) found.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return found;
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

/** RFC 5952: lower case, no leading zeros, "::" for the longest run of two or more zero groups, the first among equals. */
function formatIpv6(value: bigint): string {
  // IPv4-mapped addresses are shown as such (RFC 5952 section 5).
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(value & 0xffff_ffffn)}`;
  const parts = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && parts[i + run] === 0) run++;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  const text = (from: number, to: number) =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(":");
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}
