/**
 * Key exchange methods: transform type 4 of IKEv2, the group attributes of IKEv1. Levels are those of RFC 8247 section 2.4,
 * also for PFS. In groups with a subgroup of known order (22-24, 27-30) the private octets are eight more than the order has,
 * so that reducing them leaves no bias.
 *
 * One exchange (public value and shared secret) by OpenSSL 3.0 on a small server: 0.1 ms in groups 19 and 31, 0.7 ms in 14,
 * 1 to 10 ms on the other curves (no assembly code for them), 2 ms in 23 and 24 (the check of the subgroup), 3 ms in 16 and
 * 11 ms in 18. `causeway vectors` prints those of a host.
 */
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { safePrimeGroup } from "../key-exchange-values.js";
import {
  MODP_768_PRIME,
  MODP_1024_PRIME,
  MODP_1536_PRIME,
  MODP_2048_PRIME,
  MODP_3072_PRIME,
  MODP_4096_PRIME,
  MODP_6144_PRIME,
  MODP_8192_PRIME,
} from "../modp-primes.js";
import { MODP_1024_160_GROUP, MODP_2048_224_GROUP, MODP_2048_256_GROUP } from "../modp-subgroups.js";
import { nodeEcp, nodeModp, nodeX448, nodeX25519 } from "../node/key-exchange.js";
import { evpX448, evpX25519 } from "../openssl/montgomery.js";
import { BRAINPOOL_P224R1, BRAINPOOL_P256R1, BRAINPOOL_P384R1, BRAINPOOL_P512R1 } from "../portable/brainpool.js";
import { portableEcp, portableModp, portableX448, portableX25519 } from "../portable/key-exchange.js";
import type { KeyExchangeRow } from "./row.js";

