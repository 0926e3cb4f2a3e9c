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

/** Of a two-sided interval of 95 % with n - 1 degrees of freedom, n from 2 on. */
const STUDENT = [12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13];

/** The mean with its confidence interval of 95 % (Student's t). */
export function meanInterval(values: readonly number[]): {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
} {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = (STUDENT[n - 2] ?? 2) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}

/** Of at least one value; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** "4.42 [3.52-4.69]", in three digits that count. */
export function formatSpread({ median, low, high }: Spread): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(median), 1e-3))));
  const text = (value: number): string => value.toFixed(Math.min(digits, 4));
  return low === high ? text(median) : `${text(median)} [${text(low)}-${text(high)}]`;
}
