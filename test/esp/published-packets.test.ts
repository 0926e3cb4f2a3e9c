/** Whole ESP packets that RFCs print, and that others captured, through both halves of an SA. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hex, octets } from "../../crypto/bytes.js";
import { encryptThenMac } from "../../crypto/encrypt-then-mac.js";
import type { Mac, Sealer } from "../../crypto/interfaces.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { rowByName } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { dropName } from "../../esp/drop-reasons.js";
import { createInboundSa } from "../../esp/inbound.js";
import { createOutboundSa } from "../../esp/outbound.js";
import { NO_LIMITS, selector } from "./bench.js";

interface EspCase {
  readonly kind: string;
  readonly row: string;
  readonly source: string;
  readonly key: string;
  readonly header: string;
  readonly iv: string;
  readonly plain: string;
  readonly packet: string;
  readonly esnHigh?: number;
  readonly integrity?: string;
  readonly valid?: boolean;
}

const arena = createArena(1 << 18);
const at = arena.alloc(4096);
const EVERYTHING = [{ local: selector("0.0.0.0/0"), remote: selector("0.0.0.0/0") }];

/** For packets that are printed without an ICV, or whose integrity key nobody knows. */
function anyIcv(icvBytes: number): Mac {
  return { icvBytes, signAt: () => {}, verifyAt: () => true, free: () => {} };
}

/** IVs are handed in, whatever kind they are. */
function sealerFor(rowName: string, key: string, icvBytes: number): Sealer {
  const row = rowByName("encryption", rowName);
  const octetsOfKey = secret(octets(key));
  const keyBits = (octetsOfKey.length - row.saltBytes) * 8;
  const sealer = row.aead
    ? row.implementations.node!(arena, row, keyBits, octetsOfKey)
    : encryptThenMac(row.implementations.node!(arena, row, keyBits, octetsOfKey), anyIcv(icvBytes));
  return { ...sealer, ivKind: "random" };
}

function openWith(sealer: Sealer, packet: Uint8Array): string {
  const sa = createInboundSa(
    arena,
    sealer,
    { extendedSequence: false, replayWindow: 64, volume: NO_LIMITS, selectors: EVERYTHING },
    () => {},
  );
  arena.bytes.set(packet, at);
  const length = sa.openAt(at, packet.length, 0);
  assert.ok(sa.authentic());
  return length < 0 ? dropName(-length) : hex(arena.bytes.subarray(at + sa.innerOffset, at + sa.innerOffset + length));
}

const root = join(import.meta.dirname, "../../../vectors");
const cases = readdirSync(root)
  .filter((file) => file.endsWith(".json"))
  .flatMap((file) => JSON.parse(readFileSync(join(root, file), "utf8")).cases as EspCase[])
  .filter((c) => c.kind === "esp" && c.esnHigh === undefined && c.integrity === undefined && c.valid !== false);

test("there are published ESP packets of 3DES, AES-CBC, AES-GCM, ChaCha20-Poly1305 and AES-GMAC", () => {
  assert.deepEqual([...new Set(cases.map(({ row }) => row))].sort(), [
    "ENCR_3DES",
    "ENCR_AES_CBC",
    "ENCR_AES_GCM_16",
    "ENCR_CHACHA20_POLY1305",
    "ENCR_NULL_AUTH_AES_GMAC",
  ]);
});

for (const { row, source, key, header, iv, plain, packet } of cases) {
  const text = octets(plain);
  const nextHeader = text[text.length - 1]!;
  const payload = text.subarray(0, text.length - 2 - text[text.length - 2]!);

  test(`${source}: the packet is built octet for octet`, () => {
    const sequence = new DataView(octets(header).buffer).getUint32(4);
    const parameters = {
      spi: Number.parseInt(header.slice(0, 8), 16),
      extendedSequence: false,
      volume: NO_LIMITS,
      lastSequence: sequence - 1,
    };
    const fill = (offset: number, length: number) => {
      assert.equal(length * 2, iv.length);
      arena.bytes.set(octets(iv), offset);
    };
    const sa = createOutboundSa(arena, sealerFor(row, key, 0), parameters, fill, () => {});
    arena.bytes.set(payload, at + sa.innerOffset);
    const length = sa.sealAt(at, payload.length, nextHeader);
    assert.equal(length, sa.sealedLength(payload.length));
    assert.equal(hex(arena.bytes.subarray(at, at + length)), packet);
  });

  test(`${source}: the packet is opened`, () => {
    const expected = nextHeader === 4 ? hex(payload) : "badNextHeader"; // transport mode is not ours
    assert.equal(openWith(sealerFor(row, key, 0), octets(packet)), expected);
  });
}

const suite = process.env.CAUSEWAY_VECTORS;
const capture = suite === undefined ? undefined : join(suite, "capture-esp-tcpdump.json");
const skip = capture !== undefined && existsSync(capture) ? false : "CAUSEWAY_VECTORS names no folder with the capture";

test("captured AES-CBC packets of another implementation decrypt, padding included", { skip }, () => {
  const captured = (
    JSON.parse(readFileSync(capture!, "utf8")).cases as {
      readonly alg: string;
      readonly key: string;
      readonly icv_octets: number;
      readonly esp_packet: string;
      readonly inner_packet: string;
    }[]
  ).filter(({ alg }) => alg === "aes-cbc");
  assert.ok(captured.length > 0);
  for (const { key, icv_octets, esp_packet, inner_packet } of captured)
    assert.equal(openWith(sealerFor("ENCR_AES_CBC", key, icv_octets), octets(esp_packet)), inner_packet);
});
