/** Key exchange methods: transform type 4 of IKEv2, the group attributes of IKEv1. */
import { p256, p384 } from "@noble/curves/nist.js";
import { MODP_2048_PRIME, MODP_3072_PRIME, MODP_4096_PRIME } from "../modp-primes.js";
import { nodeEcp, nodeModp, nodeX25519 } from "../node/key-exchange.js";
import { portableEcp, portableModp, portableX25519 } from "../portable/key-exchange.js";
import type { KeyExchangeRow } from "./row.js";

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
  implementations: { node: nodeModp(MODP_2048_PRIME), portable: portableModp(MODP_2048_PRIME) },
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
  implementations: { node: nodeModp(MODP_3072_PRIME), portable: portableModp(MODP_3072_PRIME) },
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
  implementations: { node: nodeModp(MODP_4096_PRIME), portable: portableModp(MODP_4096_PRIME) },
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
  implementations: { node: nodeEcp("prime256v1", p256.Point.Fn.ORDER), portable: portableEcp(p256) },
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
  implementations: { node: nodeEcp("secp384r1", p384.Point.Fn.ORDER), portable: portableEcp(p384) },
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
  implementations: { node: nodeX25519, portable: portableX25519 },
} as const satisfies KeyExchangeRow;

export const KEY_EXCHANGE_ROWS: readonly KeyExchangeRow[] = [
  MODP_2048,
  MODP_3072,
  MODP_4096,
  ECP_256,
  ECP_384,
  CURVE25519,
];
