/**
 * The one file of OpenSSL signatures. Node exports the OpenSSL that it carries, so the symbols are looked for in the
 * process first, then in libcrypto.so.3. Where neither has them the backend is unavailable, which is no error.
 *
 * Addresses and contexts are Numbers (`uintptr_t`); addresses come from `Arena.address` alone.
 */
import koffi from "koffi";

const SIGNATURES = {
  OpenSSL_version: "str OpenSSL_version(int what)",
  ERR_clear_error: "void ERR_clear_error()",
  EVP_CIPHER_fetch: "uintptr_t EVP_CIPHER_fetch(uintptr_t context, str algorithm, str properties)",
  EVP_CIPHER_CTX_new: "uintptr_t EVP_CIPHER_CTX_new()",
  EVP_CIPHER_CTX_free: "void EVP_CIPHER_CTX_free(uintptr_t context)",
  EVP_CIPHER_CTX_ctrl: "int EVP_CIPHER_CTX_ctrl(uintptr_t context, int type, int argument, uintptr_t pointer)",
  EVP_Cipher: "int EVP_Cipher(uintptr_t context, uintptr_t out, uintptr_t in, unsigned int inLength)",
  EVP_CIPHER_CTX_set_params: "int EVP_CIPHER_CTX_set_params(uintptr_t context, uintptr_t params)",
  EVP_CIPHER_CTX_set_padding: "int EVP_CIPHER_CTX_set_padding(uintptr_t context, int padding)",
  EVP_EncryptInit_ex:
    "int EVP_EncryptInit_ex(uintptr_t context, uintptr_t cipher, uintptr_t engine, uintptr_t key, uintptr_t iv)",
  EVP_EncryptUpdate:
    "int EVP_EncryptUpdate(uintptr_t context, uintptr_t out, uintptr_t outLength, uintptr_t in, int inLength)",
  EVP_EncryptFinal_ex: "int EVP_EncryptFinal_ex(uintptr_t context, uintptr_t out, uintptr_t outLength)",
  EVP_DecryptInit_ex:
    "int EVP_DecryptInit_ex(uintptr_t context, uintptr_t cipher, uintptr_t engine, uintptr_t key, uintptr_t iv)",
  EVP_DecryptUpdate:
    "int EVP_DecryptUpdate(uintptr_t context, uintptr_t out, uintptr_t outLength, uintptr_t in, int inLength)",
  EVP_DecryptFinal_ex: "int EVP_DecryptFinal_ex(uintptr_t context, uintptr_t out, uintptr_t outLength)",
  EVP_MAC_fetch: "uintptr_t EVP_MAC_fetch(uintptr_t context, str algorithm, str properties)",
  EVP_MAC_CTX_new: "uintptr_t EVP_MAC_CTX_new(uintptr_t mac)",
  EVP_MAC_CTX_free: "void EVP_MAC_CTX_free(uintptr_t context)",
  EVP_MAC_init: "int EVP_MAC_init(uintptr_t context, uintptr_t key, uintptr_t keyLength, uintptr_t params)",
  EVP_MAC_update: "int EVP_MAC_update(uintptr_t context, uintptr_t data, uintptr_t length)",
  EVP_MAC_final: "int EVP_MAC_final(uintptr_t context, uintptr_t out, uintptr_t outLength, uintptr_t outSize)",
  EVP_PKEY_CTX_new: "uintptr_t EVP_PKEY_CTX_new(uintptr_t key, uintptr_t engine)",
  EVP_PKEY_CTX_free: "void EVP_PKEY_CTX_free(uintptr_t context)",
  EVP_PKEY_derive_init: "int EVP_PKEY_derive_init(uintptr_t context)",
  EVP_PKEY_derive_set_peer: "int EVP_PKEY_derive_set_peer(uintptr_t context, uintptr_t peer)",
  EVP_PKEY_derive: "int EVP_PKEY_derive(uintptr_t context, uintptr_t out, uintptr_t outLength)",
  EVP_PKEY_free: "void EVP_PKEY_free(uintptr_t key)",
  EVP_PKEY_get_raw_public_key: "int EVP_PKEY_get_raw_public_key(uintptr_t key, uintptr_t out, uintptr_t outLength)",
  EVP_PKEY_new_raw_private_key:
    "uintptr_t EVP_PKEY_new_raw_private_key(int type, uintptr_t engine, uintptr_t key, uintptr_t keyLength)",
  EVP_PKEY_new_raw_public_key:
    "uintptr_t EVP_PKEY_new_raw_public_key(int type, uintptr_t engine, uintptr_t key, uintptr_t keyLength)",
} as const;

type NativeFunction = (...args: readonly (number | string | null)[]) => number;

export type Libcrypto = { readonly [F in Exclude<keyof typeof SIGNATURES, "OpenSSL_version">]: NativeFunction } & {
  /** "OpenSSL 3.0.19 27 Jan 2026". */
  readonly version: string;
};

/** EVP_CTRL_AEAD_* of openssl/evp.h. */
export const CTRL_SET_IV_LENGTH = 0x9;
export const CTRL_GET_TAG = 0x10;
export const CTRL_SET_TAG = 0x11;

let loaded: Libcrypto | undefined;
let failure: string | undefined;

/** The library. Throws `Error` with the reason where the host has none. */
export function libcrypto(): Libcrypto {
  if (loaded !== undefined) return loaded;
  failure ??= load();
  if (loaded === undefined) throw new Error(failure);
  return loaded;
}

/** Sets `loaded`, or says why not. */
function load(): string {
  try {
    loaded = findLibcrypto(koffi.load);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** What is loaded by name, or the process itself (null). */
export type LoadLibrary = (file: string | null) => Pick<ReturnType<typeof koffi.load>, "func">;

/** The first place that has every function. Throws `Error` with the reason of each. */
export function findLibcrypto(loadLibrary: LoadLibrary): Libcrypto {
  const reasons: string[] = [];
  for (const file of [null, "libcrypto.so.3"]) {
    try {
      return bind(loadLibrary(file));
    } catch (error) {
      reasons.push(`${file ?? "this process"}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`no OpenSSL 3 here (${reasons.join("; ")})`);
}

function bind(library: ReturnType<LoadLibrary>): Libcrypto {
  const functions: Record<string, unknown> = {};
  for (const [name, signature] of Object.entries(SIGNATURES)) functions[name] = library.func(signature);
  const version = (functions.OpenSSL_version as (what: number) => string)(0);
  return { ...functions, version } as Libcrypto;
}
