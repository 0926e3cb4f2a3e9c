/**
 * Key exchange for the simulator: Diffie-Hellman in a group so small that millions of agreements cost nothing. It agrees
 * on both sides as a real one does, and says what the group's row says about lengths.
 */
import { sha256 } from "../../crypto/hash.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { type Secret, secret } from "../../crypto/secret.js";

/** The Mersenne prime 2^61 - 1, and a generator of a large subgroup. */
const PRIME = (1n << 61n) - 1n;
const GENERATOR = 37n;

export function toyPublicValue(group: number, privateOctets: Secret): Uint8Array {
  const row = rowById("keyExchange", "ikev2", group)!;
  const value = new Uint8Array(row.publicBytes);
  new DataView(value.buffer).setBigUint64(0, power(GENERATOR, exponent(privateOctets)));
  return value;
}

/** Undefined: the peer's value is not one of this group. */
export function toySharedSecret(group: number, privateOctets: Secret, peerPublic: Uint8Array): Secret | undefined {
  const row = rowById("keyExchange", "ikev2", group)!;
  if (peerPublic.length !== row.publicBytes) return undefined;
  const value = new DataView(peerPublic.buffer, peerPublic.byteOffset).getBigUint64(0);
  if (value === 0n || value >= PRIME) return undefined;
  const shared = new Uint8Array(8);
  new DataView(shared.buffer).setBigUint64(0, power(value, exponent(privateOctets)));
  return secret(sha256(shared));
}

function exponent(privateOctets: Secret): bigint {
  const octets = privateOctets.reveal();
  return (new DataView(octets.buffer, octets.byteOffset).getBigUint64(0) % (PRIME - 2n)) + 1n;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % PRIME;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}
