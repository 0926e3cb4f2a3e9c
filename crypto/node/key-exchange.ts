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
import { concat, octets } from "../bytes.js";
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
export function nodeModp(prime: Uint8Array): CreateKeyExchange {
  const p = toNumber(prime);
  return ({ name, ids, privateBytes, publicBytes }) => {
    let made: DiffieHellman | undefined;
    /** OpenSSL checks a prime when it first sees it, so the object stays; the private value is set anew for each use. */
    function keyed(privateOctets: Uint8Array): DiffieHellman {
      made ??= createDiffieHellman(prime, 2);
      made.setPrivateKey(toOctets(exponentOf(checkPrivate(name, privateOctets, privateBytes)), privateOctets.length));
      return made;
    }
    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) => padded(keyed(privateOctets.reveal()).generateKeys(), publicBytes),
      sharedSecret(privateOctets, peerPublic) {
        checkLength(name, peerPublic, publicBytes);
        checkSafePrimeValue(name, peerPublic, p);
        return secret(padded(keyed(privateOctets.reveal()).computeSecret(peerPublic), publicBytes));
      },
    };
  };
}

/** ECP groups (RFC 5903): the value is x | y, the secret is x. */
export function nodeEcp(curve: string, order: bigint): CreateKeyExchange {
  return ({ name, ids, privateBytes, publicBytes }) => {
    function keyed(privateOctets: Uint8Array) {
      const ecdh = createECDH(curve);
      ecdh.setPrivateKey(toOctets(scalarOf(checkPrivate(name, privateOctets, privateBytes), order), privateBytes));
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

/** DER around 32 octets: PKCS #8 private key and SubjectPublicKeyInfo of RFC 8410. */
const X25519_PKCS8 = octets("302e020100300506032b656e04220420");
const X25519_SPKI = octets("302a300506032b656e032100");

/** Group 31, RFC 8031. */
export const nodeX25519: CreateKeyExchange = ({ name, ids, privateBytes, publicBytes }) => {
  function keyed(privateOctets: Uint8Array): KeyObject {
    const key = concat(X25519_PKCS8, checkPrivate(name, privateOctets, privateBytes));
    return createPrivateKey({ key: key as Buffer, format: "der", type: "pkcs8" });
  }
  return {
    group: ids.ikev2!,
    name,
    privateBytes,
    publicBytes,
    publicValue(privateOctets) {
      const spki = createPublicKey(keyed(privateOctets.reveal())).export({ format: "der", type: "spki" });
      return new Uint8Array(spki.subarray(X25519_SPKI.length));
    },
    sharedSecret(privateOctets, peerPublic) {
      checkLength(name, peerPublic, publicBytes);
      const spki = concat(X25519_SPKI, peerPublic);
      const publicKey = createPublicKey({ key: spki as Buffer, format: "der", type: "spki" });
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

/** Left-padded to the length of the prime (RFC 7296 section 2.14). */
function padded(value: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(value, length - value.length);
  return whole;
}
