/** The arithmetic of private values and the checks of public ones that every backend shares (RFC 6989, RFC 8031). */
import { hex, octets } from "./bytes.js";

/** The parameters of a MODP group: big-endian octets. */
export interface ModpGroup {
  readonly prime: Uint8Array;
  readonly generator: Uint8Array;
  /** The prime order q of the generator's subgroup, where it is a small one (RFC 5114); absent for a safe prime. */
  readonly order?: Uint8Array;
}

/** A group with a safe prime p = 2q + 1 and generator 2 (RFC 2409, RFC 3526). */
export function safePrimeGroup(prime: Uint8Array): ModpGroup {
  return { prime, generator: Uint8Array.of(2) };
}

/** Big-endian octets as a number. */
export function toNumber(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${hex(bytes)}`);
}

/** A number as `length` big-endian octets. */
export function toOctets(number: bigint, length: number): Uint8Array {
  return octets(number.toString(16).padStart(2 * length, "0"));
}

/** base ^ exponent mod modulus, square and multiply: its time depends on the exponent. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The private exponent of a MODP group; with a subgroup of order q it is 1..q-1 (RFC 5114 section 3.2). */
export function modpExponent(name: string, privateOctets: Uint8Array, length: number, order?: bigint): bigint {
  const checked = checkPrivate(name, privateOctets, length);
  return order === undefined ? exponentOf(checked) : scalarOf(checked, order);
}

/** A private exponent from any octets: 0 and 1, which would give the peer our secret, become 2 and 3. */
function exponentOf(privateOctets: Uint8Array): bigint {
  const exponent = toNumber(privateOctets);
  return exponent > 1n ? exponent : exponent + 2n;
}

/**
 * A private scalar 1..order-1 from any octets; what is in range stays what it is. The bias is that of the octets
 * above the order: 2^-32 of them on P-256 and less on P-384; rows whose order begins with other bits than ones take eight
 * octets more, which makes it 2^-64.
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

/**
 * RFC 6989 section 2.1: 1 < y < p-1, which is enough for safe primes, whose only small subgroup is { 1, p-1 }. With a subgroup
 * of order q also section 2.2: y^q = 1 mod p, without which the peer could learn our private value piece by piece.
 */
export function checkModpValue(name: string, value: Uint8Array, prime: bigint, order?: bigint): void {
  const y = toNumber(value);
  if (y <= 1n || y >= prime - 1n) throw new RangeError(`${name}: public value out of the range 2..p-2`);
  if (order !== undefined && power(y, order, prime) !== 1n)
    throw new RangeError(`${name}: public value outside the subgroup of prime order`);
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
