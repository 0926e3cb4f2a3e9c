/** A child SA pair from what was negotiated: keys, limits, path; and how it begins and ends. */
import { createPrf } from "../../crypto/backends.js";
import { espSuiteName } from "../../crypto/registry/proposal.js";
import type { EspSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ChildId, Encapsulation, VolumeLimits } from "../../esp/sa.js";
import { formatSelector } from "../../esp/selector.js";
import type { TunnelPolicy } from "../core/policy.js";
import { softLife } from "../core/timers.js";
import { report, type SaContext, type SaEffect } from "./context.js";
import { onNatPort } from "./ike-sa-init.js";
import { childKeys } from "./keys.js";
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
}

type Owner = Pick<Established, "tunnel" | "keys" | "negotiated" | "path">;

export function makeChild(sa: Owner, facts: ChildFacts, ctx: SaContext): Child {
  const policy = ctx.sight.tunnel(sa.tunnel);
  const { suite, spiIn, spiOut, selectors, asked, sharedSecret } = facts;
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
    },
    state: "live",
    expiresAt: ctx.now + lifetimeSeconds * 1000,
    rekeyAt: ctx.now + softLife(lifetimeSeconds, rekeyMarginSeconds, ctx.random),
    attempts: 0,
  };
}

/** The soft limit stands a tenth before the hard one; packets are the data plane's own affair. */
function volumeLimits(octets: number): VolumeLimits {
  return { softOctets: Math.floor(octets * 0.9), hardOctets: octets, softPackets: 0, hardPackets: 0 };
}

/** RFC 7296 section 2.23, `decisions.md` 25: UDP where a NAT was seen, or where the configuration says so. */
function encapsulationOf({ nat }: Negotiated, policy: TunnelPolicy): Encapsulation {
  return nat.here || nat.peer || policy.encapsulation === "udp" ? "udp" : "esp";
}

/** Encapsulated ESP always leaves from the NAT-T port, wherever IKE is spoken. */
export function espPath(path: Path, encapsulation: Encapsulation, ctx: Pick<SaContext, "policy">): Path {
  return encapsulation === "udp" && path.local.port !== ctx.policy.ports.natT ? onNatPort(path, ctx) : path;
}

export function withChild<Sa extends Established>(sa: Sa, child: Child): Sa {
  return { ...sa, children: new Map(sa.children).set(child.id, child) };
}

export function withoutChild<Sa extends Established>(sa: Sa, id: ChildId): Sa {
  const children = new Map(sa.children);
  children.delete(id);
  return { ...sa, children, wishes: sa.wishes.filter((w) => !("child" in w) || w.child !== id) };
}

export function childEstablished(sa: Established, { id, pair, replaces }: Child): SaEffect {
  return report(sa, {
    kind: "childEstablished",
    child: id,
    ...(replaces !== undefined && { replaces }),
    proposal: espSuiteName(pair.suite),
    local: pair.local.map(formatSelector),
    remote: pair.remote.map(formatSelector),
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

/** An SPI on the wire of an SA payload. */
export function espSpiOctets(spi: number): Uint8Array {
  return new Uint8Array([spi >>> 24, (spi >>> 16) & 0xff, (spi >>> 8) & 0xff, spi & 0xff]);
}

export function espSpiFrom(bytes: Uint8Array): number {
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
}
