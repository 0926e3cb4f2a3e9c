/** One event of the whole endpoint: to the IKE SA that it concerns, and then to the supervisor of the tunnels that it touched. */
import { formatSocketAddress, type Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import * as v1 from "../v1/step.js";
import { createCookieSecrets, rotateCookieSecrets } from "../v2/cookie.js";
import { forgottenReply } from "../v2/features/crash-detection.js";
import { onFirstRequest, refuse } from "../v2/first-request.js";
import { onDatagram, onRepeatedFirstRequest } from "../v2/step.js";
import { EXCHANGE_TYPE_V1 } from "../wire/exchange-types.js";
import { MAX_UNPROVEN_BYTES } from "../wire/limits.js";
import { decodeMessage } from "../wire/message.js";
import { decodeMessageV1 } from "../wire/message-v1.js";
import { sasDue, tunnelsDue } from "./agenda.js";
import { apply, born, sasOf } from "./consequences.js";
import { peerText, type SaContext } from "./context.js";
import { type Destination, demux, UNKNOWN } from "./demux.js";
import { Draft } from "./draft.js";
import type { Endpoint } from "./endpoint.js";
import { ProtocolError } from "./errors.js";
import { MOST_BLAMED } from "./evidence.js";
import { halfOpenLoad } from "./half-open.js";
import { changePolicy } from "./new-policy.js";
import { phase1Evidence, versionWords } from "./our-values.js";
import { lookedUp, resolved } from "./peer-address.js";
import {
  type AnyStep,
  drop,
  type Holder,
  holdersOf,
  isHolder,
  isOver,
  onAddresses,
  onAlive,
  onAnswer,
  onChildRefused,
  onFirstInbound,
  onLimit,
  onMoved,
  onTick,
  wishClose,
  wishRekeyChildren,
  wishRekeyIke,
} from "./sas.js";
import { contextOf } from "./sight.js";
import { supervise } from "./supervise.js";
import { afterTraffic, wantDown, wantUp } from "./supervisor.js";
import { CLOSING_LIFE, SHUTDOWN_LIFE } from "./timers.js";
import type { Context, Effect, Event, Wish } from "./types.js";

/** One event. Deterministic; the given endpoint stays as it is, also when this throws (which would be our bug). */
export function step(
  endpoint: Endpoint,
  event: Event,
  given: Context,
): { endpoint: Endpoint; effects: readonly Effect[] } {
  const draft = new Draft(endpoint);
  const ctx = contextOf(draft, given);
  if (endpoint.bornAt !== undefined) for (const name of draft.tunnels.keys()) draft.touched.add(name);
  dispatch(draft, event, ctx, given);
  const after = draft.policy === endpoint.policy ? ctx : contextOf(draft, given);
  for (const name of draft.touched) supervise(draft, name, after);
  return { endpoint: draft.done(), effects: draft.effects };
}

function dispatch(draft: Draft, event: Event, ctx: SaContext, given: Context): void {
  switch (event.kind) {
    case "datagram":
      datagram(draft, event.path, event.bytes, ctx);
      return;
    case "tick":
      tick(draft, ctx);
      return;
    case "wish":
      wish(draft, event.wish, ctx);
      return;
    case "policy":
      changePolicy(draft, event.policy, event.newKeys, ctx, given);
      return;
    case "answer": {
      const owner = draft.takeAsk(event.ask);
      if (owner === undefined) return;
      if ("tunnel" in owner) {
        if (draft.tunnels.get(owner.tunnel)?.looking === event.ask) lookedUp(draft, owner.tunnel, event.answer, ctx);
        else resolved(draft, owner.tunnel, event.ask, event.answer, ctx);
        return;
      }
      const sa = draft.sas.get(owner.sa);
      if (sa !== undefined) apply(draft, sa, onAnswer(sa, event.ask, event.answer, ctx), ctx);
      return;
    }
    case "alive": {
      const alive = new Set(event.children.map((id) => draft.childOwner(id)));
      for (const sa of alive) if (sa !== undefined) apply(draft, sa, onAlive(sa, ctx), ctx);
      return;
    }
    case "firstInbound":
      onChild(draft, event.child, ctx, (sa) => onFirstInbound(sa, event.child, ctx));
      return;
    case "limit":
      onChild(draft, event.child, ctx, (sa) => onLimit(sa, event.child, event.limit, ctx));
      return;
    case "traffic":
      onTraffic(draft, event.tunnel, event.mappings);
      return;
    case "childRefused":
      onChild(draft, event.child, ctx, (sa) => onChildRefused(sa, event.child, event.reason, ctx));
      return;
    case "addresses":
      for (const sa of [...draft.sas.values()]) apply(draft, sa, onAddresses(sa, event.addresses, ctx), ctx);
      return;
    case "moved":
      onChild(draft, event.child, ctx, (sa) => onMoved(sa, event.path, ctx));
      return;
  }
}

function onChild(draft: Draft, id: ChildId, ctx: SaContext, run: (sa: Holder) => AnyStep): void {
  const sa = draft.childOwner(id);
  if (sa !== undefined) apply(draft, sa, run(sa), ctx);
}

function onTraffic(draft: Draft, tunnel: string, mappings: readonly number[]): void {
  const state = draft.tunnels.get(tunnel);
  if (state === undefined || draft.shutdownAt !== undefined) return;
  const next = afterTraffic(state, mappings);
  if (next === state) return;
  draft.setTunnel(tunnel, next);
  draft.effects.push({
    kind: "report",
    report: { kind: "story", tunnel, story: "packets wait for an SA: brings it up" },
  });
}

// --- datagrams -----------------------------------------------------------------------------------------------------

function datagram(draft: Draft, path: Path, bytes: Uint8Array, ctx: SaContext): void {
  const destination = demux(bytes, path, draft.sas);
  switch (destination.to) {
    case "forgotten": {
      const answer = forgottenReply(draft.policy, destination.header);
      if (answer !== undefined && draft.shutdownAt === undefined)
        draft.effects.push({ kind: "send", path, bytes: answer });
      ignored(draft, path, UNKNOWN, destination.detail);
      return;
    }
    case "nobody":
      ignored(draft, path, destination.code, destination.detail);
      return;
    case "refuse":
      born(draft, refuse(destination.header, path, destination.error), ctx);
      return;
    case "repeated":
      apply(draft, destination.sa, onRepeatedFirstRequest(destination.sa, bytes, path), ctx);
      return;
    case "sa": {
      const { sa, raw } = destination;
      const message = decoded(bytes, raw);
      if (message instanceof ProtocolError) {
        ignored(draft, path, message.notify, message.detail);
        return;
      }
      apply(draft, sa, onDatagram(sa, message, bytes, path, ctx), ctx);
      return;
    }
    case "v1":
      datagramV1(draft, destination, bytes, path, ctx);
      return;
    case "stranger": {
      if (draft.shutdownAt !== undefined) {
        ignored(draft, path, "shutdown", "the gateway is going down");
        return;
      }
      const { raw, header } = destination;
      if (bytes.length > MAX_UNPROVEN_BYTES) {
        ignored(draft, path, "too long", `a first request of ${bytes.length} octets, ${MAX_UNPROVEN_BYTES} at most`);
        return;
      }
      const message = decoded(bytes, raw);
      if (message instanceof ProtocolError) {
        born(draft, refuse(header, path, message), ctx);
        return;
      }
      const load = halfOpenLoad(draft.sas, draft.policy, path);
      if (load === "full") {
        ignored(draft, path, "half-open", "too many unfinished handshakes");
        return;
      }
      const cookies = rotateCookieSecrets(
        draft.cookies ?? createCookieSecrets(ctx.now, ctx.random),
        ctx.now,
        ctx.random,
      );
      draft.cookies = cookies;
      born(draft, onFirstRequest(message, bytes, path, { cookies, demandCookie: load === "high" }, ctx), ctx);
      return;
    }
  }
}

/** IKEv1 has no cookies to ask for. A stranger in aggressive mode costs a key exchange, and is turned away sooner than one in main mode. */
function datagramV1(
  draft: Draft,
  { sa, raw }: Extract<Destination, { to: "v1" }>,
  bytes: Uint8Array,
  path: Path,
  ctx: SaContext,
): void {
  if (sa !== undefined) {
    apply(draft, sa, v1.onDatagram(sa, bytes, raw, path, ctx), ctx);
    return;
  }
  if (draft.shutdownAt !== undefined) {
    ignored(draft, path, "shutdown", "the gateway is going down");
    return;
  }
  if (ctx.sight.candidates(path, 1).length === 0) {
    onOtherVersion(draft, path, ctx);
    return;
  }
  if (bytes.length > MAX_UNPROVEN_BYTES) {
    ignored(draft, path, "too long", `a first message of ${bytes.length} octets, ${MAX_UNPROVEN_BYTES} at most`);
    return;
  }
  // Aggressive mode makes us compute for whoever says that he is there: it has half of the room.
  const share = raw.exchangeCode === EXCHANGE_TYPE_V1.AGGRESSIVE_MODE ? 2 : 1;
  if (halfOpenLoad(draft.sas, draft.policy, path, share) === "full") {
    ignored(draft, path, "half-open", "too many unfinished handshakes");
    return;
  }
  let message: ReturnType<typeof decodeMessageV1>;
  try {
    message = decodeMessageV1(bytes, raw);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    ignored(draft, path, error.notify, error.detail);
    return;
  }
  born(draft, v1.onStranger(message, bytes, path, ctx), ctx);
}

/** IKEv1 where no tunnel speaks it: nothing is answered, but whoever wonders why the tunnel is down is told. */
function onOtherVersion(draft: Draft, path: Path, ctx: SaContext): void {
  const detail = "no tunnel of IKEv1 is configured for this address";
  const meant = ctx.sight.candidates(path, 2).slice(0, MOST_BLAMED);
  if (meant.length === 0) {
    ignored(draft, path, "version", detail);
    return;
  }
  const candidates = meant.map((tunnel) => ({
    tunnel: tunnel.name,
    evidence: phase1Evidence(tunnel, path, { version: { theirs: [versionWords(1)] } }),
  }));
  draft.effects.push({
    kind: "report",
    report: {
      kind: "failed",
      code: "NO_PROPOSAL_CHOSEN",
      peer: peerText(path),
      detail: `${detail}: ${meant.map(({ name }) => name).join(", ")} speaks IKEv2`,
      message: "request",
      candidates,
    },
  });
}

function decoded(bytes: Uint8Array, raw: Parameters<typeof decodeMessage>[1]) {
  try {
    return decodeMessage(bytes, raw);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error;
  }
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
      if (isHolder(sa)) apply(draft, sa, drop(sa, "the gateway is going down"), ctx);
      draft.setSa(key, undefined);
    }
    return;
  }
  for (const sa of sasDue(draft, ctx.now)) if (draft.sas.get(sa.key) === sa) apply(draft, sa, onTick(sa, ctx), ctx);
  for (const name of tunnelsDue(draft, ctx.now)) draft.touched.add(name);
}

