/**
 * Exchanges of both ends that meet, RFC 7296 sections 2.8.1 and 2.25: what is refused for now with TEMPORARY_FAILURE (its sender
 * tries again after a pause with jitter), what gives way, and which of two children that took the same place stays.
 */
import { compare } from "../../crypto/bytes.js";
import { ProtocolError } from "../core/errors.js";
import { DELETE_OLD_CHILD_AFTER, pause, REAP_DUPLICATE_AFTER, RETRY_REKEY } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { withChild } from "./child.js";
import { report, type SaContext, type Step, stepTo } from "./context.js";
import type { Child, Established } from "./state.js";
import { wish, withoutDelete } from "./wishes.js";

/** Section 2.25.2: no new child while the IKE SA is being replaced. */
export function refuseDuringIkeRekey(sa: Established): void {
  if (sa.task?.do === "rekeyIke" && sa.task.stage !== "keying") throw busy("we are rekeying the IKE SA");
}

/** Section 2.25.1: a child that is being deleted, or has been replaced already, is not replaced by the peer. */
export function refuseChildRekey({ state }: Child): void {
  if (state !== "live") throw busy("this child has been replaced, or is being deleted");
}

/** A child that we do not know: the answer that makes it may be under way to us. */
export function refuseWhileUnanswered({ task }: Established): void {
  if (task?.do === "child" && task.stage !== "keying") throw busy("we wait for an answer that may make this child");
}

/** Two children for the same mapping would be born at once, and each end call another one the newest. */
export function refuseSameMapping({ task, children }: Established, mappings: readonly number[]): void {
  if (task?.do !== "child") return;
  const { purpose, selectors } = task.offer;
  if (purpose.do === "create") {
    if (mappings.some((mapping) => selectors.mappings.includes(mapping)))
      throw busy("we are asking for this mapping ourselves");
  } else if (task.stage !== "keying" && sharesMapping(children.get(purpose.child), mappings))
    throw busy("we are replacing the child that carries this mapping");
}

export function sharesMapping(child: Child | undefined, mappings: readonly number[]): boolean {
  return child?.pair.mappings.some((mapping) => mappings.includes(mapping)) ?? false;
}

/** Section 2.25.2: the IKE SA is not replaced while one of its children is being made or deleted by us. */
export function refuseIkeRekey({ task, heir }: Established): void {
  if (task === undefined || task.do === "probe" || task.do === "mobike") return;
  if (task.do !== "rekeyIke") throw busy(`an exchange of ours is under way (${task.do})`);
  if (task.stage === "deriving") throw busy("you have answered our rekey of this IKE SA");
  if (heir !== undefined) throw busy("you have rekeyed this IKE SA already");
}

function busy(detail: string): ProtocolError {
  return new ProtocolError("TEMPORARY_FAILURE", detail);
}

/**
 * An exchange of ours that wants the same as the peer's request, and has not been sent: the peer's goes first. Ours is tried
 * again later, should the peer's come to nothing.
 */
export function giveWay(sa: Established, ctx: SaContext): Step<Established> {
  const { task, ...free } = sa;
  if (task?.stage !== "keying") return stepTo(sa);
  const at = ctx.now + pause(RETRY_REKEY, 1, ctx.random);
  if (task.do === "rekeyIke") return stepTo({ ...free, wishes: wish(sa.wishes, { do: "rekeyIke", at }) });
  const { purpose, spiIn } = task.offer;
  if (purpose.do === "create") return stepTo(sa);
  const again = { ...purpose, do: "rekeyChild", at } as const;
  return stepTo({ ...free, wishes: wish(sa.wishes, again) }, { kind: "releaseSpi", spi: spiIn });
}

/**
 * Section 2.8.1: when two children have taken the place of the same one, the one with the lowest of the four nonces goes, by the
 * hand of who asked for it; who asked for the other one deletes the one that both replaced. What the peer leaves undone is done
 * here later.
 */
export function settleRivals(sa: Established, newest: Child, now: Instant): Step<Established> {
  const rival = rivalOf(sa, newest);
  if (rival === undefined) return stepTo(sa);
  const lost = compare(newest.origin!.lowestNonce, rival.origin!.lowestNonce) < 0;
  const [winner, { rekeyAt: _, useAt: __, ...loser }] = lost ? [rival, newest] : [newest, rival];
  const deleteAt = now + (loser.origin!.asked ? DELETE_OLD_CHILD_AFTER : REAP_DUPLICATE_AFTER);
  let next = withChild(sa, { ...loser, state: "old" });
  next = { ...next, wishes: wish(next.wishes, { do: "delete", spi: loser.pair.spiIn, at: deleteAt }) };
  const replaced = sa.children.get(newest.replaces!);
  if (replaced !== undefined) {
    const { spiIn: spi } = replaced.pair;
    const wishes = winner.origin!.asked
      ? wish(next.wishes, { do: "delete", spi, at: now + DELETE_OLD_CHILD_AFTER })
      : withoutDelete(next.wishes, spi);
    next = { ...next, wishes };
  }
  const whose = winner.origin!.asked ? "ours" : "the peer's";
  return stepTo(
    next,
    report(sa, { kind: "story", story: `both sides have rekeyed the child at once: by the nonces ${whose} stays` }),
  );
}

function rivalOf({ children }: Established, { id, replaces }: Child): Child | undefined {
  if (replaces === undefined) return undefined;
  for (const child of children.values())
    if (child.id !== id && child.replaces === replaces && child.state === "live") return child;
  return undefined;
}

/** The live child that takes the place of this one: made for that, or the rival that stayed. */
export function heirOfChild({ children }: Established, { id, replaces }: Child): Child | undefined {
  for (const child of children.values()) {
    if (child.id === id || child.state !== "live") continue;
    if (child.replaces === id || (replaces !== undefined && child.replaces === replaces)) return child;
  }
  return undefined;
}
