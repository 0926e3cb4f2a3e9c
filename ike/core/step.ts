/** One event of the whole endpoint: to the IKE SA that it concerns, and then to the supervisor of the tunnels that it touched. */
import { formatAddress, formatSocketAddress, type Path, type SocketAddress, sameAddress } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import { type Notice, type SaContext, type SaEffect, type Sight, type Step, spiHex, tunnelOf } from "../v2/context.js";
import { createCookieSecrets, rotateCookieSecrets } from "../v2/cookie.js";
import { onFirstRequest, refuse } from "../v2/first-request.js";
import { initiate } from "../v2/ike-sa-init.js";
import { follow, onAlive, onFirstInbound, onLimit } from "../v2/life.js";
import { type Established, establishedOf, type IkeKey, type IkeSa, isHalfOpen, isHandshake } from "../v2/state.js";
import {
  drop,
  losesTo,
  onAnswer,
  onDatagram,
  onRepeatedFirstRequest,
  onTick,
  saDeadline,
  wishClose,
  wishMapping,
  wishRekeyChildren,
  wishRekeyIke,
} from "../v2/step.js";
import { decodeMessage } from "../wire/message.js";
import { demux } from "./demux.js";
import { Draft } from "./draft.js";
import type { Endpoint } from "./endpoint.js";
import { ProtocolError } from "./errors.js";
import { sameIdentity } from "./identity.js";
import type { TunnelPolicy } from "./policy.js";
import { afterLoss, afterMappingLoss, type TunnelState, wantDown, wantUp, withTrouble, withUse } from "./supervisor.js";
import { CLOSING_LIFE, pause, RECONNECT, RESPONDER_PATIENCE, SHUTDOWN_LIFE } from "./timers.js";
import type { Answer, Context, Effect, Event, Wish } from "./types.js";

/** One event. Deterministic; the given endpoint stays as it is, also when this throws (which would be our bug). */
export function step(
  endpoint: Endpoint,
  event: Event,
  given: Context,
): { endpoint: Endpoint; effects: readonly Effect[] } {
  const draft = new Draft(endpoint);
  const ctx = contextOf(draft, given);
  if (endpoint.bornAt !== undefined) for (const name of draft.tunnels.keys()) draft.touched.add(name);
  dispatch(draft, event, ctx);
  for (const name of draft.touched) supervise(draft, name, ctx);
  return { endpoint: draft.done(), effects: draft.effects };
}

function dispatch(draft: Draft, event: Event, ctx: SaContext): void {
  switch (event.kind) {
    case "datagram":
      return datagram(draft, event.path, event.bytes, ctx);
    case "tick":
      return tick(draft, ctx);
    case "wish":
      return wish(draft, event.wish, ctx);
    case "answer": {
      const owner = draft.takeAsk(event.ask);
      if (owner === undefined) return;
      if ("tunnel" in owner) return resolved(draft, owner.tunnel, event.ask, event.answer, ctx);
      const sa = draft.sas.get(owner.sa);
      if (sa !== undefined) apply(draft, sa, onAnswer(sa, event.ask, event.answer, ctx), ctx);
      return;
    }
    case "alive": {
      const ids = new Set(event.children);
      for (const sa of draft.sas.values())
        if (sa.phase === "established" && holdsAny(sa, ids)) apply(draft, sa, onAlive(sa, ctx), ctx);
      return;
    }
    case "firstInbound":
      return onChild(draft, event.child, ctx, (sa) => onFirstInbound(sa, event.child, ctx));
    case "limit":
      return onChild(draft, event.child, ctx, (sa) => onLimit(sa, event.child, event.limit, ctx));
    case "moved":
      return onChild(draft, event.child, ctx, (sa) => follow({ ...sa, lastAlive: ctx.now }, event.path, ctx));
  }
}

function onChild(draft: Draft, id: ChildId, ctx: SaContext, run: (sa: Established) => Step): void {
  const sa = draft.childOwner(id);
  if (sa !== undefined) apply(draft, sa, run(sa), ctx);
}

function holdsAny({ children }: Established, ids: ReadonlySet<ChildId>): boolean {
  for (const id of children.keys()) if (ids.has(id)) return true;
  return false;
}

