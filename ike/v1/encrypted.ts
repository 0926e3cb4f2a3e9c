/**
 * The encryption of IKEv1, RFC 2409 appendix B: everything behind the header, in CBC, without integrity. The HASH payload inside
 * is the integrity; what is decrypted here means nothing before it holds (`decisions.md` 5).
 */

import { concat } from "../../crypto/bytes.js";
import { decrypt, encrypt, type KeyedCipher } from "../../crypto/cbc.js";
import { ProtocolError } from "../core/errors.js";
import type { HeaderV1 } from "../wire/header-v1.js";
import {
  type ChainV1,
  decodeChainV1,
  type EncryptedBodyV1,
  encodeChainV1,
  encodeEncryptedV1,
  firstTypeV1,
  type PayloadV1,
  payloadV1,
} from "../wire/message-v1.js";
import { nextIv } from "./iv.js";

/** A message to be sent, and the IV of the one that follows it in its exchange. */
export interface EncryptedMessageV1 {
  readonly bytes: Uint8Array;
  readonly iv: Uint8Array;
}

/** Payloads decrypted, not authenticated, and the IV that follows if they turn out to be authentic. */
export interface DecryptedMessageV1 extends ChainV1 {
  readonly iv: Uint8Array;
}

/** Encrypts a chain under the IV of its place in the exchange. */
export function encryptMessage(
  header: HeaderV1,
  payloads: readonly PayloadV1[],
  cipher: KeyedCipher,
  iv: Uint8Array,
): EncryptedMessageV1 {
  const body = encrypt(cipher, iv, padded(encodeChainV1(payloads), cipher.encryption.blockBytes));
  const bytes = encodeEncryptedV1(header, { firstPayload: firstTypeV1(payloads), body });
  return { bytes, iv: nextIv(cipher.encryption, body) };
}

/**
 * Decrypts and decodes. Throws `ProtocolError` INVALID_SYNTAX for what is not whole blocks or no chain of payloads: under a wrong
 * key (a pre-shared key that differs) nearly every message is that.
 */
export function decryptMessage(
  { firstPayload, body }: EncryptedBodyV1,
  cipher: KeyedCipher,
  iv: Uint8Array,
): DecryptedMessageV1 {
  const { blockBytes } = cipher.encryption;
  if (body.length === 0 || body.length % blockBytes !== 0)
    throw new ProtocolError("INVALID_SYNTAX", `${body.length} encrypted octets are not whole blocks of ${blockBytes}`);
  const chain = decodeChainV1(decrypt(cipher, iv, body), firstPayload);
  return { ...chain, iv: nextIv(cipher.encryption, body) };
}

/** HASH in front of the payloads that it covers: `hashOf` gets their octets, generic headers included. */
export function withHash(
  payloads: readonly PayloadV1[],
  hashOf: (behindHash: Uint8Array) => Uint8Array,
): readonly PayloadV1[] {
  return [payloadV1("HASH", { hash: hashOf(encodeChainV1(payloads)) }), ...payloads];
}

/** Zeros up to whole blocks. Peers tell the end of the payloads from their lengths, as the RFC's count would. */
function padded(chain: Uint8Array, blockBytes: number): Uint8Array {
  return concat(chain, new Uint8Array((blockBytes - (chain.length % blockBytes)) % blockBytes));
}