// --- wishes ----------------------------------------------------------------------------------------------------------

function wish(draft: Draft, wanted: Wish, ctx: SaContext): void {
  if (wanted.do === "shutdown") {
    shutdown(draft, ctx);
    return;
  }
  const { tunnel } = wanted;
  const state = draft.tunnels.get(tunnel);
  if (state === undefined || draft.shutdownAt !== undefined) return;
  switch (wanted.do) {
    case "up":
      draft.setTunnel(tunnel, wantUp(state));
      return;
    case "down":
      draft.setTunnel(tunnel, wantDown(state));
      for (const sa of sasOf(draft, tunnel))
        apply(draft, sa, wishClose(sa, "taken down by the operator", CLOSING_LIFE, ctx), ctx);
      return;
    case "rekeyChildren":
      for (const sa of holdersOf(draft.sas, tunnel)) apply(draft, sa, wishRekeyChildren(sa, ctx), ctx);
      return;
    case "rekeyIke":
      for (const sa of holdersOf(draft.sas, tunnel)) apply(draft, sa, wishRekeyIke(sa, ctx), ctx);
      return;
  }
}

function shutdown(draft: Draft, ctx: SaContext): void {
  if (draft.shutdownAt !== undefined) return;
  draft.shutdownAt = ctx.now + SHUTDOWN_LIFE;
  for (const sa of [...draft.sas.values()])
    if (!isOver(sa)) apply(draft, sa, wishClose(sa, "the gateway is going down", SHUTDOWN_LIFE, ctx), ctx);
}
