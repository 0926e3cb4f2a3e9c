/**
 * What the requirement levels of the rows mean for an operator: RFC 8247 for IKE, RFC 8221 for ESP. An algorithm that MUST NOT
 * be used needs `legacy: true`; what stands below SHOULD earns a warning. "none" counts as SHOULD (`decisions.md` 37).
 */
import { keywordOf } from "./lookup.js";
import type { RequirementLevel, TransformRow } from "./row.js";
import type { EspProposal, IkeProposal } from "./suite.js";

/** Where an algorithm is used: the two RFCs differ. */
export type Usage = "ike" | "esp";

/** An algorithm of a proposal whose level is below SHOULD. */
export interface Weakness {
  /** As IANA prints it. */
  readonly algorithm: string;
  /** As the configuration writes it. */
  readonly keyword: string;
  readonly level: RequirementLevel;
  /** "RFC 8247 section 2.1". */
  readonly source: string;
  readonly why: string;
  /** Only with `legacy: true`. */
  readonly forbidden: boolean;
}

const WEAK: ReadonlySet<RequirementLevel> = new Set(["MUST NOT", "SHOULD NOT", "MUST-", "MAY"]);

/** Undefined when nothing speaks against the algorithm. `keyBits` for encryption alone. */
export function weaknessOf(row: TransformRow, usage: Usage, keyBits?: number): Weakness | undefined {
  const level = row.level[usage];
  if (!WEAK.has(level)) return undefined;
  return {
    algorithm: row.name,
    keyword: keywordOf(row, keyBits),
    level,
    source: SOURCES[usage][row.kind],
    why: reasonFor(row, level),
    forbidden: level === "MUST NOT",
  };
}

/** The weak members of a proposal, in the order of the transform types; the PRF that an integrity implies among them. */
export function weaknessesOf(proposal: IkeProposal | EspProposal, usage: Usage): readonly Weakness[] {
  const found = [
    ...proposal.encryption.map(({ row, keyBits }) => weaknessOf(row, usage, keyBits)),
    ...proposal.integrity.map((row) => weaknessOf(row, usage)),
    ...("prf" in proposal ? proposal.prf : []).map((row) => weaknessOf(row, usage)),
    ...proposal.keyExchange.map((row) => weaknessOf(row, usage)),
  ];
  return found.filter((each) => each !== undefined);
}

/** "des is MUST NOT (RFC 8247 section 2.1): its key of 56 bits can be searched". */
export function weaknessWords({ keyword, level, source, why }: Weakness): string {
  return `${keyword} is ${level} (${source}): ${why}`;
}

/** RFC 8221 has no groups of its own: PFS is an affair of IKE. */
const SOURCES = {
  ike: {
    encryption: "RFC 8247 section 2.1",
    prf: "RFC 8247 section 2.2",
    integrity: "RFC 8247 section 2.3",
    keyExchange: "RFC 8247 section 2.4",
    sequence: "RFC 9827",
  },
  esp: {
    encryption: "RFC 8221 section 5",
    prf: "RFC 8247 section 2.2",
    integrity: "RFC 8221 section 6",
    keyExchange: "RFC 8247 section 2.4",
    sequence: "RFC 9827",
  },
} as const;

const SHORT_DES = "its key of 56 bits can be searched in a day";
const SHORT_BLOCK = "blocks of 64 bits leak plaintext after some gigabytes under one key, and it is slow";
const BROKEN_MD5 = "MD5 is broken; nothing is gained by keeping it";
const AGING_SHA1 = "SHA-1 has collisions; HMAC stands for now, and the RFC announces its end";
const PRECOMPUTED = "discrete logarithms in it can be precomputed once and used against everybody";
const IN_REACH = "its discrete logarithms are within the reach of a state";
const SMALL_SUBGROUP = "its prime is of unexplained origin, with many small subgroups";

const REASONS: Readonly<Record<string, string>> = {
  ENCR_DES: SHORT_DES,
  ENCR_3DES: SHORT_BLOCK,
  AUTH_HMAC_MD5_96: BROKEN_MD5,
  PRF_HMAC_MD5: BROKEN_MD5,
  AUTH_HMAC_SHA1_96: AGING_SHA1,
  PRF_HMAC_SHA1: AGING_SHA1,
};

/** By IANA number, which all number spaces share. */
const GROUP_REASONS: Readonly<Record<number, string>> = {
  1: PRECOMPUTED,
  2: IN_REACH,
  5: IN_REACH,
  22: SMALL_SUBGROUP,
  23: SMALL_SUBGROUP,
  24: SMALL_SUBGROUP,
};

function reasonFor(row: TransformRow, level: RequirementLevel): string {
  const known = row.kind === "keyExchange" ? GROUP_REASONS[row.ids.ikev2 ?? -1] : REASONS[row.name];
  if (known !== undefined) return known;
  return level === "MAY" ? "rarely used and little examined; a peer may lack it" : "the RFC advises against it";
}
