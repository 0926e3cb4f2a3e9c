/** The keys of AES-XCBC-MAC (RFC 3566 section 4) and AES-CMAC (RFC 4493 section 2.3). */

/** Encrypts one block. */
export type EncryptBlock = (key: Uint8Array, block: Uint8Array) => Uint8Array;

export interface CbcMacKeys {
  /** The cipher's. */
  readonly chain: Uint8Array;
  /** Mixed into a last block that is whole. */
  readonly complete: Uint8Array;
  /** Mixed into a last block that was padded. */
  readonly partial: Uint8Array;
}

export type DeriveCbcMacKeys = (encrypt: EncryptBlock, key: Uint8Array) => CbcMacKeys;

export const xcbcKeys: DeriveCbcMacKeys = (encrypt, key) => ({
  chain: encrypt(key, new Uint8Array(16).fill(1)),
  complete: encrypt(key, new Uint8Array(16).fill(2)),
  partial: encrypt(key, new Uint8Array(16).fill(3)),
});

export const cmacKeys: DeriveCbcMacKeys = (encrypt, key) => {
  const complete = doubled(encrypt(key, new Uint8Array(16)));
  return { chain: key.slice(), complete, partial: doubled(complete) };
};

/** The length with padding: whole blocks of 16 octets, at least one. */
export function padded(length: number): number {
  return Math.max(16, (length + 15) & -16);
}

/** Times x in the field of 2^128 elements. */
function doubled(block: Uint8Array): Uint8Array {
  const twice = new Uint8Array(16);
  for (let i = 0; i < 16; i++) twice[i] = (block[i]! << 1) | ((block[i + 1] ?? 0) >> 7);
  if (block[0]! & 0x80) twice[15]! ^= 0x87;
  return twice;
}
