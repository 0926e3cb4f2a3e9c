import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrf } from "../../../crypto/backends.js";
import { PRF_HMAC_SHA2_256 } from "../../../crypto/registry/prf.js";
import { parseAddress } from "../../../esp/address.js";
import {
  createCookieSecrets,
  isOurCookie,
  makeCookie,
  COOKIE_SECRET_MILLISECONDS as PERIOD,
  rotateCookieSecrets,
} from "../../../ike/v2/cookie.js";
import { seededRandom } from "../../sim/random.js";

const prf = createPrf(PRF_HMAC_SHA2_256);
const { octets: random } = seededRandom(1);
const BINDING = { nonce: new Uint8Array(32).fill(1), address: parseAddress("192.0.2.1"), initiatorSpi: 7n };

test("a cookie is good for its own nonce, address and SPI alone (RFC 7296 section 2.6)", () => {
  const secrets = createCookieSecrets(0, random);
  const cookie = makeCookie(prf, secrets, BINDING);
  assert(cookie.length >= 1 && cookie.length <= 64);
  assert(isOurCookie(prf, secrets, BINDING, cookie));
  assert(!isOurCookie(prf, secrets, { ...BINDING, nonce: new Uint8Array(32).fill(2) }, cookie));
  assert(!isOurCookie(prf, secrets, { ...BINDING, address: parseAddress("192.0.2.2") }, cookie));
  assert(!isOurCookie(prf, secrets, { ...BINDING, initiatorSpi: 8n }, cookie));
  for (let i = 0; i < cookie.length; i++)
    assert(!isOurCookie(prf, secrets, BINDING, cookie.with(i, cookie[i]! ^ 1)), `octet ${i}`);
  assert(!isOurCookie(prf, secrets, BINDING, new Uint8Array(0)));
  assert(!isOurCookie(prf, secrets, BINDING, cookie.subarray(0, 1)));
});

test("a cookie outlives one change of the secret, and no second one", () => {
  let secrets = createCookieSecrets(0, random);
  const cookie = makeCookie(prf, secrets, BINDING);
  assert.equal(rotateCookieSecrets(secrets, PERIOD - 1, random), secrets);
  secrets = rotateCookieSecrets(secrets, PERIOD, random);
  assert(isOurCookie(prf, secrets, BINDING, cookie));
  assert.notDeepEqual(makeCookie(prf, secrets, BINDING), cookie);
  secrets = rotateCookieSecrets(secrets, 2 * PERIOD, random);
  assert(!isOurCookie(prf, secrets, BINDING, cookie));
});

test("a secret that nobody asked for in a long time is not the previous one", () => {
  const secrets = createCookieSecrets(0, random);
  const cookie = makeCookie(prf, secrets, BINDING);
  assert(!isOurCookie(prf, rotateCookieSecrets(secrets, 10 * PERIOD, random), BINDING, cookie));
});

test("the version of the secret goes round after 256 changes", () => {
  let secrets = createCookieSecrets(0, random);
  for (let i = 1; i <= 256; i++) secrets = rotateCookieSecrets(secrets, i * PERIOD, random);
  assert.equal(secrets.version, 0);
  const cookie = makeCookie(prf, secrets, BINDING);
  assert(isOurCookie(prf, rotateCookieSecrets(secrets, 257 * PERIOD, random), BINDING, cookie));
});
