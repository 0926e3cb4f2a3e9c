/** Key exchange in JavaScript: BigInt exponentiation and noble's curves. Not constant time. */
import type { WeierstrassPoint, WeierstrassPointCons } from "@noble/curves/abstract/weierstrass.js";
import { x448 } from "@noble/curves/ed448.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { concat } from "../bytes.js";
import {
  checkLength,
  checkModpValue,
  checkNotZero,
  checkPrivate,
  type ModpGroup,
  modpExponent,
  power,
  scalarOf,
  toNumber,
  toOctets,
} from "../key-exchange-values.js";
import type { CreateKeyExchange } from "../registry/row.js";
import { secret } from "../secret.js";

/** MODP groups. */
export function portableModp(group: ModpGroup): CreateKeyExchange {
  const prime = toNumber(group.prime);
  const generator = toNumber(group.generator);
  const order = group.order && toNumber(group.order);
  return ({ name, ids, privateBytes, publicBytes }) => {
    const exponent = (privateOctets: Uint8Array) => modpExponent(name, privateOctets, privateBytes, order);
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => toOctets(power(generator, exponent(privateOctets.reveal()), prime), publicBytes),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        checkModpValue(name, peerPublic, prime, order);
        const ours = exponent(privateOctets.reveal());
        return secret(toOctets(power(toNumber(peerPublic), ours, prime), publicBytes));
      },
    };
  };
}

/** ECP groups (RFC 5903, RFC 6954): the value is x | y, the secret is x. */
export function portableEcp(curve: WeierstrassPointCons<bigint>): CreateKeyExchange {
  const order = curve.Fn.ORDER;
  return ({ name, ids, privateBytes, publicBytes }) => {
    const scalar = (octets: Uint8Array) => scalarOf(checkPrivate(name, octets, privateBytes), order);
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => curve.BASE.multiply(scalar(privateOctets.reveal())).toBytes(false).slice(1),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        const ours = scalar(privateOctets.reveal());
        let theirs: WeierstrassPoint<bigint>;
        try {
          theirs = curve.fromBytes(concat(Uint8Array.of(4), peerPublic));
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

/** Groups 31 and 32, RFC 8031. */
export const portableX25519 = portableMontgomery(x25519);
export const portableX448 = portableMontgomery(x448);

function portableMontgomery(curve: Pick<typeof x25519, "getPublicKey" | "getSharedSecret">): CreateKeyExchange {
  return ({ name, ids, privateBytes, publicBytes }) => ({
    group: ids.ikev2!,
    name,
    privateBytes,
    publicBytes,
    publicValue: (privateOctets) => curve.getPublicKey(checkPrivate(name, privateOctets.reveal(), privateBytes)),
    sharedSecret(privateOctets, peerPublic) {
      checkLength(name, peerPublic, publicBytes);
      const ours = checkPrivate(name, privateOctets.reveal(), privateBytes);
      let shared: Uint8Array;
      try {
        shared = curve.getSharedSecret(ours, peerPublic);
      } catch {
        throw new RangeError(`${name}: public value of small order`);
      }
      checkNotZero(name, shared);
      return secret(shared);
    },
  });
}
