/** IP addresses as values that compare, hash and clone: the number, not the text. */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A range of addresses that is one prefix: `value` has its host bits zero. */
export interface Prefix extends Address {
  readonly length: number;
}

export interface SocketAddress {
  readonly address: Address;
  readonly port: number;
}

/** Where an IKE or ESP packet comes from or goes to, seen from here. */
export interface Path {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}
