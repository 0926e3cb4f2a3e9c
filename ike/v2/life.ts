/** The life of an established IKE SA between exchanges: time, signs of life, limits, and where the peer is. */
import { type Path, samePath } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { TunnelPolicy } from "../core/policy.js";
import { transmit } from "../core/retransmit.js";
import { earlier, probeAt, verdictAt } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { childClosed, withChild, withoutChild } from "./child.js";
import { close, withdraw } from "./closing.js";
import { andThen, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { switchTo } from "./create-child-answer.js";
import { mappingsLost } from "./create-child-sa.js";
import { repeatRequest } from "./features/fragmentation.js";
import { mayFollow, moveChildren, otherPaths } from "./features/mobike.js";
import { bequeath, heirOf } from "./heir.js";
import type { Child, Established } from "./state.js";
import { advance } from "./tasks.js";
import { soonest, wish } from "./wishes.js";

/** A request without an answer for this long goes to the peer's further addresses as well (RFC 4555). */
const PROBE_PATHS_AFTER = 3_000;

/** The earliest of everything that time alone brings about. */
export function establishedDeadline(sa: Established, { dpd, ike }: TunnelPolicy): Instant {
  let at: Instant | undefined = earlier(sa.expiresAt, sa.rekeyAt);
  if (sa.task?.stage === "sent") {
    const { request } = sa.task;
    at = earlier(at, earlier(request.nextAt, verdictAt(request.sentAt, sa.lastAlive, dpd?.timeoutSeconds)));
  } else if (sa.task === undefined && sa.answering === undefined) {
    at = earlier(at, soonest(sa.wishes));
    if (dpd !== undefined) at = earlier(at, probeAt(sa.lastAlive, dpd.timeoutSeconds));
  }
  if (sa.negotiated.nat.here && ike.keepaliveSeconds > 0) at = earlier(at, sa.lastSent + ike.keepaliveSeconds * 1000);
  for (const child of sa.children.values())
    at = earlier(at, earlier(child.expiresAt, earlier(child.rekeyAt, child.useAt)));
  return at!;
}

export function onEstablishedTick(sa: Established, ctx: SaContext): Step {
  const { now } = ctx;
  const { tunnel } = sa;
  const policy = ctx.sight.tunnel(tunnel);
  const timeout = policy.dpd?.timeoutSeconds;
  if (now >= sa.expiresAt) return expire(sa, ctx);
  const request = sa.task?.stage === "sent" ? sa.task.request : undefined;
  if (request !== undefined && now >= verdictAt(request.sentAt, sa.lastAlive, timeout)) return dead(sa, ctx);
  const effects: SaEffect[] = [];
  let next = sa;
  if (request !== undefined && now >= request.nextAt && next.task?.stage === "sent") {
    const again = repeatRequest(next, request, ctx);
    next = { ...again.sa, task: { ...next.task, request: again.request }, lastSent: now };
    effects.push(...again.effects);
    if (now - request.sentAt >= PROBE_PATHS_AFTER)
      effects.push(...otherPaths(next).map((path) => transmit(path, again.request)));
  }
  if (next.rekeyAt !== undefined && now >= next.rekeyAt) {
    const { rekeyAt: _, ...begun } = next;
    next = { ...begun, wishes: wish(begun.wishes, { do: "rekeyIke", at: now }) };
  }
  for (const child of sa.children.values()) {
    const aged = ageChild(next, child, ctx);
    next = aged.sa;
    effects.push(...aged.effects);
  }
  if (timeout !== undefined && next.task === undefined && now >= probeAt(next.lastAlive, timeout))
    next = { ...next, wishes: wish(next.wishes, { do: "probe", at: now }) };
  if (
    next.negotiated.nat.here &&
    policy.ike.keepaliveSeconds > 0 &&
    now >= next.lastSent + policy.ike.keepaliveSeconds * 1000
  ) {
    next = { ...next, lastSent: now };
    effects.push({ kind: "keepalive", path: next.path });
  }
  return andThen(stepTo(next, ...effects), (aged) => advance(aged, ctx));
}

/** The hard lifetime of the IKE SA: no rekey came through (`decisions.md` 11). */
function expire(sa: Established, ctx: SaContext): Step {
  const heir = heirOf(sa, ctx);
  if (heir !== undefined) return bequeath(sa, heir, ctx);
  const reason = "the lifetime of the IKE SA has ended, and no rekey succeeded";
  return andThen(close(sa, reason, ctx), (closing) =>
    stepTo(closing, { kind: "lost", tunnel: sa.tunnel, cause: "expired", reason }),
  );
}

/** The peer does not answer: everything of this IKE SA goes, without a word to anybody (RFC 7296 section 2.4). */
function dead(sa: Established, ctx: SaContext): Step {
  const heir = heirOf(sa, ctx);
  if (heir !== undefined) return bequeath(sa, heir, ctx);
  const silence = Math.round((ctx.now - sa.lastAlive) / 1000);
  return gone(sa, `the peer is dead: nothing authentic came for ${silence} s, and our request is unanswered`);
}

/** It has shown the token that only it can make: it knows nothing of this IKE SA any more (RFC 6290 section 4.5). */
export function forgotten(sa: Established): Step<undefined> {
  return gone(sa, "the peer has started anew, and proves that it has forgotten this IKE SA");
}

function gone(sa: Established, reason: string): Step<undefined> {
  return stepTo(
    undefined,
    ...withdraw(sa, reason),
    report(sa, { kind: "failed", code: "PEER_GONE", detail: reason, message: "silence" }),
    report(sa, { kind: "ikeClosed", reason }),
    { kind: "lost", tunnel: sa.tunnel, cause: "dead", reason },
  );
}

function ageChild(sa: Established, child: Child, ctx: SaContext): Step<Established> {
  if (ctx.now >= child.expiresAt) return endChild(sa, child, "its lifetime has ended", ctx);
  const switched = child.useAt !== undefined && ctx.now >= child.useAt ? switchTo(sa, child) : stepTo(sa);
  const current = switched.sa.children.get(child.id)!;
  if (current.rekeyAt === undefined || ctx.now < current.rekeyAt) return switched;
  return { ...switched, sa: rekeySoon(switched.sa, current, ctx) };
}

/** A child comes to its end before its time: it stops here, and is deleted at the peer. */
function endChild(
  sa: Established,
  child: Child,
  reason: string,
  ctx: SaContext,
  cause: "expired" | "failed" = "expired",
): Step<Established> {
  const next = withoutChild(sa, child.id);
  return stepTo(
    { ...next, wishes: wish(next.wishes, { do: "delete", spi: child.pair.spiIn, at: ctx.now }) },
    { kind: "removeChild", id: child.id },
    childClosed(sa, child.id, reason),
    ...mappingsLost(sa, child, cause, reason),
  );
}

/** Nobody wants it any more; what else it carried is asked for again. */
export function dropChild(sa: Established, id: ChildId, reason: string, ctx: SaContext): Step {
  const child = sa.children.get(id);
  if (child === undefined) return stepTo(sa);
  return andThen(endChild(sa, child, reason, ctx), (ended) => advance(ended, ctx));
}

/** The data plane cannot carry the child: it ends at both sides, and its mappings are asked for again after a pause. */
export function onChildRefused(sa: Established, id: ChildId, reason: string, ctx: SaContext): Step {
  const child = sa.children.get(id);
  if (child === undefined) return stepTo(sa);
  const failure = {
    kind: "failed",
    code: "DATAPLANE_REFUSED",
    detail: reason,
  } as const;
  return andThen(endChild(sa, child, `the data plane refused it: ${reason}`, ctx, "failed"), (ended) =>
    andThen(stepTo(ended, report(sa, failure)), (told) => advance(told, ctx)),
  );
}

/** A wish to replace the child now; a duplicate that no mapping sends on is left to its end. */
export function rekeySoon(sa: Established, { rekeyAt: _, ...child }: Child, ctx: SaContext): Established {
  const next = withChild(sa, child);
  if (child.state !== "live" || !ctx.sight.inUse(child.id)) return next;
  return { ...next, wishes: wish(next.wishes, { do: "rekeyChild", child: child.id, at: ctx.now }) };
}

export function onLimit(sa: Established, id: ChildId, limit: "soft" | "hard", ctx: SaContext): Step {
  const child = sa.children.get(id);
  if (child === undefined) return stepTo(sa);
  const next = limit === "soft" ? stepTo(rekeySoon(sa, child, ctx)) : endChild(sa, child, "its volume is used up", ctx);
  return andThen(next, (limited) => advance(limited, ctx));
}

/** An authenticated ESP packet came in (`decisions.md` 15). */
export function onAlive(sa: Established, ctx: SaContext): Step<Established> {
  return stepTo({ ...sa, lastAlive: ctx.now });
}

/** The peer sends on this child: so do we, and on nothing older. */
export function onFirstInbound(sa: Established, id: ChildId, ctx: SaContext): Step<Established> {
  const child = sa.children.get(id);
  const alive = { ...sa, lastAlive: ctx.now };
  return child === undefined ? stepTo(alive) : switchTo(alive, child);
}

/**
 * An authenticated packet came along this path. Only the side that is not behind a NAT follows (RFC 7296 section
 * 2.23): the mapping of the NAT in front of the peer has changed.
 */
export function follow(sa: Established, path: Path, ctx: SaContext): Step<Established> {
  const { nat } = sa.negotiated;
  if (nat.here || !nat.peer || samePath(path, sa.path) || !mayFollow(sa, path)) return stepTo(sa);
  return andThen(moveChildren({ ...sa, path }, ctx), (next) =>
    stepTo(next, report(next, { kind: "story", story: "the NAT in front of the peer has moved it; we follow" })),
  );
}
