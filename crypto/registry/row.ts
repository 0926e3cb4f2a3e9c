/**
 * The shape of a registry row. A row is the only place where an algorithm's number, spelling, length or
 * implementation is written; everything else reads it.
 */
import type { Arena, Cipher, Hash, KeyExchange, Mac, Prf, Sealer } from "../interfaces.js";
import type { Secret } from "../secret.js";

/** Transform numbers per number space. A missing entry means: never offered and never accepted there. */
export interface TransformIds {
  /** RFC 7296 section 3.3.2, IANA "Internet Key Exchange Version 2 (IKEv2) Parameters". */
  readonly ikev2?: number;
  /** IKEv1 phase 1 attribute value: encryption, group, and the hash, which is written in the PRF row that it gives. */
  readonly phase1?: number;
  /** IKEv1 phase 2: ESP transform identifier, or authentication algorithm attribute value. */
  readonly phase2?: number;
}

/** RFC 8221 (ESP) and RFC 8247 (IKEv2) levels. "none": neither RFC gives one, which counts as SHOULD. */
export type RequirementLevel = "MUST" | "MUST-" | "SHOULD+" | "SHOULD" | "MAY" | "SHOULD NOT" | "MUST NOT" | "none";

export type BackendName = "openssl" | "node" | "portable";

/** Where the proof of a row stands: a file of vectors/, or two independent implementations compared by property. */
export type Proof = string | { readonly crossChecked: string };

interface RowBase {
  /** As IANA prints it: logs, status, docs. */
  readonly name: string;
  /** As the configuration writes it; the first one is printed. */
  readonly keywords: readonly string[];
  readonly ids: TransformIds;
  readonly rfc: string;
  readonly level: { readonly ike: RequirementLevel; readonly esp: RequirementLevel };
  readonly vectors: Proof;
}

/** The implementations of a row by backend; the known-answer test of start-up (`backends.ts`) chooses among them. */
export type Implementations<Create> = { readonly [B in BackendName]?: Create };

interface EncryptionBase extends RowBase {
  readonly kind: "encryption";
  /** Allowed key lengths. In `keywords` of an encryption row `*` stands for the key length in bits ("aes*gcm16"); one without it means the first of them ("aes"). */
  readonly keyBits: readonly number[];
  /** Whether the Key Length attribute (14) is sent and required. */
  readonly keyLengthAttribute: boolean;
  /** Octets of salt taken from the end of the key material (AEAD, counter modes). */
  readonly saltBytes: number;
  readonly ivBytes: number;
  readonly blockBytes: number;
  /** 0: not an AEAD, an integrity row is needed. */
  readonly icvBytes: number;
  /** Protects nothing that IKE could use: refused in IKE proposals. */
  readonly espOnly?: boolean;
}

/** Authenticated encryption: one row is the whole Sealer. */
export interface AeadRow extends EncryptionBase {
  readonly aead: true;
  readonly implementations: Implementations<CreateAead>;
}

/** A cipher that needs an integrity row beside it. */
export interface CipherRow extends EncryptionBase {
  readonly aead: false;
  readonly icvBytes: 0;
  readonly implementations: Implementations<CreateCipher>;
}

export type EncryptionRow = AeadRow | CipherRow;

export interface IntegrityRow extends RowBase {
  readonly kind: "integrity";
  readonly keyBytes: number;
  readonly icvBytes: number;
  /** The PRF that a proposal means when it names this integrity and no PRF. */
  readonly ownPrf: PrfRow;
  readonly implementations: Implementations<CreateMac>;
}

export interface PrfRow extends RowBase {
  readonly kind: "prf";
  readonly implementations: Implementations<CreatePrf>;
  readonly outputBytes: number;
  readonly keyBytes: number;
  /** How many octets of each nonce make the key of SKEYSEED (RFC 7296 section 2.14); absent: all. */
  readonly skeyseedNonceBytes?: number;
  /** The hash that the PRF is made of, where IKEv1 negotiates it: it stands under the same phase 1 number. */
  readonly hash?: Implementations<CreateHash>;
}

export interface KeyExchangeRow extends RowBase {
  readonly kind: "keyExchange";
  readonly implementations: Implementations<CreateKeyExchange>;
  /** Octets of the private value: twice the security strength at least (RFC 3526 section 8; curves: the field). */
  readonly privateBytes: number;
  readonly publicBytes: number;
  readonly securityBits: number;
  /** OpenSSL computes it faster than a message gets to another thread and back. */
  readonly quick?: true;
}

/** RFC 7296 transform type 5, as RFC 9827 renames it: Sequence Numbers. */
export interface SequenceRow extends RowBase {
  readonly kind: "sequence";
  readonly extended: boolean;
}

export type TransformRow = EncryptionRow | IntegrityRow | PrfRow | KeyExchangeRow | SequenceRow;

/** What `suite.ts` gives: chosen rows, and the makers bound to the backend chosen at start-up. */
export interface SealerSpec {
  readonly encryption: EncryptionRow;
  readonly keyBits: number;
  /** Absent for an AEAD. */
  readonly integrity?: IntegrityRow;
}

/** Key octets of one direction: `encryption` includes the salt at its end; `integrity` is empty for an AEAD. */
export interface SealerKeys {
  readonly encryption: Secret;
  readonly integrity: Secret;
}

/** `key` is `keyBits / 8` octets followed by the salt. */
export type CreateAead = (arena: Arena, row: AeadRow, keyBits: number, key: Secret) => Sealer;
export type CreateCipher = (arena: Arena, row: CipherRow, keyBits: number, key: Secret) => Cipher;
export type CreateMac = (arena: Arena, row: IntegrityRow, key: Secret) => Mac;
export type CreatePrf = (row: PrfRow) => Prf;
export type CreateHash = (row: PrfRow) => Hash;
export type CreateKeyExchange = (row: KeyExchangeRow) => KeyExchange;
