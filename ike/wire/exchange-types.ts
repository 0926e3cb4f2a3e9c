/** Exchange types, RFC 7296 section 3.1 and the IANA registry "IKEv2 Exchange Types". */

export const EXCHANGE_TYPE = {
  IKE_SA_INIT: 34,
  IKE_AUTH: 35,
  CREATE_CHILD_SA: 36,
  INFORMATIONAL: 37,
  IKE_SESSION_RESUME: 38, // RFC 5723
  IKE_INTERMEDIATE: 43, // RFC 9242
  IKE_FOLLOWUP_KE: 44, // RFC 9370
} as const;

export type ExchangeName = keyof typeof EXCHANGE_TYPE;

const NAMES: ReadonlyMap<number, ExchangeName> = new Map(
  (Object.keys(EXCHANGE_TYPE) as ExchangeName[]).map((name) => [EXCHANGE_TYPE[name], name]),
);

/** A known exchange by name, any other by number. */
export type ExchangeType = ExchangeName | number;

export function exchangeType(code: number): ExchangeType {
  return NAMES.get(code) ?? code;
}

export function exchangeCode(exchange: ExchangeType): number {
  return typeof exchange === "number" ? exchange : EXCHANGE_TYPE[exchange];
}

/** Exchange types of IKEv1: RFC 2408 section 3.1, RFC 2409 appendix A, and 6 for mode-config and XAUTH. */
export const EXCHANGE_TYPE_V1 = {
  MAIN_MODE: 2, // "Identity Protection" in RFC 2408
  AGGRESSIVE_MODE: 4,
  INFORMATIONAL: 5,
  TRANSACTION: 6,
  QUICK_MODE: 32,
  NEW_GROUP_MODE: 33,
} as const;

export type ExchangeNameV1 = keyof typeof EXCHANGE_TYPE_V1;

const NAMES_V1: ReadonlyMap<number, ExchangeNameV1> = new Map(
  (Object.keys(EXCHANGE_TYPE_V1) as ExchangeNameV1[]).map((name) => [EXCHANGE_TYPE_V1[name], name]),
);

export type ExchangeTypeV1 = ExchangeNameV1 | number;

export function exchangeTypeV1(code: number): ExchangeTypeV1 {
  return NAMES_V1.get(code) ?? code;
}

export function exchangeCodeV1(exchange: ExchangeTypeV1): number {
  return typeof exchange === "number" ? exchange : EXCHANGE_TYPE_V1[exchange];
}
