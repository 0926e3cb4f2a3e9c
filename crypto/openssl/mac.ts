/** HMAC over EVP_MAC: the context keeps the key and is restarted for each packet. */
import type { Arena, Mac } from "../interfaces.js";
import type { CreateMac } from "../registry/row.js";
import { failed } from "./context.js";
import { type Libcrypto, libcrypto } from "./libcrypto.js";
import { writeParamList } from "./params.js";
import { type Scratch, scratchOf } from "./scratch.js";

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
  const params = writeParamList(arena, scratch.params, { digest });
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
