/** The sequence numbers that an SA sends, RFC 4303 sections 2.2 and 3.3.3: they start at 1 and never come round. */

/** The last number: 2^32 - 1, or with ESN as many as a JavaScript number counts exactly (2^53 - 1 of 2^64 - 1). */
export function lastSequenceNumber(extended: boolean): number {
  return extended ? Number.MAX_SAFE_INTEGER : 0xffff_ffff;
}

/** From here on a new SA should be made: one sixteenth of the numbers is left, a quarter of an hour at 300,000 packets per second. */
export function softSequenceNumber(extended: boolean): number {
  return Math.floor((lastSequenceNumber(extended) / 16) * 15);
}

export interface SequenceCounter {
  /** Moves on to the next number. False: there is none, and the SA must not send any more. */
  advance(): boolean;
  /** The lower 32 bits of the current number, as a signed integer. */
  low(): number;
  /** The upper 32 bits (ESN). */
  high(): number;
}

/** `last`: the number before the first one that will be sent. */
export function createSequenceCounter(extended: boolean, last = 0): SequenceCounter {
  const limit = lastSequenceNumber(extended);
  // A typed array holds the number unboxed: a variable would be a new heap number with each packet above 2^31.
  const state = new Float64Array([last]);
  return {
    advance() {
      if (state[0]! >= limit) return false;
      state[0] = state[0]! + 1;
      return true;
    },
    low: () => state[0]! | 0, // ToInt32 takes the value modulo 2^32
    high: () => (state[0]! / 0x1_0000_0000) | 0, // below 2^21
  };
}
