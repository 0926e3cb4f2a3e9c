/** AEADs over EVP: GCM, ChaCha20-Poly1305, GMAC and CCM. Nothing is allocated per packet, the key schedule stays in the context. */
import type { Sealer } from "../interfaces.js";
import type { CreateAead } from "../registry/row.js";
import { aeadInputs } from "./aead-inputs.js";
import { contextPair, failed } from "./context.js";
import { CTRL_GET_TAG, CTRL_SET_IV_LENGTH, CTRL_SET_TAG, type Libcrypto, libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** Addresses and lengths that do not change from packet to packet. */
interface Fixed {
  readonly nonce: number;
  readonly nonceBytes: number;
  readonly tag: number;
  readonly icvBytes: number;
  readonly outLength: number;
}

/**
 * The native calls of a mode. Everything but lengths is an address; `iv` stands right before the text. Nonce and, to open, tag
 * are in their places.
 */
interface Calls {
  /** What must stand in the context before the key; false: it failed. */
  configure?(context: number): boolean;
  /** Ends with the tag in its place. */
  seal(context: number, aad: number, aadLength: number, iv: number, text: number, length: number): void;
  /** False: forged. */
  open(context: number, aad: number, aadLength: number, iv: number, text: number, length: number): boolean;
}

/** `name` is OpenSSL's; `*` stands for the key length. */
function evp(name: string, callsOf: (ssl: Libcrypto, fixed: Fixed, ivBytes: number) => Calls): CreateAead {
  return (arena, row, keyBits, key): Sealer => {
    const ssl = libcrypto();
    const { ivBytes, icvBytes, saltBytes } = row;
    const inputs = aeadInputs(arena, row, keyBits, key);
    const nonceBytes = saltBytes + ivBytes;
    const fixed: Fixed = {
      nonce: arena.address(inputs.nonce, nonceBytes),
      nonceBytes,
      tag: arena.address(inputs.tag, 16),
      icvBytes,
      outLength: arena.address(scratchOf(arena).outLength, 8),
    };
    const calls = callsOf(ssl, fixed, ivBytes);
    const contexts = contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8, calls.configure);
    return {
      ivBytes,
      icvBytes,
      blockBytes: row.blockBytes,
      ivKind: "counter",
      sealAt(header, headerLength, iv, length, esnHigh) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = arena.address(inputs.aad(header, headerLength, esnHigh), aadLength);
        const ivAddress = arena.address(iv, ivBytes + length + icvBytes);
        const text = arena.address(iv + ivBytes, length);
        const context = contexts.encrypt();
        inputs.setNonce(iv);
        calls.seal(context, aad, aadLength, ivAddress, text, length);
        inputs.giveTag(iv + ivBytes + length);
      },
      openAt(header, headerLength, iv, length, esnHigh) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = arena.address(inputs.aad(header, headerLength, esnHigh), aadLength);
        const ivAddress = arena.address(iv, ivBytes + length + icvBytes);
        const text = arena.address(iv + ivBytes, length);
        const context = contexts.decrypt();
        inputs.setNonce(iv);
        inputs.takeTag(iv + ivBytes + length);
        if (calls.open(context, aad, aadLength, ivAddress, text, length)) return true;
        ssl.ERR_clear_error();
        return false;
      },
      free: contexts.free,
    };
  };
}

/** GCM (RFC 4106) and ChaCha20-Poly1305 (RFC 7634). Nonces have 12 octets. */
export function evpAead(name: string): CreateAead {
  return evp(name, (ssl, { nonce, tag, icvBytes, outLength }) => ({
    seal(context, aad, aadLength, _iv, text, length) {
      if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (aadLength > 0 && ssl.EVP_EncryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
        failed(ssl, "associated data");
      if (length > 0 && ssl.EVP_EncryptUpdate(context, text, outLength, text, length) !== 1) failed(ssl, "text");
      if (ssl.EVP_EncryptFinal_ex(context, tag, outLength) !== 1) failed(ssl, "final");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
    },
    open(context, aad, aadLength, _iv, text, length) {
      if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (aadLength > 0 && ssl.EVP_DecryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
        failed(ssl, "associated data");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
      if (length > 0 && ssl.EVP_DecryptUpdate(context, text, outLength, text, length) !== 1) failed(ssl, "text");
      return ssl.EVP_DecryptFinal_ex(context, tag, outLength) === 1;
    },
  }));
}

/** GMAC over GCM: header, IV and text are associated data, and the text stays in the clear (RFC 4543 section 3.3). */
export function evpGmac(name: string): CreateAead {
  return evp(name, (ssl, { nonce, tag, icvBytes, outLength }, ivBytes) => ({
    seal(context, aad, aadLength, iv, _text, length) {
      if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (ssl.EVP_EncryptUpdate(context, 0, outLength, aad, aadLength) !== 1) failed(ssl, "associated data");
      if (ssl.EVP_EncryptUpdate(context, 0, outLength, iv, ivBytes + length) !== 1) failed(ssl, "text");
      if (ssl.EVP_EncryptFinal_ex(context, tag, outLength) !== 1) failed(ssl, "final");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
    },
    open(context, aad, aadLength, iv, _text, length) {
      if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (ssl.EVP_DecryptUpdate(context, 0, outLength, aad, aadLength) !== 1) failed(ssl, "associated data");
      if (ssl.EVP_DecryptUpdate(context, 0, outLength, iv, ivBytes + length) !== 1) failed(ssl, "text");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
      return ssl.EVP_DecryptFinal_ex(context, tag, outLength) === 1;
    },
  }));
}

/**
 * CCM (RFC 4309, RFC 5282). Nonces have 11 octets. It wants the length of the text before anything else, and decryption is the
 * check of the tag at once.
 */
export function evpCcm(name: string): CreateAead {
  return evp(name, (ssl, { nonce, nonceBytes, tag, icvBytes, outLength }) => ({
    configure: (context) =>
      ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_IV_LENGTH, nonceBytes, 0) === 1 &&
      ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, 0) === 1,
    seal(context, aad, aadLength, _iv, text, length) {
      if (ssl.EVP_EncryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (ssl.EVP_EncryptUpdate(context, 0, outLength, 0, length) !== 1) failed(ssl, "length");
      if (aadLength > 0 && ssl.EVP_EncryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
        failed(ssl, "associated data");
      if (ssl.EVP_EncryptUpdate(context, text, outLength, text, length) !== 1) failed(ssl, "text");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_GET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
    },
    open(context, aad, aadLength, _iv, text, length) {
      if (ssl.EVP_DecryptInit_ex(context, 0, 0, 0, nonce) !== 1) failed(ssl, "nonce");
      if (ssl.EVP_CIPHER_CTX_ctrl(context, CTRL_SET_TAG, icvBytes, tag) !== 1) failed(ssl, "tag");
      if (ssl.EVP_DecryptUpdate(context, 0, outLength, 0, length) !== 1) failed(ssl, "length");
      if (aadLength > 0 && ssl.EVP_DecryptUpdate(context, 0, outLength, aad, aadLength) !== 1)
        failed(ssl, "associated data");
      return ssl.EVP_DecryptUpdate(context, text, outLength, text, length) === 1;
    },
  }));
}
