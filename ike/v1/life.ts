/** The life of a peer between exchanges: time, signs of life, limits, and where the peer is. */
import type { Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { TunnelPolicy } from "../core/policy.js";
import { GIVE_UP_AFTER, sentAgain } from "../core/retransmit.js";
import { earlier } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { childGone, type V1Child, withChild, withoutChild } from "./child.js";
import { andThen, report, type SaContext, type Step, stepTo } from "./context.js";
import { alive, current, follow, inform, phase1Of, withPhase1 } from "./exchange.js";
import { checkLiveness, livenessAt, withdraw } from "./liveness.js";
import { deleteChildren, deletePhase1 } from "./notifications.js";
import { advance, advanceAt, dropPhase1, endPhase1, isEmpty } from "./peer.js";
import { send } from "./phase1.js";
import type { Quick } from "./quick.js";
import { quickFailed, withoutQuick, withQuick } from "./quick-end.js";
import { confirm } from "./quick-mode-answer.js";
import type { Phase1, V1Peer } from "./state.js";
import { wish } from "./wishes.js";

/** The earliest of everything that time alone brings about. */
export function peerDeadline(peer: V1Peer, policy: TunnelPolicy): Instant | undefined {
  let at = earlier(advanceAt(peer, policy), livenessAt(peer, policy));
  for (const { expiresAt, rekeyAt } of peer.phase1s) at = earlier(at, earlier(expiresAt, rekeyAt));
  for (const child of peer.children.values())
    at = earlier(at, earlier(child.expiresAt, earlier(child.rekeyAt, child.useAt)));
  for (const quick of peer.quicks) at = earlier(at, quickAt(quick));
  return earlier(at, keepaliveAt(peer, policy));
}

function quickAt(quick: Quick): Instant | undefined {
  if (quick.stage === "done") return quick.until;
  return "request" in quick ? Math.min(quick.request.nextAt, quick.request.sentAt + GIVE_UP_AFTER) : undefined;
}

function keepaliveAt({ nat, lastSent }: V1Peer, { ike }: TunnelPolicy): Instant | undefined {
  return nat.here && ike.keepaliveSeconds > 0 ? lastSent + ike.keepaliveSeconds * 1000 : undefined;
}

export function onPeerTick(peer: V1Peer, ctx: SaContext): Step {
  let step: Step<V1Peer> = stepTo(peer);
  for (const { key } of peer.phase1s) step = andThen(step, (now) => agePhase1(now, key, ctx));
  for (const { id } of peer.children.values()) step = andThen(step, (now) => ageChild(now, id, ctx));
  for (const quick of peer.quicks) step = andThen(step, (now) => ageQuick(now, quick, ctx));
  const policy = ctx.sight.tunnel(peer.tunnel);
  step = andThen(step, (now) => {
    const due = keepaliveAt(now, policy);
    if (due === undefined || ctx.now < due) return stepTo(now);
    return stepTo({ ...now, lastSent: ctx.now }, { kind: "keepalive", path: now.path });
  });
  const checked = andThen(step, (now): Step => checkLiveness(now, ctx));
  return settle(checked, ctx);
}

/** After whatever happened: what is due next, and the end of a peer of which nothing is left. */
export function settle(step: Step, ctx: SaContext, cause: "peer" | "expired" = "expired"): Step {
  if (step.sa?.phase !== "peer") return step;
  return andThen(step as Step<V1Peer>, (peer): Step => {
    if (isEmpty(peer)) {
      const reason = cause === "peer" ? "the peer deleted the IKE SA" : "the IKE SA has ended, and no child was left";
      return stepTo(undefined, ...withdraw(peer, reason), report(peer, { kind: "ikeClosed", reason }), {
        kind: "lost",
        tunnel: peer.tunnel,
        cause,
        reason,
      });
    }
    return advance(peer, ctx);
  });
}

function agePhase1(peer: V1Peer, key: string, ctx: SaContext): Step<V1Peer> {
  const phase1 = phase1Of(peer, key);
  if (phase1 === undefined) return stepTo(peer);
  if (ctx.now >= phase1.expiresAt) return expire(peer, phase1, ctx);
  if (phase1.rekeyAt === undefined || ctx.now < phase1.rekeyAt) return stepTo(peer);
  return stepTo(renewSoon(peer, phase1));
}

/**
 * The peer has counted as well, so the last one of all ends without a Delete: there are peers whose children end with the phase 1 SA that
 * they are told to delete, and a new one may be on its way.
 */
function expire(peer: V1Peer, phase1: Phase1, ctx: SaContext): Step<V1Peer> {
  const reason = "its lifetime has ended";
  const isLast = peer.phase1s.length === 1 && peer.children.size > 0;
  return isLast ? dropPhase1(peer, phase1, reason, ctx) : endPhase1(peer, phase1, reason, ctx);
}

/** Its replacement is called for; it serves until that is there. */
export function renewSoon(peer: V1Peer, { rekeyAt: _, ...phase1 }: Phase1): V1Peer {
  return withPhase1(peer, phase1);
}

/** Its lifetime in KB is used up: as if its time had come. */
export function checkVolume(peer: V1Peer): V1Peer {
  const phase1 = current(peer);
  if (phase1 === undefined || phase1.volumeOctets === 0 || phase1.rekeyAt === undefined) return peer;
  return phase1.usedOctets < phase1.volumeOctets * 0.9 ? peer : renewSoon(peer, phase1);
}

function ageChild(peer: V1Peer, id: ChildId, ctx: SaContext): Step<V1Peer> {
  const child = peer.children.get(id);
  if (child === undefined) return stepTo(peer);
  if (ctx.now >= child.expiresAt) return endChild(peer, child, "its lifetime has ended", ctx);
  const switched = child.useAt !== undefined && ctx.now >= child.useAt ? use(peer, child) : stepTo(peer);
  return andThen(switched, (now) => {
    const same = now.children.get(id)!;
    return stepTo(same.rekeyAt === undefined || ctx.now < same.rekeyAt ? now : rekeySoon(now, same, ctx));
  });
}

function use(peer: V1Peer, { useAt: _, ...child }: V1Child): Step<V1Peer> {
  return stepTo(withChild(peer, child), { kind: "useChild", id: child.id });
}

/** A wish to replace the child now; a duplicate that no mapping sends on is left to its end. */
export function rekeySoon(peer: V1Peer, { rekeyAt: _, ...child }: V1Child, ctx: SaContext): V1Peer {
  const next = withChild(peer, child);
  const [mapping] = child.pair.mappings;
  if (child.state !== "live" || mapping === undefined) return next;
  return { ...next, wishes: wish(next.wishes, { mapping, at: ctx.now, replaces: child.id }) };
}

/** A child comes to its end: it stops here, and is deleted at the peer. */
function endChild(
  peer: V1Peer,
  child: V1Child,
  reason: string,
  ctx: SaContext,
  cause: "expired" | "failed" = "expired",
): Step<V1Peer> {
  const gone = stepTo(withoutChild(peer, child.id), ...childGone(peer, child, cause, reason));
  return andThen(gone, (now) => {
    const phase1 = current(now);
    return phase1 === undefined ? stepTo(now) : inform(now, phase1, [deleteChildren([child.pair.spiIn])], ctx);
  });
}

function ageQuick(peer: V1Peer, given: Quick, ctx: SaContext): Step<V1Peer> {
  const quick = peer.quicks.find((one) => one === given);
  if (quick === undefined) return stepTo(peer);
  if (quick.stage === "done") return stepTo(ctx.now >= quick.until ? withoutQuick(peer, quick) : peer);
  if (!("request" in quick)) return stepTo(peer);
  const { request } = quick;
  if (ctx.now >= request.sentAt + GIVE_UP_AFTER) {
    if (quick.stage === "sent")
      return quickFailed(peer, quick, { code: "TIMEOUT", detail: "the peer does not answer quick mode" }, ctx);
    return unconfirmed(withoutQuick(peer, quick), quick.child);
  }
  if (ctx.now < request.nextAt) return stepTo(peer);
  const path = quick.stage === "answered" ? quick.path : peer.path;
  const again = withQuick({ ...peer, lastSent: ctx.now }, { ...quick, request: sentAgain(request, ctx.now) });
  return stepTo(again, ...send(path, request.bytes, phase1Of(peer, quick.phase1)?.features));
}

/** Message 3 never came: the peer does not have the child. */
function unconfirmed(peer: V1Peer, id: ChildId): Step<V1Peer> {
  const child = peer.children.get(id);
  if (child === undefined) return stepTo(peer);
  const reason = "the peer never finished its quick mode";
  return stepTo(withoutChild(peer, id), ...childGone(peer, child, "failed", reason));
}

// --- the data plane ----------------------------------------------------------------------------------------------

/** Nobody wants it any more; what else it carried is asked for again. */
export function dropChild(peer: V1Peer, id: ChildId, reason: string, ctx: SaContext): Step {
  const child = peer.children.get(id);
  if (child === undefined) return stepTo(peer);
  return settle(endChild(peer, child, reason, ctx), ctx);
}

/** The data plane cannot carry the child: it ends at both sides, and its mappings are asked for again after a pause. */
export function onChildRefused(peer: V1Peer, id: ChildId, reason: string, ctx: SaContext): Step {
  const child = peer.children.get(id);
  if (child === undefined) return stepTo(peer);
  const code = "DATAPLANE_REFUSED";
  const failure = report(peer, { kind: "failed", code, detail: reason });
  const ended = endChild(peer, { ...child, state: "live" }, `the data plane refused it: ${reason}`, ctx, "failed");
  return settle(stepTo(ended.sa, ...ended.effects, failure), ctx);
}

export function onLimit(peer: V1Peer, id: ChildId, limit: "soft" | "hard", ctx: SaContext): Step {
  const child = peer.children.get(id);
  if (child === undefined) return stepTo(peer);
  const next =
    limit === "soft"
      ? stepTo(ctx.sight.inUse(id) ? rekeySoon(peer, child, ctx) : peer)
      : andThen(endChild(peer, child, "its volume is used up", ctx), (now) => stepTo(askAnew(now, child, ctx)));
  return settle(next, ctx);
}

/** A Delete has no answer: only a new child shows a peer that did not get it that the old one is gone. */
function askAnew(peer: V1Peer, { state, pair }: V1Child, ctx: SaContext): V1Peer {
  let { wishes } = peer;
  if (state === "live") for (const mapping of pair.mappings) wishes = wish(wishes, { mapping, at: ctx.now });
  return { ...peer, wishes };
}

export function onAlive(peer: V1Peer, ctx: SaContext): Step<V1Peer> {
  return stepTo(alive(peer, ctx));
}

/** The peer sends on this child: so do we. A child whose message 3 is missing is proved by that as well. */
export function onFirstInbound(peer: V1Peer, id: ChildId, ctx: SaContext): Step {
  const quick = peer.quicks.find((one) => one.stage === "answered" && one.child === id);
  const now = alive(peer, ctx);
  if (quick?.stage === "answered") return confirm(now, quick, ctx);
  const child = now.children.get(id);
  return child?.useAt === undefined ? stepTo(now) : use(now, child);
}

/** An authenticated UDP-encapsulated packet came along another path. */
export function onMoved(peer: V1Peer, path: Path, ctx: SaContext): Step<V1Peer> {
  return follow(alive(peer, ctx), path, ctx);
}

// --- wishes from above -------------------------------------------------------------------------------------------

export function wishMapping(peer: V1Peer, mapping: number, ctx: SaContext): Step {
  return settle(stepTo({ ...peer, wishes: wish(peer.wishes, { mapping, at: ctx.now }) }), ctx);
}

export function wishRekeyChildren(peer: V1Peer, ctx: SaContext): Step {
  let next = peer;
  for (const child of peer.children.values()) next = rekeySoon(next, child, ctx);
  return settle(stepTo(next), ctx);
}

export function wishRekeyIke(peer: V1Peer, ctx: SaContext): Step {
  const phase1 = current(peer);
  const { callAt: _, ...ready } = phase1 === undefined ? peer : renewSoon(peer, phase1);
  return settle(stepTo(ready), ctx);
}

/** Everything ends, and the peer is told once: IKEv1 has no answer to a Delete. */
export function closePeer(peer: V1Peer, reason: string, ctx: SaContext): Step<undefined> {
  const spis = [...peer.children.values()].map(({ pair }) => pair.spiIn);
  let step: Step<V1Peer> = stepTo(peer);
  const phase1 = current(peer);
  if (phase1 !== undefined && spis.length > 0)
    step = andThen(step, (now) => inform(now, phase1, [deleteChildren(spis)], ctx));
  for (const one of peer.phase1s)
    step = andThen(step, (now) => inform(now, phase1Of(now, one.key)!, [deletePhase1(one)], ctx));
  return stepTo(undefined, ...withdraw(peer, reason), ...step.effects, report(peer, { kind: "ikeClosed", reason }));
}

/** Ends without a word to the peer. */
export function dropPeer(peer: V1Peer, reason: string): Step<undefined> {
  return stepTo(undefined, ...withdraw(peer, reason), report(peer, { kind: "ikeClosed", reason }));
}
