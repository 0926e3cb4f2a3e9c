/**
 * A second child for traffic that has one, opened without N(REKEY_SA). RFC 7296 section 2.8 lets a peer do so; here one child carries
 * a mapping. The newest stays and is treated as the replacement that it is; who asked for it deletes the older one soon, the
 * other side later, should that not have come. Both ends know which one is the newest: no two such exchanges overlap
 * (`refuseSameMapping`).
 *
 * A peer may open another one for each that is deleted. It is let be for a while then: what it opens replaces what it had, which ends
 * with its lifetime.
 */

import { coversWhole } from "../../esp/selector.js";
import { DELETE_OLD_CHILD_AFTER, REAP_AGAIN_AFTER, REAP_REDUNDANT_AFTER } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { withChild } from "./child.js";
import { report, type Step, stepTo } from "./context.js";
import type { Child, Established } from "./state.js";
import { wish } from "./wishes.js";

/** The live children that carry nothing which this one does not. */
export function redundantTo({ children }: Established, newest: Child): readonly Child[] {
  return [...children.values()].filter((child) => isOther(child, newest) && carriesAll(newest, child));
}

/** A live child carries this one's traffic and more: the mapping stays with it, or the rest of its traffic would have no way. */
export function isNarrower({ children }: Established, newest: Child): boolean {
  return [...children.values()].some(
    (child) => isOther(child, newest) && carriesAll(child, newest) && !carriesAll(newest, child),
  );
}

function isOther({ id, state }: Child, newest: Child): boolean {
  return state === "live" && id !== newest.id;
}

function carriesAll({ pair: wide }: Child, { pair: narrow }: Child): boolean {
  return (
    narrow.local.every((selector) => coversWhole(wide.local, selector)) &&
    narrow.remote.every((selector) => coversWhole(wide.remote, selector))
  );
}

/** The child in the place of those that it makes redundant. */
export function inPlaceOf(redundant: readonly Child[], newest: Child, now: Instant): Child {
  const [first] = redundant;
  if (first === undefined) return newest;
  if (newest.origin!.asked) return { ...newest, replaces: first.id };
  const spared = redundant.map(({ reapAt = 0 }) => reapAt).reduce((a, b) => Math.max(a, b));
  return { ...newest, replaces: first.id, reapAt: spared > now ? spared : now + REAP_AGAIN_AFTER };
}

/** The child in the place of one that is renewed. */
export function renewalOf(old: Child | undefined, renewed: Child): Child {
  return old?.reapAt === undefined ? renewed : { ...renewed, reapAt: old.reapAt };
}

/** What has become redundant is not renewed any more, and deleted unless the peer has just answered that by another one. */
export function retireRedundant(
  sa: Established,
  redundant: readonly Child[],
  newest: Child,
  now: Instant,
): Step<Established> {
  if (redundant.length === 0) return stepTo(sa);
  let next = sa;
  let spared = 0;
  for (const { rekeyAt: _, useAt: __, ...child } of redundant) {
    next = withChild(next, { ...child, state: "old" });
    const { asked } = newest.origin!;
    if (!asked && child.reapAt !== undefined && child.reapAt > now) {
      spared++;
      continue;
    }
    const at = now + (asked ? DELETE_OLD_CHILD_AFTER : REAP_REDUNDANT_AFTER);
    next = { ...next, wishes: wish(next.wishes, { do: "delete", spi: child.pair.spiIn, at }) };
  }
  const story =
    spared > 0
      ? "the peer opens a child anew as often as its older one is deleted; this time that one is left to its lifetime"
      : "a second child carries the same traffic: the older one is deleted";
  return stepTo(next, report(sa, { kind: "story", story }));
}
