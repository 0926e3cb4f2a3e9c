/** Virtual time: a queue of things to happen, in the order of their time, then of their scheduling. */

export interface Clock {
  /** Milliseconds since the start of the run. */
  readonly now: number;
  /** Calls `action` in `delay` milliseconds of virtual time. */
  after(delay: number, action: () => void): void;
  /** Runs what is due until `time`; then that is the time. */
  runUntil(time: number): void;
}

interface Entry {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

/** `mostEvents` bounds a run: an exchange that feeds itself ends in an error instead of an endless loop. */
export function createClock(mostEvents = 200_000): Clock {
  const heap: Entry[] = [];
  let now = 0;
  let order = 0;
  let events = 0;
  return {
    get now() {
      return now;
    },
    after(delay, action) {
      push(heap, { time: now + Math.max(0, delay), order: order++, action });
    },
    runUntil(time) {
      while (heap.length > 0 && heap[0]!.time <= time) {
        if (++events > mostEvents)
          throw new Error(`more than ${mostEvents} events by ${now} ms: something feeds itself`);
        const entry = pop(heap);
        now = entry.time;
        entry.action();
      }
      now = Math.max(now, time);
    },
  };
}

function before(a: Entry, b: Entry): boolean {
  return a.time !== b.time ? a.time < b.time : a.order < b.order;
}

function push(heap: Entry[], entry: Entry): void {
  heap.push(entry);
  for (let i = heap.length - 1; i > 0; ) {
    const parent = (i - 1) >> 1;
    if (!before(heap[i]!, heap[parent]!)) return;
    [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
    i = parent;
  }
}

function pop(heap: Entry[]): Entry {
  const first = heap[0]!;
  const last = heap.pop()!;
  if (heap.length === 0) return first;
  heap[0] = last;
  for (let i = 0; ; ) {
    const left = 2 * i + 1;
    const right = left + 1;
    let least = i;
    if (left < heap.length && before(heap[left]!, heap[least]!)) least = left;
    if (right < heap.length && before(heap[right]!, heap[least]!)) least = right;
    if (least === i) return first;
    [heap[i], heap[least]] = [heap[least]!, heap[i]!];
    i = least;
  }
}
