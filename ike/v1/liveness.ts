/** Dead peer detection, RFC 3706: R-U-THERE with a number, R-U-THERE-ACK with the same. Each question has a new number (`decisions.md` 15). */
import type { Path } from "../../esp/address.js";
import type { TunnelPolicy } from "../core/policy.js";
import { earlier, PROBES, probeAt, SHORTEST_PROBE_PAUSE } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { childGone } from "./child.js";
import { andThen, ignore, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { arrived, current, inform } from "./exchange.js";
import { notification } from "./notifications.js";
import { mayCall } from "./peer.js";
import { releasedSpis } from "./quick-end.js";
import type { Phase1, V1Peer } from "./state.js";

const NUMBER_BYTES = 4;

/** <-- HDR*, HASH(1), N(R-U-THERE, number); the answer goes where the question came from. */
export function onProbe(peer: V1Peer, phase1: Phase1, data: Uint8Array, path: Path, ctx: SaContext): Step<V1Peer> {
  const number = numberOf(data);
  if (number === undefined) return ignore(peer, "DPD", `R-U-THERE with ${data.length} octets of number`);
  const answer = notification(phase1, "R-U-THERE-ACK", data);
  if (peer.lastProbed !== undefined && number <= peer.lastProbed && phase1.key === peer.probedUnder)
    return number < peer.lastProbed
      ? ignore(peer, "DPD", `R-U-THERE ${number} after ${peer.lastProbed}`)
      : inform(peer, phase1, [answer], ctx, path); // our answer got lost, and some ask with the same number again
  return andThen(arrived({ ...peer, lastProbed: number, probedUnder: phase1.key }, path, ctx), (now) =>
    inform(now, phase1, [answer], ctx, path),
  );
}

/** An answer to a question that is still open; an older one may be a recording. */
export function onProbeAnswer(peer: V1Peer, data: Uint8Array, path: Path, ctx: SaContext): Step<V1Peer> {
  const number = numberOf(data);
  if (number === undefined || peer.probing === undefined || number < peer.probing.first || number >= peer.nextProbe)
    return ignore(peer, "DPD", "R-U-THERE-ACK for a question that is not open");
  return arrived(peer, path, ctx);
}

function numberOf(data: Uint8Array): number | undefined {
  return data.length === NUMBER_BYTES ? new DataView(data.buffer, data.byteOffset).getUint32(0) : undefined;
}

function ask(peer: V1Peer, phase1: Phase1, timeoutSeconds: number, ctx: SaContext): Step<V1Peer> {
  const data = new Uint8Array(NUMBER_BYTES);
  new DataView(data.buffer).setUint32(0, peer.nextProbe);
  const asking = {
    ...peer,
    nextProbe: peer.nextProbe + 1,
    probing: {
      since: peer.probing?.since ?? ctx.now,
      first: peer.probing?.first ?? peer.nextProbe,
      nextAt: ctx.now + repeatAfter(timeoutSeconds),
    },
  };
  return inform(asking, phase1, [notification(phase1, "R-U-THERE", data)], ctx);
}

function repeatAfter(timeoutSeconds: number): number {
  return Math.max(SHORTEST_PROBE_PAUSE, (timeoutSeconds * 1000) / PROBES);
}

/** Whether silence can be told from death: the peer answers questions, or a phase 1 that is missing is called for. */
function canProbe(peer: V1Peer, policy: TunnelPolicy): boolean {
  const phase1 = current(peer);
  return phase1 === undefined ? mayCall(policy) : phase1.features.deadPeerDetection;
}

/** `timeout` after the last sign of life, but not before the first question has had two thirds of it. */
function verdict({ lastAlive, probing }: V1Peer, timeoutSeconds: number): Instant | undefined {
  if (probing === undefined) return undefined;
  return Math.max(lastAlive + timeoutSeconds * 1000, probing.since + (timeoutSeconds * 2000) / 3);
}

/** When liveness has something to do. */
export function livenessAt(peer: V1Peer, policy: TunnelPolicy): Instant | undefined {
  const timeout = policy.dpd?.timeoutSeconds;
  if (timeout === undefined || !canProbe(peer, policy)) return undefined;
  return earlier(peer.probing?.nextAt ?? probeAt(peer.lastAlive, timeout), verdict(peer, timeout));
}

/** A question is due, or the verdict. Without a phase 1 the call for one is the question. */
export function checkLiveness(peer: V1Peer, ctx: SaContext): Step<V1Peer | undefined> {
  const policy = ctx.sight.tunnel(peer.tunnel);
  const timeout = policy.dpd?.timeoutSeconds;
  if (timeout === undefined || !canProbe(peer, policy)) return stepTo(peer);
  const end = verdict(peer, timeout);
  if (end !== undefined && ctx.now >= end) return dead(peer, ctx);
  if (ctx.now < (peer.probing?.nextAt ?? probeAt(peer.lastAlive, timeout))) return stepTo(peer);
  const phase1 = current(peer);
  if (phase1 !== undefined) return ask(peer, phase1, timeout, ctx);
  const since = peer.probing?.since ?? ctx.now;
  const first = peer.probing?.first ?? peer.nextProbe;
  return stepTo({ ...peer, probing: { since, first, nextAt: ctx.now + repeatAfter(timeout) } });
}

/** The peer does not answer: everything goes, without a word to anybody. */
function dead(peer: V1Peer, ctx: SaContext): Step<undefined> {
  const silence = Math.round((ctx.now - peer.lastAlive) / 1000);
  const reason = `the peer is dead: nothing authentic came for ${silence} s, and our questions are unanswered`;
  return stepTo(
    undefined,
    ...withdraw(peer, reason),
    report(peer, { kind: "failed", code: "PEER_GONE", detail: reason, message: "silence" }),
    report(peer, { kind: "ikeClosed", reason }),
    { kind: "lost", tunnel: peer.tunnel, cause: "dead", reason },
  );
}

/** What leaves the data plane with a peer. Its mappings are the supervisor's with the tunnel, not one by one. */
export function withdraw(peer: V1Peer, reason: string): readonly SaEffect[] {
  const effects: SaEffect[] = [...releasedSpis(peer.quicks)];
  for (const child of peer.children.values())
    effects.push(...childGone(peer, child, "failed", reason).filter(({ kind }) => kind !== "mappingLost"));
  return effects;
}
