/** Block ciphers in CBC over EVP, without padding: ESP and IKE pad themselves. */
import type { Cipher } from "../interfaces.js";
import type { CreateCipher } from "../registry/row.js";
import { contextPair, failed } from "./context.js";
import { libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** `name` is OpenSSL's; `*` stands for the key length. */
export function evpCbc(name: string): CreateCipher {
  return (arena, row, keyBits, key): Cipher => {
    const ssl = libcrypto();
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8);
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
      decryptAt(iv, text, length, out) {
        whole(length);
        const ivAddress = arena.address(iv, ivBytes);
        const textAddress = arena.address(text, length);
        const outAddress = arena.address(out, length);
        const context = contexts.decrypt();
        if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, ivAddress) !== 1) failed(ssl, "IV");
        if (length > 0 && ssl.EVP_DecryptUpdate(context, outAddress, outLength, textAddress, length) !== 1)
          failed(ssl, "decryption");
      },
      free: contexts.free,
    };
  };
}
