/**
 * GHASH (NIST SP 800-38D section 6.4) on arena octets, for GCM over a cipher whose library has no GCM. A table of 8 KiB per
 * key turns the multiplication into 32 look-ups per block; nothing is allocated per message. The look-ups depend on data,
 * so other code on the same core could learn about the key: a mode of the library is always preferred.
 */

export interface Ghash {
  restart(): void;
  /** Takes `length` octets, the last block filled up with zeros. */
  update(bytes: Uint8Array, start: number, length: number): void;
  /** Takes the block of both lengths (in octets) and mixes the hash into the 16 octets at `out`. */
  finish(aadLength: number, textLength: number, bytes: Uint8Array, out: number): void;
}

/** `hashKey` is the encrypted block of zeros. */
export function createGhash(hashKey: Uint8Array): Ghash {
  const table = tableOf(hashKey);
  const state = new Uint8Array(16);
  const product = new Uint32Array(4);

  /** state = state times the hash key. */
  function multiply(): void {
    let w0 = 0;
    let w1 = 0;
    let w2 = 0;
    let w3 = 0;
    for (let i = 0; i < 16; i++) {
      const octet = state[i]!;
      const high = (2 * i * 16 + (octet >> 4)) * 4;
      const low = ((2 * i + 1) * 16 + (octet & 15)) * 4;
      w0 ^= table[high]! ^ table[low]!;
      w1 ^= table[high + 1]! ^ table[low + 1]!;
      w2 ^= table[high + 2]! ^ table[low + 2]!;
      w3 ^= table[high + 3]! ^ table[low + 3]!;
    }
    product[0] = w0;
    product[1] = w1;
    product[2] = w2;
    product[3] = w3;
    for (let i = 0; i < 16; i++) state[i] = product[i >> 2]! >>> (24 - 8 * (i & 3));
  }

  function lengthAt(at: number, octets: number): void {
    for (let i = 0; i < 4; i++) state[at + 4 + i]! ^= (8 * octets) >>> (24 - 8 * i);
  }

  return {
    restart: () => void state.fill(0),
    update(bytes, start, length) {
      for (let at = 0; at < length; at += 16) {
        const octets = Math.min(16, length - at);
        for (let i = 0; i < octets; i++) state[i]! ^= bytes[start + at + i]!;
        multiply();
      }
    },
    finish(aadLength, textLength, bytes, out) {
      lengthAt(0, aadLength);
      lengthAt(8, textLength);
      multiply();
      for (let i = 0; i < 16; i++) bytes[out + i]! ^= state[i]!;
    },
  };
}

/** For each of 32 places of four bits and each of their 16 values: the value there times the key, four words. */
function tableOf(hashKey: Uint8Array): Uint32Array {
  const table = new Uint32Array(32 * 16 * 4);
  const view = new DataView(hashKey.buffer, hashKey.byteOffset, 16);
  const power = [0, 4, 8, 12].map((at) => view.getUint32(at)) as [number, number, number, number];
  for (let bit = 0; bit < 128; bit++) {
    const [place, weight] = [bit >> 2, 8 >> (bit & 3)];
    for (let value = 0; value < 16; value++)
      if (value & weight) for (let word = 0; word < 4; word++) table[(place * 16 + value) * 4 + word]! ^= power[word]!;
    timesX(power);
  }
  return table;
}

/** The first bit is the lowest power, so times x is a shift to the right. */
function timesX(power: [number, number, number, number]): void {
  const carry = power[3] & 1;
  for (let word = 3; word > 0; word--) power[word] = ((power[word]! >>> 1) | (power[word - 1]! << 31)) >>> 0;
  power[0] = ((power[0] >>> 1) ^ (carry ? 0xe1000000 : 0)) >>> 0;
}
