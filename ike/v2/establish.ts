/** The step from a handshake, or from a rekey, to an established IKE SA. */
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import { natWords } from "../core/nat.js";
import { agreedIke, PROVEN, phase1Evidence } from "../core/our-values.js";
import { softLife } from "../core/timers.js";
import { report, type SaContext, type SaEffect } from "./context.js";
import type { Child, Established } from "./state.js";

type Given = Pick<
  Established,
  | "key"
  | "role"
  | "initiatorSpi"
  | "responderSpi"
  | "path"
  | "createdAt"
  | "tunnel"
  | "negotiated"
  | "keys"
  | "window"
  | "localId"
  | "peerId"
  | "mobike"
  | "began"
  | "peerToken"
  | "tokenDue"
>;

/** Its life begins now; `children` come from an IKE SA that it replaces. */
export function establish(given: Given, ctx: SaContext, children: ReadonlyMap<number, Child> = new Map()): Established {
  const { lifetimeSeconds, rekeyMarginSeconds } = ctx.sight.tunnel(given.tunnel).ike;
  return {
    ...given,
    phase: "established",
    establishedAt: ctx.now,
    expiresAt: ctx.now + lifetimeSeconds * 1000,
    rekeyAt: ctx.now + softLife(lifetimeSeconds, rekeyMarginSeconds, ctx.random),
    rekeyAttempts: 0,
    lastAlive: ctx.now,
    lastSent: ctx.now,
    children,
    wishes: [],
  };
}

export function ikeEstablished(sa: Established, ctx: SaContext): SaEffect {
  const { suite, nat } = sa.negotiated;
  const policy = ctx.sight.tunnel(sa.tunnel);
  const evidence = phase1Evidence(policy, sa.path, { ...agreedIke(policy, suite), ...PROVEN });
  const proposal = ikeSuiteName(suite);
  return report(sa, { kind: "ikeEstablished", proposal, role: sa.role, nat: natWords(nat), evidence });
}
