/** The hashes that authenticate IKEv1: RFC 2409 sections 5, 5.5 and 5.7. The keyed PRF is always the negotiated one. */
import { equalConstantTime } from "../../crypto/bytes.js";
import type { Prf } from "../../crypto/interfaces.js";
import type { Secret } from "../../crypto/secret.js";
import { spiOctets } from "../wire/header.js";
import type { Cookies, Nonces } from "./keys.js";

/** What phase 1 is authenticated over; `sa` and `id` are bodies without generic headers, octet for octet as they were sent. */
export interface Phase1HashInputs extends Cookies {
  /** g^xi and g^xr: the data of both KE payloads. */
  readonly publicI: Uint8Array;
  readonly publicR: Uint8Array;
  /** SAi_b: the whole offer of the initiator. */
  readonly sa: Uint8Array;
}

/** HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b). */
export function hashI(prf: Prf, skeyid: Secret, inputs: Phase1HashInputs, idii: Uint8Array): Uint8Array {
  const { publicI, publicR, initiatorCookie, responderCookie, sa } = inputs;
  const cookies = [spiOctets(initiatorCookie), spiOctets(responderCookie)];
  return prf.compute(skeyid.reveal(), publicI, publicR, ...cookies, sa, idii);
}

/** HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b). */
export function hashR(prf: Prf, skeyid: Secret, inputs: Phase1HashInputs, idir: Uint8Array): Uint8Array {
  const { publicI, publicR, initiatorCookie, responderCookie, sa } = inputs;
  const cookies = [spiOctets(responderCookie), spiOctets(initiatorCookie)];
  return prf.compute(skeyid.reveal(), publicR, publicI, ...cookies, sa, idir);
}

/**
 * HASH(1) = prf(SKEYID_a, M-ID | everything behind the HASH payload). The same in an informational exchange (section 5.7) and in the
 * transaction exchange.
 */
export function hash1(prf: Prf, skeyidA: Secret, messageId: number, behindHash: Uint8Array): Uint8Array {
  return prf.compute(skeyidA.reveal(), messageIdOctets(messageId), behindHash);
}

/** HASH(2) = prf(SKEYID_a, M-ID | Ni_b | everything behind the HASH payload). */
export function hash2(
  prf: Prf,
  skeyidA: Secret,
  messageId: number,
  ni: Uint8Array,
  behindHash: Uint8Array,
): Uint8Array {
  return prf.compute(skeyidA.reveal(), messageIdOctets(messageId), ni, behindHash);
}

/** HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b). */
export function hash3(prf: Prf, skeyidA: Secret, messageId: number, { ni, nr }: Nonces): Uint8Array {
  return prf.compute(skeyidA.reveal(), new Uint8Array(1), messageIdOctets(messageId), ni, nr);
}

/** Whether a HASH payload proves what it should. Compares in constant time. */
export function isHash(right: Uint8Array, received: Uint8Array): boolean {
  return equalConstantTime(right, received);
}

/** M-ID: four octets in network order. */
export function messageIdOctets(messageId: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, messageId);
  return octets;
}
