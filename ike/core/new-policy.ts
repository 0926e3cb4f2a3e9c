/**
 * Another configuration takes the place of the one that runs. What `comparePolicies` says of a tunnel happens to it; a tunnel
 * that is kept is not looked at.
 *
 * Mappings are numbers in the list of their tunnel. Where the list has changed, whatever names a mapping is given its new
 * number: the state of the tunnel, and the IKE SAs. An exchange about a mapping cannot be renumbered while it is under way, so an
 * IKE SA that is in the middle of one is negotiated anew.
 */
import { apply, sasOf } from "./consequences.js";
import type { SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import type { Policy, TunnelPolicy } from "./policy.js";
import { comparePolicies, type KeyEffect, type Moved, movedMappings, type TunnelChange } from "./policy-change.js";
import { dropChild, holdersOf, isHolder, renumbered, wishClose, wishRekeyChildren, wishRekeyIke } from "./sas.js";
import { contextOf } from "./sight.js";
import { initialState, type TunnelState, wantDown, withMappings } from "./supervisor.js";
import { CLOSING_LIFE } from "./timers.js";
import type { Context } from "./types.js";

export function changePolicy(
  draft: Draft,
  policy: Policy,
  newKeys: ReadonlySet<string>,
  before: SaContext,
  given: Context,
): void {
  if (draft.shutdownAt !== undefined) return;
  const old = draft.policy;
  const changes = comparePolicies(old.tunnels, policy.tunnels, newKeys);
  const oldTunnels = new Map(old.tunnels.map((tunnel) => [tunnel.name, tunnel]));
  const newTunnels = new Map(policy.tunnels.map((tunnel) => [tunnel.name, tunnel]));
  // What ends, ends as it was negotiated: with the old policy and the old numbers.
  const moves = new Map<string, Moved>();
  for (const change of changes) {
    const { name, treatment } = change;
    if (treatment === "removed") close(draft, name, "the tunnel is gone from the configuration", before);
    else if (treatment === "restarted") close(draft, name, `the configuration has changed: ${wordsOf(change)}`, before);
    else if (treatment !== "added") {
      const moved = movedMappings(oldTunnels.get(name)!.mappings, newTunnels.get(name)!.mappings);
      if (moved === undefined) continue;
      moves.set(name, moved);
      withdrawMappings(draft, name, moved, before);
    }
  }
  draft.setPolicy(policy);
  draft.effects.push({ kind: "tunnels", tunnels: policy.tunnels });
  const after = contextOf(draft, given);
  for (const change of changes)
    settle(draft, change, oldTunnels.get(change.name), newTunnels.get(change.name), moves, after);
}

/** The tunnel's state, and what its IKE SAs are asked for, under the new policy. */
function settle(
  draft: Draft,
  change: TunnelChange,
  before: TunnelPolicy | undefined,
  after: TunnelPolicy | undefined,
  moves: ReadonlyMap<string, Moved>,
  ctx: SaContext,
): void {
  const { name, treatment, keys } = change;
  const state = draft.tunnels.get(name);
  if (treatment === "kept") return;
  tell(draft, change);
  if (after === undefined || before === undefined || state === undefined) {
    if (after !== undefined) draft.setTunnel(name, initialState(after));
    else if (state !== undefined) draft.setTunnel(name, { ...wantDown(state), reason: "gone from the configuration" });
    draft.touched.add(name);
    return;
  }
  if (treatment === "restarted") {
    draft.setTunnel(name, state.want === "down" ? state : initialState(after));
    return;
  }
  const moved = moves.get(name);
  if (moved !== undefined) {
    draft.setTunnel(name, withMappings(state, moved));
    for (const sa of sasOf(draft, name)) draft.setSa(sa.key, renumbered(sa, moved) ?? sa);
  }
  if (before.start !== after.start) draft.setTunnel(name, withStart(draft.tunnels.get(name)!, after));
  const asks = (effect: KeyEffect) => keys.some((key) => key.effect === effect);
  if (asks("reauthenticate")) draft.setTunnel(name, { ...draft.tunnels.get(name)!, renewing: true });
  if (asks("rekeyIke")) for (const sa of holdersOf(draft.sas, name)) apply(draft, sa, wishRekeyIke(sa, ctx), ctx);
  if (asks("rekeyChildren"))
    for (const sa of holdersOf(draft.sas, name)) apply(draft, sa, wishRekeyChildren(sa, ctx), ctx);
  draft.touched.add(name);
}

function close(draft: Draft, name: string, reason: string, ctx: SaContext): void {
  for (const sa of sasOf(draft, name)) apply(draft, sa, wishClose(sa, reason, CLOSING_LIFE, ctx), ctx);
}

/** Children that carry a mapping which is gone end; what else they carried is asked for again. */
function withdrawMappings(draft: Draft, name: string, moved: Moved, ctx: SaContext): void {
  for (const { key } of holdersOf(draft.sas, name)) {
    const isGone = (mapping: number) => moved(mapping) === undefined;
    const children = () => {
      const sa = draft.sas.get(key);
      return sa !== undefined && isHolder(sa) ? { sa, all: [...sa.children.values()] } : undefined;
    };
    for (const { id } of children()?.all ?? []) {
      const now = children();
      const child = now?.sa.children.get(id);
      if (now === undefined || child === undefined || !child.pair.mappings.some(isGone)) continue;
      apply(draft, now.sa, dropChild(now.sa, id, "its policy is gone from the configuration", ctx), ctx);
    }
  }
  for (const sa of sasOf(draft, name))
    if (renumbered(sa, moved) === undefined) {
      const reason = "its policies have changed in the middle of an exchange about them";
      apply(draft, sa, wishClose(sa, reason, CLOSING_LIFE, ctx), ctx);
    }
}

/** What the new `start` makes of it; what the operator has taken down stays down. */
function withStart(state: TunnelState, policy: TunnelPolicy): TunnelState {
  if (state.want === "down") return state;
  const { want } = initialState(policy);
  return { ...state, want, awake: want === "traffic" ? new Set(state.using.keys()) : new Set() };
}

function tell(draft: Draft, change: TunnelChange): void {
  const story = `the configuration has changed; ${STORIES[change.treatment]}${change.keys.length > 0 ? `: ${wordsOf(change)}` : ""}`;
  draft.effects.push({ kind: "report", report: { kind: "story", tunnel: change.name, story } });
}

const STORIES: Readonly<Record<TunnelChange["treatment"], string>> = {
  kept: "the tunnel stays as it is",
  changed: "the SAs stay",
  rekeyed: "the SAs are renewed, the old ones serve until then",
  restarted: "the tunnel is negotiated anew",
  removed: "the tunnel is removed",
  added: "the tunnel is new",
};

function wordsOf({ keys }: TunnelChange): string {
  return keys.map(({ key }) => key).join(", ");
}
