/** ENCR_NULL, RFC 2410: no key, no IV, the text as it is. Every backend has this one, there is nothing to compute. */
import type { CreateCipher } from "./registry/row.js";

export const nullCipher: CreateCipher = (arena, row) => {
  let freed = false;

  function check(text: number, length: number): void {
    if (freed) throw new Error(`${row.name}: used after free`);
    arena.address(text, length);
  }

  return {
    ivBytes: 0,
    blockBytes: row.blockBytes,
    ivKind: "random", // of no octets: nothing is written
    encryptAt: (_iv, text, length) => check(text, length),
    decryptAt: (_iv, text, length) => check(text, length),
    free() {
      freed = true;
    },
  };
};