export const MODP_768 = {
  kind: "keyExchange",
  name: "768-bit MODP Group",
  keywords: ["modp768", "dh1"],
  ids: { ikev2: 1, phase1: 1, phase2: 1 },
  rfc: "RFC 2409",
  level: { ike: "MUST NOT", esp: "MUST NOT" },
  vectors: "rfc2409-modp.json",
  privateBytes: 20,
  publicBytes: 96,
  securityBits: 64,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_768_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_768_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_1024 = {
  kind: "keyExchange",
  name: "1024-bit MODP Group",
  keywords: ["modp1024", "dh2"],
  ids: { ikev2: 2, phase1: 2, phase2: 2 },
  rfc: "RFC 2409",
  level: { ike: "SHOULD NOT", esp: "SHOULD NOT" },
  vectors: "rfc2409-modp.json",
  privateBytes: 24,
  publicBytes: 128,
  securityBits: 80,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_1024_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_1024_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_1536 = {
  kind: "keyExchange",
  name: "1536-bit MODP Group",
  keywords: ["modp1536", "dh5"],
  ids: { ikev2: 5, phase1: 5, phase2: 5 },
  rfc: "RFC 3526",
  level: { ike: "SHOULD NOT", esp: "SHOULD NOT" },
  vectors: "rfc3526-modp.json",
  privateBytes: 24,
  publicBytes: 192,
  securityBits: 90,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_1536_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_1536_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_2048 = {
  kind: "keyExchange",
  name: "2048-bit MODP Group",
  keywords: ["modp2048", "dh14"],
  ids: { ikev2: 14, phase1: 14, phase2: 14 },
  rfc: "RFC 3526",
  level: { ike: "MUST", esp: "MUST" },
  vectors: "rfc3526-modp.json",
  privateBytes: 32,
  publicBytes: 256,
  securityBits: 112,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_2048_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_2048_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_3072 = {
  kind: "keyExchange",
  name: "3072-bit MODP Group",
  keywords: ["modp3072", "dh15"],
  ids: { ikev2: 15, phase1: 15, phase2: 15 },
  rfc: "RFC 3526",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3526-modp.json",
  privateBytes: 40,
  publicBytes: 384,
  securityBits: 128,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_3072_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_3072_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_4096 = {
  kind: "keyExchange",
  name: "4096-bit MODP Group",
  keywords: ["modp4096", "dh16"],
  ids: { ikev2: 16, phase1: 16, phase2: 16 },
  rfc: "RFC 3526",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3526-modp.json",
  privateBytes: 48,
  publicBytes: 512,
  securityBits: 150,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_4096_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_4096_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_6144 = {
  kind: "keyExchange",
  name: "6144-bit MODP Group",
  keywords: ["modp6144", "dh17"],
  ids: { ikev2: 17, phase1: 17, phase2: 17 },
  rfc: "RFC 3526",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3526-modp.json",
  privateBytes: 48,
  publicBytes: 768,
  securityBits: 170,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_6144_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_6144_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const MODP_8192 = {
  kind: "keyExchange",
  name: "8192-bit MODP Group",
  keywords: ["modp8192", "dh18"],
  ids: { ikev2: 18, phase1: 18, phase2: 18 },
  rfc: "RFC 3526",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3526-modp.json",
  privateBytes: 56,
  publicBytes: 1024,
  securityBits: 190,
  implementations: {
    node: nodeModp(safePrimeGroup(MODP_8192_PRIME)),
    portable: portableModp(safePrimeGroup(MODP_8192_PRIME)),
  },
} as const satisfies KeyExchangeRow;

export const ECP_256 = {
  kind: "keyExchange",
  name: "256-bit random ECP group",
  keywords: ["ecp256", "dh19"],
  ids: { ikev2: 19, phase1: 19, phase2: 19 },
  rfc: "RFC 5903",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "rfc5903-ecp.json",
  privateBytes: 32,
  publicBytes: 64,
  securityBits: 128,
  quick: true,
  implementations: { node: nodeEcp("prime256v1", p256.Point.Fn.ORDER), portable: portableEcp(p256.Point) },
} as const satisfies KeyExchangeRow;

export const ECP_384 = {
  kind: "keyExchange",
  name: "384-bit random ECP group",
  keywords: ["ecp384", "dh20"],
  ids: { ikev2: 20, phase1: 20, phase2: 20 },
  rfc: "RFC 5903",
  level: { ike: "none", esp: "none" },
  vectors: "rfc5903-ecp.json",
  privateBytes: 48,
  publicBytes: 96,
  securityBits: 192,
  implementations: { node: nodeEcp("secp384r1", p384.Point.Fn.ORDER), portable: portableEcp(p384.Point) },
} as const satisfies KeyExchangeRow;

export const ECP_521 = {
  kind: "keyExchange",
  name: "521-bit random ECP group",
  keywords: ["ecp521", "dh21"],
  ids: { ikev2: 21, phase1: 21, phase2: 21 },
  rfc: "RFC 5903",
  level: { ike: "none", esp: "none" },
  vectors: "rfc5903-ecp.json",
  privateBytes: 66,
  publicBytes: 132,
  securityBits: 256,
  implementations: { node: nodeEcp("secp521r1", p521.Point.Fn.ORDER), portable: portableEcp(p521.Point) },
} as const satisfies KeyExchangeRow;

export const MODP_1024_160 = {
  kind: "keyExchange",
  name: "1024-bit MODP Group with 160-bit Prime Order Subgroup",
  keywords: ["modp1024s160", "dh22"],
  ids: { ikev2: 22, phase1: 22, phase2: 22 },
  rfc: "RFC 5114",
  level: { ike: "MUST NOT", esp: "MUST NOT" },
  vectors: "rfc5114-modp.json",
  privateBytes: 28,
  publicBytes: 128,
  securityBits: 80,
  implementations: { node: nodeModp(MODP_1024_160_GROUP), portable: portableModp(MODP_1024_160_GROUP) },
} as const satisfies KeyExchangeRow;

export const MODP_2048_224 = {
  kind: "keyExchange",
  name: "2048-bit MODP Group with 224-bit Prime Order Subgroup",
  keywords: ["modp2048s224", "dh23"],
  ids: { ikev2: 23, phase1: 23, phase2: 23 },
  rfc: "RFC 5114",
  level: { ike: "SHOULD NOT", esp: "SHOULD NOT" },
  vectors: "rfc5114-modp.json",
  privateBytes: 36,
  publicBytes: 256,
  securityBits: 112,
  implementations: { node: nodeModp(MODP_2048_224_GROUP), portable: portableModp(MODP_2048_224_GROUP) },
} as const satisfies KeyExchangeRow;

export const MODP_2048_256 = {
  kind: "keyExchange",
  name: "2048-bit MODP Group with 256-bit Prime Order Subgroup",
  keywords: ["modp2048s256", "dh24"],
  ids: { ikev2: 24, phase1: 24, phase2: 24 },
  rfc: "RFC 5114",
  level: { ike: "SHOULD NOT", esp: "SHOULD NOT" },
  vectors: "rfc5114-modp.json",
  privateBytes: 40,
  publicBytes: 256,
  securityBits: 112,
  implementations: { node: nodeModp(MODP_2048_256_GROUP), portable: portableModp(MODP_2048_256_GROUP) },
} as const satisfies KeyExchangeRow;

export const BRAINPOOL_224 = {
  kind: "keyExchange",
  name: "brainpoolP224r1",
  keywords: ["ecp224bp", "dh27"],
  ids: { ikev2: 27, phase1: 27, phase2: 27 },
  rfc: "RFC 6954",
  level: { ike: "none", esp: "none" },
  vectors: "rfc6954-brainpool.json",
  privateBytes: 36,
  publicBytes: 56,
  securityBits: 112,
  implementations: {
    node: nodeEcp("brainpoolP224r1", BRAINPOOL_P224R1.Fn.ORDER),
    portable: portableEcp(BRAINPOOL_P224R1),
  },
} as const satisfies KeyExchangeRow;

export const BRAINPOOL_256 = {
  kind: "keyExchange",
  name: "brainpoolP256r1",
  keywords: ["ecp256bp", "dh28"],
  ids: { ikev2: 28, phase1: 28, phase2: 28 },
  rfc: "RFC 6954",
  level: { ike: "none", esp: "none" },
  vectors: "rfc6954-brainpool.json",
  privateBytes: 40,
  publicBytes: 64,
  securityBits: 128,
  implementations: {
    node: nodeEcp("brainpoolP256r1", BRAINPOOL_P256R1.Fn.ORDER),
    portable: portableEcp(BRAINPOOL_P256R1),
  },
} as const satisfies KeyExchangeRow;

export const BRAINPOOL_384 = {
  kind: "keyExchange",
  name: "brainpoolP384r1",
  keywords: ["ecp384bp", "dh29"],
  ids: { ikev2: 29, phase1: 29, phase2: 29 },
  rfc: "RFC 6954",
  level: { ike: "none", esp: "none" },
  vectors: "rfc6954-brainpool.json",
  privateBytes: 56,
  publicBytes: 96,
  securityBits: 192,
  implementations: {
    node: nodeEcp("brainpoolP384r1", BRAINPOOL_P384R1.Fn.ORDER),
    portable: portableEcp(BRAINPOOL_P384R1),
  },
} as const satisfies KeyExchangeRow;

export const BRAINPOOL_512 = {
  kind: "keyExchange",
  name: "brainpoolP512r1",
  keywords: ["ecp512bp", "dh30"],
  ids: { ikev2: 30, phase1: 30, phase2: 30 },
  rfc: "RFC 6954",
  level: { ike: "none", esp: "none" },
  vectors: "rfc6954-brainpool.json",
  privateBytes: 72,
  publicBytes: 128,
  securityBits: 256,
  implementations: {
    node: nodeEcp("brainpoolP512r1", BRAINPOOL_P512R1.Fn.ORDER),
    portable: portableEcp(BRAINPOOL_P512R1),
  },
} as const satisfies KeyExchangeRow;

export const CURVE25519 = {
  kind: "keyExchange",
  name: "Curve25519",
  keywords: ["x25519", "curve25519", "dh31"],
  ids: { ikev2: 31 }, // RFC 8031 gives IKEv2 a number only
  rfc: "RFC 8031",
  level: { ike: "none", esp: "none" },
  vectors: "rfc7748-x25519.json",
  privateBytes: 32,
  publicBytes: 32,
  securityBits: 128,
  quick: true,
  implementations: { openssl: evpX25519, node: nodeX25519, portable: portableX25519 },
} as const satisfies KeyExchangeRow;

export const CURVE448 = {
  kind: "keyExchange",
  name: "Curve448",
  keywords: ["x448", "curve448", "dh32"],
  ids: { ikev2: 32 }, // RFC 8031 gives IKEv2 a number only
  rfc: "RFC 8031",
  level: { ike: "none", esp: "none" },
  vectors: "rfc7748-x448.json",
  privateBytes: 56,
  publicBytes: 56,
  securityBits: 224,
  implementations: { openssl: evpX448, node: nodeX448, portable: portableX448 },
} as const satisfies KeyExchangeRow;

export const KEY_EXCHANGE_ROWS: readonly KeyExchangeRow[] = [
  MODP_768,
  MODP_1024,
  MODP_1536,
  MODP_2048,
  MODP_3072,
  MODP_4096,
  MODP_6144,
  MODP_8192,
  ECP_256,
  ECP_384,
  ECP_521,
  MODP_1024_160,
  MODP_2048_224,
  MODP_2048_256,
  BRAINPOOL_224,
  BRAINPOOL_256,
  BRAINPOOL_384,
  BRAINPOOL_512,
  CURVE25519,
  CURVE448,
];
