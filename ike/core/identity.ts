/** Identification payload contents, RFC 7296 section 3.5. */

export type IdentityType = "ipv4" | "fqdn" | "email" | "ipv6" | "dn" | "keyId";

export interface Identity {
  readonly type: IdentityType;
  /** As on the wire. */
  readonly data: Uint8Array;
}
