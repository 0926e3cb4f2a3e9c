/** AEADs over EVP: five native calls per packet, nothing allocated, the key schedule kept in the context. */
import type { Sealer } from "../interfaces.js";
import type { CreateAead } from "../registry/row.js";
import { contextPair, failed } from "./context.js";
import { CTRL_GET_TAG, CTRL_SET_TAG, libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** `name` is OpenSSL's; `*` stands for the key length. Salts of 4 octets and IVs of 8 (RFC 4106, RFC 7634). */
export function evpAead(name: string): CreateAead {
  return (arena, row, keyBits, key): Sealer => {
    const ssl = libcrypto();
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8);
    const { bytes, view } = arena;
    const { ivBytes, icvBytes } = row;
    const scratch = scratchOf(arena);
    const nonce = scratch.nonce;
    const aad = scratch.aad;
    const nonceAddress = arena.address(nonce, 12);
    const aadAddress = arena.address(aad, 12);
    const outLength = arena.address(scratch.outLength, 8);
    const octets = key.reveal();
    const salt = new DataView(octets.buffer, octets.byteOffset, octets.length).getUint32(keyBits / 8);

    /** Salt and IV joined: the nonce of RFC 4106 section 3.1. */
    function setNonce(iv: number): void {
      view.setUint32(nonce, salt);
      for (let i = 0; i < 8; i++) bytes[nonce + 4 + i] = bytes[iv + i]!;
    }

    /** SPI, high half, low half of the sequence number: the associated data with ESN (RFC 4106 section 5). */
    function setEsnAad(header: number, esnHigh: number): void {
      for (let i = 0; i < 4; i++) {
        bytes[aad + i] = bytes[header + i]!;
        bytes[aad + 8 + i] = bytes[header + 4 + i]!;
      }
      view.setUint32(aad + 4, esnHigh);
    }

    return {
      ivBytes,
      icvBytes,
      blockBytes: row.blockBytes,
      ivKind: "counter",
      sealAt(header, headerLength, iv, length, esnHigh) {
        const headerAddress = arena.address(header, headerLength);
        const text = arena.address(iv, ivBytes + length + icvBytes) + ivBytes;
        const context = contexts.encrypt();
        setNonce(iv);
        if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonceAddress) !== 1) failed(ssl, "nonce");
        if (esnHigh >= 0) {
          setEsnAad(header, esnHigh);
          if (ssl.EVP_EncryptUpdate(context, 0, outLength, aadAddress, 12) !== 1) failed(ssl, "associated data");
        } else if (headerLength > 0) {
          if (ssl.EVP_EncryptUpdate(context, 0, outLength, headerAddress, headerLength) !== 1)
            failed(ssl, "associated data");
        }
        if (length > 0 && ssl.EVP_EncryptUpdate(context, text, outLength, text, length) !== 1) failed(ssl, "text");
        if (ssl.EVP_EncryptFinal_ex(context, text + length, outLength) !== 1) failed(ssl, "final");
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, text + length) !== 1) failed(ssl, "tag");
      },
      openAt(header, headerLength, iv, length, esnHigh, out) {
        const headerAddress = arena.address(header, headerLength);
        const text = arena.address(iv, ivBytes + length + icvBytes) + ivBytes;
        const outAddress = arena.address(out, length);
        const context = contexts.decrypt();
        setNonce(iv);
        if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonceAddress) !== 1) failed(ssl, "nonce");
        if (esnHigh >= 0) {
          setEsnAad(header, esnHigh);
          if (ssl.EVP_DecryptUpdate(context, 0, outLength, aadAddress, 12) !== 1) failed(ssl, "associated data");
        } else if (headerLength > 0) {
          if (ssl.EVP_DecryptUpdate(context, 0, outLength, headerAddress, headerLength) !== 1)
            failed(ssl, "associated data");
        }
        if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, text + length) !== 1) failed(ssl, "tag");
        if (length > 0 && ssl.EVP_DecryptUpdate(context, outAddress, outLength, text, length) !== 1)
          failed(ssl, "text");
        if (ssl.EVP_DecryptFinal_ex(context, outAddress + length, outLength) === 1) return true;
        ssl.ERR_clear_error();
        return false;
      },
      free: contexts.free,
    };
  };
}
