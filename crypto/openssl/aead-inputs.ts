/** What every AEAD over EVP prepares for a packet: the nonce and, with ESN, the associated data. Nothing is allocated. */
import type { Arena } from "../interfaces.js";
import type { AeadRow } from "../registry/row.js";
import type { Secret } from "../secret.js";
import { scratchOf } from "./scratch.js";

export interface AeadInputs {
  /** Where salt and IV stand joined after `setNonce`. */
  readonly nonce: number;
  /** Joins salt and IV: the nonce of RFC 4106 section 3.1, RFC 4309 section 4, RFC 7634 section 2. */
  setNonce(iv: number): void;
  /**
   * The offset of the associated data, `aadLength` octets: the header, with ESN a copy that has the high half between SPI and
   * sequence number (RFC 4106 section 5).
   */
  aad(header: number, headerLength: number, esnHigh: number): number;
  aadLength(headerLength: number, esnHigh: number): number;
  /** Where a whole tag passes between EVP and the packet: 16 octets. */
  readonly tag: number;
  /** Copies the ICV at `icv` to `tag`. */
  takeTag(icv: number): void;
  /** Copies `tag` to `icv`, cut to the length of the row's ICV. */
  giveTag(icv: number): void;
}

/** `key` ends in the salt. */
export function aeadInputs(arena: Arena, row: AeadRow, keyBits: number, key: Secret): AeadInputs {
  const { bytes, view } = arena;
  const { ivBytes, icvBytes, saltBytes } = row;
  const { nonce, aad: esnAad, tag } = scratchOf(arena);
  // Moved as words: an octet at a time costs as much as the rest of this layer.
  const salt = key.reveal().slice(keyBits / 8);
  const saltWords = saltBytes === 4;
  const saltWord = saltWords ? new DataView(salt.buffer, salt.byteOffset).getInt32(0) : 0;
  return {
    nonce,
    setNonce(iv) {
      if (saltWords) view.setInt32(nonce, saltWord);
      else for (let i = 0; i < saltBytes; i++) bytes[nonce + i] = salt[i]!;
      copyWords(view, nonce + saltBytes, iv, ivBytes);
    },
    aad(header, headerLength, esnHigh) {
      if (esnHigh < 0) return header;
      arena.address(header, headerLength);
      view.setInt32(esnAad, view.getInt32(header));
      view.setInt32(esnAad + 4, esnHigh);
      view.setInt32(esnAad + 8, view.getInt32(header + 4));
      return esnAad;
    },
    aadLength: (headerLength, esnHigh) => (esnHigh < 0 ? headerLength : 12),
    tag,
    takeTag: (icv) => copyWords(view, tag, icv, icvBytes),
    giveTag: (icv) => copyWords(view, icv, tag, icvBytes),
  };
}

/** `length` is a multiple of four. */
function copyWords(view: DataView, to: number, from: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setInt32(to + i, view.getInt32(from + i));
}
