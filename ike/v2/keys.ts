/** Key derivation and the pre-shared key's proof, RFC 7296 sections 2.13 to 2.18. */
import { keyLengths } from "../../crypto/backends.js";
import { compare, concat, equalConstantTime, utf8 } from "../../crypto/bytes.js";
import type { Prf } from "../../crypto/interfaces.js";
import { prfPlus } from "../../crypto/prf-plus.js";
import type { SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import { spiOctets } from "../wire/header.js";
import type { IdPayload } from "../wire/payloads/id.js";

/** The keys of an IKE SA. "Initiator" is the original initiator: who sent the IKE_SA_INIT or the rekey request. */
export interface IkeKeys {
  /** Derives children and the next IKE SA; as long as the PRF's key. */
  readonly skD: Secret;
  /** SK_ei and SK_ai: protects what the original initiator sends. */
  readonly initiator: SealerKeys;
  /** SK_er and SK_ar. */
  readonly responder: SealerKeys;
  /** For AUTH. */
  readonly skPi: Secret;
  readonly skPr: Secret;
}

/** Who sent the IKE_SA_INIT request, or asked for the rekey that made the IKE SA. */
export type OriginalRole = "initiator" | "responder";

/** What protects our own messages. */
export function outboundKeys(keys: IkeKeys, ourRole: OriginalRole): SealerKeys {
  return ourRole === "initiator" ? keys.initiator : keys.responder;
}

/** What protects the peer's messages. */
export function inboundKeys(keys: IkeKeys, ourRole: OriginalRole): SealerKeys {
  return ourRole === "initiator" ? keys.responder : keys.initiator;
}

/** Nonces without headers, SPIs as they stand in the header of the new SA. */
export interface IkeKeyInputs {
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

/** Of one exchange: what decides between two that collide (section 2.8.1). */
export function lowestNonce({ ni, nr }: Pick<IkeKeyInputs, "ni" | "nr">): Uint8Array {
  return compare(ni, nr) < 0 ? ni : nr;
}

/** SKEYSEED = prf(Ni | Nr, g^ir), section 2.14; PRFs that say so take only the front of both nonces as the key. */
export function skeyseed(prf: Prf, { ni, nr }: Pick<IkeKeyInputs, "ni" | "nr">, sharedSecret: Secret): Secret {
  const { skeyseedNonceBytes: part } = prf;
  return new Secret(prf.compute(concat(ni.subarray(0, part), nr.subarray(0, part)), sharedSecret.reveal()));
}

/**
 * SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), section 2.18: `oldPrf` is that of the old IKE SA, whose SK_d is used.
 * The keys then come from `ikeKeys` with the new SA's PRF.
 */
export function rekeySkeyseed(
  oldPrf: Prf,
  oldSkD: Secret,
  { ni, nr }: Pick<IkeKeyInputs, "ni" | "nr">,
  sharedSecret: Secret,
): Secret {
  return new Secret(oldPrf.compute(oldSkD.reveal(), sharedSecret.reveal(), ni, nr));
}

/** {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr), section 2.14. */
export function ikeKeys(prf: Prf, spec: SealerSpec, seed: Secret, inputs: IkeKeyInputs): IkeKeys {
  const { ni, nr, initiatorSpi, responderSpi } = inputs;
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const length = 3 * prf.keyBytes + 2 * integrityBytes + 2 * encryptionBytes;
  const salt = concat(ni, nr, spiOctets(initiatorSpi), spiOctets(responderSpi));
  const take = cutter(prfPlus(prf, seed.reveal(), salt, length));
  const skD = take(prf.keyBytes);
  const skAi = take(integrityBytes);
  const skAr = take(integrityBytes);
  const skEi = take(encryptionBytes);
  const skEr = take(encryptionBytes);
  return {
    skD,
    initiator: { encryption: skEi, integrity: skAi },
    responder: { encryption: skEr, integrity: skAr },
    skPi: take(prf.keyBytes),
    skPr: take(prf.keyBytes),
  };
}

/** The keys of a child SA pair; "initiator" is the initiator of the exchange that made it. */
export interface ChildKeys {
  /** Protects what the exchange's initiator sends. */
  readonly initiator: SealerKeys;
  readonly responder: SealerKeys;
}

/**
 * KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr), section 2.17: first everything of the initiator's direction, then the
 * other; in each the encryption key before the integrity key. `sharedSecret` only with PFS.
 */
export function childKeys(
  prf: Prf,
  spec: SealerSpec,
  skD: Secret,
  { ni, nr }: Pick<IkeKeyInputs, "ni" | "nr">,
  sharedSecret?: Secret,
): ChildKeys {
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const seed = sharedSecret === undefined ? concat(ni, nr) : concat(sharedSecret.reveal(), ni, nr);
  const take = cutter(prfPlus(prf, skD.reveal(), seed, 2 * (encryptionBytes + integrityBytes)));
  return {
    initiator: { encryption: take(encryptionBytes), integrity: take(integrityBytes) },
    responder: { encryption: take(encryptionBytes), integrity: take(integrityBytes) },
  };
}

/** What one side signs (section 2.15). */
export interface AuthInputs {
  /** Its first message, octet for octet as sent: the last IKE_SA_INIT of this side. */
  readonly message: Uint8Array;
  /** The other side's nonce. */
  readonly nonce: Uint8Array;
  /** Its own IDi or IDr. */
  readonly id: IdPayload;
  /** SK_pi for the initiator, SK_pr for the responder. */
  readonly skP: Secret;
}

/** InitiatorSignedOctets or ResponderSignedOctets: RealMessage | Nonce | prf(SK_p, ID without its generic header). */
export function signedOctets(prf: Prf, { message, nonce, id, skP }: AuthInputs): Uint8Array {
  const idBody = concat(new Uint8Array([id.idType, 0, 0, 0]), id.data);
  return concat(message, nonce, prf.compute(skP.reveal(), idBody));
}

/** AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), signed octets), section 2.15. */
export function pskAuth(prf: Prf, psk: Secret, inputs: AuthInputs): Uint8Array {
  return prf.compute(prf.compute(psk.reveal(), KEY_PAD), signedOctets(prf, inputs));
}

/** Whether the peer's AUTH data prove that it has the same key. Compares in constant time. */
export function isPskAuth(prf: Prf, psk: Secret, inputs: AuthInputs, data: Uint8Array): boolean {
  return equalConstantTime(pskAuth(prf, psk, inputs), data);
}

const KEY_PAD = utf8("Key Pad for IKEv2");

/** Cuts key material from the front. */
function cutter(material: Uint8Array): (length: number) => Secret {
  let at = 0;
  return (length) => {
    const key = new Secret(material.slice(at, at + length));
    at += length;
    return key;
  };
}
