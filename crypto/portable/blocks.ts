/** Block ciphers in JavaScript behind one shape, and the modes that no library here has for all of them. */
import { cbc, ecb } from "@noble/ciphers/aes.js";
import smCrypto from "sm-crypto";

/** One keyed block cipher; lengths are whole blocks. */
export interface Blocks {
  ecb(blocks: Uint8Array): Uint8Array;
  cbcEncrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array;
  cbcDecrypt(iv: Uint8Array, text: Uint8Array): Uint8Array;
}

export type KeyedBlocks = (key: Uint8Array) => Blocks;

/** A cipher that works on one block in place. */
export interface BlockCipher {
  readonly blockBytes: number;
  encrypt(block: Uint8Array): void;
  decrypt(block: Uint8Array): void;
}

export const aesBlocks: KeyedBlocks = (key) => ({
  ecb: (blocks) => ecb(key, { disablePadding: true }).encrypt(blocks),
  cbcEncrypt: (iv, plain) => cbc(key, iv, { disablePadding: true }).encrypt(plain),
  cbcDecrypt: (iv, text) => cbc(key, iv, { disablePadding: true }).decrypt(text),
});

const SM4_OPTIONS = { padding: "none", output: "array" } as const;

export const sm4Blocks: KeyedBlocks = (key) => ({
  ecb: (blocks) => Uint8Array.from(smCrypto.sm4.encrypt(blocks, key, SM4_OPTIONS)),
  cbcEncrypt: (iv, plain) => Uint8Array.from(smCrypto.sm4.encrypt(plain, key, { ...SM4_OPTIONS, mode: "cbc", iv })),
  cbcDecrypt: (iv, text) => Uint8Array.from(smCrypto.sm4.decrypt(text, key, { ...SM4_OPTIONS, mode: "cbc", iv })),
});

/** The modes of a cipher of our own. */
export function blocksOf(create: (key: Uint8Array) => BlockCipher): KeyedBlocks {
  return (key) => {
    const cipher = create(key);
    const size = cipher.blockBytes;
    return {
      ecb(blocks) {
        const out = blocks.slice();
        for (let at = 0; at < out.length; at += size) cipher.encrypt(out.subarray(at, at + size));
        return out;
      },
      cbcEncrypt(iv, plain) {
        const out = plain.slice();
        let previous = iv;
        for (let at = 0; at < out.length; at += size) {
          const block = out.subarray(at, at + size);
          xor(block, previous);
          cipher.encrypt(block);
          previous = block;
        }
        return out;
      },
      cbcDecrypt(iv, text) {
        const out = text.slice();
        for (let at = 0; at < out.length; at += size) {
          const block = out.subarray(at, at + size);
          cipher.decrypt(block);
          xor(block, at === 0 ? iv : text.subarray(at - size, at));
        }
        return out;
      },
    };
  };
}

/** Counter mode: `counter` is the first counter block, of which the last four octets count. */
export function ctr(blocks: Blocks, counter: Uint8Array, data: Uint8Array): Uint8Array {
  const stream = new Uint8Array(Math.ceil(data.length / 16) * 16);
  const view = new DataView(stream.buffer);
  const first = new DataView(counter.buffer, counter.byteOffset, 16).getUint32(12);
  for (let at = 0; at < stream.length; at += 16) {
    stream.set(counter, at);
    view.setUint32(at + 12, first + at / 16);
  }
  const out = blocks.ecb(stream).subarray(0, data.length);
  xor(out, data);
  return out;
}

/** Mixes `other` into `target`; extra octets of `other` do not count. */
export function xor(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i]! ^= other[i]!;
}
