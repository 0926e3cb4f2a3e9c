/** What an IKE SA's step means for the endpoint: its effects in order, its children's use, its place among the others. */
import type { ChildId } from "../../esp/sa.js";
import { type Established, establishedOf } from "../v2/state.js";
import { losesTo } from "../v2/step.js";
import type { Notice, SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import { sameIdentity } from "./identity.js";
import { type AnySa, type AnyStep, drop, holdersOf, isHandshake, isOver, tunnelOf, wishClose } from "./sas.js";
import {
  afterFailedRenewal,
  afterLoss,
  afterMappingLoss,
  type TunnelState,
  withTrouble,
  withUse,
} from "./supervisor.js";
import { CLOSING_LIFE, pause, RESPONDER_PATIENCE } from "./timers.js";

export function born(draft: Draft, { sa, effects }: AnyStep, ctx: SaContext): void {
  if (sa !== undefined) draft.setSa(sa.key, sa);
  perform(draft, sa, sa, effects, ctx);
}

export function apply(draft: Draft, before: AnySa, { sa, effects }: AnyStep, ctx: SaContext): void {
  draft.setSa(before.key, sa);
  const tunnel = tunnelOf(before);
  if (tunnel !== undefined) draft.touched.add(tunnel);
  perform(draft, before, sa, effects, ctx);
}

function perform(
  draft: Draft,
  before: AnySa | undefined,
  after: AnySa | undefined,
  effects: AnyStep["effects"],
  ctx: SaContext,
): void {
  for (const effect of effects) {
    switch (effect.kind) {
      case "adopt":
      case "established":
      case "lost":
      case "refused":
      case "renew":
      case "mappingLost":
        notice(draft, effect, before, after, ctx);
        break;
      case "ask":
        draft.noteAsk(effect.ask, { sa: after!.key });
        draft.effects.push(effect);
        break;
      case "useChild":
        useChild(draft, effect.id);
        break;
      case "removeChild":
        draft.effects.push(effect);
        fallBack(draft, effect.id);
        break;
      default:
        draft.effects.push(effect);
    }
  }
}

/** Told to the data plane once: a child that the mappings fell back on needs no switch when its time comes. */
function useChild(draft: Draft, id: ChildId): void {
  const pair = draft.childOwner(id)?.children.get(id)?.pair;
  const state = pair && draft.tunnels.get(pair.tunnel);
  if (pair === undefined || state === undefined || pair.mappings.every((mapping) => state.using.get(mapping) === id))
    return;
  draft.effects.push({ kind: "useChild", id });
  draft.setTunnel(pair.tunnel, withUse(state, pair.mappings, id));
}

/** The mappings of a child that is gone send on another live one, if there is one (`architecture.md` section 9, 13). */
function fallBack(draft: Draft, id: ChildId): void {
  for (const [name, state] of draft.tunnels) {
    const orphans = [...state.using].filter(([, child]) => child === id).map(([mapping]) => mapping);
    if (orphans.length === 0) continue;
    const using = new Map(state.using);
    for (const mapping of orphans) using.delete(mapping);
    draft.setTunnel(name, { ...state, using });
    for (const mapping of orphans) {
      const heir = draft.liveChild(name, mapping) ?? draft.replacedChild(name, mapping);
      if (heir === undefined || draft.tunnels.get(name)!.using.get(mapping) === heir) continue;
      useChild(draft, heir);
    }
  }
}

function notice(
  draft: Draft,
  told: Notice<AnySa>,
  before: AnySa | undefined,
  after: AnySa | undefined,
  ctx: SaContext,
): void {
  switch (told.kind) {
    case "adopt":
      draft.setSa(told.sa.key, told.sa);
      return;
    case "established":
      if (after?.phase === "established") onEstablished(draft, after, told.initialContact, ctx);
      return;
    case "renew": {
      const state = draft.tunnels.get(told.tunnel)!;
      if (state.want === "up" && !state.renewing) draft.setTunnel(told.tunnel, { ...state, renewing: true });
      return;
    }
    case "refused": {
      const state = draft.tunnels.get(told.tunnel)!;
      draft.setTunnel(told.tunnel, { ...state, reason: told.reason });
      return;
    }
    case "lost": {
      const state = draft.tunnels.get(told.tunnel)!;
      if (holdersOf(draft.sas, told.tunnel).length > 0) {
        if (told.cause === "failed" && state.renewing)
          draft.setTunnel(told.tunnel, afterFailedRenewal(state, ctx.now, ctx.random));
        return;
      }
      const lived = before?.phase === "established" ? ctx.now - before.establishedAt : 0;
      const { cause, reason } = told;
      draft.setTunnel(
        told.tunnel,
        afterLoss(state, ctx.sight.tunnel(told.tunnel), { cause, reason, lived }, ctx.now, ctx.random),
      );
      return;
    }
    case "mappingLost": {
      const { tunnel, mapping, cause, reason } = told;
      if (ctx.sight.carried(tunnel, mapping)) return;
      const state = draft.tunnels.get(tunnel)!;
      const policy = ctx.sight.tunnel(tunnel);
      draft.setTunnel(tunnel, afterMappingLoss(state, policy, mapping, cause, reason, ctx.now, ctx.random));
      return;
    }
  }
}

/** A handshake is through: what else there is with this peer, and what is left to do. */
function onEstablished(draft: Draft, sa: Established, initialContact: boolean, ctx: SaContext): void {
  const { tunnel } = sa;
  const renews = draft.tunnels.get(tunnel)!.renewing && sa.role === "initiator";
  for (const other of establishedOf(draft.sas, tunnel)) {
    if (other.key === sa.key || !sameIdentity(other.peerId, sa.peerId)) continue;
    if (other.establishedAt < sa.createdAt) {
      if (renews) apply(draft, other, wishClose(other, "replaced: it could not be rekeyed", CLOSING_LIFE, ctx), ctx);
      else if (initialContact)
        apply(draft, other, drop(other, "the peer has started anew and knows nothing of it"), ctx);
    } else if (other.role !== sa.role) {
      const loser = losesTo(sa, other) ? sa : other;
      if (loser.role === "initiator")
        apply(
          draft,
          loser,
          wishClose(loser, "both sides started at once: the other IKE SA stays", CLOSING_LIFE, ctx),
          ctx,
        );
    }
  }
  closeSurplus(draft, sa, ctx);
  for (const other of sasOf(draft, tunnel))
    if (isHandshake(other) && other.phase !== "authSent") draft.setSa(other.key, undefined);
  const { retryAt: _, resolving: __, renewing: ___, ...state } = draft.tunnels.get(tunnel)!;
  draft.setTunnel(
    tunnel,
    sa.role === "responder" ? withPatience({ ...state, reason: "" }, ctx, tunnel) : { ...state, reason: "" },
  );
}

/** IKE SAs of one peer in one tunnel: what simultaneous starts and lost Deletes leave for a while. */
const MOST_IKE_SAS = 8;

/** A peer that opens one IKE SA after the other and closes none keeps the newest. */
function closeSurplus(draft: Draft, { tunnel, peerId }: Established, ctx: SaContext): void {
  const ofPeer = establishedOf(draft.sas, tunnel).filter((other) => sameIdentity(other.peerId, peerId));
  for (const oldest of ofPeer.slice(0, -MOST_IKE_SAS))
    apply(draft, oldest, wishClose(oldest, "the peer has opened too many IKE SAs since", CLOSING_LIFE, ctx), ctx);
}

/** The peer has begun: further mappings are its to ask for, for a while. */
function withPatience(state: TunnelState, ctx: SaContext, tunnel: string): TunnelState {
  let next = state;
  ctx.sight.tunnel(tunnel).mappings.forEach((_, mapping) => {
    if (ctx.sight.carried(tunnel, mapping)) return;
    const retryAt = ctx.now + pause({ first: RESPONDER_PATIENCE, longest: RESPONDER_PATIENCE }, 1, ctx.random);
    next = withTrouble(next, mapping, { reason: "the peer has not asked for it yet", attempts: 0, retryAt });
  });
  return next;
}

/** Every IKE SA of the tunnel that is not over. */
export function sasOf(draft: Draft, tunnel: string): readonly AnySa[] {
  return [...draft.sas.values()].filter((sa) => tunnelOf(sa) === tunnel && !isOver(sa));
}