// --- datagrams -----------------------------------------------------------------------------------------------------

function datagram(draft: Draft, path: Path, bytes: Uint8Array, ctx: SaContext): void {
  const destination = demux(bytes, path, draft.sas);
  switch (destination.to) {
    case "nobody":
      return ignored(draft, path, destination.code, destination.detail);
    case "refuse":
      return born(draft, refuse(destination.header, path, destination.error), ctx);
    case "repeated":
      return apply(draft, destination.sa, onRepeatedFirstRequest(destination.sa, bytes, path), ctx);
    case "sa": {
      const { sa, raw } = destination;
      const message = decoded(bytes, raw);
      if (message instanceof ProtocolError) return ignored(draft, path, message.notify, message.detail);
      return apply(draft, sa, onDatagram(sa, message, bytes, path, ctx), ctx);
    }
    case "stranger": {
      if (draft.shutdownAt !== undefined) return ignored(draft, path, "shutdown", "the gateway is going down");
      const { raw, header } = destination;
      const message = decoded(bytes, raw);
      if (message instanceof ProtocolError) return born(draft, refuse(header, path, message), ctx);
      const load = halfOpenLoad(draft, path);
      if (load === "full") return ignored(draft, path, "half-open", "too many unfinished handshakes");
      const cookies = rotateCookieSecrets(
        draft.cookies ?? createCookieSecrets(ctx.now, ctx.random),
        ctx.now,
        ctx.random,
      );
      draft.cookies = cookies;
      return born(draft, onFirstRequest(message, bytes, path, { cookies, demandCookie: load === "high" }, ctx), ctx);
    }
  }
}

function decoded(bytes: Uint8Array, raw: Parameters<typeof decodeMessage>[1]) {
  try {
    return decodeMessage(bytes, raw);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error;
  }
}

/** Beyond the limits a cookie is asked for; far beyond them even a cookie does not help (`architecture.md` section 9, 14). */
const FULL_FACTOR = 8;
const FULL_AT_LEAST = 64;

function halfOpenLoad(draft: Draft, { remote }: Path): "low" | "high" | "full" {
  const { halfOpen, halfOpenPerAddress } = draft.base.policy.limits;
  let all = 0;
  let here = 0;
  for (const sa of draft.sas.values()) {
    if (!isHalfOpen(sa)) continue;
    all++;
    if (sameAddress(sa.path.remote.address, remote.address)) here++;
  }
  if (all >= full(halfOpen) || here >= full(halfOpenPerAddress)) return "full";
  return all >= halfOpen || here >= halfOpenPerAddress ? "high" : "low";
}

function full(limit: number): number {
  return Math.max(FULL_FACTOR * limit, FULL_AT_LEAST);
}

function ignored(draft: Draft, path: Path, code: string, detail: string): void {
  draft.effects.push({
    kind: "report",
    report: { kind: "ignored", code, detail, peer: formatSocketAddress(path.remote) },
  });
}

// --- time ------------------------------------------------------------------------------------------------------------

function tick(draft: Draft, ctx: SaContext): void {
  if (draft.shutdownAt !== undefined && ctx.now >= draft.shutdownAt) {
    for (const [key, sa] of draft.sas) {
      if (sa.phase === "established") apply(draft, sa, drop(sa, "the gateway is going down"), ctx);
      draft.setSa(key, undefined);
    }
    return;
  }
  for (const sa of [...draft.sas.values()]) {
    const at = saDeadline(sa, ctx.sight.tunnel);
    if (at !== undefined && at <= ctx.now && draft.sas.get(sa.key) === sa) apply(draft, sa, onTick(sa, ctx), ctx);
  }
  for (const [name, state] of draft.tunnels) if (state.want === "up") draft.touched.add(name);
}

// --- wishes ----------------------------------------------------------------------------------------------------------

