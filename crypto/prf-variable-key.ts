/** PRFs made from a MAC whose key has 16 octets: how keys of other lengths become one. */
import { concat } from "./bytes.js";
import type { CreatePrf } from "./registry/row.js";

type MacOf = (key: Uint8Array, data: Uint8Array) => Uint8Array;

const KEY_BYTES = 16;

/**
 * `short` is what happens to keys below 16 octets: AES-XCBC-PRF-128 fills them with zeros (RFC 4434 section 2), AES-CMAC-PRF-128
 * hashes them like the long ones, which both put through the MAC under a key of zeros (RFC 4615 section 3).
 */
export function blockPrf(mac: MacOf, short: "fill" | "hash"): CreatePrf {
  function fixed(key: Uint8Array): Uint8Array {
    if (key.length === KEY_BYTES) return key;
    if (key.length < KEY_BYTES && short === "fill") return concat(key, new Uint8Array(KEY_BYTES - key.length));
    return mac(new Uint8Array(KEY_BYTES), key);
  }

  return ({ name, outputBytes, keyBytes, skeyseedNonceBytes }) => ({
    name,
    outputBytes,
    keyBytes,
    ...(skeyseedNonceBytes === undefined ? {} : { skeyseedNonceBytes }),
    compute: (key, ...data) => mac(fixed(key), concat(...data)),
  });
}
