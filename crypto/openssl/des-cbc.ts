/** DES and Triple-DES in CBC: EVP encrypts, and decrypts short texts; long ones are decrypted 128 blocks at a time. */
import { concat } from "../bytes.js";
import type { CreateCipher } from "../registry/row.js";
import { Secret } from "../secret.js";
import { BLOCKS_AT_ONCE, bitslicedDes, decryptionMasks } from "./bitsliced-des.js";
import { evpCbc } from "./cipher.js";

const BLOCK_BYTES = 8;
/** EVP takes as long for so many blocks as the module for 128 with one key; with three keys it has three times the work. */
const FEWEST_BLOCKS_PER_KEY = 5;

/** Single DES is 3DES with one key three times to EVP: OpenSSL 3 keeps DES itself in a provider that hosts rarely load. */
export const evpDesCbc: CreateCipher = (arena, row, keyBits, key) => {
  const octets = key.reveal();
  const evp = evpCbc("DES-EDE3-CBC")(
    arena,
    row,
    192,
    keyBits === 192 ? key : new Secret(concat(octets, octets, octets)),
  );
  const bitsliced = bitslicedDes(arena);
  if (bitsliced === undefined) return evp;
  const fewest = (keyBits / 64) * FEWEST_BLOCKS_PER_KEY;
  let masks: Uint8Array | undefined; // made when they are needed: half of the SAs decrypt nothing
  let freed = false;
  return {
    ...evp,
    decryptAt(iv, text, length) {
      const blocks = length / BLOCK_BYTES;
      if (freed || blocks < fewest || length % BLOCK_BYTES !== 0) return evp.decryptAt(iv, text, length);
      masks ??= decryptionMasks(octets);
      // Few blocks beyond whole runs go first, because they need the ciphertext before them.
      const rest = blocks % BLOCKS_AT_ONCE;
      const few = rest < fewest ? rest : 0;
      const end = text + length - BLOCK_BYTES * few;
      if (few > 0) evp.decryptAt(end - BLOCK_BYTES, end, BLOCK_BYTES * few);
      bitsliced(masks, iv, text, blocks - few);
    },
    free() {
      freed = true;
      masks?.fill(0);
      evp.free();
    },
  };
};
