/** The supervisor at work: what a tunnel's state asks for now is begun. */
import { apply } from "./consequences.js";
import type { SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import { closeSuperseded } from "./duplicates.js";
import { begin, look } from "./peer-address.js";
import { type Holder, holdersOf, isAskedFor, isHandshake, wishMapping } from "./sas.js";
import { isCalling, isWanted, type TunnelState, withAsking, withoutTrouble } from "./supervisor.js";

/** Does what the tunnel's state asks for now. */
export function supervise(draft: Draft, name: string, ctx: SaContext): void {
  if (draft.shutdownAt !== undefined || !draft.tunnels.has(name)) return;
  closeSuperseded(draft, name, ctx);
  const policy = ctx.sight.tunnel(name);
  const state = draft.tunnels.get(name)!;
  if (!isCalling(state)) return;
  if (holdersOf(draft.sas, name).length > 0) {
    superviseMappings(draft, name, state, ctx);
    if (state.lookAt !== undefined && state.lookAt <= ctx.now) look(draft, policy, draft.tunnels.get(name)!, ctx);
    if (!state.renewing) return;
  }
  if (state.resolving !== undefined || (state.retryAt !== undefined && state.retryAt > ctx.now)) return;
  if (draft.sas.of(name).some(isHandshake)) return;
  begin(draft, policy, draft.tunnels.get(name)!, ctx);
}

function superviseMappings(draft: Draft, name: string, state: TunnelState, ctx: SaContext): void {
  const { mappings } = ctx.sight.tunnel(name);
  let holders = stayingHolders(draft, name, state);
  for (let mapping = 0; mapping < mappings.length; mapping++) {
    if (!isWanted(state, mapping)) continue;
    const trouble = state.troubles.get(mapping);
    if (isServed(draft, state, mapping) && trouble === undefined) continue;
    if (trouble?.retryAt !== undefined && trouble.retryAt > ctx.now) continue;
    if (ctx.sight.carried(name, mapping)) {
      if (trouble !== undefined) draft.setTunnel(name, withoutTrouble(draft.tunnels.get(name)!, mapping));
      continue;
    }
    if (trouble !== undefined && trouble.retryAt === undefined && !trouble.asking) continue;
    if (trouble !== undefined) draft.setTunnel(name, withAsking(draft.tunnels.get(name)!, mapping, trouble));
    const current = holders.at(-1);
    if (current === undefined || holders.some((sa) => isAskedFor(sa, mapping))) continue;
    apply(draft, current, wishMapping(current, mapping, ctx), ctx);
    holders = stayingHolders(draft, name, state);
  }
}

function stayingHolders(draft: Draft, name: string, { superseded }: TunnelState): readonly Holder[] {
  const holders = holdersOf(draft.sas, name);
  return superseded.size === 0 ? holders : holders.filter(({ key }) => !superseded.has(key));
}

/** Whether the mapping sends on a child that stays. */
function isServed(draft: Draft, { using, superseded }: TunnelState, mapping: number): boolean {
  const child = using.get(mapping);
  if (child === undefined || superseded.size === 0) return child !== undefined;
  const owner = draft.childOwner(child);
  return owner !== undefined && !superseded.has(owner.key);
}
