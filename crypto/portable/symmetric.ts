/** AEADs, CBC ciphers, HMAC and PRFs in JavaScript (noble): the oracle of the tests, and the last resort. Not constant time. */
import { cbc } from "@noble/ciphers/aes.js";
import { hmac } from "@noble/hashes/hmac.js";
import type { CHash } from "@noble/hashes/utils.js";
import { concat } from "../bytes.js";
import { aeadOfOctets, cbcOfOctets, macOfOctets } from "../octet-backend.js";
import type { CreateAead, CreateCipher, CreateMac, CreatePrf } from "../registry/row.js";

type NobleAead = (
  key: Uint8Array,
  nonce: Uint8Array,
  aad?: Uint8Array,
) => { encrypt(plain: Uint8Array): Uint8Array; decrypt(sealed: Uint8Array): Uint8Array };

export function portableAead(aead: NobleAead): CreateAead {
  return aeadOfOctets((key) => ({
    seal: (nonce, aad, plain) => aead(key, nonce, aad).encrypt(plain),
    open(nonce, aad, sealed) {
      try {
        return aead(key, nonce, aad).decrypt(sealed);
      } catch {
        return undefined; // lengths were checked: only the tag is left to refuse
      }
    },
  }));
}

export const portableAesCbc: CreateCipher = cbcOfOctets((key) => ({
  encrypt: (iv, plain) => cbc(key, iv, { disablePadding: true }).encrypt(plain),
  decrypt: (iv, text) => cbc(key, iv, { disablePadding: true }).decrypt(text),
}));

export function portableHmac(hash: CHash): CreateMac {
  return macOfOctets((key) => (data) => hmac(hash, key, data));
}

export function portablePrf(hash: CHash): CreatePrf {
  return ({ name, outputBytes, keyBytes }) => ({
    name,
    outputBytes,
    keyBytes,
    compute: (key, ...data) => hmac(hash, key, concat(...data)),
  });
}
