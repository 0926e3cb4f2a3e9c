/** Encryption algorithms: transform type 1 of IKEv2, phase 1 encryption and ESP transforms of IKEv1. */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { nodeAead, nodeCbc, nodeCtr, nodeDesCbc, nodeGmac } from "../node/symmetric.js";
import { nullCipher } from "../null-cipher.js";
import { evpAead, evpCcm, evpGmac } from "../openssl/aead.js";
import { evpCbc, evpCtr } from "../openssl/cipher.js";
import { evpDesCbc } from "../openssl/des-cbc.js";
import { evpGcm } from "../openssl/gcm.js";
import { evpSm4Ccm, evpSm4Gcm } from "../openssl/sm4-aead.js";
import { aesBlocks, blocksOf, sm4Blocks } from "../portable/blocks.js";
import { camellia } from "../portable/camellia.js";
import { des } from "../portable/des.js";
import {
  portableAead,
  portableAesCtr,
  portableBlockGcm,
  portableCbc,
  portableCcm,
  portableCtr,
  portableGcm,
  portableGmac,
} from "../portable/symmetric.js";
import type { EncryptionRow } from "./row.js";

/** What all modes of a block cipher share. */
const AES_KEYS = { keyBits: [128, 192, 256], keyLengthAttribute: true } as const;
const ONE_KEY = { keyLengthAttribute: false } as const;
const BLOCKS_OF_8 = { aead: false, saltBytes: 0, ivBytes: 8, blockBytes: 8, icvBytes: 0 } as const;
const BLOCKS_OF_16 = { aead: false, saltBytes: 0, ivBytes: 16, blockBytes: 16, icvBytes: 0 } as const;
const COUNTER = { aead: false, saltBytes: 4, ivBytes: 8, blockBytes: 1, icvBytes: 0 } as const;
/** RFC 4106 section 3.1, RFC 7634 section 2. */
const SALT_OF_4 = { aead: true, saltBytes: 4, ivBytes: 8, blockBytes: 1 } as const;
/** RFC 4309 section 4. */
const SALT_OF_3 = { aead: true, saltBytes: 3, ivBytes: 8, blockBytes: 1 } as const;

const desBlocks = blocksOf(des);
const camelliaBlocks = blocksOf(camellia);

/** 56 bits of key, broken by brute force since 1998: for peers that have nothing else. */
export const ENCR_DES = {
  kind: "encryption",
  name: "ENCR_DES",
  keywords: ["des"],
  ids: { ikev2: 2, phase1: 1, phase2: 2 },
  rfc: "RFC 2405",
  level: { ike: "MUST NOT", esp: "MUST NOT" },
  vectors: "fips-des.json",
  ...ONE_KEY,
  ...BLOCKS_OF_8,
  keyBits: [64],
  implementations: { openssl: evpDesCbc, node: nodeDesCbc, portable: portableCbc(desBlocks) },
} as const satisfies EncryptionRow;

export const ENCR_3DES = {
  kind: "encryption",
  name: "ENCR_3DES",
  keywords: ["3des"],
  ids: { ikev2: 3, phase1: 5, phase2: 3 },
  rfc: "RFC 2451",
  level: { ike: "MAY", esp: "SHOULD NOT" },
  vectors: "nist-tdes-cbc.json",
  ...ONE_KEY,
  ...BLOCKS_OF_8,
  keyBits: [192],
  implementations: { openssl: evpDesCbc, node: nodeCbc("des-ede3-cbc"), portable: portableCbc(desBlocks) },
} as const satisfies EncryptionRow;

/** The same on every backend: there is nothing to compute, so nothing to compare. */
export const ENCR_NULL = {
  kind: "encryption",
  name: "ENCR_NULL",
  keywords: ["null"],
  ids: { ikev2: 11, phase2: 11 },
  rfc: "RFC 2410",
  level: { ike: "none", esp: "MUST" },
  vectors: "rfc2410-null.json",
  ...ONE_KEY,
  aead: false,
  keyBits: [0],
  saltBytes: 0,
  ivBytes: 0,
  blockBytes: 1,
  icvBytes: 0,
  espOnly: true,
  implementations: { openssl: nullCipher, node: nullCipher, portable: nullCipher },
} as const satisfies EncryptionRow;

export const ENCR_AES_CBC = {
  kind: "encryption",
  name: "ENCR_AES_CBC",
  keywords: ["aes*", "aes"],
  ids: { ikev2: 12, phase1: 7, phase2: 12 },
  rfc: "RFC 3602",
  level: { ike: "MUST", esp: "MUST" },
  vectors: "rfc3602-aes-cbc.json",
  ...AES_KEYS,
  ...BLOCKS_OF_16,
  implementations: { openssl: evpCbc("AES-*-CBC"), node: nodeCbc("aes-*-cbc"), portable: portableCbc(aesBlocks) },
} as const satisfies EncryptionRow;

