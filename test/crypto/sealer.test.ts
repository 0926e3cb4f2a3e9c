import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backendsOf, createSealer, keyLengths } from "../../crypto/backends.js";
import { concat, hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCR_AES_CBC, ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA2_256_128, INTEGRITY_ROWS } from "../../crypto/registry/integrity.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { BackendName, SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";

/** Every cipher and key length with one MAC, and every MAC with one cipher. */
const SPECS: readonly SealerSpec[] = ENCRYPTION_ROWS.flatMap((encryption) =>
  encryption.keyBits.flatMap((keyBits): SealerSpec[] => {
    if (encryption.aead) return [{ encryption, keyBits }];
    const every = encryption === ENCR_AES_CBC && keyBits === 128;
    return (every ? INTEGRITY_ROWS : [AUTH_HMAC_SHA2_256_128]).map((integrity) => ({ encryption, keyBits, integrity }));
  }),
);

const LONGEST = 1500;

const arena = createArena(1 << 20);
const START = arena.alloc(8192);
const HEADER_BYTES = 8;

for (const spec of SPECS) {
  const name = `${keywordOf(spec.encryption, spec.keyBits)}${spec.integrity ? `-${keywordOf(spec.integrity)}` : ""}`;
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const { ivBytes, blockBytes } = spec.encryption;
  const backends = backendsOf(spec.encryption);
  const packet = fc.record({
    encryption: octets(encryptionBytes),
    integrity: octets(integrityBytes),
    header: octets(HEADER_BYTES),
    iv: octets(ivBytes),
    blocks: fc.integer({ min: 1, max: Math.floor(LONGEST / blockBytes) }),
    fill: fc.nat(255),
    esnHigh: fc.oneof(fc.constant(-1), fc.constant(0), fc.integer({ min: 1, max: 0xffffffff })),
  });

  test(`${name}: all backends seal the same octets, and each opens what another sealed`, () => {
    fc.assert(
      fc.property(packet, ({ header, iv, blocks, fill, esnHigh, ...keys }) => {
        const length = blocks * blockBytes;
        const plain = new Uint8Array(length).map((_, i) => fill + i * 31);
        const sealed = backends.map((backend) => {
          const sealer = keyed(spec, keys, backend);
          arena.bytes.set(concat(header, iv, plain), START);
          sealer.sealAt(START, HEADER_BYTES, START + HEADER_BYTES, length, esnHigh);
          const octetsOut = taken(START, HEADER_BYTES + ivBytes + length + sealer.icvBytes);
          sealer.free();
          return octetsOut;
        });
        for (const other of sealed) assert.equal(hex(other), hex(sealed[0]!));
        for (const backend of backends) {
          const sealer = keyed(spec, keys, backend);
          const text = START + HEADER_BYTES + ivBytes;
          arena.bytes.set(sealed[0]!, START);
          assert.ok(sealer.openAt(START, HEADER_BYTES, START + HEADER_BYTES, length, esnHigh), backend);
          assert.equal(hex(taken(text, length)), hex(plain), backend);
          sealer.free();
        }
      }),
      { numRuns: 25 },
    );
  });

  test(`${name}: no backend opens a packet with one altered bit, nor another high half of the sequence number`, () => {
    fc.assert(
      fc.property(packet, fc.nat(), ({ header, iv, blocks, fill, esnHigh, ...keys }, bit) => {
        const length = blocks * blockBytes;
        const maker = keyed(spec, keys, backends[0]!);
        arena.bytes.set(concat(header, iv, new Uint8Array(length).fill(fill)), START);
        maker.sealAt(START, HEADER_BYTES, START + HEADER_BYTES, length, esnHigh);
        const whole = taken(START, HEADER_BYTES + ivBytes + length + maker.icvBytes);
        maker.free();
        const altered = whole.slice();
        const at = bit % (8 * whole.length);
        altered[at >> 3]! ^= 1 << (at & 7);
        for (const backend of backends) {
          const sealer = keyed(spec, keys, backend);
          const open = (octetsIn: Uint8Array, high: number): boolean => {
            arena.bytes.set(octetsIn, START);
            return sealer.openAt(START, HEADER_BYTES, START + HEADER_BYTES, length, high);
          };
          assert.ok(open(whole, esnHigh), backend);
          assert.equal(open(altered, esnHigh), false, `${backend}, bit ${at}`);
          assert.equal(open(whole, esnHigh === -1 ? 0 : esnHigh - 1), false, backend);
          assert.ok(open(whole, esnHigh), `${backend} after a forgery`);
          sealer.free();
        }
      }),
      { numRuns: 15 },
    );
  });
}

