/** A child SA pair from what was negotiated: keys, limits, path; and how it begins and ends. */
import { createPrf } from "../../crypto/backends.js";
import { espSuiteName } from "../../crypto/registry/proposal.js";
import type { EspSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import { formatSelector } from "../../esp/selector.js";
import { volumeLimits } from "../core/child.js";
import type { SaidAll } from "../core/evidence.js";
import { espPath } from "../core/nat.js";
import { agreedEsp, phase2Evidence, selectorWords } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { softLife } from "../core/timers.js";
import type { NotifyPayload } from "../wire/payloads/notify.js";
import { report, type SaContext, type SaEffect } from "./context.js";
import { childKeys, lowestNonce } from "./keys.js";
import type { NarrowedSelectors } from "./narrowing.js";
import type { Child, Established, Negotiated } from "./state.js";

export interface ChildFacts {
  readonly suite: EspSuite;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly selectors: NarrowedSelectors;
  /** With PFS. */
  readonly sharedSecret?: Secret;
  /** Whether this exchange was ours: decides which keys are whose. */
  readonly asked: boolean;
  readonly refusesTfc: boolean;
}

type Owner = Pick<Established, "tunnel" | "keys" | "negotiated" | "path">;

export function makeChild(sa: Owner, facts: ChildFacts, ctx: SaContext): Child {
  const policy = ctx.sight.tunnel(sa.tunnel);
  const { suite, spiIn, spiOut, selectors, asked, sharedSecret, refusesTfc } = facts;
  const keys = childKeys(createPrf(sa.negotiated.suite.prf), suite, sa.keys.skD, facts, sharedSecret);
  const id = ctx.ids.child();
  const encapsulation = encapsulationOf(sa.negotiated, policy);
  const { lifetimeSeconds, rekeyMarginSeconds, volumeOctets, replayWindow } = policy.esp;
  return {
    id,
    pair: {
      id,
      tunnel: sa.tunnel,
      spiIn,
      spiOut,
      suite,
      keys: asked
        ? { inbound: keys.responder, outbound: keys.initiator }
        : { inbound: keys.initiator, outbound: keys.responder },
      local: selectors.local,
      remote: selectors.remote,
      mappings: selectors.mappings,
      path: espPath(sa.path, encapsulation, ctx),
      encapsulation,
      replayWindow,
      volume: volumeLimits(volumeOctets),
      ...(refusesTfc && { refusesTfc }),
    },
    state: "live",
    expiresAt: ctx.now + lifetimeSeconds * 1000,
    rekeyAt: ctx.now + softLife(lifetimeSeconds, rekeyMarginSeconds, ctx.random),
    attempts: 0,
    origin: { asked, lowestNonce: lowestNonce(facts) },
  };
}

/** The peer wants no TFC padding in the packets of the child whose SA payload stands beside these (RFC 7296 section 1.3.1). */
export function refusesTfc(notifies: readonly NotifyPayload[]): boolean {
  return notifies.some(({ notify }) => notify === "ESP_TFC_PADDING_NOT_SUPPORTED");
}

/** RFC 7296 section 2.23, `decisions.md` 25: UDP where a NAT was seen, or where the configuration says so. */
export function encapsulationOf({ nat }: Negotiated, policy: TunnelPolicy): Encapsulation {
  return nat.here || nat.peer || policy.encapsulation === "udp" ? "udp" : "esp";
}

export function withChild<Sa extends Established>(sa: Sa, child: Child): Sa {
  return { ...sa, children: new Map(sa.children).set(child.id, child) };
}

export function withoutChild<Sa extends Established>(sa: Sa, id: ChildId): Sa {
  const children = new Map(sa.children);
  children.delete(id);
  return { ...sa, children, wishes: sa.wishes.filter((w) => !("child" in w) || w.child !== id) };
}

/** `said`: what else is known of the child's negotiation. */
export function childEstablished(
  sa: Established,
  { id, pair, replaces }: Child,
  exchange: "IKE_AUTH" | "CREATE_CHILD_SA",
  ctx: SaContext,
  said: SaidAll = {},
): SaEffect {
  const { suite, local, remote } = pair;
  const agreed = agreedEsp(suite, { pfs: exchange === "CREATE_CHILD_SA" });
  const pairs = [selectorWords(local, remote)];
  return report(sa, {
    kind: "childEstablished",
    child: id,
    ...(replaces !== undefined && { replaces }),
    proposal: espSuiteName(suite),
    local: local.map(formatSelector),
    remote: remote.map(formatSelector),
    evidence: phase2Evidence(ctx.sight.tunnel(sa.tunnel), {
      ...agreed,
      selectors: { theirs: pairs, ours: pairs },
      ...said,
    }),
  });
}

export function childClosed(sa: Established, id: ChildId, reason: string): SaEffect {
  return report(sa, { kind: "childClosed", child: id, reason });
}

/** The child with this inbound SPI: how our own Delete payloads name it. */
export function childByInbound(sa: Established, spi: number): Child | undefined {
  for (const child of sa.children.values()) if (child.pair.spiIn === spi) return child;
  return undefined;
}

/** The child that the peer names by its own inbound SPI, in REKEY_SA and Delete. */
export function childByOutbound(sa: Established, spi: number): Child | undefined {
  for (const child of sa.children.values()) if (child.pair.spiOut === spi) return child;
  return undefined;
}