export const ENCR_AES_CTR = {
  kind: "encryption",
  name: "ENCR_AES_CTR",
  keywords: ["aes*ctr"],
  ids: { ikev2: 13, phase2: 13 },
  rfc: "RFC 3686",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3686-aes-ctr.json",
  ...AES_KEYS,
  ...COUNTER,
  implementations: { openssl: evpCtr("AES-*-CTR"), node: nodeCtr("aes-*-ctr"), portable: portableAesCtr },
} as const satisfies EncryptionRow;

export const ENCR_AES_CCM_8 = {
  kind: "encryption",
  name: "ENCR_AES_CCM_8",
  keywords: ["aes*ccm8", "aes*ccm64"],
  ids: { ikev2: 14, phase2: 14 },
  rfc: "RFC 4309",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "nist-aes-ccm.json",
  ...AES_KEYS,
  ...SALT_OF_3,
  icvBytes: 8,
  implementations: { openssl: evpCcm("AES-*-CCM"), node: nodeAead("aes-*-ccm"), portable: portableCcm(aesBlocks) },
} as const satisfies EncryptionRow;

export const ENCR_AES_CCM_12 = {
  kind: "encryption",
  name: "ENCR_AES_CCM_12",
  keywords: ["aes*ccm12", "aes*ccm96"],
  ids: { ikev2: 15, phase2: 15 },
  rfc: "RFC 4309",
  level: { ike: "none", esp: "none" },
  vectors: "nist-aes-ccm.json",
  ...AES_KEYS,
  ...SALT_OF_3,
  icvBytes: 12,
  implementations: { openssl: evpCcm("AES-*-CCM"), node: nodeAead("aes-*-ccm"), portable: portableCcm(aesBlocks) },
} as const satisfies EncryptionRow;

export const ENCR_AES_CCM_16 = {
  kind: "encryption",
  name: "ENCR_AES_CCM_16",
  keywords: ["aes*ccm16", "aes*ccm128", "aes*ccm"],
  ids: { ikev2: 16, phase2: 16 },
  rfc: "RFC 4309",
  level: { ike: "none", esp: "none" },
  vectors: "nist-aes-ccm.json",
  ...AES_KEYS,
  ...SALT_OF_3,
  icvBytes: 16,
  implementations: { openssl: evpCcm("AES-*-CCM"), node: nodeAead("aes-*-ccm"), portable: portableCcm(aesBlocks) },
} as const satisfies EncryptionRow;

/** No phase 1 number, like every AEAD: IKEv1 has none there. */
export const ENCR_AES_GCM_8 = {
  kind: "encryption",
  name: "ENCR_AES_GCM_8",
  keywords: ["aes*gcm8", "aes*gcm64"],
  ids: { ikev2: 18, phase2: 18 },
  rfc: "RFC 4106",
  level: { ike: "none", esp: "none" },
  vectors: "nist-aes-gcm.json",
  ...AES_KEYS,
  ...SALT_OF_4,
  icvBytes: 8,
  implementations: { openssl: evpGcm("AES-*-GCM"), node: nodeAead("aes-*-gcm"), portable: portableGcm },
} as const satisfies EncryptionRow;

export const ENCR_AES_GCM_12 = {
  kind: "encryption",
  name: "ENCR_AES_GCM_12",
  keywords: ["aes*gcm12", "aes*gcm96"],
  ids: { ikev2: 19, phase2: 19 },
  rfc: "RFC 4106",
  level: { ike: "none", esp: "none" },
  vectors: "nist-aes-gcm.json",
  ...AES_KEYS,
  ...SALT_OF_4,
  icvBytes: 12,
  implementations: { openssl: evpGcm("AES-*-GCM"), node: nodeAead("aes-*-gcm"), portable: portableGcm },
} as const satisfies EncryptionRow;

export const ENCR_AES_GCM_16 = {
  kind: "encryption",
  name: "ENCR_AES_GCM_16",
  keywords: ["aes*gcm16", "aes*gcm", "aes*gcm128"],
  ids: { ikev2: 20, phase2: 20 },
  rfc: "RFC 4106",
  level: { ike: "SHOULD", esp: "MUST" },
  vectors: "nist-aes-gcm.json",
  ...AES_KEYS,
  ...SALT_OF_4,
  icvBytes: 16,
  implementations: { openssl: evpGcm("AES-*-GCM"), node: nodeAead("aes-*-gcm"), portable: portableGcm },
} as const satisfies EncryptionRow;

/** Authenticates, and encrypts nothing. */
export const ENCR_NULL_AUTH_AES_GMAC = {
  kind: "encryption",
  name: "ENCR_NULL_AUTH_AES_GMAC",
  keywords: ["aes*gmac"],
  ids: { ikev2: 21, phase2: 23 },
  rfc: "RFC 4543",
  level: { ike: "none", esp: "MAY" },
  vectors: "mcgrew-gmac-esp.json",
  ...AES_KEYS,
  ...SALT_OF_4,
  icvBytes: 16,
  espOnly: true,
  implementations: { openssl: evpGmac("AES-*-GCM"), node: nodeGmac("aes-*-gcm"), portable: portableGmac },
} as const satisfies EncryptionRow;

