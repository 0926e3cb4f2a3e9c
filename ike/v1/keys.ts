/** Key derivation of both phases: RFC 2409 sections 5 and 5.5, and appendix B. */
import { keyLengths } from "../../crypto/backends.js";
import { concat } from "../../crypto/bytes.js";
import type { KeyedCipher } from "../../crypto/cbc.js";
import type { Prf } from "../../crypto/interfaces.js";
import { ENCR_DES } from "../../crypto/registry/encryption.js";
import type { EncryptionRow, SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import { ProtocolError } from "../core/errors.js";
import { spiOctets } from "../wire/header.js";
import { PROTOCOL_V1 } from "../wire/protocols.js";
import { isWeakDesKey } from "./des-weak-keys.js";

/** CKY-I and CKY-R as they stand in the header. */
export interface Cookies {
  readonly initiatorCookie: bigint;
  readonly responderCookie: bigint;
}

/** Ni_b and Nr_b: nonces without generic headers. */
export interface Nonces {
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
}

/** SKEYID and what follows from it; each as long as the output of the PRF. */
export interface Phase1Keys {
  /** Authenticates phase 1: HASH_I, HASH_R. */
  readonly skeyid: Secret;
  /** Derives phase 2. */
  readonly skeyidD: Secret;
  /** Authenticates the messages behind phase 1. */
  readonly skeyidA: Secret;
  /** What the cipher's key is taken from: `phase1Cipher`. */
  readonly skeyidE: Secret;
}

/** SKEYID = prf(pre-shared-key, Ni_b | Nr_b). */
export function preSharedSkeyid(prf: Prf, psk: Secret, { ni, nr }: Nonces): Secret {
  return new Secret(prf.compute(psk.reveal(), ni, nr));
}

/** SKEYID = prf(Ni_b | Nr_b, g^xy), for authentication by signatures. */
export function signatureSkeyid(prf: Prf, { ni, nr }: Nonces, sharedSecret: Secret): Secret {
  return new Secret(prf.compute(concat(ni, nr), sharedSecret.reveal()));
}

/** SKEYID_d, SKEYID_a and SKEYID_e, each over the one before, g^xy, both cookies and its number. */
export function phase1Keys(prf: Prf, skeyid: Secret, sharedSecret: Secret, cookies: Cookies): Phase1Keys {
  const seed = concat(sharedSecret.reveal(), spiOctets(cookies.initiatorCookie), spiOctets(cookies.responderCookie));
  const next = (before: Uint8Array, number: number) =>
    new Secret(prf.compute(skeyid.reveal(), before, seed, new Uint8Array([number])));
  const skeyidD = next(new Uint8Array(0), 0);
  const skeyidA = next(skeyidD.reveal(), 1);
  const skeyidE = next(skeyidA.reveal(), 2);
  return { skeyid, skeyidD, skeyidA, skeyidE };
}

/**
 * The cipher of phase 1 with its key (appendix B): the front of SKEYID_e, or of Ka = K1 | K2 | … with K1 = prf(SKEYID_e, 0) and
 * Kn = prf(SKEYID_e, Kn-1) where SKEYID_e is too short. DES takes the first eight octets that are no weak key; throws
 * `ProtocolError` where there are none.
 */
export function phase1Cipher(prf: Prf, skeyidE: Secret, encryption: EncryptionRow, keyBits: number): KeyedCipher {
  const length = keyBits / 8;
  if (encryption === ENCR_DES) return { encryption, keyBits, key: desKey(skeyidE) };
  const material = skeyidE.length >= length ? skeyidE.reveal() : chained(prf, skeyidE, ZERO, NOTHING, length);
  return { encryption, keyBits, key: new Secret(material.slice(0, length)) };
}

/** What KEYMAT of one direction is made from. */
export interface ChildInputs extends Nonces {
  /** Of the SA, so of its receiver. */
  readonly spi: number;
  /** g(qm)^xy, with PFS alone. */
  readonly sharedSecret?: Secret;
}

/**
 * The keys of one ESP SA (section 5.5): KEYMAT = K1 | K2 | …, K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b),
 * Kn = prf(SKEYID_d, Kn-1 | the same); the encryption key (with its salt) before the integrity key (RFC 2407 section 4.5).
 * Throws `ProtocolError` when DES would get a weak key: another quick mode has other nonces.
 */
export function espKeys(prf: Prf, skeyidD: Secret, spec: SealerSpec, inputs: ChildInputs): SealerKeys {
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const protocolAndSpi = new Uint8Array(5);
  protocolAndSpi[0] = PROTOCOL_V1.ESP;
  new DataView(protocolAndSpi.buffer).setUint32(1, inputs.spi);
  const seed = concat(inputs.sharedSecret?.reveal() ?? NOTHING, protocolAndSpi, inputs.ni, inputs.nr);
  const keymat = chained(prf, skeyidD, seed, seed, encryptionBytes + integrityBytes);
  const encryption = keymat.slice(0, encryptionBytes);
  if (spec.encryption === ENCR_DES && isWeakDesKey(encryption))
    throw new ProtocolError("NO_PROPOSAL_CHOSEN", "the nonces give DES a weak key");
  return {
    encryption: new Secret(encryption),
    integrity: new Secret(keymat.slice(encryptionBytes, encryptionBytes + integrityBytes)),
  };
}

/** K1 | K2 | … of at least `length` octets: K1 = prf(key, first), Kn = prf(key, Kn-1 | rest). */
function chained(prf: Prf, key: Secret, first: Uint8Array, rest: Uint8Array, length: number): Uint8Array {
  let last = prf.compute(key.reveal(), first);
  let all = last;
  while (all.length < length) {
    last = prf.compute(key.reveal(), last, rest);
    all = concat(all, last);
  }
  return all;
}

function desKey(skeyidE: Secret): Secret {
  const octets = skeyidE.reveal();
  for (let at = 0; at + 8 <= octets.length; at += 8) {
    const key = octets.slice(at, at + 8);
    if (!isWeakDesKey(key)) return new Secret(key);
  }
  throw new ProtocolError("NO_PROPOSAL_CHOSEN", "SKEYID_e holds nothing but weak keys for DES");
}

const ZERO = new Uint8Array(1);
const NOTHING = new Uint8Array(0);
