/** A token bucket that holds one second's worth. Times are milliseconds, monotonic. */

export interface Bucket {
  take(cost: number, now: number): boolean;
}

export function createBucket(perSecond: number): Bucket {
  let tokens = perSecond;
  let filledAt = 0;
  return {
    take(cost, now) {
      tokens = Math.min(perSecond, tokens + ((now - filledAt) * perSecond) / 1000);
      filledAt = now;
      if (tokens < cost) return false;
      tokens -= cost;
      return true;
    },
  };
}
