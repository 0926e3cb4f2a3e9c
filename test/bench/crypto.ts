/**
 * What CPU time sealing and opening an ESP packet of 1400 octets costs with each suite on each backend, in one thread with hot caches, and
 * what the fastest backend leaves on the heap for each packet. The rounds of the backends alternate; the figures are medians.
 */
import { BACKEND_ORDER, backendsOf, createSealer, keyLengths } from "../../crypto/backends.js";
import type { Arena, Sealer } from "../../crypto/interfaces.js";
import { createArena } from "../../crypto/openssl/arena.js";
import { ENCRYPTION_ROWS } from "../../crypto/registry/encryption.js";
import { INTEGRITY_ROWS } from "../../crypto/registry/integrity.js";
import type { BackendName, IntegrityRow, SealerSpec } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { spreadOf } from "./statistics.js";

const PACKET_BYTES = 1400;
const ESP_HEADER_BYTES = 8;
/** Milliseconds of one measurement, and how many of them a median is made from. */
const SLICE = 10;
const ROUNDS = 9;
/** Few enough that no collection comes in between. */
const HEAP_PACKETS = 1000;

interface Suite {
  readonly name: string;
  readonly spec: SealerSpec;
}

interface Figures {
  readonly seal: number[];
  readonly open: number[];
}

/** Every cipher with its longest key, and every MAC beside AES-128-CBC. */
function suites(): readonly Suite[] {
  const mac = (name: string): IntegrityRow => INTEGRITY_ROWS.find((row) => row.name === name)!;
  const usual = mac("AUTH_HMAC_SHA2_256_128");
  const ciphers = ENCRYPTION_ROWS.map((encryption): Suite => {
    const keyBits = encryption.keyBits.at(-1)!;
    const spec = { encryption, keyBits, ...(!encryption.aead && { integrity: usual }) };
    return { name: title(spec), spec };
  });
  const encryption = ENCRYPTION_ROWS.find((row) => row.name === "ENCR_AES_CBC")!;
  const macs = INTEGRITY_ROWS.filter((row) => row !== usual).map((integrity): Suite => {
    const spec = { encryption, keyBits: 128, integrity };
    return { name: title(spec), spec };
  });
  return [...ciphers, ...macs];
}

function title({ encryption, keyBits, integrity }: SealerSpec): string {
  return [encryption.name, keyBits, ...(integrity ? ["+", integrity.name] : [])].join(" ");
}

/** Prints the table. */
export function cryptoTable(): void {
  const arena = createArena(1 << 20);
  const start = arena.alloc(8192);
  const copy = arena.alloc(8192);
  console.log(
    `us of CPU time per packet of ${PACKET_BYTES} octets, seal / open; medians of ${ROUNDS} alternating rounds`,
  );
  console.log(
    "`node` and `portable` make their objects anew for each packet; the heap column is the openssl backend's\n",
  );
  const columns = ["openssl", "node", "portable", "node : openssl", "heap, octets/packet"];
  const ratios: Ratio[] = [];
  console.log(`${"".padEnd(56)}${columns.map((column) => column.padStart(20)).join("")}`);
  for (const { name, spec } of suites()) {
    const backends = BACKEND_ORDER.filter((backend) => carries(spec, backend));
    const figures = new Map(backends.map((backend): [BackendName, Figures] => [backend, { seal: [], open: [] }]));
    const sealers = new Map(backends.map((backend): [BackendName, Sealer] => [backend, make(arena, spec, backend)]));
    for (let round = 0; round < ROUNDS; round++)
      for (const [backend, sealer] of sealers) measure(sealer, arena, start, copy, figures.get(backend)!);
    const fast = sealers.get("openssl");
    const heap = fast === undefined ? "-" : heapPerPacket(fast, arena, start).toFixed(1);
    for (const sealer of sealers.values()) sealer.free();
    const cells = BACKEND_ORDER.map((backend) => cell(figures.get(backend)));
    const ratio = ratioOf(name, figures.get("node"), figures.get("openssl"));
    if (ratio !== undefined) ratios.push(ratio);
    const words = ratio === undefined ? "-" : `${ratio.seal.toFixed(1)} / ${ratio.open.toFixed(1)}`;
    console.log(`${name.padEnd(56)}${[...cells, words, heap].map((text) => text.padStart(20)).join("")}`);
  }
  console.log(`\n${summary(ratios)}`);
}

