/** GMAC for ESP over EVP's GCM: the packet is authenticated and stays in the clear (RFC 4543). */
import type { Sealer } from "../interfaces.js";
import type { CreateAead } from "../registry/row.js";
import { aeadInputs } from "./aead-inputs.js";
import { contextPair, failed } from "./context.js";
import { CTRL_GET_TAG, CTRL_SET_TAG, libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** Everything is associated data: header, IV and text (section 3.3). `name` is OpenSSL's; `*` stands for the key length. */
export function evpGmac(name: string): CreateAead {
  return (arena, row, keyBits, key): Sealer => {
    const ssl = libcrypto();
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8);
    const { ivBytes, icvBytes } = row;
    const inputs = aeadInputs(arena, row, keyBits, key);
    const nonce = arena.address(inputs.nonce, 12);
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
        const ivAndText = arena.address(iv, ivBytes + length + icvBytes);
        const context = contexts.encrypt();
        inputs.setNonce(iv);
        if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
        if (ssl.EVP_EncryptUpdate(context, 0, outLength, aad, aadLength) !== 1) failed(ssl, "associated data");
        if (ssl.EVP_EncryptUpdate(context, 0, outLength, ivAndText, ivBytes + length) !== 1) failed(ssl, "text");
        if (ssl.EVP_EncryptFinal_ex(context, tag, outLength) !== 1) failed(ssl, "final");
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
        inputs.giveTag(iv + ivBytes + length);
      },
      openAt(header, headerLength, iv, length, esnHigh, out) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = arena.address(inputs.aad(header, headerLength, esnHigh), aadLength);
        const ivAndText = arena.address(iv, ivBytes + length + icvBytes);
        const context = contexts.decrypt();
        arena.address(out, length);
        inputs.setNonce(iv);
        inputs.takeTag(iv + ivBytes + length);
        if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
        if (ssl.EVP_DecryptUpdate(context, 0, outLength, aad, aadLength) !== 1) failed(ssl, "associated data");
        if (ssl.EVP_DecryptUpdate(context, 0, outLength, ivAndText, ivBytes + length) !== 1) failed(ssl, "text");
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
        if (ssl.EVP_DecryptFinal_ex(context, tag, outLength) !== 1) {
          ssl.ERR_clear_error();
          return false;
        }
        if (out !== iv + ivBytes) arena.bytes.copyWithin(out, iv + ivBytes, iv + ivBytes + length);
        return true;
      },
      free: contexts.free,
    };
  };
}