export const ENCR_CAMELLIA_CBC = {
  kind: "encryption",
  name: "ENCR_CAMELLIA_CBC",
  keywords: ["camellia*", "camellia"],
  ids: { ikev2: 23, phase1: 8, phase2: 22 },
  rfc: "RFC 4312",
  level: { ike: "none", esp: "none" },
  vectors: "rfc3713-camellia.json",
  ...AES_KEYS,
  ...BLOCKS_OF_16,
  implementations: {
    openssl: evpCbc("CAMELLIA-*-CBC"),
    node: nodeCbc("camellia-*-cbc"),
    portable: portableCbc(camelliaBlocks),
  },
} as const satisfies EncryptionRow;

export const ENCR_CAMELLIA_CTR = {
  kind: "encryption",
  name: "ENCR_CAMELLIA_CTR",
  keywords: ["camellia*ctr"],
  ids: { ikev2: 24 },
  rfc: "RFC 5529",
  level: { ike: "none", esp: "none" },
  vectors: "rfc5528-camellia-ctr.json",
  ...AES_KEYS,
  ...COUNTER,
  implementations: {
    openssl: evpCtr("CAMELLIA-*-CTR"),
    node: nodeCtr("camellia-*-ctr"),
    portable: portableCtr(camelliaBlocks),
  },
} as const satisfies EncryptionRow;

/** Section 4: the key length is fixed and not sent. IKEv1 has no number. */
export const ENCR_CHACHA20_POLY1305 = {
  kind: "encryption",
  name: "ENCR_CHACHA20_POLY1305",
  keywords: ["chacha20poly1305"],
  ids: { ikev2: 28 },
  rfc: "RFC 7634",
  level: { ike: "SHOULD", esp: "SHOULD" },
  vectors: "rfc7634-chacha20-poly1305.json",
  ...ONE_KEY,
  ...SALT_OF_4,
  keyBits: [256],
  icvBytes: 16,
  implementations: {
    openssl: evpAead("ChaCha20-Poly1305"),
    node: nodeAead("chacha20-poly1305"),
    portable: portableAead(chacha20poly1305),
  },
} as const satisfies EncryptionRow;

/** IANA has no numbers for SM4: a numbering profile gives them. */
export const ENCR_SM4_CBC = {
  kind: "encryption",
  name: "ENCR_SM4_CBC",
  keywords: ["sm4"],
  ids: {},
  rfc: "GB/T 32907",
  level: { ike: "none", esp: "none" },
  vectors: "gm-sm4.json",
  ...ONE_KEY,
  ...BLOCKS_OF_16,
  keyBits: [128],
  implementations: { openssl: evpCbc("SM4-CBC"), node: nodeCbc("sm4-cbc"), portable: portableCbc(sm4Blocks) },
} as const satisfies EncryptionRow;

export const ENCR_SM4_GCM_16 = {
  kind: "encryption",
  name: "ENCR_SM4_GCM_16",
  keywords: ["sm4gcm16"],
  ids: {},
  rfc: "RFC 8998",
  level: { ike: "none", esp: "none" },
  vectors: "gm-sm4.json",
  ...ONE_KEY,
  ...SALT_OF_4,
  keyBits: [128],
  icvBytes: 16,
  implementations: { openssl: evpSm4Gcm, portable: portableBlockGcm(sm4Blocks) },
} as const satisfies EncryptionRow;

export const ENCR_SM4_CCM_16 = {
  kind: "encryption",
  name: "ENCR_SM4_CCM_16",
  keywords: ["sm4ccm16"],
  ids: {},
  rfc: "RFC 8998",
  level: { ike: "none", esp: "none" },
  vectors: "wycheproof-sm4-ccm.json",
  ...ONE_KEY,
  ...SALT_OF_3,
  keyBits: [128],
  icvBytes: 16,
  implementations: { openssl: evpSm4Ccm, portable: portableCcm(sm4Blocks) },
} as const satisfies EncryptionRow;

export const ENCRYPTION_ROWS: readonly EncryptionRow[] = [
  ENCR_DES,
  ENCR_3DES,
  ENCR_NULL,
  ENCR_AES_CBC,
  ENCR_AES_CTR,
  ENCR_AES_CCM_8,
  ENCR_AES_CCM_12,
  ENCR_AES_CCM_16,
  ENCR_AES_GCM_8,
  ENCR_AES_GCM_12,
  ENCR_AES_GCM_16,
  ENCR_NULL_AUTH_AES_GMAC,
  ENCR_CAMELLIA_CBC,
  ENCR_CAMELLIA_CTR,
  ENCR_CHACHA20_POLY1305,
  ENCR_SM4_CBC,
  ENCR_SM4_GCM_16,
  ENCR_SM4_CCM_16,
];
