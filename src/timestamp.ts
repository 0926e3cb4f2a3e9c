/** The time as logs, events and recordings write it. */

let lastAt = Number.NaN;
let last = "";

/** ISO 8601 in UTC, of milliseconds since 1970. A handshake asks for it a dozen times within a millisecond or two: the last one is kept. */
export function timestamp(milliseconds: number): string {
  if (milliseconds !== lastAt) {
    last = new Date(milliseconds).toISOString();
    lastAt = milliseconds;
  }
  return last;
}
