/**
 * Cipher, Mac and AEAD at arena offsets, made from functions on octet strings: the shape in which `node` and
 * `portable` come. They allocate per call; only `openssl` does not.
 */
import { concat, equalConstantTime } from "./bytes.js";
import { associatedData, bytesAt, macInput, saltedNonce } from "./bytes-at.js";
import type { CreateAead, CreateCipher, CreateMac } from "./registry/row.js";

/** One keyed AEAD. `seal` gives ciphertext and tag; `open` gives undefined for a forgery. */
export interface OctetAead {
  seal(nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array;
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

export interface OctetCipher {
  encrypt(iv: Uint8Array, plain: Uint8Array): Uint8Array;
  decrypt(iv: Uint8Array, text: Uint8Array): Uint8Array;
}

/** The whole MAC; truncation happens here. */
export type OctetMac = (data: Uint8Array) => Uint8Array;

export type KeyedAead = (key: Uint8Array, keyBits: number, icvBytes: number) => OctetAead;

export function aeadOfOctets(keyed: KeyedAead): CreateAead {
  return (arena, row, keyBits, key) => {
    const { ivBytes, icvBytes } = row;
    const salt = key.reveal().subarray(keyBits / 8);
    const life = lifeOf(row.name, keyed(key.reveal().subarray(0, keyBits / 8), keyBits, icvBytes));
    return {
      ivBytes,
      icvBytes,
      blockBytes: row.blockBytes,
      ivKind: "counter",
      sealAt(header, headerLength, iv, length, esnHigh) {
        const place = bytesAt(arena, iv + ivBytes, length + icvBytes);
        const nonce = saltedNonce(arena, salt, iv, ivBytes);
        const aad = associatedData(arena, header, headerLength, esnHigh);
        place.set(life.get().seal(nonce, aad, place.subarray(0, length)));
      },
      openAt(header, headerLength, iv, length, esnHigh) {
        const sealed = bytesAt(arena, iv + ivBytes, length + icvBytes);
        const nonce = saltedNonce(arena, salt, iv, ivBytes);
        const plain = life.get().open(nonce, associatedData(arena, header, headerLength, esnHigh), sealed);
        if (plain === undefined) return false;
        sealed.set(plain);
        return true;
      },
      free: life.end,
    };
  };
}

/** GMAC made of GCM: header, IV and text are associated data, and the text stays as it is (RFC 4543 section 3.3). */
export function gmacOfOctets(keyed: KeyedAead): CreateAead {
  const nothing = new Uint8Array(0);
  return aeadOfOctets((key, keyBits, icvBytes) => {
    const gcm = keyed(key, keyBits, icvBytes);
    const all = (nonce: Uint8Array, aad: Uint8Array, text: Uint8Array) => concat(aad, nonce.subarray(4), text);
    return {
      seal: (nonce, aad, plain) => concat(plain, gcm.seal(nonce, all(nonce, aad, plain), nothing)),
      open(nonce, aad, sealed) {
        const text = sealed.slice(0, sealed.length - icvBytes);
        const tag = sealed.subarray(text.length);
        return gcm.open(nonce, all(nonce, aad, text), tag) === undefined ? undefined : text;
      },
    };
  });
}

/** Counter mode with the block salt | IV | 00000001 (RFC 3686 section 4); `keyed` gets the first counter block. */
export function ctrOfOctets(
  keyed: (key: Uint8Array, keyBits: number) => (counter: Uint8Array, data: Uint8Array) => Uint8Array,
): CreateCipher {
  return (arena, row, keyBits, key) => {
    const { ivBytes, blockBytes } = row;
    const salt = key.reveal().subarray(keyBits / 8);
    const life = lifeOf(row.name, keyed(key.reveal().subarray(0, keyBits / 8), keyBits));

    function apply(iv: number, text: number, length: number): void {
      const counter = concat(saltedNonce(arena, salt, iv, ivBytes), Uint8Array.of(0, 0, 0, 1));
      const place = bytesAt(arena, text, length);
      place.set(life.get()(counter, place));
    }

    return {
      ivBytes,
      blockBytes,
      ivKind: "counter",
      encryptAt: apply,
      decryptAt: apply,
      free: life.end,
    };
  };
}

export function cbcOfOctets(keyed: (key: Uint8Array, keyBits: number) => OctetCipher): CreateCipher {
  return (arena, row, keyBits, key) => {
    const { ivBytes, blockBytes } = row;
    const life = lifeOf(row.name, keyed(key.reveal(), keyBits));

    function whole(length: number): void {
      if (length % blockBytes !== 0) throw new RangeError(`${length} octets are no multiple of ${blockBytes}`);
    }

    return {
      ivBytes,
      blockBytes,
      ivKind: "random",
      encryptAt(iv, text, length) {
        whole(length);
        const place = bytesAt(arena, text, length);
        place.set(life.get().encrypt(bytesAt(arena, iv, ivBytes), place));
      },
      decryptAt(iv, text, length) {
        whole(length);
        const place = bytesAt(arena, text, length);
        place.set(life.get().decrypt(bytesAt(arena, iv, ivBytes), place));
      },
      free: life.end,
    };
  };
}

export function macOfOctets(keyed: (key: Uint8Array) => OctetMac): CreateMac {
  return (arena, row, key) => {
    const { icvBytes } = row;
    const life = lifeOf(row.name, keyed(key.reveal()));
    return {
      icvBytes,
      signAt(start, length, esnHigh, out) {
        const mac = life.get()(macInput(arena, start, length, esnHigh));
        bytesAt(arena, out, icvBytes).set(mac.subarray(0, icvBytes));
      },
      verifyAt(start, length, esnHigh, icv) {
        const mac = life.get()(macInput(arena, start, length, esnHigh));
        return equalConstantTime(mac.subarray(0, icvBytes), bytesAt(arena, icv, icvBytes));
      },
      free: life.end,
    };
  };
}

/** A thing that throws when it is used after its end. */
function lifeOf<T>(name: string, thing: T): { get(): T; end(): void } {
  let held: T | undefined = thing;
  return {
    get() {
      if (held === undefined) throw new Error(`${name}: used after free`);
      return held;
    },
    end() {
      held = undefined;
    },
  };
}
