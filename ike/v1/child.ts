/** A child of an IKEv1 peer: keys, limits and path from what quick mode agreed. */
import { createPrf } from "../../crypto/backends.js";
import { espSuiteName } from "../../crypto/registry/proposal.js";
import type { Secret } from "../../crypto/secret.js";
import type { ChildId } from "../../esp/sa.js";
import { formatSelector } from "../../esp/selector.js";
import { type Child, newestChild, volumeLimits } from "../core/child.js";
import type { SaidAll } from "../core/evidence.js";
import { espPath } from "../core/nat.js";
import { agreedEsp, phase2Evidence, selectorWords } from "../core/our-values.js";
import { softLife } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { report, type SaContext, type SaEffect } from "./context.js";
import { espKeys } from "./keys.js";
import type { QuickTerms } from "./quick.js";
import type { Phase1, V1Peer } from "./state.js";

export interface V1Child extends Child {
  readonly bornAt: Instant;
}

interface Facts {
  readonly terms: QuickTerms;
  readonly spiIn: number;
  readonly ni: Uint8Array;
  readonly sharedSecret?: Secret;
  /** Whether the quick mode was ours: its initiator renews sooner. */
  readonly ours: boolean;
}

export function makeChild(peer: V1Peer, phase1: Phase1, facts: Facts, ctx: SaContext): V1Child {
  const { terms, spiIn, ni, sharedSecret, ours } = facts;
  const { suite, spiOut, nr, encapsulation, limits, local, remote, mappings } = terms;
  const { rekeyMarginSeconds, replayWindow } = ctx.sight.tunnel(peer.tunnel).esp;
  const prf = createPrf(phase1.suite.prf);
  const keysOf = (spi: number) =>
    espKeys(prf, phase1.keys.skeyidD, suite, { spi, ni, nr, ...(sharedSecret && { sharedSecret }) });
  const id = ctx.ids.child();
  const soft = softLife(limits.lifetimeSeconds, rekeyMarginSeconds, ctx.random);
  const hard = limits.lifetimeSeconds * 1000;
  return {
    id,
    pair: {
      id,
      tunnel: peer.tunnel,
      spiIn,
      spiOut,
      suite,
      keys: { inbound: keysOf(spiIn), outbound: keysOf(spiOut) },
      local: [local],
      remote: [remote],
      mappings,
      path: espPath(peer.path, encapsulation, ctx),
      encapsulation,
      replayWindow,
      volume: volumeLimits(limits.volumeOctets),
    },
    state: "live",
    bornAt: ctx.now,
    expiresAt: ctx.now + hard,
    rekeyAt: ctx.now + (ours ? soft : soft + (hard - soft) / 2),
    attempts: 0,
  };
}

export function withChild(peer: V1Peer, child: V1Child): V1Peer {
  return { ...peer, children: new Map(peer.children).set(child.id, child) };
}

export function withoutChild(peer: V1Peer, id: ChildId): V1Peer {
  const children = new Map(peer.children);
  children.delete(id);
  return { ...peer, children, wishes: peer.wishes.filter(({ replaces }) => replaces !== id) };
}

/** The others that carry its mappings receive until their end, and are not renewed: the newest is used (`decisions.md` 10). */
export function retireOthers(peer: V1Peer, { id, pair }: V1Child): V1Peer {
  let next = peer;
  for (const other of peer.children.values()) {
    if (other.id === id || other.state !== "live") continue;
    if (!other.pair.mappings.some((mapping) => pair.mappings.includes(mapping))) continue;
    const { rekeyAt: _, useAt: __, ...old } = other;
    next = withChild(next, { ...old, state: "old" });
  }
  return { ...next, wishes: next.wishes.filter(({ mapping }) => !pair.mappings.includes(mapping)) };
}

/** Whether a live child carries the mapping. */
export function carries({ children }: V1Peer, mapping: number): boolean {
  return newestChild(children, "live", mapping) !== undefined;
}

/** The live child that carries the mapping now. */
export function liveOf({ children }: V1Peer, mapping: number): V1Child | undefined {
  const newest = newestChild(children, "live", mapping);
  return newest === undefined ? undefined : children.get(newest);
}

/** `said`: what is known of the peer's lifetime. */
export function childEstablished(
  peer: V1Peer,
  { id, pair, replaces }: V1Child,
  said: SaidAll,
  ctx: SaContext,
): SaEffect {
  const { suite, local, remote } = pair;
  const pairs = [selectorWords(local, remote)];
  return report(peer, {
    kind: "childEstablished",
    child: id,
    ...(replaces !== undefined && { replaces }),
    proposal: espSuiteName(suite),
    local: local.map(formatSelector),
    remote: remote.map(formatSelector),
    evidence: phase2Evidence(ctx.sight.tunnel(peer.tunnel), {
      ...agreedEsp(suite, { pfs: true }),
      selectors: { theirs: pairs, ours: pairs },
      ...said,
    }),
  });
}

/** The end of a child, for the data plane, the operator, and the supervisor of its mappings. */
export function childGone(
  peer: V1Peer,
  { id, state, pair }: V1Child,
  cause: "peer" | "expired" | "failed",
  reason: string,
): readonly SaEffect[] {
  const lost = state === "live" ? pair.mappings : [];
  return [
    { kind: "removeChild", id },
    report(peer, { kind: "childClosed", child: id, reason }),
    ...lost.map((mapping) => ({ kind: "mappingLost", tunnel: peer.tunnel, mapping, cause, reason }) as const),
  ];
}
