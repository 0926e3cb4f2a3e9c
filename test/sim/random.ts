/** Seeded random numbers: the same seed gives the same run on every machine. Mulberry32, a 32-bit generator. */
import type { Random } from "../../crypto/interfaces.js";

export interface SeededRandom {
  /** From 0 up to, not including, `below`. */
  integer(below: number): number;
  /** From `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  readonly octets: Random;
  /** An independent stream, so that what one part draws does not move another part. */
  fork(): SeededRandom;
  /** A stream that gives what this one will give. */
  copy(): SeededRandom;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const integer = (below: number) => Math.floor((next() / 0x1_0000_0000) * below);
  return {
    integer,
    between: (low, high) => low + integer(high - low + 1),
    chance: (probability) => next() / 0x1_0000_0000 < probability,
    pick: (values) => values[integer(values.length)]!,
    octets(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = next() & 0xff;
      return bytes;
    },
    fork: () => seededRandom(next()),
    copy: () => seededRandom(state),
  };
}
