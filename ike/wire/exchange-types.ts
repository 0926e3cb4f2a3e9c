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
