/**
 * The allocating wrapper around a cipher without integrity, for the messages of IKEv1. They are few: a context lives for
 * one message. ESP and SK payloads go through sealers instead.
 */
import { createCipher } from "./backends.js";
import type { Cipher } from "./interfaces.js";
import { messageArena } from "./message-arena.js";
import type { BackendName, EncryptionRow } from "./registry/row.js";
import type { Secret } from "./secret.js";

/** A cipher and its key. */
export interface KeyedCipher {
  readonly encryption: EncryptionRow;
  readonly keyBits: number;
  readonly key: Secret;
}

/** Ciphertext of whole blocks. Throws `RangeError` where a length does not fit. */
export function encrypt(keyed: KeyedCipher, iv: Uint8Array, plain: Uint8Array, backend?: BackendName): Uint8Array {
  return run(keyed, iv, plain, backend, (cipher, ivAt, textAt) => cipher.encryptAt(ivAt, textAt, plain.length));
}

/** The inverse of `encrypt`. Whether it means anything is not known here: there is no integrity. */
export function decrypt(keyed: KeyedCipher, iv: Uint8Array, text: Uint8Array, backend?: BackendName): Uint8Array {
  return run(keyed, iv, text, backend, (cipher, ivAt, textAt) => cipher.decryptAt(ivAt, textAt, text.length));
}

function run(
  { encryption, keyBits, key }: KeyedCipher,
  iv: Uint8Array,
  text: Uint8Array,
  backend: BackendName | undefined,
  work: (cipher: Cipher, ivAt: number, textAt: number) => void,
): Uint8Array {
  const { ivBytes, blockBytes } = encryption;
  if (iv.length !== ivBytes) throw new RangeError(`IV of ${iv.length} octets, ${ivBytes} expected`);
  if (text.length % blockBytes !== 0) throw new RangeError(`${text.length} octets are no multiple of ${blockBytes}`);
  const { arena, start } = messageArena(iv.length + text.length);
  const textAt = start + iv.length;
  arena.bytes.set(iv, start);
  arena.bytes.set(text, textAt);
  const cipher = createCipher(arena, encryption, keyBits, key, backend);
  try {
    work(cipher, start, textAt);
    return arena.bytes.slice(textAt, textAt + text.length);
  } finally {
    cipher.free();
    arena.bytes.fill(0, textAt, textAt + text.length);
  }
}
