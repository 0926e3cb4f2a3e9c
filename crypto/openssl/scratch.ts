/** The small structures that EVP calls need, once per arena: contexts come and go, arena memory does not. */
import type { Arena } from "../interfaces.js";

const KEY_BYTES = 256;
/** Whole blocks; long enough that native calls are few, short enough to stay in the first cache. */
export const SINK_BYTES = 2048;

export interface Scratch {
  /** 16 octets: the nonce of an AEAD, salt and IV joined. */
  readonly nonce: number;
  /** 16 octets: a whole tag of an AEAD. */
  readonly tag: number;
  /** `SINK_BYTES` octets: what a CBC-MAC encrypts and nobody reads but its last block. */
  readonly sink: number;
  /** 16 octets that stay zero. */
  readonly zeros: number;
  /** 48 octets: blocks that a mode composes itself. */
  readonly blocks: number;
  /** 16 octets: SPI, high and low half of the sequence number. */
  readonly aad: number;
  /** 64 octets: a whole MAC before truncation. */
  readonly mac: number;
  /** `int outl` and `size_t outl` of EVP calls. */
  readonly outLength: number;
  /** OSSL_PARAM[2] and the strings that it points to. */
  readonly params: number;
  /** Lends a place for key octets to native code, and wipes it afterwards. */
  withKey(key: Uint8Array, use: (address: number) => void): void;
}

const scratches = new WeakMap<Arena, Scratch>();

export function scratchOf(arena: Arena): Scratch {
  let scratch = scratches.get(arena);
  if (scratch === undefined) {
    scratch = createScratch(arena);
    scratches.set(arena, scratch);
  }
  return scratch;
}

function createScratch(arena: Arena): Scratch {
  const keyOffset = arena.alloc(KEY_BYTES);
  return {
    nonce: arena.alloc(16),
    aad: arena.alloc(16),
    tag: arena.alloc(16),
    sink: arena.alloc(SINK_BYTES),
    zeros: arena.alloc(16),
    blocks: arena.alloc(48),
    mac: arena.alloc(64),
    outLength: arena.alloc(8),
    params: arena.alloc(128),
    withKey(key, use) {
      if (key.length > KEY_BYTES) throw new RangeError(`key of ${key.length} octets, at most ${KEY_BYTES}`);
      arena.bytes.set(key, keyOffset);
      try {
        use(arena.address(keyOffset, KEY_BYTES));
      } finally {
        arena.bytes.fill(0, keyOffset, keyOffset + KEY_BYTES);
      }
    },
  };
}
