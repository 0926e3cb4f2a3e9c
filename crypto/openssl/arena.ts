/**
 * The arena: one fixed block of memory per thread that holds every buffer and structure that native code sees.
 *
 * It is a WebAssembly.Memory because its address never changes and our modules (esp/checksum.wat, scripts/des.mjs) work on the
 * same octets. It never grows, so views stay valid, and nothing is given back: what is allocated lives as long as the
 * arena. `address` is the only place in the project where an address is built, and the only check between an offset and
 * a crash of the process (koffi turns NaN into 0 without a word).
 */
import koffi from "koffi";
import type { Arena } from "../interfaces.js";

const PAGE_BYTES = 65536;

/** How many addresses are kept, a power of two: packets begin at few places, so a steady stream finds its own again. */
const KEPT_ADDRESSES = 16384;

export interface ArenaMemory extends Arena {
  readonly memory: WebAssembly.Memory;
  /** Octets that are still free. */
  free(): number;
}

/** The memory behind an arena, for modules that work on it. */
export function memoryOf(arena: Arena): WebAssembly.Memory | undefined {
  return (arena as Partial<ArenaMemory>).memory;
}

/** Makes an arena of `length` octets, rounded up to 64 KiB pages. */
export function createArena(length: number): ArenaMemory {
  const pages = Math.ceil(length / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const bytes = new Uint8Array(memory.buffer);
  // Read anew for each address that is made: of a constant the compiler makes the object of an offset that it meets twice before
  // it asks whether one is kept.
  const base = Float64Array.of(Number(koffi.address(bytes)));
  const size = bytes.length;
  let used = 64; // offset 0 stays unused, so that 0 can mean "none"
  // An address is too large for a small integer, so a computed one is a new heap object each time that native code is
  // called with it. A kept one is the same object: packets at places seen lately allocate nothing. Two offsets that fall
  // on one entry take turns; the strings keep the array one of objects, where numbers would be stored unboxed.
  const keptOffsets = new Int32Array(KEPT_ADDRESSES).fill(-1);
  const keptAddresses: (number | string)[] = new Array(KEPT_ADDRESSES).fill("none");

  /** A function of its own, so that the compiler never sees the kept address as one of two numbers, which it would copy to the heap. */
  function keep(entry: number, offset: number): void {
    keptOffsets[entry] = offset;
    keptAddresses[entry] = base[0]! + offset;
  }

  return {
    memory,
    bytes,
    view: new DataView(memory.buffer),
    alloc(wanted, align = 64) {
      const start = (used + align - 1) & ~(align - 1);
      if (!(wanted >= 0) || start + wanted > size)
        throw new RangeError(`arena is full: ${wanted} octets wanted, ${size - start} of ${size} free`);
      used = start + wanted;
      return start;
    },
    address(offset, count) {
      if (!(offset >= 0 && count >= 0 && offset + count <= size))
        throw new RangeError(`outside the arena: ${offset}..${offset + count} of ${size}`);
      const entry = (offset ^ (offset >>> 14)) & (KEPT_ADDRESSES - 1);
      if (keptOffsets[entry] !== offset) keep(entry, offset);
      return keptAddresses[entry] as number;
    },
    free: () => size - used,
  };
}
