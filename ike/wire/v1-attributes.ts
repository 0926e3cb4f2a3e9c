/** The numbers of IKEv1 that stand in SA attributes: RFC 2409 appendix A (phase 1) and RFC 2407 section 4.5 (phase 2). */
import type { Attribute } from "./attributes.js";
import { Writer } from "./writer.js";

/** RFC 2407 section 4.2 and 4.2.1: the one DOI that we speak, and the one situation that goes without labels. */
export const IPSEC_DOI = 1;
export const SIT_IDENTITY_ONLY = 1;

/** RFC 2407 section 4.4.2: the only transform identifier of phase 1. */
export const KEY_IKE = 1;

/** Attribute classes of phase 1, RFC 2409 appendix A. Values of encryption, hash and group stand in the registry rows. */
export const PHASE1_ATTRIBUTE = {
  encryption: 1,
  hash: 2,
  authMethod: 3,
  group: 4,
  groupType: 5,
  groupPrime: 6,
  groupGeneratorOne: 7,
  groupGeneratorTwo: 8,
  groupCurveA: 9,
  groupCurveB: 10,
  lifeType: 11,
  lifeDuration: 12,
  prf: 13,
  keyLength: 14,
  fieldSize: 15,
  groupOrder: 16,
} as const;

/** Attribute classes of phase 2, RFC 2407 section 4.5, up to 11 of RFC 4304. */
export const PHASE2_ATTRIBUTE = {
  lifeType: 1,
  lifeDuration: 2,
  group: 3,
  encapsulation: 4,
  authentication: 5,
  keyLength: 6,
  keyRounds: 7,
  compressDictionarySize: 8,
  compressPrivateAlgorithm: 9,
  ecnTunnel: 10, // RFC 3168
  sequence: 11, // RFC 4304
} as const;

/** The same in both phases. */
export const LIFE_TYPE = { seconds: 1, kilobytes: 2 } as const;

/** What a phase 2 SA lasts when nobody says it, RFC 2407 section 4.5. */
export const DEFAULT_SA_LIFE_SECONDS = 28_800;

/** RFC 2409 appendix A, RFC 4754, and draft-ietf-ipsec-isakmp-xauth-06 section 7. */
export const AUTHENTICATION_METHOD = {
  preSharedKey: 1,
  dssSignatures: 2,
  rsaSignatures: 3,
  rsaEncryption: 4,
  revisedRsaEncryption: 5,
  ecdsaSha256: 9,
  ecdsaSha384: 10,
  ecdsaSha512: 11,
  hybridInitRsa: 64221,
  hybridRespRsa: 64222,
  xauthInitPreShared: 65001,
  xauthRespPreShared: 65002,
  xauthInitDss: 65003,
  xauthRespDss: 65004,
  xauthInitRsa: 65005,
  xauthRespRsa: 65006,
} as const;

/** RFC 2407 section 4.5, RFC 3947 section 5.1, and the private numbers of its drafts 02 and 03. */
export const ENCAPSULATION_MODE = {
  tunnel: 1,
  transport: 2,
  udpTunnel: 3,
  udpTransport: 4,
  udpTunnelDraft: 61443,
  udpTransportDraft: 61444,
} as const;

export type EncapsulationMode = keyof typeof ENCAPSULATION_MODE;

/** A number in the form that is short enough: two octets within the attribute, else four behind it. */
export function numberAttribute(type: number, value: number): Attribute {
  return { type, value: value <= 0xffff ? value : new Writer().u32(Math.min(value, 0xffff_ffff)).done() };
}

/** The number that an attribute holds, in either form; what no integer of ours can hold counts as the largest. Undefined: no octets. */
export function attributeNumber({ value }: Attribute): number | undefined {
  if (typeof value === "number") return value;
  if (value.length === 0) return undefined;
  return value.reduce((sum, octet) => Math.min(sum * 256 + octet, Number.MAX_SAFE_INTEGER), 0);
}

/** The name of a value of one of the tables here, for logs; the number where there is none. */
export function nameOfValue(table: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(table).find((name) => table[name] === value) ?? String(value);
}
