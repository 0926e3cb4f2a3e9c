/** Medians with their spread. */

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, low: sorted[0]!, high: sorted.at(-1)! };
}

/** "4.42 [3.52-4.69]", in three digits that count. */
export function formatSpread({ median, low, high }: Spread): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(median), 1e-3))));
  const text = (value: number): string => value.toFixed(Math.min(digits, 4));
  return low === high ? text(median) : `${text(median)} [${text(low)}-${text(high)}]`;
}
