/** The supervisor at work: what a tunnel's state asks for now is begun. */
import { formatAddress, formatSocketAddress, type SocketAddress } from "../../esp/address.js";
import { apply, born } from "./consequences.js";
import { type SaContext, spiText } from "./context.js";
import type { Draft } from "./draft.js";
import type { TunnelPolicy } from "./policy.js";
import { holdersOf, initiate, isAskedFor, isHandshake, tunnelOf, wishMapping } from "./sas.js";
import { type TunnelState, withAsking, withoutTrouble } from "./supervisor.js";
import { pause, RECONNECT } from "./timers.js";
import type { Answer } from "./types.js";

/** Does what the tunnel's state asks for now. */
export function supervise(draft: Draft, name: string, ctx: SaContext): void {
  const state = draft.tunnels.get(name);
  if (state === undefined || state.want !== "up" || draft.shutdownAt !== undefined) return;
  if (holdersOf(draft.sas, name).length > 0) {
    superviseMappings(draft, name, state, ctx);
    if (!state.renewing) return;
  }
  if (state.resolving !== undefined || (state.retryAt !== undefined && state.retryAt > ctx.now)) return;
  for (const sa of draft.sas.values()) if (isHandshake(sa) && tunnelOf(sa) === name) return;
  begin(draft, ctx.sight.tunnel(name), state, ctx);
}

function superviseMappings(draft: Draft, name: string, state: TunnelState, ctx: SaContext): void {
  const { mappings } = ctx.sight.tunnel(name);
  for (let mapping = 0; mapping < mappings.length; mapping++) {
    const trouble = state.troubles.get(mapping);
    if (state.using.has(mapping) && trouble === undefined) continue;
    if (trouble?.retryAt !== undefined && trouble.retryAt > ctx.now) continue;
    if (ctx.sight.carried(name, mapping)) {
      if (trouble !== undefined) draft.setTunnel(name, withoutTrouble(draft.tunnels.get(name)!, mapping));
      continue;
    }
    if (trouble !== undefined && trouble.retryAt === undefined && !trouble.asking) continue;
    if (trouble !== undefined) draft.setTunnel(name, withAsking(draft.tunnels.get(name)!, mapping, trouble));
    const holders = holdersOf(draft.sas, name);
    const current = holders.at(-1);
    if (current === undefined || holders.some((sa) => isAskedFor(sa, mapping))) continue;
    apply(draft, current, wishMapping(current, mapping, ctx), ctx);
  }
}

const PEER_PORT = 500;

/** The first step of a negotiation: both addresses, asked for where the configuration leaves one open. */
function begin(draft: Draft, policy: TunnelPolicy, state: TunnelState, ctx: SaContext): void {
  const { name, peer, localAddress } = policy;
  const { retryAt: _, ...begun } = state;
  if (peer.kind === "any") {
    const reason = "nobody to call: `peer: any` waits for the peer";
    draft.setTunnel(name, { ...begun, want: "answer", reason });
    return;
  }
  if (peer.kind === "address" && localAddress !== undefined) {
    draft.setTunnel(name, begun);
    call(draft, policy, { address: localAddress, port: 0 }, { address: peer.address, port: PEER_PORT }, ctx);
    return;
  }
  const ask = ctx.ids.ask();
  draft.setTunnel(name, { ...begun, resolving: ask });
  draft.noteAsk(ask, { tunnel: name });
  const question = { kind: "resolve", name: peer.kind === "name" ? peer.name : formatAddress(peer.address) } as const;
  draft.effects.push({ kind: "ask", ask, question });
}

export function resolved(draft: Draft, name: string, ask: number, answer: Answer, ctx: SaContext): void {
  const state = draft.tunnels.get(name);
  if (state?.resolving !== ask) return;
  const { resolving: _, ...begun } = state;
  const policy = ctx.sight.tunnel(name);
  const found =
    answer.kind === "resolve" ? answer.addresses[state.attempts % Math.max(1, answer.addresses.length)] : undefined;
  if (found === undefined) {
    const detail = answer.kind === "refused" ? answer.reason : "the name has no address";
    const attempts = state.attempts + 1;
    const retryAt = ctx.now + pause(RECONNECT, attempts, ctx.random);
    const advice = "check the peer's name, this host's resolver and its routes";
    draft.effects.push({ kind: "report", report: { kind: "failed", tunnel: name, code: "RESOLVE", detail, advice } });
    draft.setTunnel(name, { ...begun, attempts, retryAt, reason: detail });
    return;
  }
  draft.setTunnel(name, begun);
  const local = { address: policy.localAddress ?? found.local, port: 0 };
  call(draft, policy, local, { address: found.remote, port: PEER_PORT }, ctx);
}

function call(draft: Draft, policy: TunnelPolicy, local: SocketAddress, remote: SocketAddress, ctx: SaContext): void {
  const path = { local: { ...local, port: ctx.policy.ports.ike }, remote };
  const begun = initiate(policy, path, ctx);
  draft.effects.push({
    kind: "report",
    report: {
      kind: "story",
      tunnel: policy.name,
      peer: formatSocketAddress(remote),
      ike: spiText(begun.sa),
      story: "calling the peer",
    },
  });
  born(draft, begun, ctx);
}
