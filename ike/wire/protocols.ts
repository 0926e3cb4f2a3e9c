/** Security protocol identifiers, RFC 7296 section 3.3.1: SA, Notify and Delete payloads share them. */

export const PROTOCOL = { IKE: 1, AH: 2, ESP: 3 } as const;

export type ProtocolName = keyof typeof PROTOCOL;

/** A known protocol by name, any other by number. */
export type Protocol = ProtocolName | number;

const NAMES: ReadonlyMap<number, ProtocolName> = new Map(
  (Object.keys(PROTOCOL) as ProtocolName[]).map((name) => [PROTOCOL[name], name]),
);

export function protocol(code: number): Protocol {
  return NAMES.get(code) ?? code;
}

export function protocolCode(value: Protocol): number {
  return typeof value === "number" ? value : PROTOCOL[value];
}

/** Protocol identifiers of IKEv1, RFC 2407 section 4.4.1. */
export const PROTOCOL_V1 = { ISAKMP: 1, AH: 2, ESP: 3, IPCOMP: 4 } as const;

export type ProtocolNameV1 = keyof typeof PROTOCOL_V1;
export type ProtocolV1 = ProtocolNameV1 | number;

const NAMES_V1: ReadonlyMap<number, ProtocolNameV1> = new Map(
  (Object.keys(PROTOCOL_V1) as ProtocolNameV1[]).map((name) => [PROTOCOL_V1[name], name]),
);

export function protocolV1(code: number): ProtocolV1 {
  return NAMES_V1.get(code) ?? code;
}

export function protocolCodeV1(value: ProtocolV1): number {
  return typeof value === "number" ? value : PROTOCOL_V1[value];
}
