/** Identification types, RFC 7296 section 3.5 and the IANA registry "IKEv2 Identification Payload ID Types". */

export const ID_TYPE = {
  ipv4: 1,
  fqdn: 2,
  email: 3,
  ipv6: 5,
  dn: 9,
  keyId: 11,
} as const;

export type IdTypeName = keyof typeof ID_TYPE;

const NAMES: ReadonlyMap<number, IdTypeName> = new Map(
  (Object.keys(ID_TYPE) as IdTypeName[]).map((name) => [ID_TYPE[name], name]),
);

/** The name of an ID type that we know. */
export function idTypeName(code: number): IdTypeName | undefined {
  return NAMES.get(code);
}

/** The types of IKEv1 (RFC 2407 section 4.6.2.1): those above have the same numbers, and these only it has. */
export const ID_TYPE_V1 = {
  ...ID_TYPE,
  ipv4Subnet: 4,
  ipv6Subnet: 6,
  ipv4Range: 7,
  ipv6Range: 8,
  generalName: 10,
} as const;
