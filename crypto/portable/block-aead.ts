/** CCM (RFC 3610) and GCM (NIST SP 800-38D) over any block cipher of 16 octets. */
import { ghash } from "@noble/ciphers/_polyval.js";
import { concat, equalConstantTime } from "../bytes.js";
import type { OctetAead } from "../octet-backend.js";
import { type Blocks, ctr, xor } from "./blocks.js";

const BLOCK = 16;

/** Of the block (0, nonce, 0), counters follow the nonce: 15 octets less the nonce. */
export function ccm(blocks: Blocks, tagBytes: number): OctetAead {
  function tag(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
    const lengthBytes = 15 - nonce.length;
    const first = new Uint8Array(BLOCK);
    first[0] = (aad.length > 0 ? 0x40 : 0) | (((tagBytes - 2) / 2) << 3) | (lengthBytes - 1);
    first.set(nonce, 1);
    new DataView(first.buffer).setUint16(14, plain.length);
    const announced = aad.length === 0 ? aad : concat(Uint8Array.of(aad.length >> 8, aad.length & 255), aad);
    const chained = blocks.cbcEncrypt(new Uint8Array(BLOCK), concat(first, zeroFilled(announced), zeroFilled(plain)));
    return ctr(blocks, counterBlock(nonce), chained.slice(chained.length - BLOCK)).subarray(0, tagBytes);
  }

  function counterBlock(nonce: Uint8Array): Uint8Array {
    return concat(Uint8Array.of(14 - nonce.length), nonce, new Uint8Array(15 - nonce.length));
  }

  /** The text begins with the second counter block, the first one hides the tag. */
  function apply(nonce: Uint8Array, text: Uint8Array): Uint8Array {
    return ctr(blocks, counterBlock(nonce), concat(new Uint8Array(BLOCK), text)).slice(BLOCK);
  }

  return {
    seal: (nonce, aad, plain) => concat(apply(nonce, plain), tag(nonce, aad, plain)),
    open(nonce, aad, sealed) {
      const end = sealed.length - tagBytes;
      const plain = apply(nonce, sealed.subarray(0, end));
      return equalConstantTime(tag(nonce, aad, plain), sealed.subarray(end)) ? plain : undefined;
    },
  };
}

/** Nonces of 12 octets. */
export function gcm(blocks: Blocks, tagBytes: number): OctetAead {
  const hashKey = blocks.ecb(new Uint8Array(BLOCK));

  function tag(nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
    const lengths = new Uint8Array(BLOCK);
    const view = new DataView(lengths.buffer);
    view.setBigUint64(0, BigInt(8 * aad.length));
    view.setBigUint64(8, BigInt(8 * text.length));
    const hash = ghash(concat(zeroFilled(aad), zeroFilled(text), lengths), hashKey);
    xor(hash, blocks.ecb(counterBlock(nonce, 1)));
    return hash.subarray(0, tagBytes);
  }

  function counterBlock(nonce: Uint8Array, counter: number): Uint8Array {
    return concat(nonce, Uint8Array.of(0, 0, 0, counter));
  }

  return {
    seal(nonce, aad, plain) {
      const text = ctr(blocks, counterBlock(nonce, 2), plain);
      return concat(text, tag(nonce, aad, text));
    },
    open(nonce, aad, sealed) {
      const end = sealed.length - tagBytes;
      const text = sealed.subarray(0, end);
      if (!equalConstantTime(tag(nonce, aad, text), sealed.subarray(end))) return undefined;
      return ctr(blocks, counterBlock(nonce, 2), text);
    },
  };
}

function zeroFilled(octets: Uint8Array): Uint8Array {
  return concat(octets, new Uint8Array(-octets.length & (BLOCK - 1)));
}
