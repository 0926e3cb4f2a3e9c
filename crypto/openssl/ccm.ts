/** CCM over EVP. It wants the length of the text before anything else, and decryption is the check of the tag at once. */
import type { Sealer } from "../interfaces.js";
import type { CreateAead } from "../registry/row.js";
import { aeadInputs } from "./aead-inputs.js";
import { contextPair, failed } from "./context.js";
import { CTRL_GET_TAG, CTRL_SET_IV_LENGTH, CTRL_SET_TAG, libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** RFC 4309, RFC 5282. `name` is OpenSSL's; `*` stands for the key length. Nonces have 11 octets. */
export function evpCcm(name: string): CreateAead {
  return (arena, row, keyBits, key): Sealer => {
    const ssl = libcrypto();
    const { ivBytes, icvBytes, saltBytes } = row;
    const nonceBytes = saltBytes + ivBytes;
    const contexts = contextPair(
      arena,
      name.replace("*", String(keyBits)),
      key,
      keyBits / 8,
      (context) =>
        ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_IV_LENGTH, nonceBytes, 0) === 1 &&
        ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, 0) === 1,
    );
    const inputs = aeadInputs(arena, row, keyBits, key);
    const nonce = arena.address(inputs.nonce, nonceBytes);
    const tag = arena.address(inputs.tag, 16);
    const outLength = arena.address(scratchOf(arena).outLength, 8);

    return {
      ivBytes,
      icvBytes,
      blockBytes: row.blockBytes,
      ivKind: "counter",
      sealAt(header, headerLength, iv, length, esnHigh) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = arena.address(inputs.aad(header, headerLength, esnHigh), aadLength);
        arena.address(iv, ivBytes + length + icvBytes);
        const text = arena.address(iv + ivBytes, length);
        const context = contexts.encrypt();
        inputs.setNonce(iv);
        if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
        if (ssl.EVP_EncryptUpdate(context, 0, outLength, 0, length) !== 1) failed(ssl, "length");
        if (aadLength > 0 && ssl.EVP_EncryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
          failed(ssl, "associated data");
        if (ssl.EVP_EncryptUpdate(context, text, outLength, text, length) !== 1) failed(ssl, "text");
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
        inputs.giveTag(iv + ivBytes + length);
      },
      openAt(header, headerLength, iv, length, esnHigh, out) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = arena.address(inputs.aad(header, headerLength, esnHigh), aadLength);
        arena.address(iv, ivBytes + length + icvBytes);
        const text = arena.address(iv + ivBytes, length);
        const outAddress = arena.address(out, length);
        const context = contexts.decrypt();
        inputs.setNonce(iv);
        inputs.takeTag(iv + ivBytes + length);
        if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
        if (ssl.EVP_DecryptUpdate(context, 0, outLength, 0, length) !== 1) failed(ssl, "length");
        if (aadLength > 0 && ssl.EVP_DecryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
          failed(ssl, "associated data");
        if (ssl.EVP_DecryptUpdate(context, outAddress, outLength, text, length) === 1) return true;
        ssl.ERR_clear_error();
        return false;
      },
      free: contexts.free,
    };
  };
}
