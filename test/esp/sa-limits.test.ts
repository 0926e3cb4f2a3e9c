/** Both halves of an SA where their sequence numbers carry or end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createArena } from "../../crypto/openssl/arena.js";
import { DROP } from "../../esp/drop-reasons.js";
import { createInboundSa } from "../../esp/inbound.js";
import { createOutboundSa } from "../../esp/outbound.js";
import { lastSequenceNumber, softSequenceNumber } from "../../esp/sequence.js";
import { AES_CBC, AES_GCM, NO_LIMITS, sealers, selector } from "./bench.js";
import { udpPacket } from "./packets.js";

const TWO_32 = 0x1_0000_0000;
const arena = createArena(1 << 19);
const at = arena.alloc(4096);
const inner = udpPacket({ source: "10.2.0.1", destination: "10.1.0.1", sourcePort: 1, destinationPort: 2 });

function outboundSa(spec: typeof AES_GCM, extendedSequence: boolean, lastSequence: number, told: string[]) {
  const parameters = { spi: 9, extendedSequence, volume: NO_LIMITS, lastSequence };
  return createOutboundSa(
    arena,
    sealers(arena, spec).outbound,
    parameters,
    () => {},
    (kind) => told.push(kind),
  );
}

for (const [name, spec] of [
  ["AES-GCM", AES_GCM],
  ["AES-CBC with HMAC-SHA-256", AES_CBC],
] as const)
  test(`${name}: extended sequence numbers carry over 2^32 on both sides, and are authenticated`, () => {
    const outbound = outboundSa(spec, true, TWO_32 - 4, []);
    const inbound = createInboundSa(
      arena,
      sealers(arena, spec).inbound,
      {
        extendedSequence: true,
        replayWindow: 64,
        volume: NO_LIMITS,
        selectors: [{ local: selector("10.1.0.0/16"), remote: selector("10.2.0.0/16") }],
      },
      () => {},
    );
    const seal = (sa: typeof outbound) => {
      arena.bytes.set(inner, at + sa.innerOffset);
      return arena.bytes.slice(at, at + sa.sealAt(at, inner.length, 4));
    };
    const packets = Array.from({ length: 8 }, () => seal(outbound));
    const open = (packet: Uint8Array) => {
      arena.bytes.set(packet, at);
      return inbound.openAt(at, packet.length, 0);
    };
    // A receiver follows its sender: one that has heard nothing yet does not expect a number just below 2^32.
    assert.equal(open(packets[0]!), -DROP.replayedOld);
    assert.equal(open(seal(outboundSa(spec, true, TWO_32 / 2, []))), inner.length);
    // Across the border in disorder: the late ones belong to the subspace before.
    for (const i of [0, 4, 2, 1, 7, 3, 5, 6]) assert.equal(open(packets[i]!), inner.length, `packet ${i}`);
    for (const packet of packets) assert.equal(open(packet), -DROP.replayed);
    // The same octets under a high half that was not sealed.
    assert.equal(open(seal(outboundSa(spec, true, 2 * TWO_32 + 10, []))), -DROP.forged);
  });

test("at the last sequence number the SA stops, and says so once", () => {
  for (const extended of [false, true]) {
    const told: string[] = [];
    const outbound = outboundSa(AES_GCM, extended, lastSequenceNumber(extended) - 2, told);
    assert.ok(outbound.sealAt(at, inner.length, 4) > 0);
    assert.deepEqual(told, ["soft"]);
    assert.ok(outbound.sealAt(at, inner.length, 4) > 0);
    for (let i = 0; i < 3; i++) assert.equal(outbound.sealAt(at, inner.length, 4), -DROP.sequenceExhausted);
    assert.deepEqual(told, ["soft", "hard"]);
    assert.equal(outbound.packets(), 2);
  }
});

test("the soft limit of the sequence numbers comes while many are left", () => {
  const told: string[] = [];
  const soft = softSequenceNumber(false);
  assert.ok(lastSequenceNumber(false) - soft > 2 ** 27);
  const outbound = outboundSa(AES_GCM, false, soft - 3, told);
  for (const expected of [[], [], ["soft"], ["soft"]]) {
    outbound.sealAt(at, inner.length, 4);
    assert.deepEqual(told, expected);
  }
});

test("the IV of AES-GCM is the sequence number, and never repeats", () => {
  const outbound = outboundSa(AES_GCM, true, TWO_32 - 2, []);
  const ivs = Array.from({ length: 3 }, () => {
    outbound.sealAt(at, inner.length, 4);
    return arena.view.getBigUint64(at + 8);
  });
  assert.deepEqual(ivs, [BigInt(TWO_32) - 1n, BigInt(TWO_32), BigInt(TWO_32) + 1n]);
});

test("the IV of AES-CBC comes from the random source", () => {
  const asked: number[][] = [];
  const parameters = { spi: 9, extendedSequence: false, volume: NO_LIMITS };
  const fill = (offset: number, length: number) => void asked.push([offset, length]);
  const outbound = createOutboundSa(arena, sealers(arena, AES_CBC).outbound, parameters, fill, () => {});
  outbound.sealAt(at, inner.length, 4);
  assert.deepEqual(asked, [[at + 8, 16]]);
});