function wish(draft: Draft, wanted: Wish, ctx: SaContext): void {
  if (wanted.do === "shutdown") return shutdown(draft, ctx);
  const { tunnel } = wanted;
  const state = draft.tunnels.get(tunnel);
  if (state === undefined || draft.shutdownAt !== undefined) return;
  switch (wanted.do) {
    case "up":
      return draft.setTunnel(tunnel, wantUp(state));
    case "down":
      draft.setTunnel(tunnel, wantDown(state));
      for (const sa of sasOf(draft, tunnel))
        apply(draft, sa, wishClose(sa, "taken down by the operator", CLOSING_LIFE, ctx), ctx);
      return;
    case "rekeyChildren":
      for (const sa of establishedOf(draft.sas, tunnel)) apply(draft, sa, wishRekeyChildren(sa, ctx), ctx);
      return;
    case "rekeyIke":
      for (const sa of establishedOf(draft.sas, tunnel)) apply(draft, sa, wishRekeyIke(sa, ctx), ctx);
      return;
  }
}

function shutdown(draft: Draft, ctx: SaContext): void {
  if (draft.shutdownAt !== undefined) return;
  draft.shutdownAt = ctx.now + SHUTDOWN_LIFE;
  for (const sa of [...draft.sas.values()])
    if (sa.phase !== "lingering") apply(draft, sa, wishClose(sa, "the gateway is going down", SHUTDOWN_LIFE, ctx), ctx);
}

function sasOf(draft: Draft, tunnel: string): readonly IkeSa[] {
  return [...draft.sas.values()].filter((sa) => tunnelOf(sa) === tunnel && sa.phase !== "lingering");
}

// --- what an IKE SA's step means for the endpoint ----------------------------------------------------------------------

function born(draft: Draft, { sa, effects }: Step, ctx: SaContext): void {
  if (sa !== undefined) draft.setSa(sa.key, sa);
  perform(draft, sa, sa, effects, ctx);
}

function apply(draft: Draft, before: IkeSa, { sa, effects }: Step, ctx: SaContext): void {
  draft.setSa(before.key, sa);
  const tunnel = tunnelOf(before);
  if (tunnel !== undefined) draft.touched.add(tunnel);
  perform(draft, before, sa, effects, ctx);
}

