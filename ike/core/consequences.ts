/** What an IKE SA's step means for the endpoint: its effects in order, its children's use, its place among the others. */
import type { Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { Early, Notice, Role, SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import { inheritPlace, settleDuplicates } from "./duplicates.js";
import { onRedirected } from "./redirect.js";
import {
  type AnySa,
  type AnyStep,
  type Holder,
  holdersOf,
  initiate,
  isHandshake,
  isHolder,
  isOver,
  join,
  mayYield,
  onEarly,
  tunnelOf,
} from "./sas.js";
import {
  afterFailedRenewal,
  afterLoss,
  afterMappingLoss,
  isCalling,
  type TunnelState,
  withApart,
  withTrouble,
  withUse,
} from "./supervisor.js";
import { LOOK_AGAIN, pause, RESPONDER_PATIENCE } from "./timers.js";
import type { Instant } from "./types.js";

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
      case "phase1":
      case "call":
      case "lost":
      case "redirected":
      case "refused":
      case "renew":
      case "apart":
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
        fallBack(draft, effect.id, before ?? after);
        break;
      default:
        draft.effects.push(effect);
    }
  }
}

/** Told to the data plane once: a child that the mappings fell back on needs no switch when its time comes. */
export function useChild(draft: Draft, id: ChildId): void {
  const pair = draft.childOwner(id)?.children.get(id)?.pair;
  const state = pair && draft.tunnels.get(pair.tunnel);
  if (pair === undefined || state === undefined || pair.mappings.every((mapping) => state.using.get(mapping) === id))
    return;
  draft.effects.push({ kind: "useChild", id });
  draft.setTunnel(pair.tunnel, withUse(state, pair.mappings, id));
}

/** The mappings of a child that is gone send on another live one, if there is one (`architecture.md` section 9, 13). */
function fallBack(draft: Draft, id: ChildId, owner: AnySa | undefined): void {
  const name = owner && tunnelOf(owner);
  const state = name === undefined ? undefined : draft.tunnels.get(name);
  if (name === undefined || state === undefined) return;
  const orphans = [...state.using].filter(([, child]) => child === id).map(([mapping]) => mapping);
  if (orphans.length === 0) return;
  const using = new Map(state.using);
  for (const mapping of orphans) using.delete(mapping);
  draft.setTunnel(name, { ...state, using });
  for (const mapping of orphans) {
    const heir = draft.liveChild(name, mapping) ?? draft.replacedChild(name, mapping);
    if (heir === undefined || draft.tunnels.get(name)!.using.get(mapping) === heir) continue;
    useChild(draft, heir);
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
      inheritPlace(draft, before, told.sa);
      return;
    case "established":
      if (after !== undefined && isHolder(after)) onEstablished(draft, after, told.initialContact, ctx);
      return;
    case "phase1":
      if (isHolder(told.sa)) onPhase1(draft, told.sa, told.initialContact, told.early, ctx);
      return;
    case "call":
      callAgain(draft, told.tunnel, told.path, ctx);
      return;
    case "renew": {
      const state = draft.tunnels.get(told.tunnel)!;
      const isOld = before !== undefined && state.superseded.has(before.key);
      if (isCalling(state) && !state.renewing && !isOld) draft.setTunnel(told.tunnel, { ...state, renewing: true });
      return;
    }
    case "redirected":
      onRedirected(draft, told.tunnel, told.to, told.from, ctx);
      return;
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
      const { cause, reason } = told;
      const loss = { cause, reason, ...spansOf(before, ctx.now) };
      draft.setTunnel(told.tunnel, afterLoss(state, ctx.sight.tunnel(told.tunnel), loss, ctx.now, ctx.random));
      return;
    }
    case "apart":
      draft.setTunnel(told.tunnel, withApart(draft.tunnels.get(told.tunnel)!, told.mappings));
      return;
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

function spansOf(sa: AnySa | undefined, now: Instant): { readonly lived: number; readonly called: number } {
  if (sa === undefined) return { lived: 0, called: 0 };
  if (isHolder(sa)) return { lived: now - sa.establishedAt, called: 0 };
  return { lived: 0, called: isHandshake(sa) ? now - sa.createdAt : 0 };
}

/** A handshake is through: what else there is with this peer, and what is left to do. */
function onEstablished(draft: Draft, sa: Holder, initialContact: boolean, ctx: SaContext): void {
  const { tunnel } = sa;
  settleDuplicates(draft, sa, initialContact, ctx);
  for (const other of sasOf(draft, tunnel))
    if (isHandshake(other) && other.phase !== "authSent") draft.setSa(other.key, undefined);
  welcome(draft, tunnel, sa.role, ctx);
}

/** IKEv1: a phase 1 is through. It joins the peer that there is, or begins a new one; negotiations of ours with it are superfluous. */
function onPhase1(
  draft: Draft,
  fresh: Holder,
  initialContact: boolean,
  early: Early | undefined,
  ctx: SaContext,
): void {
  const known = draft.sas.get(fresh.key);
  const { tunnel } = fresh;
  for (const other of sasOf(draft, tunnel))
    if (isHandshake(other) && mayYield(other)) draft.setSa(other.key, undefined);
  if (known !== undefined) apply(draft, known, join(known, fresh, initialContact, ctx), ctx);
  else draft.setSa(fresh.key, fresh);
  draft.touched.add(tunnel);
  welcome(draft, tunnel, fresh.role, ctx);
  const peer = early && draft.sas.get(fresh.key);
  if (peer !== undefined) apply(draft, peer, onEarly(peer, early!, ctx), ctx);
}

/** IKEv1: a peer needs a phase 1; one that is on its way will do. */
function callAgain(draft: Draft, tunnel: string, path: Path, ctx: SaContext): void {
  if (draft.shutdownAt !== undefined || draft.tunnels.get(tunnel)!.want === "down") return;
  if (sasOf(draft, tunnel).some(isHandshake)) return;
  born(draft, initiate(ctx.sight.tunnel(tunnel), path, ctx), ctx);
}

/** The tunnel is connected: what it failed at is over. */
function welcome(draft: Draft, tunnel: string, role: Role, ctx: SaContext): void {
  const { retryAt: _, resolving: __, renewing: ___, ...state } = draft.tunnels.get(tunnel)!;
  const looks = ctx.sight.tunnel(tunnel).peer.kind === "name" && state.looking === undefined;
  const next = { ...state, reason: "", ...(looks && { lookAt: ctx.now + pause(LOOK_AGAIN, 1, ctx.random) }) };
  draft.setTunnel(tunnel, role === "responder" ? withPatience(next, ctx, tunnel) : next);
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
  return draft.sas.of(tunnel).filter((sa) => !isOver(sa));
}
