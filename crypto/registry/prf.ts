/** Pseudorandom functions: transform type 2 of IKEv2; in IKEv1 the hash, used as HMAC. */
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { nodePrf } from "../node/symmetric.js";
import { portablePrf } from "../portable/symmetric.js";
import type { PrfRow } from "./row.js";

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
} as const satisfies PrfRow;

export const PRF_ROWS: readonly PrfRow[] = [PRF_HMAC_SHA1, PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512];
