/** What is computed, and the messages between the main thread and the key exchange worker; secrets travel as octets inside the process. */

export type KeyExchangeWork =
  | { readonly kind: "publicValue"; readonly group: number; readonly privateOctets: Uint8Array }
  | {
      readonly kind: "sharedSecret";
      readonly group: number;
      readonly privateOctets: Uint8Array;
      readonly peerPublic: Uint8Array;
    };

export type KeyExchangeJob = KeyExchangeWork & { readonly id: number };

export type KeyExchangeResult =
  | { readonly id: number; readonly octets: Uint8Array }
  /** The peer's value is not valid, or the group is not known: a sentence. */
  | { readonly id: number; readonly refused: string };
