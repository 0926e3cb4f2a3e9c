/**
 * A peer: children belong to its identity, not to the phase 1 SA that made them (`decisions.md` 10). A new phase 1 joins it, a missing one is
 * called for when there is work, and its quick modes go one after another.
 */
import { hex } from "../../crypto/bytes.js";
import type { IkeKey } from "../core/context.js";
import type { Identity } from "../core/identity.js";
import type { TunnelPolicy } from "../core/policy.js";
import { CALL_AGAIN, earlier } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { carries, childGone, withoutChild } from "./child.js";
import { andThen, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { alive, current, inform } from "./exchange.js";
import { deletePhase1 } from "./notifications.js";
import { isOurs } from "./quick.js";
import { releasedSpis } from "./quick-end.js";
import { startQuick } from "./quick-mode.js";
import type { Phase1, V1Peer } from "./state.js";
import { nextWish, soonest, wish } from "./wishes.js";

/** Names a peer in its endpoint. */
export function peerKey(tunnel: string, { type, data }: Identity): IkeKey {
  return `${tunnel} ${type} ${hex(data)}`;
}

export function newPeer(
  { tunnel, localId, peerId }: Pick<V1Peer, "tunnel" | "localId" | "peerId">,
  phase1: Phase1,
  ctx: SaContext,
): V1Peer {
  const { role, initiatorSpi, responderSpi, path, nat, createdAt } = phase1;
  return {
    version: 1,
    phase: "peer",
    key: peerKey(tunnel, peerId),
    tunnel,
    localId,
    peerId,
    role,
    initiatorSpi,
    responderSpi,
    path,
    nat,
    createdAt,
    establishedAt: ctx.now,
    lastAlive: ctx.now,
    lastSent: ctx.now,
    phase1s: [phase1],
    children: new Map(),
    quicks: [],
    wishes: [],
    nextProbe: firstProbe(ctx),
  };
}

/** RFC 3706 section 6.2: a random start, far enough from the end that it never wraps. */
function firstProbe({ random }: SaContext): number {
  const [a, b, c, d] = random(4);
  return ((a! & 0x3f) << 24) | (b! << 16) | (c! << 8) | d!;
}

/** Phase 1 SAs of one peer: what simultaneous negotiations and lost Deletes leave for a while. */
const MOST_PHASE1S = 4;

/**
 * A new phase 1 with a peer that is known. With INITIAL-CONTACT everything goes that is older than its negotiation; else the older
 * phase 1 SAs serve what is under way in them until their end.
 */
export function join(known: V1Peer, fresh: V1Peer, initialContact: boolean, ctx: SaContext): Step<V1Peer> {
  const phase1 = current(fresh)!;
  const { role, initiatorSpi, responderSpi, path, nat, localId, establishedAt } = fresh;
  const { callAt: _, ...kept } = alive(known, ctx);
  const before = initialContact ? forget(kept, phase1.createdAt) : stepTo(kept);
  return andThen(before, (peer) => {
    const surplus = peer.phase1s.slice(0, Math.max(0, peer.phase1s.length + 1 - MOST_PHASE1S));
    const joined: V1Peer = {
      ...peer,
      role,
      initiatorSpi,
      responderSpi,
      path,
      nat,
      localId,
      establishedAt,
      phase1s: [...peer.phase1s, phase1],
    };
    let step: Step<V1Peer> = stepTo(joined);
    for (const old of surplus) step = andThen(step, (now) => endPhase1(now, old, "replaced by newer ones", ctx));
    return andThen(step, (now) => moveQuicks(now, phase1, ctx));
  });
}

/** The peer has started anew and knows nothing of what is older than this. */
function forget(peer: V1Peer, since: Instant): Step<V1Peer> {
  const reason = "the peer has started anew and knows nothing of it";
  const gone = peer.phase1s.filter(({ establishedAt }) => establishedAt < since);
  const keys = new Set(gone.map(({ key }) => key));
  const quicks = peer.quicks.filter(({ phase1 }) => keys.has(phase1));
  let next: V1Peer = {
    ...peer,
    phase1s: peer.phase1s.filter(({ key }) => !keys.has(key)),
    quicks: peer.quicks.filter((quick) => !quicks.includes(quick)),
  };
  const effects: SaEffect[] = [...releasedSpis(quicks)];
  for (const child of peer.children.values()) {
    if (child.bornAt >= since) continue;
    next = withoutChild(next, child.id);
    effects.push(...childGone(peer, child, "failed", reason));
  }
  return stepTo(next, ...effects);
}

/** Quick modes of ours that the peer has not answered under the old phase 1 begin again under the new one. */
function moveQuicks(peer: V1Peer, phase1: Phase1, ctx: SaContext): Step<V1Peer> {
  const stuck = peer.quicks.filter(
    (quick) => isOurs(quick) && quick.phase1 !== phase1.key && quick.stage !== "deriving",
  );
  let next: V1Peer = { ...peer, quicks: peer.quicks.filter((quick) => !stuck.includes(quick)) };
  for (const quick of stuck) {
    if (!isOurs(quick)) continue;
    const { mapping, replaces } = quick.offer;
    next = {
      ...next,
      wishes: wish(next.wishes, { mapping, at: ctx.now, ...(replaces !== undefined && { replaces }) }),
    };
  }
  return stepTo(next, ...releasedSpis(stuck));
}

/** A phase 1 that ends here: told to the peer. Its unfinished quick modes end with it, its children do not. */
export function endPhase1(peer: V1Peer, phase1: Phase1, reason: string, ctx: SaContext): Step<V1Peer> {
  return andThen(inform(peer, phase1, [deletePhase1(phase1)], ctx), (told) => dropPhase1(told, phase1, reason, ctx));
}

export function dropPhase1(peer: V1Peer, phase1: Phase1, reason: string, ctx: SaContext): Step<V1Peer> {
  const quicks = peer.quicks.filter((quick) => quick.phase1 === phase1.key && quick.stage !== "answered");
  const next: V1Peer = {
    ...peer,
    phase1s: peer.phase1s.filter(({ key }) => key !== phase1.key),
    quicks: peer.quicks.filter((quick) => !quicks.includes(quick)),
  };
  let wishes = next.wishes;
  for (const quick of quicks)
    if (isOurs(quick)) {
      const { mapping, replaces } = quick.offer;
      wishes = wish(wishes, { mapping, at: ctx.now, ...(replaces !== undefined && { replaces }) });
    }
  return stepTo(
    { ...next, wishes },
    ...releasedSpis(quicks),
    report(peer, { kind: "story", story: `a phase 1 SA has ended: ${reason}` }),
  );
}

/** Whether we may begin a phase 1 with nobody: passive tunnels only answer, and renew what they have. */
export function mayCall({ start, peer }: TunnelPolicy): boolean {
  return start !== "passive" && peer.kind !== "any";
}

function mayRenew(peer: V1Peer, policy: TunnelPolicy): boolean {
  return current(peer) !== undefined || mayCall(policy);
}

/** What is due: the next quick mode, or the phase 1 that it needs. */
export function advance(peer: V1Peer, ctx: SaContext): Step<V1Peer> {
  const pruned = { ...peer, wishes: peer.wishes.filter((w) => !isDone(peer, w.mapping, w.replaces)) };
  const called = callIfNeeded(pruned.wishes.length === peer.wishes.length ? peer : pruned, ctx);
  return andThen(called, (now) => {
    const phase1 = current(now);
    if (phase1 === undefined || now.quicks.some(isOurs)) return stepTo(now);
    const next = nextWish(now.wishes, ctx.now);
    if (next === undefined) return stepTo(now);
    return startQuick({ ...now, wishes: now.wishes.filter((w) => w !== next) }, phase1, next, ctx);
  });
}

/** A wish without an object: its child is gone or replaced, or its mapping is carried. */
function isDone(peer: V1Peer, mapping: number, replaces: number | undefined): boolean {
  if (replaces === undefined) return carries(peer, mapping);
  return peer.children.get(replaces)?.state !== "live";
}

/** A phase 1 is missing while there are children or wishes, or the one that there is comes to its end. */
export function needsPhase1(peer: V1Peer): boolean {
  const phase1 = current(peer);
  if (phase1 === undefined) return peer.children.size > 0 || peer.wishes.length > 0;
  return phase1.rekeyAt === undefined;
}

function callIfNeeded(peer: V1Peer, ctx: SaContext): Step<V1Peer> {
  if (!needsPhase1(peer) || !mayRenew(peer, ctx.sight.tunnel(peer.tunnel))) return stepTo(peer);
  if (peer.callAt !== undefined && ctx.now < peer.callAt) return stepTo(peer);
  const { tunnel, path } = peer;
  return stepTo({ ...peer, callAt: ctx.now + CALL_AGAIN }, { kind: "call", tunnel, path });
}

/** When `advance` has something to do. */
export function advanceAt(peer: V1Peer, policy: TunnelPolicy): Instant | undefined {
  let at: Instant | undefined;
  if (needsPhase1(peer) && mayRenew(peer, policy)) at = peer.callAt ?? Number.NEGATIVE_INFINITY;
  if (current(peer) !== undefined && !peer.quicks.some(isOurs)) at = earlier(at, soonest(peer.wishes));
  return at;
}

/** Nothing is left of it. */
export function isEmpty({ phase1s, children, quicks }: V1Peer): boolean {
  return phase1s.length === 0 && children.size === 0 && quicks.every(({ stage }) => stage === "done");
}
