/** Where the peer is: asked for before each call, and again while the tunnel is up where the configuration has a name. */
import {
  type Address,
  formatAddress,
  formatSocketAddress,
  type SocketAddress,
  sameAddress,
} from "../../esp/address.js";
import { born } from "./consequences.js";
import { type SaContext, spiText } from "./context.js";
import type { Draft } from "./draft.js";
import type { TunnelPolicy } from "./policy.js";
import { holdersOf, initiate } from "./sas.js";
import type { TunnelState } from "./supervisor.js";
import { LOOK_AGAIN, pause, RECONNECT } from "./timers.js";
import type { Answer, AskId } from "./types.js";

const PEER_PORT = 500;

/** The first step of a negotiation: both addresses, asked for where the configuration leaves one open. */
export function begin(draft: Draft, policy: TunnelPolicy, state: TunnelState, ctx: SaContext): void {
  const { name, peer, localAddress } = policy;
  const { retryAt: _, ...begun } = state;
  if (peer.kind === "any") {
    const reason = "nobody to call: `peer: any` waits for the peer";
    draft.setTunnel(name, { ...begun, want: "answer", reason });
    return;
  }
  const address = state.redirect?.to ?? (peer.kind === "address" ? peer.address : undefined);
  if (address !== undefined && localAddress !== undefined) {
    draft.setTunnel(name, begun);
    call(draft, policy, { address: localAddress, port: 0 }, { address, port: PEER_PORT }, ctx, state.redirect?.from);
    return;
  }
  draft.setTunnel(name, { ...begun, resolving: ask(draft, policy, ctx, address) });
}

export function resolved(draft: Draft, name: string, ask: AskId, answer: Answer, ctx: SaContext): void {
  const state = draft.tunnels.get(name);
  if (state?.resolving !== ask) return;
  const { resolving: _, ...begun } = state;
  const policy = ctx.sight.tunnel(name);
  const found = answer.kind === "resolve" ? answer.addresses : [];
  const one = found[state.turn % Math.max(1, found.length)];
  if (one === undefined) {
    const detail = answer.kind === "refused" ? answer.reason : "the name has no address";
    const attempts = state.attempts + 1;
    const retryAt = ctx.now + pause(RECONNECT, attempts, ctx.random);
    draft.effects.push({ kind: "report", report: { kind: "failed", tunnel: name, code: "RESOLVE", detail } });
    draft.setTunnel(name, { ...begun, attempts, retryAt, reason: detail });
    return;
  }
  const { redirect } = state;
  draft.setTunnel(name, redirect ? begun : { ...begun, known: found.map(({ remote }) => remote) });
  const local = { address: policy.localAddress ?? one.local, port: 0 };
  call(draft, policy, local, { address: one.remote, port: PEER_PORT }, ctx, redirect?.from);
}

/** Asks where the peer's name leads now, while the tunnel is up. */
export function look(draft: Draft, policy: TunnelPolicy, state: TunnelState, ctx: SaContext): void {
  const { lookAt: _, ...kept } = state;
  draft.setTunnel(policy.name, policy.peer.kind === "name" ? { ...kept, looking: ask(draft, policy, ctx) } : kept);
}

/**
 * The name leads elsewhere: a new IKE SA there takes the place of the established one, which serves until then. A peer that is at
 * another address than its name says, because it called from there, stays where it is until the name changes.
 */
export function lookedUp(draft: Draft, name: string, answer: Answer, ctx: SaContext): void {
  const { looking: _, known = [], ...kept } = draft.tunnels.get(name)!;
  const next = { ...kept, known, lookAt: ctx.now + pause(LOOK_AGAIN, 1, ctx.random) };
  const current = holdersOf(draft.sas, name).at(-1);
  if (answer.kind !== "resolve" || current === undefined) {
    draft.setTunnel(name, next);
    return;
  }
  const found = answer.addresses.map(({ remote }) => remote);
  const moved = !has(found, current.path.remote.address) && found.some((address) => !has(known, address));
  draft.setTunnel(name, { ...next, known: found, ...(moved && { renewing: true, turn: 0 }) });
  if (!moved) return;
  const story = `the peer's name leads to ${found.map(formatAddress).join(", ")} now; calling it there`;
  draft.effects.push({ kind: "report", report: { kind: "story", tunnel: name, story } });
}

function has(addresses: readonly Address[], wanted: Address): boolean {
  return addresses.some((address) => sameAddress(address, wanted));
}

/** `address`: where we were redirected; else the peer of the configuration. */
function ask(draft: Draft, { name, peer }: TunnelPolicy, ctx: SaContext, address?: Address): AskId {
  if (peer.kind === "any") throw new Error(`${name} has nobody to ask for`);
  const id = ctx.ids.ask();
  draft.noteAsk(id, { tunnel: name });
  const asked = address ?? (peer.kind === "name" ? peer.name : peer.address);
  const question = { kind: "resolve", name: typeof asked === "string" ? asked : formatAddress(asked) } as const;
  draft.effects.push({ kind: "ask", ask: id, question });
  return id;
}

function call(
  draft: Draft,
  policy: TunnelPolicy,
  local: SocketAddress,
  remote: SocketAddress,
  ctx: SaContext,
  redirectedFrom?: Address,
): void {
  const path = { local: { ...local, port: ctx.policy.ports.ike }, remote };
  const begun = initiate(policy, path, ctx, redirectedFrom);
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
