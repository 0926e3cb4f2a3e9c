/** Pseudorandom functions: transform type 2 of IKEv2; in IKEv1 the hash, used as HMAC. */
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { cmacKeys, xcbcKeys } from "../cbc-mac-keys.js";
import { nodeBlockPrf } from "../node/block.js";
import { nodeHash, nodePrf } from "../node/symmetric.js";
import {
  portableHash,
  portableHashSm3,
  portablePrf,
  portablePrfCmac,
  portablePrfSm3,
  portablePrfXcbc,
} from "../portable/symmetric.js";
import type { PrfRow } from "./row.js";

export const PRF_HMAC_MD5 = {
  kind: "prf",
  name: "PRF_HMAC_MD5",
  keywords: ["prfmd5"],
  ids: { ikev2: 1, phase1: 1 },
  rfc: "RFC 2104",
  level: { ike: "MUST NOT", esp: "none" },
  vectors: "rfc2202-hmac-md5.json",
  outputBytes: 16,
  keyBytes: 16,
  implementations: { node: nodePrf("md5"), portable: portablePrf(md5) },
  hash: { node: nodeHash("md5"), portable: portableHash(md5) },
} as const satisfies PrfRow;

export const PRF_HMAC_SHA1 = {
  kind: "prf",
  name: "PRF_HMAC_SHA1",
  keywords: ["prfsha1"],
  ids: { ikev2: 2, phase1: 2 },
  rfc: "RFC 2104",
  level: { ike: "MUST-", esp: "none" },
  vectors: "rfc2202-hmac-sha1.json",
  outputBytes: 20,
  keyBytes: 20,
  implementations: { node: nodePrf("sha1"), portable: portablePrf(sha1) },
  hash: { node: nodeHash("sha1"), portable: portableHash(sha1) },
} as const satisfies PrfRow;

export const PRF_HMAC_SHA2_256 = {
  kind: "prf",
  name: "PRF_HMAC_SHA2_256",
  keywords: ["prfsha256"],
  ids: { ikev2: 5, phase1: 4 },
  rfc: "RFC 4868",
  level: { ike: "MUST", esp: "none" },
  vectors: "rfc4231-hmac-sha2.json",
  outputBytes: 32,
  keyBytes: 32,
  implementations: { node: nodePrf("sha256"), portable: portablePrf(sha256) },
  hash: { node: nodeHash("sha256"), portable: portableHash(sha256) },
} as const satisfies PrfRow;

export const PRF_HMAC_SHA2_384 = {
  kind: "prf",
  name: "PRF_HMAC_SHA2_384",
  keywords: ["prfsha384"],
  ids: { ikev2: 6, phase1: 5 },
  rfc: "RFC 4868",
  level: { ike: "none", esp: "none" },
  vectors: "rfc4231-hmac-sha2.json",
  outputBytes: 48,
  keyBytes: 48,
  implementations: { node: nodePrf("sha384"), portable: portablePrf(sha384) },
  hash: { node: nodeHash("sha384"), portable: portableHash(sha384) },
} as const satisfies PrfRow;

export const PRF_HMAC_SHA2_512 = {
  kind: "prf",
  name: "PRF_HMAC_SHA2_512",
  keywords: ["prfsha512"],
  ids: { ikev2: 7, phase1: 6 },
  rfc: "RFC 4868",
  level: { ike: "SHOULD+", esp: "none" },
  vectors: "rfc4231-hmac-sha2.json",
  outputBytes: 64,
  keyBytes: 64,
  implementations: { node: nodePrf("sha512"), portable: portablePrf(sha512) },
  hash: { node: nodeHash("sha512"), portable: portableHash(sha512) },
} as const satisfies PrfRow;

export const PRF_AES128_XCBC = {
  kind: "prf",
  name: "PRF_AES128_XCBC",
  keywords: ["prfaesxcbc"],
  ids: { ikev2: 4 },
  rfc: "RFC 4434",
  level: { ike: "SHOULD", esp: "none" },
  vectors: "rfc-aes-xcbc-cmac.json",
  outputBytes: 16,
  keyBytes: 16,
  skeyseedNonceBytes: 8,
  implementations: { node: nodeBlockPrf(xcbcKeys, "fill"), portable: portablePrfXcbc },
} as const satisfies PrfRow;

export const PRF_AES128_CMAC = {
  kind: "prf",
  name: "PRF_AES128_CMAC",
  keywords: ["prfaescmac"],
  ids: { ikev2: 8 },
  rfc: "RFC 4615",
  level: { ike: "none", esp: "none" },
  vectors: "rfc-aes-xcbc-cmac.json",
  outputBytes: 16,
  keyBytes: 16,
  skeyseedNonceBytes: 8,
  implementations: { node: nodeBlockPrf(cmacKeys, "hash"), portable: portablePrfCmac },
} as const satisfies PrfRow;

/** IANA has no number for SM3: a numbering profile gives it. */
export const PRF_HMAC_SM3 = {
  kind: "prf",
  name: "PRF_HMAC_SM3",
  keywords: ["prfsm3"],
  ids: {},
  rfc: "GB/T 32905",
  level: { ike: "none", esp: "none" },
  vectors: "gm-hmac-sm3.json",
  outputBytes: 32,
  keyBytes: 32,
  implementations: { node: nodePrf("sm3"), portable: portablePrfSm3 },
  hash: { node: nodeHash("sm3"), portable: portableHashSm3 },
} as const satisfies PrfRow;

export const PRF_ROWS: readonly PrfRow[] = [
  PRF_HMAC_MD5,
  PRF_HMAC_SHA1,
  PRF_HMAC_SHA2_256,
  PRF_HMAC_SHA2_384,
  PRF_HMAC_SHA2_512,
  PRF_AES128_XCBC,
  PRF_AES128_CMAC,
  PRF_HMAC_SM3,
];