/** In order, again, with a gap, back, and where the lower half comes to its end. */
const COUNTS = [1n, 2n, 3n, 3n, 4n, 100n, 2n, 3n, 0xffff_fffen, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 1n];

test("a sealer under whose IVs counted on, stood still or jumped seals what a new one seals", () => {
  for (const spec of SPECS.filter(({ encryption: { ivBytes } }) => ivBytes >= 8)) {
    const { encryptionBytes, integrityBytes } = keyLengths(spec);
    const keys = {
      encryption: new Uint8Array(encryptionBytes).fill(7),
      integrity: new Uint8Array(integrityBytes).fill(9),
    };
    for (const backend of backendsOf(spec.encryption)) {
      const length = 48;
      const kept = keyed(spec, keys, backend);
      const sealWith = (sealer: ReturnType<typeof keyed>, count: bigint, esnHigh: number) => {
        const { ivBytes } = spec.encryption;
        const iv = new Uint8Array(ivBytes);
        new DataView(iv.buffer).setBigUint64(ivBytes - 8, count);
        arena.bytes.set(concat(new Uint8Array(HEADER_BYTES).fill(3), iv, new Uint8Array(length).fill(4)), START);
        sealer.sealAt(START, HEADER_BYTES, START + HEADER_BYTES, length, esnHigh);
        return hex(taken(START, HEADER_BYTES + ivBytes + length + sealer.icvBytes));
      };
      for (const esnHigh of [-1, 5, -1])
        for (const count of COUNTS) {
          const fresh = keyed(spec, keys, backend);
          const expected = sealWith(fresh, count, esnHigh);
          fresh.free();
          assert.equal(sealWith(kept, count, esnHigh), expected, `${spec.encryption.name}, ${backend}, ${count}`);
        }
      kept.free();
    }
  }
});

test("an offset outside the arena throws before any native code sees it, and a freed sealer throws", () => {
  for (const spec of SPECS.filter(({ encryption, keyBits }) => keyBits === encryption.keyBits.at(-1)))
    for (const backend of backendsOf(spec.encryption)) {
      const { encryptionBytes, integrityBytes } = keyLengths(spec);
      const keys = { encryption: new Uint8Array(encryptionBytes), integrity: new Uint8Array(integrityBytes) };
      const sealer = keyed(spec, keys, backend);
      const end = arena.bytes.length;
      assert.throws(() => sealer.sealAt(end - 24, 8, end - 16, 16, -1), RangeError, backend);
      assert.throws(() => sealer.openAt(end - 24, 8, end - 16, 16, -1), RangeError, backend);
      assert.throws(() => sealer.sealAt(Number.NaN, 8, Number.NaN, 16, -1), RangeError, backend);
      sealer.free();
      sealer.free(); // twice is once
      assert.throws(() => sealer.sealAt(START, 8, START + 8, 16, -1), /used after free/, backend);
      assert.throws(() => sealer.openAt(START, 8, START + 8, 16, -1), /used after free/, backend);
    }
});

test("an authentic packet whose text is no whole number of blocks is not decrypted", () => {
  for (const spec of SPECS.filter(({ encryption }) => encryption.blockBytes > 1))
    for (const backend of backendsOf(spec.encryption)) {
      const { ivBytes, blockBytes } = spec.encryption;
      const key = secret(new Uint8Array(spec.integrity!.keyBytes));
      const mac = spec.integrity!.implementations[backend]!(arena, spec.integrity!, key);
      const length = 1.5 * blockBytes;
      mac.signAt(START, 8 + ivBytes + length, -1, START + 8 + ivBytes + length);
      mac.free();
      const keys = { encryption: new Uint8Array(keyLengths(spec).encryptionBytes), integrity: key.reveal() };
      const sealer = keyed(spec, keys, backend);
      assert.equal(sealer.openAt(START, 8, START + 8, length, -1), false);
      assert.throws(() => sealer.sealAt(START, 8, START + 8, length, -1), RangeError);
      sealer.free();
    }
});

function keyed(
  spec: SealerSpec,
  { encryption, integrity }: { readonly [K in keyof SealerKeys]: Uint8Array },
  backend: BackendName,
) {
  return createSealer(arena, spec, { encryption: secret(encryption), integrity: secret(integrity) }, backend);
}

function octets(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

function taken(offset: number, length: number): Uint8Array {
  return arena.bytes.slice(offset, offset + length);
}
