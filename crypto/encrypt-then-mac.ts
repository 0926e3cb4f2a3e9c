/** A cipher and a MAC behind the Sealer interface: encrypt-then-MAC of RFC 7296 section 3.14 and RFC 4303 section 2. */
import type { Cipher, Mac, Sealer } from "./interfaces.js";

/** The sealer owns both parts: `free` releases them. */
export function encryptThenMac(cipher: Cipher, mac: Mac): Sealer {
  const { ivBytes, blockBytes, ivKind } = cipher;
  return {
    ivBytes,
    icvBytes: mac.icvBytes,
    blockBytes,
    ivKind,
    sealAt(header, headerLength, iv, length, esnHigh) {
      const text = iv + ivBytes;
      cipher.encryptAt(iv, text, length);
      mac.signAt(header, headerLength + ivBytes + length, esnHigh, text + length);
    },
    openAt(header, headerLength, iv, length, esnHigh) {
      const text = iv + ivBytes;
      if (!mac.verifyAt(header, headerLength + ivBytes + length, esnHigh, text + length)) return false;
      if (length % blockBytes !== 0) return false; // authentic, but no ciphertext of this cipher
      cipher.decryptAt(iv, text, length);
      return true;
    },
    free() {
      cipher.free();
      mac.free();
    },
  };
}
