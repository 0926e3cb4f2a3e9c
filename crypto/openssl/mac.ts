/** HMAC over EVP_MAC: the context keeps the key and is restarted for each packet. */
import { utf8 } from "../bytes.js";
import type { Arena, Mac } from "../interfaces.js";
import type { CreateMac } from "../registry/row.js";
import { failed } from "./context.js";
import { type Libcrypto, libcrypto } from "./libcrypto.js";
import { type Scratch, scratchOf } from "./scratch.js";

/** OSSL_PARAM_UTF8_STRING of openssl/core.h. */
const UTF8_STRING = 4;
/** sizeof (OSSL_PARAM) with 64-bit pointers: key, data_type, data, data_size, return_size. */
const PARAM_BYTES = 40;

let hmac = 0;

/** `digest` is OpenSSL's name of the hash. */
export function evpHmac(digest: string): CreateMac {
  return (arena, row, key): Mac => {
    const ssl = libcrypto();
    const { bytes, view } = arena;
    const { icvBytes } = row;
    const scratch = scratchOf(arena);
    const full = scratch.mac;
    const fullAddress = arena.address(full, 64);
    const aad = scratch.aad;
    const aadAddress = arena.address(aad, 4);
    const outLength = arena.address(scratch.outLength, 8);
    let context = createContext(ssl, arena, scratch, digest, key.reveal());

    /** The whole MAC to scratch memory. */
    function compute(start: number, length: number, esnHigh: number): void {
      if (context === 0) throw new Error(`HMAC ${digest}: used after free`);
      const address = arena.address(start, length);
      if (ssl.EVP_MAC_init(context, 0, 0, 0) !== 1) failed(ssl, "MAC restart");
      if (ssl.EVP_MAC_update(context, address, length) !== 1) failed(ssl, "MAC");
      if (esnHigh >= 0) {
        view.setUint32(aad, esnHigh);
        if (ssl.EVP_MAC_update(context, aadAddress, 4) !== 1) failed(ssl, "MAC of the high sequence number");
      }
      if (ssl.EVP_MAC_final(context, fullAddress, outLength, 64) !== 1) failed(ssl, "MAC end");
    }

    return {
      icvBytes,
      signAt(start, length, esnHigh, out) {
        arena.address(out, icvBytes);
        compute(start, length, esnHigh);
        for (let i = 0; i < icvBytes; i++) bytes[out + i] = bytes[full + i]!;
      },
      verifyAt(start, length, esnHigh, icv) {
        arena.address(icv, icvBytes);
        compute(start, length, esnHigh);
        let difference = 0;
        for (let i = 0; i < icvBytes; i++) difference |= bytes[icv + i]! ^ bytes[full + i]!;
        return difference === 0;
      },
      free() {
        if (context !== 0) ssl.EVP_MAC_CTX_free(context);
        context = 0;
      },
    };
  };
}

function createContext(ssl: Libcrypto, arena: Arena, scratch: Scratch, digest: string, key: Uint8Array): number {
  if (hmac === 0) hmac = ssl.EVP_MAC_fetch(0, "HMAC", null);
  if (hmac === 0) failed(ssl, "no HMAC");
  const context = ssl.EVP_MAC_CTX_new(hmac);
  if (context === 0) throw new Error("EVP_MAC_CTX_new: out of memory");
  const params = digestParam(arena, scratch, digest);
  let done = 0;
  scratch.withKey(key, (address) => {
    done = ssl.EVP_MAC_init(context, address, key.length, params);
  });
  if (done !== 1) {
    ssl.EVP_MAC_CTX_free(context);
    failed(ssl, `HMAC with ${digest}`);
  }
  return context;
}

/** { "digest": name } as OSSL_PARAM[2]; the second, all zero, ends the list. Returns its address. */
function digestParam(arena: Arena, scratch: Scratch, digest: string): number {
  const { bytes, view } = arena;
  const start = scratch.params;
  const keyString = start + 2 * PARAM_BYTES;
  const dataString = keyString + 16;
  bytes.fill(0, start, start + 128);
  bytes.set(utf8("digest"), keyString);
  bytes.set(utf8(digest), dataString);
  view.setBigUint64(start, BigInt(arena.address(keyString, 16)), true);
  view.setUint32(start + 8, UTF8_STRING, true);
  view.setBigUint64(start + 16, BigInt(arena.address(dataString, 16)), true);
  view.setBigUint64(start + 24, BigInt(digest.length), true);
  return arena.address(start, 128);
}
