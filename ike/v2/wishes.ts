/** What we want to do in an established IKE SA, waiting for the window: one exchange at a time, the most urgent first. */
import type { ChildId } from "../../esp/sa.js";
import type { Instant } from "../core/types.js";

/** MOBIKE: tell the peer our new address, ask it to prove its own, or tell it that we have moved and it may decide. */
export type MobikeExchange = "move" | "prove" | "announce";
/** "route": find out which of our addresses leads to the peer. */
export type MobikeErrand = MobikeExchange | "route";

export type SaWish =
  | { readonly do: "mobike"; readonly errand: MobikeErrand; readonly at: Instant }
  /** A child SA by our inbound SPI; the child itself may be gone already. */
  | { readonly do: "delete"; readonly spi: number; readonly at: Instant }
  /** `inPlace`: also where reauthentication is wanted, which has not come in time. */
  | { readonly do: "rekeyIke"; readonly at: Instant; readonly inPlace?: true }
  /** `rehearsal`: to see whether it can be done; the child is left alone when it cannot. */
  | { readonly do: "rekeyChild"; readonly child: ChildId; readonly at: Instant; readonly rehearsal?: true }
  | { readonly do: "createChild"; readonly mapping: number; readonly at: Instant }
  | { readonly do: "probe"; readonly at: Instant };

/** Lower goes first. */
export const PRIORITY = {
  /** Nothing else gets through while the peer sends to where we are not. */
  mobike: 0,
  /** Frees the peer's memory, and ends a rekey. */
  delete: 1,
  /** Everything hangs on it. */
  rekeyIke: 2,
  /** Traffic that flows goes before traffic that waits. */
  rekeyChild: 3,
  createChild: 4,
  /** Every exchange above is a probe as well (`decisions.md` 15). */
  probe: 5,
} as const satisfies Record<SaWish["do"], number>;

/** The queue with one more wish; a wish for the same thing is replaced when the new one is earlier, or more than a rehearsal. */
export function wish(queue: readonly SaWish[], wanted: SaWish): readonly SaWish[] {
  const known = queue.find((w) => same(w, wanted));
  if (known === undefined) return [...queue, wanted];
  const [earlier, later] = known.at <= wanted.at ? [known, wanted] : [wanted, known];
  const merged = isRehearsal(earlier) && !isRehearsal(later) ? { ...later, at: earlier.at } : earlier;
  return merged === known ? queue : queue.map((w) => (w === known ? merged : w));
}

function isRehearsal(w: SaWish): boolean {
  return w.do === "rekeyChild" && w.rehearsal === true;
}

/** The queue without the wish to delete this child. */
export function withoutDelete(queue: readonly SaWish[], spi: number): readonly SaWish[] {
  return queue.filter((w) => w.do !== "delete" || w.spi !== spi);
}

/** The most urgent of those whose time has come; among equals the one that was wished first. */
export function nextWish(queue: readonly SaWish[], now: Instant): SaWish | undefined {
  let best: SaWish | undefined;
  for (const w of queue) {
    if (w.at > now) continue;
    if (best === undefined || PRIORITY[w.do] < PRIORITY[best.do]) best = w;
  }
  return best;
}

/** When the next wish comes due. */
export function soonest(queue: readonly SaWish[]): Instant | undefined {
  let at: Instant | undefined;
  for (const w of queue) if (at === undefined || w.at < at) at = w.at;
  return at;
}

function same(a: SaWish, b: SaWish): boolean {
  switch (a.do) {
    case "delete":
      return b.do === a.do && b.spi === a.spi;
    case "mobike":
      return b.do === a.do && b.errand === a.errand;
    case "rekeyChild":
      return b.do === a.do && b.child === a.child;
    case "createChild":
      return b.do === a.do && b.mapping === a.mapping;
    case "rekeyIke":
    case "probe":
      return b.do === a.do;
  }
}
