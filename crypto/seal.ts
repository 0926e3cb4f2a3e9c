/**
 * The allocating wrapper around sealers, for SK payloads. Messages are copied through the thread's message arena; ESP works
 * on its own buffers instead.
 */
import { createSealer } from "./backends.js";
import type { Sealer } from "./interfaces.js";
import { messageArena } from "./message-arena.js";
import type { SealerKeys, SealerSpec } from "./registry/row.js";

/** Keyed sealers are kept for the messages that follow; the least recently used one is freed. */
const KEPT_SEALERS = 64;

const sealers = new Map<
  SealerKeys["encryption"],
  { readonly spec: SealerSpec; readonly keys: SealerKeys; readonly sealer: Sealer }
>();

/**
 * iv | ciphertext | icv. `header` is authenticated; `iv` and `plain` have the lengths that the spec asks for (CBC: whole
 * blocks). Throws `RangeError` where they do not fit.
 */
export function seal(
  spec: SealerSpec,
  keys: SealerKeys,
  iv: Uint8Array,
  header: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const sealer = sealerFor(spec, keys);
  if (iv.length !== sealer.ivBytes) throw new RangeError(`IV of ${iv.length} octets, ${sealer.ivBytes} expected`);
  const { arena, start } = messageArena(header.length + iv.length + plain.length + sealer.icvBytes);
  const ivAt = start + header.length;
  arena.bytes.set(header, start);
  arena.bytes.set(iv, ivAt);
  arena.bytes.set(plain, ivAt + iv.length);
  sealer.sealAt(start, header.length, ivAt, plain.length, -1);
  return arena.bytes.slice(ivAt, ivAt + iv.length + plain.length + sealer.icvBytes);
}

/** The plaintext of iv | ciphertext | icv; undefined when it is forged, or too short to be anything else. */
export function open(spec: SealerSpec, keys: SealerKeys, header: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  const sealer = sealerFor(spec, keys);
  const length = body.length - sealer.ivBytes - sealer.icvBytes;
  if (length < 0 || length % sealer.blockBytes !== 0) return undefined;
  const { arena, start } = messageArena(header.length + body.length);
  const ivAt = start + header.length;
  const text = ivAt + sealer.ivBytes;
  arena.bytes.set(header, start);
  arena.bytes.set(body, ivAt);
  const authentic = sealer.openAt(start, header.length, ivAt, length, -1);
  const plain = authentic ? arena.bytes.slice(text, text + length) : undefined;
  arena.bytes.fill(0, text, text + length);
  return plain;
}

/** Frees every kept sealer, for tests and at the end of a thread. */
export function freeSealers(): void {
  for (const { sealer } of sealers.values()) sealer.free();
  sealers.clear();
}

function sealerFor(spec: SealerSpec, keys: SealerKeys): Sealer {
  const kept = sealers.get(keys.encryption);
  if (kept !== undefined) {
    sealers.delete(keys.encryption);
    if (kept.keys.integrity === keys.integrity && sameSpec(kept.spec, spec)) {
      sealers.set(keys.encryption, kept); // to the end: most recently used
      return kept.sealer;
    }
    kept.sealer.free();
  }
  const sealer = createSealer(messageArena(0).arena, spec, keys);
  sealers.set(keys.encryption, { spec, keys, sealer });
  if (sealers.size > KEPT_SEALERS) {
    const [oldest, { sealer: unused }] = sealers.entries().next().value!;
    sealers.delete(oldest);
    unused.free();
  }
  return sealer;
}

function sameSpec(a: SealerSpec, b: SealerSpec): boolean {
  return a.encryption === b.encryption && a.keyBits === b.keyBits && a.integrity === b.integrity;
}
