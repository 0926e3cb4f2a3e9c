/**
 * Cookies against floods of IKE_SA_INIT requests, RFC 7296 section 2.6: the responder keeps nothing, the cookie proves
 * that the sender receives at its address.
 *
 *     COOKIE = version of the secret (1) | prf(secret, Ni | IPi | SPIi)
 */
import { concat, equalConstantTime } from "../../crypto/bytes.js";
import type { Prf, Random } from "../../crypto/interfaces.js";
import { Secret } from "../../crypto/secret.js";
import { type Address, addressOctets } from "../../esp/address.js";
import type { Instant } from "../core/types.js";
import { spiOctets } from "../wire/header.js";

/** Part of the endpoint's state. The previous secret stays good for one more period. */
export interface CookieSecrets {
  readonly version: number;
  readonly current: Secret;
  readonly previous?: Secret;
  readonly changedAt: Instant;
}

/** What a cookie is bound to. */
export interface CookieBinding {
  readonly nonce: Uint8Array;
  readonly address: Address;
  readonly initiatorSpi: bigint;
}

/** A cookie lives between one and two such periods. */
export const COOKIE_SECRET_MILLISECONDS = 60_000;

export function createCookieSecrets(now: Instant, random: Random): CookieSecrets {
  return { version: 0, current: new Secret(random(SECRET_BYTES)), changedAt: now };
}

/** The same secrets, or the next ones when their time has come. Call it before making or checking a cookie. */
export function rotateCookieSecrets(secrets: CookieSecrets, now: Instant, random: Random): CookieSecrets {
  const age = now - secrets.changedAt;
  if (age < COOKIE_SECRET_MILLISECONDS) return secrets;
  const next = { version: (secrets.version + 1) & 0xff, current: new Secret(random(SECRET_BYTES)), changedAt: now };
  return age < 2 * COOKIE_SECRET_MILLISECONDS ? { ...next, previous: secrets.current } : next;
}

/** The data of a COOKIE notification. `prf`: one with at least 16 octets of output, such as PRF_HMAC_SHA2_256. */
export function makeCookie(prf: Prf, secrets: CookieSecrets, binding: CookieBinding): Uint8Array {
  return cookie(prf, secrets.version, secrets.current, binding);
}

/** Whether we made this cookie, for this nonce, address and SPI, not long ago. */
export function isOurCookie(prf: Prf, secrets: CookieSecrets, binding: CookieBinding, data: Uint8Array): boolean {
  const version = data[0];
  const isCurrent = version === secrets.version;
  const secret = isCurrent ? secrets.current : secrets.previous;
  if (version === undefined || secret === undefined) return false;
  if (!isCurrent && version !== ((secrets.version - 1) & 0xff)) return false;
  return equalConstantTime(data, cookie(prf, version, secret, binding));
}

function cookie(prf: Prf, version: number, secret: Secret, binding: CookieBinding): Uint8Array {
  const { nonce, address, initiatorSpi } = binding;
  const tag = prf.compute(secret.reveal(), nonce, addressOctets(address), spiOctets(initiatorSpi));
  return concat(new Uint8Array([version]), tag);
}

const SECRET_BYTES = 32;
