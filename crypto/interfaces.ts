/**
 * What the layers above see of cryptography. Every algorithm of the registry is reached through one of these
 * interfaces, whichever backend carries it.
 */
import type { Secret } from "./secret.js";

/**
 * Memory with a stable address: sealers, packets and FFI structures live in it, and are named by their offset.
 * The one implementation is `openssl/arena.ts`.
 */
export interface Arena {
  /** The whole arena. Stable for the arena's life. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Reserves octets for the arena's life; throws `RangeError` when it is full. `align` is a power of two, default 64. */
  alloc(length: number, align?: number): number;
  /** The address of an offset, as FFI wants it (a Number). Throws `RangeError` unless offset..offset+length lies inside. */
  address(offset: number, length: number): number;
}

/**
 * Authenticated encryption in place, keyed once: an AEAD, or a cipher with a MAC (encrypt-then-MAC), for one
 * direction. One path for the SK payload (RFC 7296 section 3.14) and for ESP (RFC 4303).
 *
 *     header | iv (ivBytes) | text (length, a multiple of blockBytes) | icv (icvBytes)
 *
 * The three parts from `iv` on are contiguous. `header` is the associated data of an AEAD (RFC 4106, 5282) and the
 * start of what a MAC covers; it stands immediately before `iv`. With `esnHigh >= 0` the high half of
 * the 64-bit sequence number is authenticated as well: between SPI and sequence number for an AEAD, after the text
 * for a MAC (RFC 4303 section 2.2.1). Pass -1 without ESN and in IKE.
 */
export interface Sealer {
  readonly ivBytes: number;
  readonly icvBytes: number;
  /** Padding granularity of the text: 1 for AEADs and counter modes (ESP still aligns to 4), 8 or 16 for CBC. */
  readonly blockBytes: number;
  /** How the caller fills `iv`: "counter" never repeats under a key (sequence number), "random" is unpredictable. */
  readonly ivKind: "counter" | "random";
  /** Encrypts `text` in place and writes the ICV behind it. */
  sealAt(header: number, headerLength: number, iv: number, length: number, esnHigh: number): void;
  /** Verifies the ICV and decrypts `text` in place. False: forged, and what stands there is undefined. */
  openAt(header: number, headerLength: number, iv: number, length: number, esnHigh: number): boolean;
  /** Releases native contexts. Using the sealer afterwards throws. */
  free(): void;
}

/** A cipher without integrity, keyed once, in place: the first half of encrypt-then-MAC (`encrypt-then-mac.ts`). */
export interface Cipher {
  readonly ivBytes: number;
  readonly blockBytes: number;
  readonly ivKind: "counter" | "random";
  /** Encrypts `length` octets (a multiple of blockBytes) at `text` in place under the IV at `iv`. */
  encryptAt(iv: number, text: number, length: number): void;
  decryptAt(iv: number, text: number, length: number): void;
  free(): void;
}

/** A message authentication code, keyed once: the second half of encrypt-then-MAC. */
export interface Mac {
  readonly icvBytes: number;
  /** The ICV over `length` octets at `start`, followed by `esnHigh` (4 octets) unless that is negative, goes to `out`. */
  signAt(start: number, length: number, esnHigh: number, out: number): void;
  /** True when the ICV at `icv` is the right one. Compares in constant time. */
  verifyAt(start: number, length: number, esnHigh: number, icv: number): boolean;
  free(): void;
}

/** Pseudorandom function, RFC 7296 section 2.13. */
export interface Prf {
  readonly name: string;
  readonly outputBytes: number;
  /** Preferred key length: how long SK_d, SK_pi, SK_pr are. */
  readonly keyBytes: number;
  /** How many octets of each nonce make the key of SKEYSEED (RFC 7296 section 2.14); absent: all. */
  readonly skeyseedNonceBytes?: number;
  compute(key: Uint8Array, ...data: readonly Uint8Array[]): Uint8Array;
}

/** A hash without a key: IKEv1 takes it for initialization vectors and NAT detection (RFC 2409 appendix B, RFC 3947 section 3.2). */
export interface Hash {
  readonly outputBytes: number;
  digest(...data: readonly Uint8Array[]): Uint8Array;
}

/** Key exchange method (Diffie-Hellman group). Both calls are synchronous and may take milliseconds. */
export interface KeyExchange {
  /** The number in KE payloads. */
  readonly group: number;
  readonly name: string;
  /** How many random octets `publicValue` wants. */
  readonly privateBytes: number;
  /** Length of the Key Exchange Data field. */
  readonly publicBytes: number;
  /** The Key Exchange Data for our private octets (any octets of `privateBytes` length are valid). */
  publicValue(privateOctets: Secret): Uint8Array;
  /** The shared secret g^ir. Throws `RangeError` when the peer's value is not valid (length, range, curve, subgroup, all-zero result: RFC 6989, RFC 8031). */
  sharedSecret(privateOctets: Secret, peerPublic: Uint8Array): Secret;
}

/** The random source handed to pure code: `length` octets, unpredictable in production, seeded in the simulator. */
export type Random = (length: number) => Uint8Array;
