/**
 * Groups 31 and 32 (RFC 8031) over EVP_PKEY: raw octets in and out, where `node:crypto` makes a key object of text in between. The private
 * octets pass through a place that is wiped; OpenSSL wipes its copy when the key is freed.
 */
import type { Arena } from "../interfaces.js";
import { checkLength, checkNotZero, checkPrivate } from "../key-exchange-values.js";
import { messageArena } from "../message-arena.js";
import type { CreateKeyExchange } from "../registry/row.js";
import { secret } from "../secret.js";
import { failed } from "./context.js";
import { type Libcrypto, libcrypto } from "./libcrypto.js";
import { type Scratch, scratchOf } from "./scratch.js";

/** NID_X25519 and NID_X448 of openssl/obj_mac.h. */
export const evpX25519 = evpMontgomery(1034);
export const evpX448 = evpMontgomery(1035);

function evpMontgomery(type: number): CreateKeyExchange {
  return ({ name, ids, privateBytes, publicBytes }) => {
    const ssl = libcrypto();
    const { arena, start } = messageArena(publicBytes);
    const scratch = scratchOf(arena);

    function withPrivateKey<T>(privateOctets: Uint8Array, use: (key: number) => T): T {
      const octets = checkPrivate(name, privateOctets, privateBytes);
      let key = 0;
      scratch.withKey(octets, (address) => {
        key = ssl.EVP_PKEY_new_raw_private_key(type, 0, address, octets.length);
      });
      return withKey(ssl, key, name, use);
    }

    return {
      group: ids.ikev2!,
      name,
      privateBytes,
      publicBytes,
      publicValue: (privateOctets) =>
        withPrivateKey(privateOctets.reveal(), (key) => {
          const { out, length } = result(arena, scratch, start, publicBytes);
          if (ssl.EVP_PKEY_get_raw_public_key(key, out, length) !== 1) failed(ssl, `${name}: public value`);
          return arena.bytes.slice(start, start + publicBytes);
        }),
      sharedSecret: (privateOctets, peerPublic) =>
        withPrivateKey(privateOctets.reveal(), (key) => {
          checkLength(name, peerPublic, publicBytes);
          arena.bytes.set(peerPublic, start);
          const peer = ssl.EVP_PKEY_new_raw_public_key(type, 0, arena.address(start, publicBytes), publicBytes);
          return withKey(ssl, peer, name, () => {
            const { out, length } = result(arena, scratch, start, publicBytes);
            const derived = derive(ssl, key, peer, out, length);
            const shared = arena.bytes.slice(start, start + publicBytes);
            arena.bytes.fill(0, start, start + publicBytes);
            if (!derived) throw new RangeError(`${name}: public value of small order`);
            checkNotZero(name, shared);
            return secret(shared);
          });
        }),
    };
  };
}

/** The one thing that it refuses of two keys of one kind is a result of zeros. */
function derive(ssl: Libcrypto, key: number, peer: number, out: number, length: number): boolean {
  const context = ssl.EVP_PKEY_CTX_new(key, 0);
  if (context === 0) throw new Error("EVP_PKEY_CTX_new: out of memory");
  try {
    if (ssl.EVP_PKEY_derive_init(context) !== 1 || ssl.EVP_PKEY_derive_set_peer(context, peer) !== 1)
      failed(ssl, "key agreement");
    if (ssl.EVP_PKEY_derive(context, out, length) === 1) return true;
    ssl.ERR_clear_error();
    return false;
  } finally {
    ssl.EVP_PKEY_CTX_free(context);
  }
}

function withKey<T>(ssl: Libcrypto, key: number, name: string, use: (key: number) => T): T {
  if (key === 0) failed(ssl, name);
  try {
    return use(key);
  } finally {
    ssl.EVP_PKEY_free(key);
  }
}

/** Where so many octets go, and where OpenSSL reads how many. */
function result(arena: Arena, { outLength }: Scratch, start: number, octets: number): { out: number; length: number } {
  arena.view.setBigUint64(outLength, BigInt(octets), true);
  return { out: arena.address(start, octets), length: arena.address(outLength, 8) };
}