function carries({ encryption, integrity }: SealerSpec, backend: BackendName): boolean {
  return (
    backendsOf(encryption).includes(backend) && (integrity === undefined || backendsOf(integrity).includes(backend))
  );
}

function make(arena: Arena, spec: SealerSpec, backend: BackendName): Sealer {
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  const octets = (length: number) => secret(new Uint8Array(length).map((_, i) => 1 + i * 7));
  return createSealer(arena, spec, { encryption: octets(encryptionBytes), integrity: octets(integrityBytes) }, backend);
}

/** Adds one figure for sealing and one for opening, in microseconds. */
function measure(sealer: Sealer, arena: Arena, start: number, copy: number, { seal, open }: Figures): void {
  const { iv, length, sealed } = layout(sealer, start);
  seal.push(time(() => sealer.sealAt(start, ESP_HEADER_BYTES, iv, length, -1)));
  sealer.sealAt(start, ESP_HEADER_BYTES, iv, length, -1);
  arena.bytes.copyWithin(copy, start, start + sealed);
  let authentic = true;
  open.push(
    time(() => {
      arena.bytes.copyWithin(start, copy, copy + sealed); // it is opened in place
      authentic = sealer.openAt(start, ESP_HEADER_BYTES, iv, length, -1) && authentic;
    }),
  );
  if (!authentic) throw new Error("a packet that was sealed here does not open");
  arena.bytes.fill(0, start, start + sealed);
}

function heapPerPacket(sealer: Sealer, arena: Arena, start: number): number {
  const { iv, length } = layout(sealer, start);
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < HEAP_PACKETS; i++) {
      sealer.sealAt(start, ESP_HEADER_BYTES, iv, length, -1);
      sealer.openAt(start, ESP_HEADER_BYTES, iv, length, -1);
    }
    samples.push((process.memoryUsage().heapUsed - before) / (2 * HEAP_PACKETS));
  }
  arena.bytes.fill(0, start, start + PACKET_BYTES);
  return spreadOf(samples).median;
}

/** The packet stands at `start`; it is opened to another place, so that it can be opened again. */
function layout(sealer: Sealer, start: number) {
  const { ivBytes, icvBytes, blockBytes } = sealer;
  const length = Math.ceil(PACKET_BYTES / blockBytes) * blockBytes;
  return { iv: start + ESP_HEADER_BYTES, length, sealed: ESP_HEADER_BYTES + ivBytes + length + icvBytes };
}

/** Microseconds of CPU time: other processes on the machine do not count, collections in other threads of this one do. */
function time(work: () => void): number {
  let packets = 0;
  const end = performance.now() + SLICE;
  const begin = process.cpuUsage();
  do {
    for (let i = 0; i < 8; i++) work();
    packets += 8;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / packets;
}

function cell(figures: Figures | undefined): string {
  if (figures === undefined) return "-";
  return `${spreadOf(figures.seal).median.toFixed(2)} / ${spreadOf(figures.open).median.toFixed(2)}`;
}

/** How many times as long node takes: medians of the ratios of each round, because the machine's load moves both. */
interface Ratio {
  readonly name: string;
  readonly seal: number;
  readonly open: number;
}

function ratioOf(name: string, slow: Figures | undefined, fast: Figures | undefined): Ratio | undefined {
  if (slow === undefined || fast === undefined) return undefined;
  const of = (kind: keyof Figures) => spreadOf(slow[kind].map((figure, round) => figure / fast[kind][round]!)).median;
  return { name, seal: of("seal"), open: of("open") };
}

function summary(ratios: readonly Ratio[]): string {
  const least = (of: readonly Ratio[]): Ratio =>
    of.reduce((a, b) => (Math.min(b.seal, b.open) < Math.min(a.seal, a.open) ? b : a));
  const words = ({ name, seal, open }: Ratio) => `${Math.min(seal, open).toFixed(2)} (${name})`;
  const gcm = least(ratios.filter(({ name }) => name.includes("AES_GCM")));
  return `node : openssl, the least of all: ${words(least(ratios))}; of AES-GCM: ${words(gcm)}`;
}
