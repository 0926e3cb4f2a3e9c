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
  "aes_ccm_test.json": adaptAead((tagBits) => CCM_BY_TAG[tagBits], 3),
  "aes_gcm_test.json": adaptAead((tagBits) => GCM_BY_TAG[tagBits], 4),
  "aes_gmac_test.json": adaptGmac,
  "chacha20_poly1305_test.json": adaptAead((tagBits) => (tagBits === 128 ? "ENCR_CHACHA20_POLY1305" : undefined), 4),
  "sm4_ccm_test.json": adaptAead((tagBits) => (tagBits === 128 ? "ENCR_SM4_CCM_16" : undefined), 3),
  "sm4_gcm_test.json": adaptAead((tagBits) => (tagBits === 128 ? "ENCR_SM4_GCM_16" : undefined), 4),
  "aes_cmac_test.json": adaptCmac,
  "hmac_sha1_test.json": adaptHmac("PRF_HMAC_SHA1", "AUTH_HMAC_SHA1_96", 96),
  "hmac_sha256_test.json": adaptHmac("PRF_HMAC_SHA2_256", "AUTH_HMAC_SHA2_256_128", 128),
  "hmac_sha384_test.json": adaptHmac("PRF_HMAC_SHA2_384", "AUTH_HMAC_SHA2_384_192", 192),
  "hmac_sha512_test.json": adaptHmac("PRF_HMAC_SHA2_512", "AUTH_HMAC_SHA2_512_256", 256),
  "hmac_sm3_test.json": adaptHmac("PRF_HMAC_SM3", "AUTH_HMAC_SM3", 128),
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

const CCM_BY_TAG: Readonly<Record<number, string>> = {
  64: "ENCR_AES_CCM_8",
  96: "ENCR_AES_CCM_12",
  128: "ENCR_AES_CCM_16",
};
const GCM_BY_TAG: Readonly<Record<number, string>> = {
  64: "ENCR_AES_GCM_8",
  96: "ENCR_AES_GCM_12",
  128: "ENCR_AES_GCM_16",
};

/** The nonce is cut into salt and an IV of 64 bits. */
function adaptAead(rowOfTag: (tagBits: number) => string | undefined, saltBytes: number): Adapter {
  const nonceBits = 8 * saltBytes + 64;
  return (test, group, source) => {
    if (group.ivSize !== nonceBits) return `a nonce of another length than the ${nonceBits} bits of IPsec`;
    const row = rowOfTag(group.tagSize ?? 0);
    if (row === undefined) return "a tag of a length that no row has";
    const nonce = field(test, "iv");
    return {
      kind: "aead",
      row,
      source,
      key: field(test, "key") + nonce.slice(0, 2 * saltBytes),
      iv: nonce.slice(2 * saltBytes),
      header: field(test, "aad"),
      plain: field(test, "msg"),
      sealed: field(test, "ct") + field(test, "tag"),
      valid: test.result === "valid",
    };
  };
}

/**
 * GMAC is GCM without text: the message is the associated data. The ESP row always authenticates its own IV too, which these
 * messages do not hold, so they prove the function below it.
 */
function adaptGmac(test: Test, group: Group, source: string): VectorCase | string {
  if (group.ivSize !== 96) return "a nonce of another length than the 96 bits of IPsec";
  const nonce = field(test, "iv");
  return {
    kind: "aead",
    row: "ENCR_AES_GCM_16",
    source,
    key: field(test, "key") + nonce.slice(0, 8),
    iv: nonce.slice(8),
    header: field(test, "msg"),
    plain: "",
    sealed: field(test, "tag"),
    valid: test.result === "valid",
  };
}

/** The whole tag is the output of the PRF, whose keys of 128 bits are taken as they are (RFC 4615 section 3). */
function adaptCmac(test: Test, group: Group, source: string): VectorCase | string {
  if (group.keySize !== 128) return "a key of another length than the 128 bits of IPsec";
  const [key, data, output] = [field(test, "key"), field(test, "msg"), field(test, "tag")];
  return { kind: "prf", row: "PRF_AES128_CMAC", source, key, data, output, valid: test.result === "valid" };
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
