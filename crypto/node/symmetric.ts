/** AEADs, ciphers, HMAC, PRFs and hashes of `node:crypto`. Names are OpenSSL's; `*` stands for the key length. */
import {
  type CipherGCM,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  type DecipherGCM,
} from "node:crypto";
import { concat } from "../bytes.js";
import { aeadOfOctets, cbcOfOctets, ctrOfOctets, gmacOfOctets, type KeyedAead, macOfOctets } from "../octet-backend.js";
import type { CreateAead, CreateCipher, CreateHash, CreateMac, CreatePrf } from "../registry/row.js";

/** GCM, CCM and ChaCha20-Poly1305. */
export function nodeAead(name: string): CreateAead {
  return aeadOfOctets(keyedAead(name));
}

export function nodeGmac(name: string): CreateAead {
  return gmacOfOctets(keyedAead(name));
}

function keyedAead(name: string): KeyedAead {
  return (key, keyBits, icvBytes) => {
    const algorithm = name.replace("*", String(keyBits)) as CipherGCMTypes;
    const options = { authTagLength: icvBytes } as const;
    const keyObject = createSecretKey(key);
    return {
      seal(nonce, aad, plain) {
        const cipher: CipherGCM = createCipheriv(algorithm, keyObject, nonce, options);
        cipher.setAAD(aad, { plaintextLength: plain.length });
        const text = cipher.update(plain);
        cipher.final();
        return concat(text, cipher.getAuthTag());
      },
      open(nonce, aad, sealed) {
        const end = sealed.length - icvBytes;
        const decipher: DecipherGCM = createDecipheriv(algorithm, keyObject, nonce, options);
        decipher.setAuthTag(sealed.subarray(end));
        decipher.setAAD(aad, { plaintextLength: end });
        const plain = decipher.update(sealed.subarray(0, end));
        try {
          decipher.final();
        } catch {
          return undefined; // the one thing that `final` refuses: the tag
        }
        return plain;
      },
    };
  };
}

export function nodeCbc(name: string): CreateCipher {
  return cbcOfOctets((key, keyBits) => {
    const algorithm = name.replace("*", String(keyBits));
    const keyObject = createSecretKey(key);
    return {
      encrypt: (iv, plain) => createCipheriv(algorithm, keyObject, iv).setAutoPadding(false).update(plain),
      decrypt: (iv, text) => createDecipheriv(algorithm, keyObject, iv).setAutoPadding(false).update(text),
    };
  });
}

/** Single DES as 3DES with one key three times: OpenSSL 3 keeps DES itself in a provider that hosts rarely load. */
export const nodeDesCbc: CreateCipher = cbcOfOctets((key) => {
  const keyObject = createSecretKey(concat(key, key, key));
  return {
    encrypt: (iv, plain) => createCipheriv("des-ede3-cbc", keyObject, iv).setAutoPadding(false).update(plain),
    decrypt: (iv, text) => createDecipheriv("des-ede3-cbc", keyObject, iv).setAutoPadding(false).update(text),
  };
});

export function nodeCtr(name: string): CreateCipher {
  return ctrOfOctets((key, keyBits) => {
    const algorithm = name.replace("*", String(keyBits));
    const keyObject = createSecretKey(key);
    return (counter, data) => createCipheriv(algorithm, keyObject, counter).update(data);
  });
}

export function nodeHmac(hash: string): CreateMac {
  return macOfOctets((key) => {
    const keyObject = createSecretKey(key);
    return (data) => createHmac(hash, keyObject).update(data).digest();
  });
}

export function nodePrf(hash: string): CreatePrf {
  return ({ name, outputBytes, keyBytes }) => ({
    name,
    outputBytes,
    keyBytes,
    compute(key, ...data) {
      const hmac = createHmac(hash, key);
      for (const part of data) hmac.update(part);
      return new Uint8Array(hmac.digest());
    },
  });
}

export function nodeHash(name: string): CreateHash {
  return ({ outputBytes }) => ({
    outputBytes,
    digest(...data) {
      const hash = createHash(name);
      for (const part of data) hash.update(part);
      return new Uint8Array(hash.digest());
    },
  });
}
