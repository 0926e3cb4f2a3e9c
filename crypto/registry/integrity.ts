/** Integrity algorithms: transform type 3 of IKEv2, the authentication algorithm attribute of IKEv1 phase 2. */
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { cmacKeys, xcbcKeys } from "../cbc-mac-keys.js";
import { nodeCbcMac } from "../node/block.js";
import { nodeHmac } from "../node/symmetric.js";
import { evpCbcMac } from "../openssl/cbc-mac.js";
import { evpHmac } from "../openssl/mac.js";
import { portableCmac, portableHmac, portableHmacSm3, portableXcbc } from "../portable/symmetric.js";
import {
  PRF_AES128_CMAC,
  PRF_AES128_XCBC,
  PRF_HMAC_MD5,
  PRF_HMAC_SHA1,
  PRF_HMAC_SHA2_256,
  PRF_HMAC_SHA2_384,
  PRF_HMAC_SHA2_512,
  PRF_HMAC_SM3,
} from "./prf.js";
import type { IntegrityRow } from "./row.js";

export const AUTH_HMAC_MD5_96 = {
  kind: "integrity",
  name: "AUTH_HMAC_MD5_96",
  keywords: ["md5"],
  ids: { ikev2: 1, phase2: 1 },
  rfc: "RFC 2403",
  level: { ike: "MUST NOT", esp: "MUST NOT" },
  vectors: "rfc2202-hmac-md5.json",
  keyBytes: 16,
  icvBytes: 12,
  ownPrf: PRF_HMAC_MD5,
  implementations: { openssl: evpHmac("MD5"), node: nodeHmac("md5"), portable: portableHmac(md5) },
} as const satisfies IntegrityRow;

export const AUTH_HMAC_SHA1_96 = {
  kind: "integrity",
  name: "AUTH_HMAC_SHA1_96",
  keywords: ["sha1", "sha"],
  ids: { ikev2: 2, phase2: 2 },
  rfc: "RFC 2404",
  level: { ike: "MUST-", esp: "MUST-" },
  vectors: "rfc2202-hmac-sha1.json",
  keyBytes: 20,
  icvBytes: 12,
  ownPrf: PRF_HMAC_SHA1,
  implementations: { openssl: evpHmac("SHA1"), node: nodeHmac("sha1"), portable: portableHmac(sha1) },
} as const satisfies IntegrityRow;

export const AUTH_HMAC_SHA2_256_128 = {
  kind: "integrity",
  name: "AUTH_HMAC_SHA2_256_128",
  keywords: ["sha256", "sha2_256"],
  ids: { ikev2: 12, phase2: 5 },
  rfc: "RFC 4868",
  level: { ike: "MUST", esp: "MUST" },
  vectors: "rfc4868-hmac-sha2.json",
  keyBytes: 32,
  icvBytes: 16,
  ownPrf: PRF_HMAC_SHA2_256,
  implementations: { openssl: evpHmac("SHA256"), node: nodeHmac("sha256"), portable: portableHmac(sha256) },
} as const satisfies IntegrityRow;

export const AUTH_HMAC_SHA2_384_192 = {
  kind: "integrity",
  name: "AUTH_HMAC_SHA2_384_192",
  keywords: ["sha384", "sha2_384"],
  ids: { ikev2: 13, phase2: 6 },
  rfc: "RFC 4868",
  level: { ike: "none", esp: "none" },
  vectors: "rfc4868-hmac-sha2.json",
  keyBytes: 48,
  icvBytes: 24,
  ownPrf: PRF_HMAC_SHA2_384,
  implementations: { openssl: evpHmac("SHA384"), node: nodeHmac("sha384"), portable: portableHmac(sha384) },
} as const satisfies IntegrityRow;

export const AUTH_HMAC_SHA2_512_256 = {
  kind: "integrity",
  name: "AUTH_HMAC_SHA2_512_256",
  keywords: ["sha512", "sha2_512"],
  ids: { ikev2: 14, phase2: 7 },
  rfc: "RFC 4868",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "rfc4868-hmac-sha2.json",
  keyBytes: 64,
  icvBytes: 32,
  ownPrf: PRF_HMAC_SHA2_512,
  implementations: { openssl: evpHmac("SHA512"), node: nodeHmac("sha512"), portable: portableHmac(sha512) },
} as const satisfies IntegrityRow;

export const AUTH_AES_XCBC_96 = {
  kind: "integrity",
  name: "AUTH_AES_XCBC_96",
  keywords: ["aesxcbc"],
  ids: { ikev2: 5, phase2: 9 },
  rfc: "RFC 3566",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "rfc-aes-xcbc-cmac.json",
  keyBytes: 16,
  icvBytes: 12,
  ownPrf: PRF_AES128_XCBC,
  implementations: { openssl: evpCbcMac(xcbcKeys), node: nodeCbcMac(xcbcKeys), portable: portableXcbc },
} as const satisfies IntegrityRow;

export const AUTH_AES_CMAC_96 = {
  kind: "integrity",
  name: "AUTH_AES_CMAC_96",
  keywords: ["aescmac"],
  ids: { ikev2: 8 },
  rfc: "RFC 4494",
  level: { ike: "none", esp: "none" },
  vectors: "rfc-aes-xcbc-cmac.json",
  keyBytes: 16,
  icvBytes: 12,
  ownPrf: PRF_AES128_CMAC,
  implementations: { openssl: evpCbcMac(cmacKeys), node: nodeCbcMac(cmacKeys), portable: portableCmac },
} as const satisfies IntegrityRow;

/** Neither a number nor the length of the ICV is standardised: a numbering profile gives them, 16 octets is the usual half. */
export const AUTH_HMAC_SM3 = {
  kind: "integrity",
  name: "AUTH_HMAC_SM3",
  keywords: ["sm3"],
  ids: {},
  rfc: "GB/T 32905",
  level: { ike: "none", esp: "none" },
  vectors: "gm-hmac-sm3.json",
  keyBytes: 32,
  icvBytes: 16,
  ownPrf: PRF_HMAC_SM3,
  implementations: { openssl: evpHmac("SM3"), node: nodeHmac("sm3"), portable: portableHmacSm3 },
} as const satisfies IntegrityRow;

export const INTEGRITY_ROWS: readonly IntegrityRow[] = [
  AUTH_HMAC_MD5_96,
  AUTH_HMAC_SHA1_96,
  AUTH_HMAC_SHA2_256_128,
  AUTH_HMAC_SHA2_384_192,
  AUTH_HMAC_SHA2_512_256,
  AUTH_AES_XCBC_96,
  AUTH_AES_CMAC_96,
  AUTH_HMAC_SM3,
];
