/** EVP cipher contexts: made lazily, one per direction, keyed once, released explicitly. */
import type { Arena } from "../interfaces.js";
import type { Secret } from "../secret.js";
import { type Libcrypto, libcrypto } from "./libcrypto.js";
import { scratchOf } from "./scratch.js";

/** Algorithms by name; fetched once per thread, kept for its life. */
const fetched = new Map<string, number>();

function fetchCipher(ssl: Libcrypto, name: string): number {
  let cipher = fetched.get(name);
  if (cipher === undefined) {
    cipher = ssl.EVP_CIPHER_fetch(0, name, null);
    if (cipher === 0) ssl.ERR_clear_error();
    fetched.set(name, cipher);
  }
  if (cipher === 0) throw new Error(`${ssl.version} has no ${name}`);
  return cipher;
}

/** A pair of contexts under one key. */
export interface ContextPair {
  encrypt(): number;
  decrypt(): number;
  free(): void;
}

/**
 * Throws `Error` where the library or the cipher is missing. The first `keyBytes` of `key` are the cipher's, the rest is salt.
 * `configure` sets what must stand before the key (lengths of nonce and tag); false: it failed.
 */
export function contextPair(
  arena: Arena,
  name: string,
  key: Secret,
  keyBytes: number,
  configure: (context: number) => boolean = () => true,
): ContextPair {
  const ssl = libcrypto();
  const cipher = fetchCipher(ssl, name);
  const scratch = scratchOf(arena);
  let encrypting = 0;
  let decrypting = 0;
  let freed = false;

  function create(init: (context: number, cipher: number, engine: number, key: number, iv: number) => number): number {
    if (freed) throw new Error(`${name}: used after free`);
    const context = ssl.EVP_CIPHER_CTX_new();
    if (context === 0) throw new Error("EVP_CIPHER_CTX_new: out of memory");
    let done = init(context, cipher, 0, 0, 0);
    if (done === 1 && !configure(context)) done = 0;
    if (done === 1)
      scratch.withKey(key.reveal().subarray(0, keyBytes), (address) => {
        done = init(context, 0, 0, address, 0);
      });
    if (done !== 1 || ssl.EVP_CIPHER_CTX_set_padding(context, 0) !== 1) {
      ssl.EVP_CIPHER_CTX_free(context);
      failed(ssl, `${name}: key set-up`);
    }
    return context;
  }

  return {
    encrypt() {
      if (encrypting === 0) encrypting = create(ssl.EVP_EncryptInit_ex);
      return encrypting;
    },
    decrypt() {
      if (decrypting === 0) decrypting = create(ssl.EVP_DecryptInit_ex);
      return decrypting;
    },
    free() {
      freed = true;
      if (encrypting !== 0) ssl.EVP_CIPHER_CTX_free(encrypting);
      if (decrypting !== 0) ssl.EVP_CIPHER_CTX_free(decrypting);
      encrypting = 0;
      decrypting = 0;
    },
  };
}

/** A native call returned failure where none is possible with right arguments: our bug, or memory is out. */
export function failed(ssl: Libcrypto, what: string): never {
  ssl.ERR_clear_error();
  throw new Error(`OpenSSL failed: ${what}`);
}
