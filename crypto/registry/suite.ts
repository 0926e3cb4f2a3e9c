/** Suites: what a negotiation chose, and the proposals that it chose from. */
import type { Numbering } from "./numbering.js";
import type { EncryptionRow, IntegrityRow, KeyExchangeRow, PrfRow, SealerSpec, SequenceRow } from "./row.js";

/** An encryption transform with its Key Length attribute resolved. */
export interface EncryptionChoice {
  readonly row: EncryptionRow;
  readonly keyBits: number;
}

/** One proposal of the configuration: any one of each list may be chosen. Order is preference. */
export interface IkeProposal {
  readonly encryption: readonly EncryptionChoice[];
  /** Empty when every encryption is an AEAD; a proposal never mixes AEADs with other ciphers. */
  readonly integrity: readonly IntegrityRow[];
  readonly prf: readonly PrfRow[];
  readonly keyExchange: readonly KeyExchangeRow[];
  /** How its members are numbered on the wire. Absent: `DEFAULT_NUMBERING`. */
  readonly numbering?: Numbering;
}

export interface EspProposal {
  readonly encryption: readonly EncryptionChoice[];
  readonly integrity: readonly IntegrityRow[];
  /** PFS groups; empty: PFS off. */
  readonly keyExchange: readonly KeyExchangeRow[];
  readonly sequence: readonly SequenceRow[];
  /** As in `IkeProposal`. */
  readonly numbering?: Numbering;
}

export interface IkeSuite extends SealerSpec {
  readonly prf: PrfRow;
  readonly keyExchange: KeyExchangeRow;
  /** By which its numbers were read. Absent: `DEFAULT_NUMBERING`. */
  readonly numbering?: Numbering;
}

export interface EspSuite extends SealerSpec {
  /** Absent without PFS, and always for the child of IKE_AUTH. */
  readonly keyExchange?: KeyExchangeRow;
  readonly sequence: SequenceRow;
}
