/** Encryption algorithms: transform type 1 of IKEv2, phase 1 encryption and ESP transforms of IKEv1. */
import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { nodeAead, nodeCbc } from "../node/symmetric.js";
import { evpAead } from "../openssl/aead.js";
import { evpCbc } from "../openssl/cipher.js";
import { portableAead, portableAesCbc } from "../portable/symmetric.js";
import type { EncryptionRow } from "./row.js";

export const ENCR_AES_CBC = {
  kind: "encryption",
  aead: false,
  name: "ENCR_AES_CBC",
  keywords: ["aes*"],
  ids: { ikev2: 12, phase1: 7, phase2: 12 },
  rfc: "RFC 3602",
  level: { ike: "MUST", esp: "MUST" },
  vectors: "rfc3602-aes-cbc.json",
  keyBits: [128, 192, 256],
  keyLengthAttribute: true,
  saltBytes: 0,
  ivBytes: 16,
  blockBytes: 16,
  icvBytes: 0,
  implementations: { openssl: evpCbc("AES-*-CBC"), node: nodeCbc("aes-*-cbc"), portable: portableAesCbc },
} as const satisfies EncryptionRow;

export const ENCR_AES_GCM_16 = {
  kind: "encryption",
  aead: true,
  name: "ENCR_AES_GCM_16",
  keywords: ["aes*gcm16", "aes*gcm", "aes*gcm128"],
  ids: { ikev2: 20, phase2: 20 }, // no phase 1 number: IKEv1 has no AEAD there
  rfc: "RFC 4106",
  level: { ike: "SHOULD", esp: "MUST" },
  vectors: "nist-aes-gcm.json",
  keyBits: [128, 192, 256],
  keyLengthAttribute: true,
  saltBytes: 4,
  ivBytes: 8,
  blockBytes: 1,
  icvBytes: 16,
  implementations: { openssl: evpAead("AES-*-GCM"), node: nodeAead("aes-*-gcm"), portable: portableAead(gcm) },
} as const satisfies EncryptionRow;

export const ENCR_CHACHA20_POLY1305 = {
  kind: "encryption",
  aead: true,
  name: "ENCR_CHACHA20_POLY1305",
  keywords: ["chacha20poly1305"],
  ids: { ikev2: 28 }, // no IKEv1 number, so never offered there
  rfc: "RFC 7634",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "rfc7634-chacha20-poly1305.json",
  keyBits: [256],
  keyLengthAttribute: false, // RFC 7634 section 4: fixed
  saltBytes: 4,
  ivBytes: 8,
  blockBytes: 1,
  icvBytes: 16,
  implementations: {
    openssl: evpAead("ChaCha20-Poly1305"),
    node: nodeAead("chacha20-poly1305"),
    portable: portableAead(chacha20poly1305),
  },
} as const satisfies EncryptionRow;

export const ENCRYPTION_ROWS: readonly EncryptionRow[] = [ENCR_AES_CBC, ENCR_AES_GCM_16, ENCR_CHACHA20_POLY1305];
