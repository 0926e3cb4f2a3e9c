/** Block ciphers in CBC and counter mode over EVP, without padding: ESP and IKE pad themselves. */
import type { Cipher } from "../interfaces.js";
import type { CreateCipher } from "../registry/row.js";
import { contextPair, failed } from "./context.js";
import { libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** `name` is OpenSSL's; `*` stands for the key length. */
export function evpCbc(name: string): CreateCipher {
  return (arena, row, keyBits, key): Cipher => {
    const ssl = libcrypto();
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, key.length);
    const { ivBytes, blockBytes } = row;
    const outLength = arena.address(scratchOf(arena).outLength, 8);

    function whole(length: number): void {
      if (length % blockBytes !== 0) throw new RangeError(`${length} octets are no multiple of ${blockBytes}`);
    }

    return {
      ivBytes,
      blockBytes,
      ivKind: "random",
      encryptAt(iv, text, length) {
        whole(length);
        const ivAddress = arena.address(iv, ivBytes);
        const textAddress = arena.address(text, length);
        const context = contexts.encrypt();
        if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, ivAddress) !== 1) failed(ssl, "IV");
        if (length > 0 && ssl.EVP_EncryptUpdate(context, textAddress, outLength, textAddress, length) !== 1)
          failed(ssl, "encryption");
      },
      decryptAt(iv, text, length) {
        whole(length);
        const ivAddress = arena.address(iv, ivBytes);
        const textAddress = arena.address(text, length);
        const context = contexts.decrypt();
        if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, ivAddress) !== 1) failed(ssl, "IV");
        if (length > 0 && ssl.EVP_DecryptUpdate(context, textAddress, outLength, textAddress, length) !== 1)
          failed(ssl, "decryption");
      },
      free: contexts.free,
    };
  };
}

/** Counter mode with the block salt | IV | 00000001 (RFC 3686 section 4). */
export function evpCtr(name: string): CreateCipher {
  return (arena, row, keyBits, key): Cipher => {
    const ssl = libcrypto();
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8);
    const { ivBytes, saltBytes, blockBytes } = row;
    const { bytes, view } = arena;
    const { blocks: counter, outLength: outLengthAt } = scratchOf(arena);
    const counterAddress = arena.address(counter, 16);
    const outLength = arena.address(outLengthAt, 8);
    const salt = key.reveal().slice(keyBits / 8);

    /** Encryption and decryption are the same. */
    function apply(iv: number, text: number, length: number): void {
      arena.address(iv, ivBytes);
      const textAddress = arena.address(text, length);
      const context = contexts.encrypt();
      for (let i = 0; i < saltBytes; i++) bytes[counter + i] = salt[i]!;
      for (let i = 0; i < ivBytes; i++) bytes[counter + saltBytes + i] = bytes[iv + i]!;
      view.setUint32(counter + 12, 1);
      if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, counterAddress) !== 1) failed(ssl, "counter block");
      if (length > 0 && ssl.EVP_EncryptUpdate(context, textAddress, outLength, textAddress, length) !== 1)
        failed(ssl, "key stream");
    }

    return {
      ivBytes,
      blockBytes,
      ivKind: "counter",
      encryptAt: apply,
      decryptAt: apply,
      free: contexts.free,
    };
  };
}
