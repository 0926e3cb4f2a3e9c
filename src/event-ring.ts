/**
 * The last events of this daemon, numbered: whoever reads them keeps the number of the last one that it has, and asks for what came
 * after. The room is bounded; a reader that comes too late is told how many it missed.
 */

export interface Numbered<Event> {
  /** From 1, without holes. */
  readonly number: number;
  readonly event: Event;
}

export interface EventRing<Event> {
  push(event: Event): void;
  /** What came after this number, oldest first, at most `most`; `missed`: how many before them are gone already. */
  after(number: number, most: number): { readonly missed: number; readonly events: readonly Numbered<Event>[] };
  /** The number of the newest; 0: there was none. */
  last(): number;
  /** Calls after each event; the result stops it. */
  onPush(listener: () => void): () => void;
}

export function createEventRing<Event>(room: number): EventRing<Event> {
  const kept: Event[] = [];
  const listeners = new Set<() => void>();
  let last = 0;

  return {
    push(event) {
      // In place of the oldest: a shift would move all of them.
      kept[last++ % room] = event;
      for (const listener of [...listeners]) listener();
    },
    after(number, most) {
      const oldest = Math.max(1, last - room + 1);
      const first = Math.max(number + 1, oldest);
      const count = Math.max(0, Math.min(most, last - first + 1));
      const events = Array.from({ length: count }, (_, i) => ({
        number: first + i,
        event: kept[(first + i - 1) % room]!,
      }));
      return { missed: Math.max(0, first - number - 1), events };
    },
    last: () => last,
    onPush(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
