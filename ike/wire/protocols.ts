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
