/**
 * The anti-replay window: blocks of bits that are cleared as the window moves, never shifted (RFC 6479), over 32-bit or
 * extended sequence numbers (RFC 4303 section 3.4.3 and appendix A2).
 *
 * Two steps, because a number may count only after the packet's ICV was verified: `check` before, `accept` after.
 */
import { DROP } from "./drop-reasons.js";

export interface ReplayWindow {
  /**
   * Looks at the lower 32 bits of a received sequence number (signed or unsigned). 0 when the packet may be new, or the
   * drop code `replayed` or `replayedOld`. Remembers the number for `high` and `accept`.
   */
  check(low: number): number;
  /** The upper 32 bits of the number that was checked, to be authenticated with the packet; 0 without ESN. */
  high(): number;
  /** Marks the number that was checked as seen. True when it is the highest so far. */
  accept(): boolean;
}

/** Where the high half of a number is guessed without a replay window to place it in (RFC 4303 wants ESN only with one). */
const GUESS_WINDOW = 0x8000_0000;

/** `size`: packets; 0 checks nothing and only follows the numbers. */
export function createReplayWindow(size: number, extended: boolean): ReplayWindow {
  // One block more than the window, so that the block that is being filled does not hold the window's end.
  let blocks = 1;
  while (blocks * 32 < size + 32) blocks *= 2;
  const mask = blocks - 1;
  const seen = new Int32Array(blocks);
  const numbers = new Float64Array(2); // typed, so that they are never boxed
  const TOP = 0;
  const CHECKED = 1;
  const guessWindow = size === 0 ? GUESS_WINDOW : size;

  /** RFC 4303 appendix A2.2: the only number with these lower bits that is new enough and nearest to the window. */
  function extend(low: number): number {
    const top = numbers[TOP]!;
    const topHigh = Math.floor(top / 0x1_0000_0000);
    const topLow = top - topHigh * 0x1_0000_0000;
    const bottom = topLow - guessWindow + 1;
    if (bottom >= 0) return low >= bottom ? topHigh * 0x1_0000_0000 + low : (topHigh + 1) * 0x1_0000_0000 + low;
    // The window reaches into the previous subspace.
    return low >= bottom + 0x1_0000_0000 ? (topHigh - 1) * 0x1_0000_0000 + low : topHigh * 0x1_0000_0000 + low;
  }

  return {
    check(low) {
      const number = extended ? extend(low >>> 0) : low >>> 0;
      numbers[CHECKED] = number;
      // 0 is never sent in the first subspace, and what lies before it does not exist.
      if (number <= 0) return DROP.replayedOld;
      const top = numbers[TOP]!;
      if (size === 0 || number > top) return 0;
      if (top - number >= size) return DROP.replayedOld;
      const block = Math.floor(number / 32) & mask;
      return (seen[block]! >>> (number & 31)) & 1 ? DROP.replayed : 0;
    },
    high: () => (numbers[CHECKED]! / 0x1_0000_0000) | 0,
    accept() {
      const number = numbers[CHECKED]!;
      const top = numbers[TOP]!;
      const newest = number > top;
      if (newest) {
        const from = Math.floor(top / 32);
        const steps = Math.floor(number / 32) - from;
        if (steps >= blocks) seen.fill(0);
        else for (let i = 1; i <= steps; i++) seen[(from + i) & mask] = 0;
        numbers[TOP] = number;
      }
      const block = Math.floor(number / 32) & mask;
      seen[block] = seen[block]! | (1 << (number & 31));
      return newest;
    },
  };
}