function perform(
  draft: Draft,
  before: IkeSa | undefined,
  after: IkeSa | undefined,
  effects: readonly SaEffect[],
  ctx: SaContext,
): void {
  for (const effect of effects) {
    switch (effect.kind) {
      case "adopt":
      case "established":
      case "lost":
      case "refused":
      case "mappingLost":
        notice(draft, effect, before, after, ctx);
        break;
      case "ask":
        draft.noteAsk(effect.ask, { sa: after!.key });
        draft.effects.push(effect);
        break;
      case "useChild":
        draft.effects.push(effect);
        noteUse(draft, effect.id);
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

function noteUse(draft: Draft, id: ChildId): void {
  const owner = draft.childOwner(id);
  const pair = owner?.children.get(id)?.pair;
  const state = pair && draft.tunnels.get(pair.tunnel);
  if (pair !== undefined && state !== undefined) draft.setTunnel(pair.tunnel, withUse(state, pair.mappings, id));
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
      const heir = liveChild(draft, name, mapping);
      if (heir === undefined || draft.tunnels.get(name)!.using.get(mapping) === heir) continue;
      draft.effects.push({ kind: "useChild", id: heir });
      noteUse(draft, heir);
    }
  }
}

/** The newest live child that carries the mapping. */
function liveChild(draft: Draft, tunnel: string, mapping: number): ChildId | undefined {
  let newest: ChildId | undefined;
  for (const sa of draft.sas.values()) {
    if (sa.phase !== "established" || sa.tunnel !== tunnel) continue;
    for (const child of sa.children.values())
      if (
        child.state === "live" &&
        child.pair.mappings.includes(mapping) &&
        (newest === undefined || child.id > newest)
      )
        newest = child.id;
  }
  return newest;
}

function notice(draft: Draft, told: Notice, before: IkeSa | undefined, after: IkeSa | undefined, ctx: SaContext): void {
  switch (told.kind) {
    case "adopt":
      return draft.setSa(told.sa.key, told.sa);
    case "established":
      if (after?.phase === "established") onEstablished(draft, after, told.initialContact, ctx);
      return;
    case "refused": {
      const state = draft.tunnels.get(told.tunnel)!;
      return draft.setTunnel(told.tunnel, { ...state, reason: told.reason });
    }
    case "lost": {
      const state = draft.tunnels.get(told.tunnel)!;
      if (establishedOf(draft.sas, told.tunnel).length > 0) return;
      const lived = before?.phase === "established" ? ctx.now - before.establishedAt : 0;
      const { cause, reason } = told;
      return draft.setTunnel(
        told.tunnel,
        afterLoss(state, ctx.sight.tunnel(told.tunnel), { cause, reason, lived }, ctx.now, ctx.random),
      );
    }
    case "mappingLost": {
      const { tunnel, mapping, cause, reason } = told;
      if (ctx.sight.carried(tunnel, mapping)) return;
      const state = draft.tunnels.get(tunnel)!;
      const policy = ctx.sight.tunnel(tunnel);
      return draft.setTunnel(tunnel, afterMappingLoss(state, policy, mapping, cause, reason, ctx.now, ctx.random));
    }
  }
}

/** A handshake is through: what else there is with this peer, and what is left to do. */
function onEstablished(draft: Draft, sa: Established, initialContact: boolean, ctx: SaContext): void {
  const { tunnel } = sa;
  for (const other of establishedOf(draft.sas, tunnel)) {
    if (other.key === sa.key || !sameIdentity(other.peerId, sa.peerId)) continue;
    if (other.establishedAt < sa.createdAt) {
      if (initialContact) apply(draft, other, drop(other, "the peer has started anew and knows nothing of it"), ctx);
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
  for (const other of sasOf(draft, tunnel))
    if (isHandshake(other) && other.phase !== "authSent") draft.setSa(other.key, undefined);
  const { retryAt: _, resolving: __, ...state } = draft.tunnels.get(tunnel)!;
  draft.setTunnel(
    tunnel,
    sa.role === "responder" ? withPatience({ ...state, reason: "" }, ctx, tunnel) : { ...state, reason: "" },
  );
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

// --- the supervisor ----------------------------------------------------------------------------------------------------

/** Does what the tunnel's state asks for now. */
function supervise(draft: Draft, name: string, ctx: SaContext): void {
  const state = draft.tunnels.get(name);
  if (state === undefined || state.want !== "up" || draft.shutdownAt !== undefined) return;
  const [...established] = establishedOf(draft.sas, name);
  const current = established.at(-1);
  if (current !== undefined) return superviseMappings(draft, name, state, ctx);
  if (state.resolving !== undefined || (state.retryAt !== undefined && state.retryAt > ctx.now)) return;
  for (const sa of draft.sas.values()) if (isHandshake(sa) && tunnelOf(sa) === name) return;
  begin(draft, ctx.sight.tunnel(name), state, ctx);
}

function superviseMappings(draft: Draft, name: string, state: TunnelState, ctx: SaContext): void {
  const { mappings } = ctx.sight.tunnel(name);
  for (let mapping = 0; mapping < mappings.length; mapping++) {
    if (state.using.has(mapping) || ctx.sight.carried(name, mapping)) continue;
    const trouble = state.troubles.get(mapping);
    if (trouble !== undefined && (trouble.retryAt === undefined || trouble.retryAt > ctx.now)) continue;
    const established = establishedOf(draft.sas, name);
    const current = established.at(-1);
    if (current === undefined || established.some((sa) => isAskedFor(sa, mapping))) continue;
    if (trouble !== undefined) {
      const { retryAt: _, ...begun } = trouble;
      draft.setTunnel(name, withTrouble(draft.tunnels.get(name)!, mapping, { ...begun, asking: true }));
    }
    apply(draft, current, wishMapping(current, mapping, ctx), ctx);
  }
}

/** Whether a child for the mapping is wished for or on its way. */
function isAskedFor({ task, wishes }: Established, mapping: number): boolean {
  if (task?.do === "child" && task.offer.purpose.do === "create" && task.offer.purpose.mapping === mapping) return true;
  return wishes.some((w) => w.do === "createChild" && w.mapping === mapping);
}

const PEER_PORT = 500;

/** The first step of a negotiation: both addresses, asked for where the configuration leaves one open. */
function begin(draft: Draft, policy: TunnelPolicy, state: TunnelState, ctx: SaContext): void {
  const { name, peer, localAddress } = policy;
  const { retryAt: _, ...begun } = state;
  if (peer.kind === "any") {
    const reason = "nobody to call: `peer: any` waits for the peer";
    return draft.setTunnel(name, { ...begun, want: "answer", reason });
  }
  if (peer.kind === "address" && localAddress !== undefined) {
    draft.setTunnel(name, begun);
    return call(draft, policy, { address: localAddress, port: 0 }, { address: peer.address, port: PEER_PORT }, ctx);
  }
  const ask = ctx.ids.ask();
  draft.setTunnel(name, { ...begun, resolving: ask });
  draft.noteAsk(ask, { tunnel: name });
  const question = { kind: "resolve", name: peer.kind === "name" ? peer.name : formatAddress(peer.address) } as const;
  draft.effects.push({ kind: "ask", ask, question });
}

function resolved(draft: Draft, name: string, ask: number, answer: Answer, ctx: SaContext): void {
  const state = draft.tunnels.get(name);
  if (state?.resolving !== ask) return;
  const { resolving: _, ...begun } = state;
  const policy = ctx.sight.tunnel(name);
  const found =
    answer.kind === "resolve" ? answer.addresses[state.attempts % Math.max(1, answer.addresses.length)] : undefined;
  if (found === undefined) {
    const detail = answer.kind === "refused" ? answer.reason : "the name has no address";
    const attempts = state.attempts + 1;
    const retryAt = ctx.now + pause(RECONNECT, attempts, ctx.random);
    const advice = "check the peer's name, this host's resolver and its routes";
    draft.effects.push({ kind: "report", report: { kind: "failed", tunnel: name, code: "RESOLVE", detail, advice } });
    return draft.setTunnel(name, { ...begun, attempts, retryAt, reason: detail });
  }
  draft.setTunnel(name, begun);
  const local = { address: policy.localAddress ?? found.local, port: 0 };
  call(draft, policy, local, { address: found.remote, port: PEER_PORT }, ctx);
}

function call(draft: Draft, policy: TunnelPolicy, local: SocketAddress, remote: SocketAddress, ctx: SaContext): void {
  const path = { local: { ...local, port: ctx.policy.ports.ike }, remote };
  const begun = initiate(policy, path, ctx);
  draft.effects.push({
    kind: "report",
    report: {
      kind: "story",
      tunnel: policy.name,
      peer: formatSocketAddress(remote),
      ike: `${spiHex(begun.sa.initiatorSpi)}_${spiHex(0n)}`,
      story: "calling the peer",
    },
  });
  born(draft, begun, ctx);
}

// --- what an IKE SA may see ----------------------------------------------------------------------------------------------

function contextOf(draft: Draft, given: Context): SaContext {
  const { policy, byName } = draft.base;
  const sight: Sight = {
    tunnel(name) {
      const found = byName.get(name);
      if (found === undefined) throw new Error(`no tunnel is called ${name}`);
      return found;
    },
    candidates: (path) => candidates(draft, path),
    inContact: (tunnel, peerId, except: IkeKey) =>
      establishedOf(draft.sas, tunnel).some((sa) => sa.key !== except && sameIdentity(sa.peerId, peerId)),
    carried: (tunnel, mapping) => liveChild(draft, tunnel, mapping) !== undefined,
    inUse(id) {
      const owner = draft.childOwner(id);
      const using = owner && draft.tunnels.get(owner.tunnel)?.using;
      if (using === undefined) return false;
      for (const child of using.values()) if (child === id) return true;
      return false;
    },
  };
  return { ...given, policy, ids: draft.ids(given), sight };
}

const CLOSENESS = { address: 0, name: 1, any: 2 } as const;

/** The tunnels that somebody at this address may be; a name stands for any address, its identity decides. */
function candidates(draft: Draft, { local, remote }: Path): readonly TunnelPolicy[] {
  return draft.base.policy.tunnels
    .filter(
      (tunnel) =>
        tunnel.ike.version === 2 &&
        draft.tunnels.get(tunnel.name)!.want !== "down" &&
        (tunnel.localAddress === undefined || sameAddress(tunnel.localAddress, local.address)) &&
        (tunnel.peer.kind !== "address" || sameAddress(tunnel.peer.address, remote.address)),
    )
    .sort((a, b) => CLOSENESS[a.peer.kind] - CLOSENESS[b.peer.kind]);
}
