/**
 * Both ends rekey the IKE SA at once, RFC 7296 section 2.8.2. Each answers as usual, so that two new IKE SAs are born; the one
 * with the lowest of the four nonces goes, by the hand of who asked for it, and the other one takes the children over. Who has
 * answered, but waits for the answer to its own request, keeps the peer's new IKE SA as an heir, until
 *
 *   - its own answer comes: the nonces decide
 *   - its own request is refused, or unanswered for too long: the heir takes over
 *   - the peer deletes the old IKE SA, or speaks of children in the heir: it has decided, or never saw our request
 *   - the peer deletes the heir: the other one will stay
 */
import { compare } from "../../crypto/bytes.js";
import { REPLACED_IKE_LIFE } from "../core/timers.js";
import type { IkeHeader } from "../wire/header.js";
import type { Payload } from "../wire/message.js";
import { deleting, lingering } from "./closing.js";
import { report, type SaContext, type SaEffect, type Step, spiText, stepTo } from "./context.js";
import { ikeEstablished } from "./establish.js";
import { inheritedErrands } from "./features/mobike.js";
import { lowestNonce } from "./keys.js";
import type { Closing, Established, Heir, KeyedSa, Lingering } from "./state.js";

/** The peer's new IKE SA, while ours is not answered. */
export function born({ phase: _, ...next }: Established, old: Established, ctx: SaContext): SaEffect {
  const until = ctx.now + REPLACED_IKE_LIFE;
  const heir: Heir = { ...next, phase: "heir", children: new Map(), wishes: [], predecessor: old.key, until };
  return { kind: "adopt", sa: heir };
}

/** It is kept for as long as its predecessor may still need it. */
export function overdueHeir(sa: Heir, ctx: SaContext): Step {
  const old = ctx.sight.other(sa.predecessor);
  if (old?.phase !== "established" || old.heir !== sa.key) return stepTo(undefined);
  return stepTo({ ...sa, until: ctx.now + REPLACED_IKE_LIFE });
}

export function heirOf({ heir }: Established, ctx: SaContext): Heir | undefined {
  const other = heir === undefined ? undefined : ctx.sight.other(heir);
  return other?.phase === "heir" ? other : undefined;
}

/** Whether our new IKE SA stays beside the peer's. */
export function wins(ours: Established, theirs: Heir): boolean {
  return compare(lowestNonce(ours.negotiated), lowestNonce(theirs.negotiated)) > 0;
}

/** The heir takes over; the old IKE SA goes on answering what the peer may still send. */
export function bequeath(old: Established, heir: Heir, ctx: SaContext): Step<Lingering> {
  const next = takingOver(heir, old, ctx);
  return stepTo(
    lingering(old, ctx.now + REPLACED_IKE_LIFE),
    { kind: "adopt", sa: next },
    rekeyed(old, next),
    ikeEstablished(next, ctx),
  );
}

/**
 * The peer has sent a request to an heir: when it is about children, it takes the heir for the one that stays, and so do we.
 */
export function claim(sa: KeyedSa, header: IkeHeader, payloads: readonly Payload[], ctx: SaContext): Step<KeyedSa> {
  if (sa.phase !== "heir" || header.response || !aboutChildren(header, payloads)) return stepTo(sa);
  const old = ctx.sight.other(sa.predecessor);
  if (old?.phase !== "established") return stepTo(sa);
  const next = takingOver(sa, old, ctx);
  return stepTo(
    next,
    { kind: "adopt", sa: lingering(old, ctx.now + REPLACED_IKE_LIFE) },
    rekeyed(old, next),
    ikeEstablished(next, ctx),
  );
}

function aboutChildren({ exchange }: IkeHeader, payloads: readonly Payload[]): boolean {
  if (exchange === "CREATE_CHILD_SA") return true;
  return exchange === "INFORMATIONAL" && payloads.some((p) => p.kind === "D" && p.body.protocol === "ESP");
}

/** The predecessor may have followed the peer to another address meanwhile. */
function takingOver(heir: Heir, old: Established, ctx: SaContext): Established {
  const { predecessor: _, until: __, ...kept } = heir;
  const { children, path } = old;
  return { ...kept, phase: "established", path, children, wishes: inheritedErrands(old, ctx), lastAlive: ctx.now };
}

/** An IKE SA whose place another one has taken, or keeps: without children, and soon without us. */
export function replaced(sa: Established | Heir, ctx: SaContext): Step<Closing> {
  return deleting(sa, ctx.now + REPLACED_IKE_LIFE, ctx);
}

export function rekeyed(old: Established, next: Established): SaEffect {
  return report(old, {
    kind: "story",
    story: `the IKE SA is replaced by ${spiText(next)}, which takes its children over`,
  });
}
