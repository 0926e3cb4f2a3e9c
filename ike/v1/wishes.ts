/** What is wanted of a peer and waits for its turn: quick modes go one after another, in the order of the wishes. */
import type { ChildId } from "../../esp/sa.js";
import type { Instant } from "../core/types.js";

export interface PeerWish {
  readonly mapping: number;
  readonly at: Instant;
  /** The child whose place the new one is to take. */
  readonly replaces?: ChildId;
}

/** The queue with one more wish; one for the same mapping stays where it is, and comes as early as either wants. */
export function wish(queue: readonly PeerWish[], wanted: PeerWish): readonly PeerWish[] {
  const known = queue.find((w) => w.mapping === wanted.mapping);
  if (known === undefined) return [...queue, wanted];
  return queue.map((w) => (w === known ? { ...wanted, at: Math.min(w.at, wanted.at) } : w));
}

/** The first whose time has come; traffic that flows goes before traffic that waits. */
export function nextWish(queue: readonly PeerWish[], now: Instant): PeerWish | undefined {
  const due = queue.filter(({ at }) => at <= now);
  return due.find(({ replaces }) => replaces !== undefined) ?? due[0];
}

/** When the next wish comes due. */
export function soonest(queue: readonly PeerWish[]): Instant | undefined {
  let at: Instant | undefined;
  for (const w of queue) if (at === undefined || w.at < at) at = w.at;
  return at;
}
