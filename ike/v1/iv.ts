/**
 * Initialization vectors, RFC 2409 appendix B. Within an exchange the last block of ciphertext, whoever sent it, is the IV of the
 * next message; every exchange of phase 2 and every informational one begins its own chain behind phase 1.
 */
import type { Hash } from "../../crypto/interfaces.js";
import type { EncryptionRow } from "../../crypto/registry/row.js";
import { messageIdOctets } from "./hashes.js";

/** The IV of the first encrypted message of phase 1: the front of hash(g^xi | g^xr). */
export function phase1Iv(hash: Hash, { ivBytes }: EncryptionRow, publicI: Uint8Array, publicR: Uint8Array): Uint8Array {
  return hash.digest(publicI, publicR).slice(0, ivBytes);
}

/** The IV of the first message of a later exchange: the front of hash(last block of phase 1 | M-ID). */
export function exchangeIv(
  hash: Hash,
  { ivBytes }: EncryptionRow,
  lastPhase1Block: Uint8Array,
  messageId: number,
): Uint8Array {
  return hash.digest(lastPhase1Block, messageIdOctets(messageId)).slice(0, ivBytes);
}

/** The IV of the message that follows this ciphertext. A repeated message does not move the chain. */
export function nextIv({ ivBytes }: EncryptionRow, ciphertext: Uint8Array): Uint8Array {
  return ciphertext.slice(ciphertext.length - ivBytes);
}
