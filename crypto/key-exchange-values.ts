/** The arithmetic of private values and the checks of public ones that every backend shares (RFC 6989, RFC 8031). */

/** Big-endian octets as a number. */
export function toNumber(bytes: Uint8Array): bigint {
  let number = 0n;
  for (const octet of bytes) number = (number << 8n) | BigInt(octet);
  return number;
}

/** A number as `length` big-endian octets. */
export function toOctets(number: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let rest = number;
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** A private exponent from any octets: 0 and 1, which would give the peer our secret, become 2 and 3. */
export function exponentOf(privateOctets: Uint8Array): bigint {
  const exponent = toNumber(privateOctets);
  return exponent > 1n ? exponent : exponent + 2n;
}

/**
 * A private scalar 1..order-1 from any octets; what is in range stays what it is. The bias is that of the octets
 * above the order, 2^-32 of them on P-256 and less on P-384.
 */
export function scalarOf(privateOctets: Uint8Array, order: bigint): bigint {
  const scalar = toNumber(privateOctets);
  return scalar > 0n && scalar < order ? scalar : (scalar % (order - 1n)) + 1n;
}

/** Throws `RangeError` unless the value has the length that RFC 7296 section 3.4 and the group's RFC demand. */
export function checkLength(name: string, value: Uint8Array, length: number): void {
  if (value.length !== length)
    throw new RangeError(`${name}: public value of ${value.length} octets, ${length} expected`);
}

/** RFC 6989 section 2.1: 1 < y < p-1. Enough for safe primes, whose only small subgroup is { 1, p-1 }. */
export function checkSafePrimeValue(name: string, value: Uint8Array, prime: bigint): void {
  const y = toNumber(value);
  if (y <= 1n || y >= prime - 1n) throw new RangeError(`${name}: public value out of the range 2..p-2`);
}

/** RFC 8031 section 4 and RFC 7748 section 6.1: an all-zero result means a point of small order. */
export function checkNotZero(name: string, shared: Uint8Array): void {
  if (shared.every((octet) => octet === 0)) throw new RangeError(`${name}: public value of small order`);
}

/** Private octets must be as many as the row says: fewer would weaken the group without a word. */
export function checkPrivate(name: string, octets: Uint8Array, length: number): Uint8Array {
  if (octets.length < length) throw new RangeError(`${name}: ${octets.length} private octets, ${length} wanted`);
  return octets;
}
