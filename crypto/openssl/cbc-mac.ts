/** MACs that chain a block cipher: AES-XCBC (RFC 3566) and AES-CMAC (RFC 4493) over EVP's CBC, without allocation. */
import { type CbcMacKeys, type DeriveCbcMacKeys, padded } from "../cbc-mac-keys.js";
import type { Arena, Mac } from "../interfaces.js";
import { nodeAesBlock } from "../node/block.js";
import type { CreateMac } from "../registry/row.js";
import { secret } from "../secret.js";
import { contextPair, failed } from "./context.js";
import { libcrypto } from "./libcrypto.js";
import { SINK_BYTES, scratchOf } from "./scratch.js";

const BLOCK = 16;

export function evpCbcMac(derive: DeriveCbcMacKeys): CreateMac {
  return (arena, row, key): Mac => {
    const keys = derive(nodeAesBlock, key.reveal());
    const chain = evpChain(arena, "AES-128-CBC", keys.chain);
    const { bytes, view } = arena;
    const { icvBytes } = row;
    const { blocks: tail } = scratchOf(arena);

    /** Returns where the whole MAC stands. */
    function compute(start: number, length: number, esnHigh: number): number {
      arena.address(start, length);
      const total = esnHigh < 0 ? length : length + 4;
      const direct = Math.min(length & -BLOCK, total === 0 ? 0 : (total - 1) & -BLOCK);
      chain.restart();
      chain.absorb(start, direct);
      for (let i = direct; i < length; i++) bytes[tail + i - direct] = bytes[start + i]!;
      if (esnHigh >= 0) view.setUint32(tail + length - direct, esnHigh);
      return chain.absorb(tail, finish(arena, tail, total - direct, keys));
    }

    return {
      icvBytes,
      signAt(start, length, esnHigh, out) {
        arena.address(out, icvBytes);
        const mac = compute(start, length, esnHigh);
        for (let i = 0; i < icvBytes; i++) bytes[out + i] = bytes[mac + i]!;
      },
      verifyAt(start, length, esnHigh, icv) {
        arena.address(icv, icvBytes);
        const mac = compute(start, length, esnHigh);
        let difference = 0;
        for (let i = 0; i < icvBytes; i++) difference |= bytes[icv + i]! ^ bytes[mac + i]!;
        return difference === 0;
      },
      free: chain.free,
    };
  };
}

/** Pads the last block where it is not whole, and mixes in the key that says which of both it was. Returns the length. */
function finish(arena: Arena, tail: number, length: number, keys: CbcMacKeys): number {
  const { bytes } = arena;
  const whole = padded(length);
  const mask = whole === length ? keys.complete : keys.partial;
  if (whole !== length) {
    bytes[tail + length] = 0x80;
    for (let i = length + 1; i < whole; i++) bytes[tail + i] = 0;
  }
  for (let i = 0; i < BLOCK; i++) bytes[tail + whole - BLOCK + i]! ^= mask[i]!;
  return whole;
}

/** CBC encryption of which only the last block is kept. */
export interface Chain {
  /** Begins with an IV of zeros. */
  restart(): void;
  /** Takes whole blocks; returns the offset of the last encrypted one, which lasts until the next call. */
  absorb(start: number, length: number): number;
  free(): void;
}

/** `name` is OpenSSL's, of a CBC cipher with blocks of 16 octets. */
export function evpChain(arena: Arena, name: string, key: Uint8Array): Chain {
  const ssl = libcrypto();
  const contexts = contextPair(arena, name, secret(key), key.length);
  const { sink, outLength: outLengthAt, zeros } = scratchOf(arena);
  const sinkAddress = arena.address(sink, SINK_BYTES);
  const outLength = arena.address(outLengthAt, 8);
  const zeroIv = arena.address(zeros, BLOCK);
  return {
    restart() {
      if (ssl.EVP_EncryptInit_ex(contexts.encrypt(), 0, 0, 0, zeroIv) !== 1) failed(ssl, "MAC restart");
    },
    absorb(start, length) {
      const context = contexts.encrypt();
      let last = sink;
      for (let done = 0; done < length; ) {
        const chunk = Math.min(SINK_BYTES, length - done);
        const from = arena.address(start + done, chunk);
        if (ssl.EVP_EncryptUpdate(context, sinkAddress, outLength, from, chunk) !== 1) failed(ssl, "MAC");
        last = sink + chunk - BLOCK;
        done += chunk;
      }
      return last;
    },
    free: contexts.free,
  };
}
