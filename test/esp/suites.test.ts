/** Every suite that the registry can make, through both halves of an SA. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { backendsOf, createSealer, keyLengths } from "../../crypto/backends.js";
import { hex } from "../../crypto/bytes.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCR_AES_CBC, ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { AUTH_HMAC_SHA2_256_128, INTEGRITY_ROWS } from "../../crypto/registry/integrity.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { dropName } from "../../esp/drop-reasons.js";
import { createInboundSa } from "../../esp/inbound.js";
import { createOutboundSa } from "../../esp/outbound.js";
import { textAlignment } from "../../esp/packet.js";
import { NO_LIMITS, selector } from "./bench.js";
import { udpPacket } from "./packets.js";

const SPECS: readonly SealerSpec[] = ENCRYPTION_ROWS.flatMap((encryption) =>
  encryption.keyBits.flatMap((keyBits): SealerSpec[] => {
    if (encryption.aead) return [{ encryption, keyBits }];
    const macs = encryption === ENCR_AES_CBC ? INTEGRITY_ROWS : [AUTH_HMAC_SHA2_256_128];
    return macs.map((integrity) => ({ encryption, keyBits, integrity }));
  }),
);

const arena = createArena(1 << 18);
const at = arena.alloc(4096);
const EVERYTHING = [{ local: selector("0.0.0.0/0"), remote: selector("0.0.0.0/0") }];

/** Twenty payloads in a row: every padding of every block. */
const packets = Array.from({ length: 20 }, (_, i) =>
  udpPacket({
    source: "10.1.0.1",
    destination: "10.2.0.1",
    sourcePort: 1000,
    destinationPort: 2000,
    payload: new Uint8Array(40 + i).fill(i),
  }),
);

for (const spec of SPECS) {
  const words = [keywordOf(spec.encryption, spec.keyBits), ...(spec.integrity ? [keywordOf(spec.integrity)] : [])];

  test(`${words.join("-")}: packets of every length pass, with extended sequence numbers too, and forgeries do not`, () => {
    const { encryptionBytes, integrityBytes } = keyLengths(spec);
    const keys = {
      encryption: secret(new Uint8Array(encryptionBytes).fill(0x5a)),
      integrity: secret(new Uint8Array(integrityBytes).fill(0xa5)),
    };
    for (const extendedSequence of [false, true]) {
      const backends = backendsOf(spec.encryption);
      const [sealing, opening] = [backends[0]!, backends.at(-1)!].map((backend) =>
        createSealer(arena, spec, keys, backend),
      );
      const outbound = createOutboundSa(
        arena,
        sealing!,
        { spi: 0xc0000001, extendedSequence, volume: NO_LIMITS },
        (offset, length) => arena.bytes.fill(7, offset, offset + length),
        () => {},
      );
      const inbound = createInboundSa(
        arena,
        opening!,
        { extendedSequence, replayWindow: 64, volume: NO_LIMITS, selectors: EVERYTHING },
        () => {},
      );
      for (const [i, packet] of packets.entries()) {
        arena.bytes.set(packet, at + outbound.innerOffset);
        const length = outbound.sealAt(at, packet.length, 4);
        const text = length - outbound.innerOffset - sealing!.icvBytes;
        assert.equal(text % textAlignment(sealing!), 0);
        assert.equal(new DataView(arena.bytes.buffer).getUint32(at + 4), i + 1, "the sequence number stands untouched");
        const sealed = arena.bytes.slice(at, at + length);
        arena.bytes[at + length - 1]! ^= 1;
        assert.equal(dropName(-inbound.openAt(at, length, 0)), "forged");
        arena.bytes.set(sealed, at);
        const opened = inbound.openAt(at, length, 0);
        assert.equal(opened, packet.length, opened < 0 ? dropName(-opened) : "length");
        const innerAt = at + inbound.innerOffset;
        assert.equal(hex(arena.bytes.subarray(innerAt, innerAt + opened)), hex(packet));
        assert.equal(dropName(-inbound.openAt(at, length, 0)), "replayed");
      }
    }
  });
}
