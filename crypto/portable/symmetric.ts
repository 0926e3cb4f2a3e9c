/** AEADs, ciphers, MACs, PRFs and hashes in JavaScript: the oracle of the tests, and the last resort. Not constant time. */
import { cmac, ctr as nobleCtr, gcm as nobleGcm } from "@noble/ciphers/aes.js";
import { hmac } from "@noble/hashes/hmac.js";
import type { CHash } from "@noble/hashes/utils.js";
import smCrypto from "sm-crypto";
import { concat, equalConstantTime, octets } from "../bytes.js";
import { aeadOfOctets, cbcOfOctets, ctrOfOctets, gmacOfOctets, macOfOctets } from "../octet-backend.js";
import { blockPrf } from "../prf-variable-key.js";
import type { CreateAead, CreateCipher, CreateHash, CreateMac, CreatePrf } from "../registry/row.js";
import { ccm, gcm } from "./block-aead.js";
import { aesBlocks, ctr, type KeyedBlocks, xor } from "./blocks.js";

type NobleAead = (
  key: Uint8Array,
  nonce: Uint8Array,
  aad?: Uint8Array,
) => { encrypt(plain: Uint8Array): Uint8Array; decrypt(sealed: Uint8Array): Uint8Array };

const WHOLE_TAG = 16;

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

/** AES-GCM with a tag that may be cut; a cut tag is compared here, because the library compares whole ones. */
export const portableGcm: CreateAead = aeadOfOctets((key, _keyBits, icvBytes) => {
  const seal = (nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array) => {
    const sealed = nobleGcm(key, nonce, aad).encrypt(plain);
    return sealed.subarray(0, sealed.length - WHOLE_TAG + icvBytes);
  };
  return {
    seal,
    open(nonce, aad, sealed) {
      // Counter mode: sealing the ciphertext gives the plaintext, and sealing that gives the tag to compare.
      const text = sealed.subarray(0, sealed.length - icvBytes);
      const plain = seal(nonce, aad, text).slice(0, text.length);
      const right = seal(nonce, aad, plain).subarray(text.length);
      return equalConstantTime(right, sealed.subarray(text.length)) ? plain : undefined;
    },
  };
});

export const portableGmac: CreateAead = gmacOfOctets((key) => ({
  seal: (nonce, aad, plain) => nobleGcm(key, nonce, aad).encrypt(plain),
  open(nonce, aad, sealed) {
    try {
      return nobleGcm(key, nonce, aad).decrypt(sealed);
    } catch {
      return undefined;
    }
  },
}));

export function portableCcm(keyed: KeyedBlocks): CreateAead {
  return aeadOfOctets((key, _keyBits, icvBytes) => ccm(keyed(key), icvBytes));
}

/** GCM over a block cipher that has none of its own. */
export function portableBlockGcm(keyed: KeyedBlocks): CreateAead {
  return aeadOfOctets((key, _keyBits, icvBytes) => gcm(keyed(key), icvBytes));
}

export function portableCbc(keyed: KeyedBlocks): CreateCipher {
  return cbcOfOctets((key) => {
    const blocks = keyed(key);
    return { encrypt: blocks.cbcEncrypt, decrypt: blocks.cbcDecrypt };
  });
}

export const portableAesCtr: CreateCipher = ctrOfOctets(
  (key) => (counter, data) => nobleCtr(key, counter).encrypt(data),
);

export function portableCtr(keyed: KeyedBlocks): CreateCipher {
  return ctrOfOctets((key) => {
    const blocks = keyed(key);
    return (counter, data) => ctr(blocks, counter, data);
  });
}

export function portableHmac(hash: CHash): CreateMac {
  return macOfOctets((key) => (data) => hmac(hash, key, data));
}

export const portableHmacSm3: CreateMac = macOfOctets((key) => (data) => hmacSm3(key, data));

export const portableCmac: CreateMac = macOfOctets((key) => (data) => cmac(data, key));

export const portableXcbc: CreateMac = macOfOctets((key) => (data) => xcbc(key, data));

export function portablePrf(hash: CHash): CreatePrf {
  return ({ name, outputBytes, keyBytes }) => ({
    name,
    outputBytes,
    keyBytes,
    compute: (key, ...data) => hmac(hash, key, concat(...data)),
  });
}

export const portablePrfSm3: CreatePrf = ({ name, outputBytes, keyBytes }) => ({
  name,
  outputBytes,
  keyBytes,
  compute: (key, ...data) => hmacSm3(key, concat(...data)),
});

export function portableHash(hash: CHash): CreateHash {
  return ({ outputBytes }) => ({ outputBytes, digest: (...data) => hash(concat(...data)) });
}

export const portableHashSm3: CreateHash = ({ outputBytes }) => ({
  outputBytes,
  digest: (...data) => octets(smCrypto.sm3(concat(...data))),
});

export const portablePrfXcbc: CreatePrf = blockPrf(xcbc, "fill");

export const portablePrfCmac: CreatePrf = blockPrf((key, data) => cmac(data, key), "hash");

function hmacSm3(key: Uint8Array, data: Uint8Array): Uint8Array {
  return octets(smCrypto.sm3(data, { mode: "hmac", key }));
}

/** RFC 3566 section 4. */
function xcbc(key: Uint8Array, data: Uint8Array): Uint8Array {
  const { ecb } = aesBlocks(key);
  const [k1, k2, k3] = [1, 2, 3].map((octet) => ecb(new Uint8Array(16).fill(octet))) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const whole = data.length > 0 && data.length % 16 === 0;
  const message = whole ? data.slice() : concat(data, Uint8Array.of(0x80), new Uint8Array(15 - (data.length % 16)));
  xor(message.subarray(message.length - 16), whole ? k2 : k3);
  return aesBlocks(k1)
    .cbcEncrypt(new Uint8Array(16), message)
    .slice(message.length - 16);
}
