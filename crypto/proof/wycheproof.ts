/**
 * Wycheproof files (C2SP/wycheproof, testvectors_v1) as cases of our own format. What does not apply to IPsec is
 * skipped with its reason, never silently.
 */
import { hex, octets } from "../bytes.js";
import { toNumber, toOctets } from "../key-exchange-values.js";
import type { VectorCase } from "./vector-file.js";

export interface AdaptedFile {
  readonly cases: readonly VectorCase[];
  /** Reason and how often it was the reason. */
  readonly skipped: ReadonlyMap<string, number>;
}

interface Test {
  readonly tcId: number;
  readonly result: "valid" | "invalid" | "acceptable";
  readonly flags: readonly string[];
  readonly [field: string]: unknown;
}

interface Group {
  readonly tests: readonly Test[];
  readonly ivSize?: number;
  readonly keySize?: number;
  readonly tagSize?: number;
}

/** A case, or the reason why the test is not for us. */
type Adapter = (test: Test, group: Group, source: string) => VectorCase | string;

const ADAPTERS: Readonly<Record<string, Adapter>> = {
  "aes_cbc_pkcs5_test.json": adaptCbc,
  "aes_gcm_test.json": adaptAead("ENCR_AES_GCM_16"),
  "chacha20_poly1305_test.json": adaptAead("ENCR_CHACHA20_POLY1305"),
  "hmac_sha1_test.json": adaptHmac("PRF_HMAC_SHA1", "AUTH_HMAC_SHA1_96", 96),
  "hmac_sha256_test.json": adaptHmac("PRF_HMAC_SHA2_256", "AUTH_HMAC_SHA2_256_128", 128),
  "hmac_sha384_test.json": adaptHmac("PRF_HMAC_SHA2_384", "AUTH_HMAC_SHA2_384_192", 192),
  "hmac_sha512_test.json": adaptHmac("PRF_HMAC_SHA2_512", "AUTH_HMAC_SHA2_512_256", 256),
  "ecdh_secp256r1_ecpoint_test.json": adaptEcdh("256-bit random ECP group", 32),
  "ecdh_secp384r1_ecpoint_test.json": adaptEcdh("384-bit random ECP group", 48),
  "ecdh_secp521r1_ecpoint_test.json": adaptEcdh("521-bit random ECP group", 66),
  "x25519_test.json": adaptMontgomery("Curve25519", 32),
  "x448_test.json": adaptMontgomery("Curve448", 56),
};

/** Whether a file of this name can be adapted; others are for algorithms that the registry lacks. */
export function isWycheproofFile(name: string): boolean {
  return name in ADAPTERS;
}

/** Reads the JSON text of one file. Throws `RangeError` for a name that `isWycheproofFile` denies. */
export function adaptWycheproof(name: string, json: string): AdaptedFile {
  const adapt = ADAPTERS[name];
  if (adapt === undefined) throw new RangeError(`${name}: no algorithm of the registry`);
  const { testGroups } = JSON.parse(json) as { testGroups: readonly Group[] };
  const cases: VectorCase[] = [];
  const skipped = new Map<string, number>();
  for (const group of testGroups)
    for (const test of group.tests) {
      const adapted = adapt(test, group, `Wycheproof ${name} ${test.tcId}`);
      if (typeof adapted === "string") skipped.set(adapted, (skipped.get(adapted) ?? 0) + 1);
      else cases.push(adapted);
    }
  return { cases, skipped };
}

function adaptCbc(test: Test, _group: Group, source: string): VectorCase | string {
  if (test.result !== "valid") return "tests PKCS #5 padding, which IPsec does not use";
  const plain = octets(field(test, "msg"));
  const padding = 16 - (plain.length % 16);
  return {
    kind: "cipher",
    row: "ENCR_AES_CBC",
    source,
    key: field(test, "key"),
    iv: field(test, "iv"),
    plain: hex(plain) + hex(new Uint8Array(padding).fill(padding)),
    cipher: field(test, "ct"),
  };
}

/** The nonce of 96 bits is cut into salt and IV. */
function adaptAead(row: string): Adapter {
  return (test, group, source) => {
    if (group.ivSize !== 96) return "a nonce of another length than the 96 bits of IPsec";
    if (group.tagSize !== 128) return "a tag of another length than the 128 bits of these rows";
    const nonce = field(test, "iv");
    return {
      kind: "aead",
      row,
      source,
      key: field(test, "key") + nonce.slice(0, 8),
      iv: nonce.slice(8),
      header: field(test, "aad"),
      plain: field(test, "msg"),
      sealed: field(test, "ct") + field(test, "tag"),
      valid: test.result === "valid",
    };
  };
}

/** Whole tags prove the PRF, truncated ones the integrity row where the lengths agree. */
function adaptHmac(prf: string, integrity: string, icvBits: number): Adapter {
  return (test, group, source) => {
    const key = field(test, "key");
    const data = field(test, "msg");
    const tag = field(test, "tag");
    const valid = test.result === "valid";
    if (group.tagSize === icvBits) return { kind: "mac", row: integrity, source, key, data, icv: tag, valid };
    if (!valid) return "an altered tag of a length that IPsec does not compare";
    return { kind: "prf", row: prf, source, key, data, output: tag };
  };
}

/** IKE carries x | y without the octet 04 (RFC 5903 section 7). */
function adaptEcdh(row: string, privateBytes: number): Adapter {
  return (test, _group, source) => {
    const point = field(test, "public");
    if (!point.startsWith("04")) return "a point encoding that a KE payload cannot carry";
    return {
      kind: "shared-secret",
      row,
      source,
      private: hex(toOctets(toNumber(octets(evenly(field(test, "private")))), privateBytes)),
      peerPublic: point.slice(2),
      shared: test.result === "invalid" ? "" : field(test, "shared"),
      valid: test.result !== "invalid",
    };
  };
}

/** "acceptable" with a zero result must be refused in IKE (RFC 8031 section 4); the others must work. */
function adaptMontgomery(row: string, publicBytes: number): Adapter {
  return (test, _group, source) => {
    const peerPublic = field(test, "public");
    const valid = peerPublic.length === 2 * publicBytes && !test.flags.includes("ZeroSharedSecret");
    return {
      kind: "shared-secret",
      row,
      source,
      private: field(test, "private"),
      peerPublic,
      shared: valid ? field(test, "shared") : "",
      valid,
    };
  };
}

function field(test: Test, name: string): string {
  const value = test[name];
  if (typeof value !== "string") throw new RangeError(`Wycheproof test ${test.tcId} has no "${name}"`);
  return value;
}

function evenly(digits: string): string {
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}
