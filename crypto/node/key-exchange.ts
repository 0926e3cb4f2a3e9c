/** Key exchange by `node:crypto`, with private octets given by the caller. */
import {
  createDiffieHellman,
  createECDH,
  createPrivateKey,
  createPublicKey,
  type DiffieHellman,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import { concat } from "../bytes.js";
import {
  checkLength,
  checkModpValue,
  checkNotZero,
  checkPrivate,
  type ModpGroup,
  modpExponent,
  scalarOf,
  toNumber,
  toOctets,
} from "../key-exchange-values.js";
import type { CreateKeyExchange } from "../registry/row.js";
import { secret } from "../secret.js";

/** MODP groups. */
export function nodeModp(group: ModpGroup): CreateKeyExchange {
  const prime = toNumber(group.prime);
  const order = group.order && toNumber(group.order);
  let made: DiffieHellman | undefined;
  /** OpenSSL tests a prime that it does not know (27 ms for 1024 bits), so the object stays; the private value is set anew. */
  function keyed(exponent: bigint): DiffieHellman {
    made ??= createDiffieHellman(group.prime, group.generator);
    made.setPrivateKey(toOctets(exponent, group.prime.length));
    return made;
  }
  return ({ name, ids, privateBytes, publicBytes }) => {
    const exponent = (privateOctets: Uint8Array) => modpExponent(name, privateOctets, privateBytes, order);
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => padded(keyed(exponent(privateOctets.reveal())).generateKeys(), publicBytes),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        checkModpValue(name, peerPublic, prime, order);
        return secret(padded(keyed(exponent(privateOctets.reveal())).computeSecret(peerPublic), publicBytes));
      },
    };
  };
}

/** ECP groups (RFC 5903, RFC 6954): the value is x | y, the secret is x. */
export function nodeEcp(curve: string, order: bigint): CreateKeyExchange {
  return ({ name, ids, privateBytes, publicBytes }) => {
    function keyed(privateOctets: Uint8Array) {
      const ecdh = createECDH(curve);
      const scalar = scalarOf(checkPrivate(name, privateOctets, privateBytes), order);
      ecdh.setPrivateKey(toOctets(scalar, publicBytes / 2));
      return ecdh;
    }
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => new Uint8Array(keyed(privateOctets.reveal()).getPublicKey().subarray(1)),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        const ecdh = keyed(privateOctets.reveal());
        try {
          return secret(new Uint8Array(ecdh.computeSecret(concat(Uint8Array.of(4), peerPublic))));
        } catch {
          throw new RangeError(`${name}: public value is not on the curve`);
        }
      },
    };
  };
}

/**
 * Groups 31 and 32, RFC 8031. Keys go in and out as JWK (RFC 8037): Node makes these of the octets themselves, while DER passes through
 * OpenSSL's decoders, which takes ten times as long as the exchange.
 */
export const nodeX25519 = nodeMontgomery("X25519");
export const nodeX448 = nodeMontgomery("X448");

function nodeMontgomery(crv: "X25519" | "X448"): CreateKeyExchange {
  return ({ name, ids, privateBytes, publicBytes }) => {
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
    /** Node wants the public value in it, whatever it is, and computes it. */
    const anyPublic = text(new Uint8Array(publicBytes));
    function keyed(privateOctets: Uint8Array): KeyObject {
      const d = text(checkPrivate(name, privateOctets, privateBytes));
      return createPrivateKey({ key: { kty: "OKP", crv, d, x: anyPublic }, format: "jwk" });
    }
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue(privateOctets) {
        const { x } = createPublicKey(keyed(privateOctets.reveal())).export({ format: "jwk" });
        return new Uint8Array(Buffer.from(x!, "base64url"));
      },
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        const publicKey = createPublicKey({ key: { kty: "OKP", crv, x: text(peerPublic) }, format: "jwk" });
        const privateKey = keyed(privateOctets.reveal());
        let shared: Uint8Array;
        try {
          shared = new Uint8Array(diffieHellman({ privateKey, publicKey }));
        } catch {
          throw new RangeError(`${name}: public value of small order`);
        }
        checkNotZero(name, shared);
        return secret(shared);
      },
    };
  };
}

/** Left-padded to the length of the prime (RFC 7296 section 2.14). */
function padded(value: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(value, length - value.length);
  return whole;
}
