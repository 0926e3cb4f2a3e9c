/** The numbering profiles that have a name, for SM4 and SM3: plain data, with what each rests on. */
import type { Numbering } from "./numbering.js";

/**
 * Ours, the default: private-use numbers of every space (IKEv2 1024 and above, RFC 7296 section 3.3.2; IKEv1 phase 1 65001
 * and above, RFC 2409 appendix A; phase 2 transforms 249 to 255 and authentication 61440 and above, RFC 2407 section 4).
 * SM4 has one key length, so no Key Length attribute (RFC 7296 section 3.3.5); the ICV of HMAC-SM3 is half the digest, as
 * RFC 4868 does it.
 */
export const PRIVATE_PROFILE: Numbering = {
  name: "private",
  numbers: {
    sm4: { ikev2: 1031, phase1: 65001, phase2: 249, keyLengthAttribute: false },
    sm4gcm16: { ikev2: 1032, phase2: 250, keyLengthAttribute: false },
    sm4ccm16: { ikev2: 1033, phase2: 251, keyLengthAttribute: false },
    sm3: { ikev2: 1031, phase2: 61441, icvBytes: 16 },
    prfsm3: { ikev2: 1031, phase1: 65001 },
  },
  foreign: [],
};

/** The gmalg forks of strongSwan, whose IKEv2 numbers lie over IANA's. */
export const GMALG_PROFILE: Numbering = {
  name: "gmalg",
  numbers: {
    sm4: { ikev2: 31, phase1: 10, phase2: 25, keyLengthAttribute: false },
    sm3: { ikev2: 14, phase2: 14, icvBytes: 12 },
    prfsm3: { ikev2: 8, phase1: 7 },
    sm4gcm16: {},
    sm4ccm16: {},
  },
  foreign: [
    { kind: "encryption", space: "ikev2", id: 28, name: "SM1-ECB" },
    { kind: "encryption", space: "ikev2", id: 29, name: "SM1-CBC" },
    { kind: "encryption", space: "ikev2", id: 30, name: "SM4-ECB" },
    { kind: "encryption", space: "phase1", id: 9, name: "SM1" },
    { kind: "keyExchange", space: "ikev2", id: 32, name: "the SM2 curve" },
  ],
};

/** GM/T 0022-2023, which is like IKEv1 and has no IKEv2. */
export const GMT0022_PROFILE: Numbering = {
  name: "gmt0022",
  numbers: {
    sm4: { phase1: 129, phase2: 129, keyLengthAttribute: false },
    sm3: { phase2: 20, icvBytes: 12 },
    prfsm3: { phase1: 20 },
    sm4gcm16: {},
    sm4ccm16: {},
  },
  foreign: [
    { kind: "encryption", space: "phase1", id: 128, name: "SM1" },
    { kind: "encryption", space: "phase2", id: 128, name: "SM1" },
  ],
};

export const NUMBERING_PROFILES = { private: PRIVATE_PROFILE, gmalg: GMALG_PROFILE, gmt0022: GMT0022_PROFILE } as const;
