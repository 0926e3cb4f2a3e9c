/** Key exchange in JavaScript: BigInt exponentiation and noble's curves. Not constant time. */

import type { ECDSA } from "@noble/curves/abstract/weierstrass.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { concat } from "../bytes.js";
import {
  checkLength,
  checkNotZero,
  checkPrivate,
  checkSafePrimeValue,
  exponentOf,
  scalarOf,
  toNumber,
  toOctets,
} from "../key-exchange-values.js";
import type { CreateKeyExchange } from "../registry/row.js";
import { secret } from "../secret.js";

/** MODP groups with a safe prime and generator 2. */
export function portableModp(prime: Uint8Array): CreateKeyExchange {
  const p = toNumber(prime);
  return ({ name, ids, privateBytes, publicBytes }) => ({
    group: ids.ikev2!,
    name,
    privateBytes,
    publicBytes,
    publicValue(privateOctets) {
      const exponent = exponentOf(checkPrivate(name, privateOctets.reveal(), privateBytes));
      return toOctets(power(2n, exponent, p), publicBytes);
    },
    sharedSecret(privateOctets, peerPublic) {
      checkLength(name, peerPublic, publicBytes);
      checkSafePrimeValue(name, peerPublic, p);
      const exponent = exponentOf(checkPrivate(name, privateOctets.reveal(), privateBytes));
      return secret(toOctets(power(toNumber(peerPublic), exponent, p), publicBytes));
    },
  });
}

/** base ^ exponent mod modulus, square and multiply. */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** ECP groups (RFC 5903): the value is x | y, the secret is x. */
export function portableEcp(curve: ECDSA): CreateKeyExchange {
  const order = curve.Point.Fn.ORDER;
  return ({ name, ids, privateBytes, publicBytes }) => {
    const scalar = (octets: Uint8Array) => scalarOf(checkPrivate(name, octets, privateBytes), order);
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => curve.Point.BASE.multiply(scalar(privateOctets.reveal())).toBytes(false).slice(1),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        const ours = scalar(privateOctets.reveal());
        let theirs: InstanceType<typeof curve.Point>;
        try {
          theirs = curve.Point.fromBytes(concat(Uint8Array.of(4), peerPublic));
          theirs.assertValidity();
        } catch {
          throw new RangeError(`${name}: public value is not on the curve`);
        }
        return secret(
          theirs
            .multiply(ours)
            .toBytes(false)
            .slice(1, 1 + publicBytes / 2),
        );
      },
    };
  };
}

/** Group 31, RFC 8031. */
export const portableX25519: CreateKeyExchange = ({ name, ids, privateBytes, publicBytes }) => ({
  group: ids.ikev2!,
  name,
  privateBytes,
  publicBytes,
  publicValue: (privateOctets) => x25519.getPublicKey(checkPrivate(name, privateOctets.reveal(), privateBytes)),
  sharedSecret(privateOctets, peerPublic) {
    checkLength(name, peerPublic, publicBytes);
    const ours = checkPrivate(name, privateOctets.reveal(), privateBytes);
    let shared: Uint8Array;
    try {
      shared = x25519.getSharedSecret(ours, peerPublic);
    } catch {
      throw new RangeError(`${name}: public value of small order`);
    }
    checkNotZero(name, shared);
    return secret(shared);
  },
});
