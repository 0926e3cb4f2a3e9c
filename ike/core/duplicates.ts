/**
 * Several IKE SAs with one peer in one tunnel: what `duplicates` says about them.
 *
 *     replace   the newest takes the place of the others, which are deleted when it has had time to take over their mappings
 *     keep      the first one stays, and the peer gets no other one, unless it says that it knows of none (INITIAL_CONTACT)
 *     never     they live side by side, whatever the peer says: hosts that share an identity
 *
 * IKE SAs that both sides began at the same time are no matter of policy: one of them goes, by the rule that both know.
 */
import { apply, useChild } from "./consequences.js";
import type { SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import { sameIdentity } from "./identity.js";
import { type AnySa, drop, type Holder, holdersOf, isHolder, losesTo, tunnelOf, wishClose } from "./sas.js";
import { CLOSING_LIFE, DELETE_OLD_CHILD_AFTER, SUPERSEDED_LIFE } from "./timers.js";
import type { Instant } from "./types.js";

/** The older ones, when `sa` has just been established. `initialContact`: its peer knows of no other. */
export function settleDuplicates(draft: Draft, sa: Holder, initialContact: boolean, ctx: SaContext): void {
  const { tunnel } = sa;
  const { duplicates } = ctx.sight.tunnel(tunnel);
  const renews = draft.tunnels.get(tunnel)!.renewing && sa.role === "initiator";
  for (const other of holdersOf(draft.sas, tunnel)) {
    if (other.key === sa.key || !sameIdentity(other.peerId, sa.peerId)) continue;
    if (other.establishedAt < sa.createdAt) {
      if (renews) {
        const life = carriesAll(sa, other) ? DELETE_OLD_CHILD_AFTER : SUPERSEDED_LIFE;
        supersede(draft, other, "a new IKE SA has taken its place", ctx.now + life);
      } else if (initialContact && duplicates !== "never")
        apply(draft, other, drop(other, "the peer has started anew and knows nothing of it"), ctx);
      else if (duplicates === "replace")
        supersede(draft, other, "a newer IKE SA of the peer has taken its place", ctx.now + SUPERSEDED_LIFE);
    } else if (other.role !== sa.role) {
      const [loser, winner] = losesTo(sa, other) ? [sa, other] : [other, sa];
      // Who called deletes it, when nothing of the peer's is on its way on it any more. Not every peer knows this rule.
      const life = loser.role === "initiator" ? DELETE_OLD_CHILD_AFTER : SUPERSEDED_LIFE;
      supersede(draft, loser, "both sides started at once: the other IKE SA stays", ctx.now + life);
      for (const { id, state } of winner.children.values()) if (state === "live") useChild(draft, id);
    }
  }
  closeSurplus(draft, sa, ctx);
}

/** Whether the new IKE SA has a child for every mapping of the old one. */
function carriesAll(sa: Holder, old: Holder): boolean {
  const carried = new Set(mappingsOf(sa));
  return mappingsOf(old).every((mapping) => carried.has(mapping));
}

function mappingsOf({ children }: Holder): readonly number[] {
  return [...children.values()].flatMap(({ state, pair }) => (state === "live" ? pair.mappings : []));
}

function supersede(draft: Draft, { key, tunnel }: Holder, reason: string, closeAt: Instant): void {
  const state = draft.tunnels.get(tunnel)!;
  if (state.superseded.has(key)) return;
  draft.setTunnel(tunnel, { ...state, superseded: new Map(state.superseded).set(key, { reason, closeAt }) });
}

/** An IKE SA that is rekeyed after another one took its place goes all the same. */
export function inheritPlace(draft: Draft, old: AnySa | undefined, heir: AnySa): void {
  const tunnel = tunnelOf(heir);
  const state = tunnel === undefined ? undefined : draft.tunnels.get(tunnel);
  const entry = old && state?.superseded.get(old.key);
  if (tunnel === undefined || state === undefined || entry === undefined) return;
  draft.setTunnel(tunnel, { ...state, superseded: new Map(state.superseded).set(heir.key, entry) });
}

/** Deletes those whose time is over, and forgets those that are gone. */
export function closeSuperseded(draft: Draft, tunnel: string, ctx: SaContext): void {
  const state = draft.tunnels.get(tunnel)!;
  if (state.superseded.size === 0) return;
  const superseded = new Map(state.superseded);
  const due: Holder[] = [];
  for (const [key, { closeAt }] of state.superseded) {
    const sa = draft.sas.get(key);
    const isDue = closeAt <= ctx.now;
    if (sa !== undefined && isHolder(sa) && !isDue) continue;
    superseded.delete(key);
    if (sa !== undefined && isHolder(sa)) due.push(sa);
  }
  if (superseded.size === state.superseded.size) return;
  draft.setTunnel(tunnel, { ...state, superseded });
  for (const old of due)
    apply(draft, old, wishClose(old, state.superseded.get(old.key)!.reason, CLOSING_LIFE, ctx), ctx);
}

/** IKE SAs of one peer in one tunnel: what simultaneous starts and lost Deletes leave for a while. */
const MOST_IKE_SAS = 8;

/** A peer that opens one IKE SA after the other and closes none keeps the newest. */
function closeSurplus(draft: Draft, { tunnel, peerId }: Holder, ctx: SaContext): void {
  const ofPeer = holdersOf(draft.sas, tunnel).filter((other) => sameIdentity(other.peerId, peerId));
  for (const oldest of ofPeer.slice(0, -MOST_IKE_SAS))
    apply(draft, oldest, wishClose(oldest, "the peer has opened too many IKE SAs since", CLOSING_LIFE, ctx), ctx);
}
