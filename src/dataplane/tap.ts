/** Tells the main thread the packets of one tunnel, for a recording, up to a bound. */
import type { ChildSa, Tap } from "../../esp/sad.js";
import type { Outer } from "./outer.js";
import type { FromWorker } from "./protocol.js";

export interface BoundedTap extends Tap<Outer> {
  /** Packets that were not told, because there were too many. */
  readonly missed: number;
}

/** `mostOctets`: of ESP and inner packets together. */
export function createTap(mostOctets: number, post: (message: FromWorker) => void): BoundedTap {
  let left = mostOctets;

  function tell(
    direction: "in" | "out",
    { outer }: ChildSa<Outer>,
    esp: Uint8Array,
    inner: Uint8Array | undefined,
  ): void {
    left -= esp.length + (inner?.length ?? 0);
    if (left < 0) {
      tap.missed++;
      return;
    }
    const time = Math.round((performance.timeOrigin + performance.now()) * 1000);
    const { path, encapsulation } = outer;
    post({ kind: "tapped", direction, time, path, encapsulation, esp, ...(inner && { inner }) });
  }

  const tap = {
    missed: 0,
    sealed: (child: ChildSa<Outer>, inner: Uint8Array, esp: Uint8Array) => tell("out", child, esp, inner),
    opened: (child: ChildSa<Outer>, esp: Uint8Array, inner: Uint8Array | undefined) => tell("in", child, esp, inner),
  };
  return tap;
}
