/**
 * SM4 in GCM and CCM, composed of EVP's SM4-CTR and SM4-CBC: OpenSSL has had both modes itself only since 3.1, and Node 20
 * carries 3.0. Nothing is allocated per packet.
 */
import { createGhash } from "../ghash.js";
import type { Arena, Sealer } from "../interfaces.js";
import type { AeadRow, CreateAead } from "../registry/row.js";
import type { Secret } from "../secret.js";
import { type AeadInputs, aeadInputs } from "./aead-inputs.js";
import { evpChain } from "./cbc-mac.js";
import { contextPair, failed } from "./context.js";
import { libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

const BLOCK = 16;

/** The parts that differ: the block that hides the tag, and the tag before it is hidden. */
interface Mode {
  readonly inputs: AeadInputs;
  /** Writes the first counter block, which hides the tag; the next ones encrypt. */
  firstCounter(at: number): void;
  /** Mixes the tag of associated data and text into the 16 octets at `into`. */
  mixTag(aad: number, aadLength: number, text: number, length: number, into: number): void;
  /** GCM: the tag is of the ciphertext. CCM: of the plaintext. */
  readonly tagOf: "ciphertext" | "plaintext";
  free(): void;
}

type CreateMode = (arena: Arena, row: AeadRow, key: Secret, keystream: Keystream, inputs: AeadInputs) => Mode;

/** Encrypts in counter mode; `begin` sets the counter block. */
interface Keystream {
  begin(counter: number): void;
  apply(from: number, length: number, to: number): void;
  free(): void;
}

export const evpSm4Gcm: CreateAead = composed((arena, row, _key, keystream, inputs) => {
  const { bytes, view } = arena;
  const { zeros, blocks } = scratchOf(arena);
  keystream.begin(zeros);
  keystream.apply(zeros, BLOCK, blocks);
  const ghash = createGhash(bytes.slice(blocks, blocks + BLOCK));
  const nonceBytes = row.saltBytes + row.ivBytes;
  return {
    inputs,
    firstCounter(at) {
      for (let i = 0; i < nonceBytes; i++) bytes[at + i] = bytes[inputs.nonce + i]!;
      view.setUint32(at + nonceBytes, 1);
    },
    mixTag(aad, aadLength, text, length, into) {
      ghash.restart();
      ghash.update(bytes, aad, aadLength);
      ghash.update(bytes, text, length);
      ghash.finish(aadLength, length, bytes, into);
    },
    tagOf: "ciphertext",
    free: () => undefined,
  };
});

/** RFC 3610 with nonces of 11 octets: the length of the text has four. */
export const evpSm4Ccm: CreateAead = composed((arena, row, key, _keystream, inputs) => {
  const { bytes, view } = arena;
  const { blocks } = scratchOf(arena);
  const first = blocks + BLOCK;
  const nonceBytes = row.saltBytes + row.ivBytes;
  const chain = evpChain(arena, "SM4-CBC", key.reveal().slice(0, BLOCK));

  /** Blocks that are not whole are filled up with zeros; `lead` octets stand at the start of `first` already. */
  function absorb(start: number, length: number, lead: number): number {
    let done = 0;
    let last = 0;
    if (lead > 0) {
      done = Math.min(length, BLOCK - lead);
      for (let i = 0; i < BLOCK - lead; i++) bytes[first + lead + i] = i < done ? bytes[start + i]! : 0;
      last = chain.absorb(first, BLOCK);
    }
    const whole = (length - done) & -BLOCK;
    if (whole > 0) last = chain.absorb(start + done, whole);
    done += whole;
    if (done < length) {
      for (let i = 0; i < BLOCK; i++) bytes[first + i] = done + i < length ? bytes[start + done + i]! : 0;
      last = chain.absorb(first, BLOCK);
    }
    return last;
  }

  return {
    inputs,
    firstCounter(at) {
      bytes[at] = 14 - nonceBytes;
      for (let i = 0; i < nonceBytes; i++) bytes[at + 1 + i] = bytes[inputs.nonce + i]!;
      view.setUint32(at + 1 + nonceBytes, 0);
    },
    mixTag(aad, aadLength, text, length, into) {
      bytes[first] = (aadLength > 0 ? 0x40 : 0) | (((row.icvBytes - 2) / 2) << 3) | (14 - nonceBytes);
      for (let i = 0; i < nonceBytes; i++) bytes[first + 1 + i] = bytes[inputs.nonce + i]!;
      view.setUint32(first + 1 + nonceBytes, length);
      chain.restart();
      let last = chain.absorb(first, BLOCK);
      if (aadLength > 0) {
        view.setUint16(first, aadLength);
        last = absorb(aad, aadLength, 2);
      }
      if (length > 0) last = absorb(text, length, 0);
      for (let i = 0; i < BLOCK; i++) bytes[into + i]! ^= bytes[last + i]!;
    },
    tagOf: "plaintext",
    free: chain.free,
  };
});

function composed(createMode: CreateMode): CreateAead {
  return (arena, row, keyBits, key): Sealer => {
    const { ivBytes, icvBytes } = row;
    const { bytes } = arena;
    const keystream = evpKeystream(arena, key, keyBits / 8);
    const inputs = aeadInputs(arena, row, keyBits, key);
    const mode = createMode(arena, row, key, keystream, inputs);
    const { zeros, blocks: counter } = scratchOf(arena);
    const { tag } = inputs;
    const early = mode.tagOf === "plaintext";

    /** The counter begins, and `tag` holds what hides the tag. */
    function begin(iv: number): void {
      inputs.setNonce(iv);
      mode.firstCounter(counter);
      keystream.begin(counter);
      keystream.apply(zeros, BLOCK, tag);
    }

    return {
      ivBytes,
      icvBytes,
      blockBytes: row.blockBytes,
      ivKind: "counter",
      sealAt(header, headerLength, iv, length, esnHigh) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = inputs.aad(header, headerLength, esnHigh);
        const text = iv + ivBytes;
        arena.address(aad, aadLength);
        arena.address(iv, ivBytes + length + icvBytes);
        begin(iv);
        if (early) mode.mixTag(aad, aadLength, text, length, tag);
        keystream.apply(text, length, text);
        if (!early) mode.mixTag(aad, aadLength, text, length, tag);
        inputs.giveTag(text + length);
      },
      openAt(header, headerLength, iv, length, esnHigh) {
        const aadLength = inputs.aadLength(headerLength, esnHigh);
        const aad = inputs.aad(header, headerLength, esnHigh);
        const text = iv + ivBytes;
        arena.address(aad, aadLength);
        arena.address(iv, ivBytes + length + icvBytes);
        begin(iv);
        if (!early) mode.mixTag(aad, aadLength, text, length, tag);
        if (early || matches(text + length)) keystream.apply(text, length, text);
        if (early) mode.mixTag(aad, aadLength, text, length, tag);
        return matches(text + length);
      },
      free() {
        keystream.free();
        mode.free();
      },
    };

    /** In constant time. */
    function matches(icv: number): boolean {
      let difference = 0;
      for (let i = 0; i < icvBytes; i++) difference |= bytes[icv + i]! ^ bytes[tag + i]!;
      return difference === 0;
    }
  };
}

function evpKeystream(arena: Arena, key: Secret, keyBytes: number): Keystream {
  const ssl = libcrypto();
  const contexts = contextPair(arena, "SM4-CTR", key, keyBytes);
  const outLength = arena.address(scratchOf(arena).outLength, 8);
  return {
    begin(counter) {
      if (ssl.EVP_EncryptInit_ex(contexts.encrypt(), 0, 0, 0, arena.address(counter, BLOCK)) !== 1)
        failed(ssl, "counter block");
    },
    apply(from, length, to) {
      if (length === 0) return;
      const input = arena.address(from, length);
      const output = arena.address(to, length);
      if (ssl.EVP_EncryptUpdate(contexts.encrypt(), output, outLength, input, length) !== 1) failed(ssl, "key stream");
    },
    free: contexts.free,
  };
}
