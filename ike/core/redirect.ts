/** The peer sends a tunnel to another gateway (RFC 5685): followed, but not in circles. */
import { type Address, formatAddress } from "../../esp/address.js";
import type { SaContext } from "./context.js";
import type { Draft } from "./draft.js";
import { holdersOf } from "./sas.js";
import { afterLoss, isCalling } from "./supervisor.js";

/** RFC 5685 section 3: so many redirects in this time are a loop. */
const MOST_REDIRECTS = 5;
const LOOP_PERIOD = 300_000;

/** The next call goes there; an IKE SA that is established serves until it has been answered. */
export function onRedirected(draft: Draft, tunnel: string, to: Address, from: Address, ctx: SaContext): void {
  const state = draft.tunnels.get(tunnel)!;
  if (!isCalling(state)) return;
  const { now } = ctx;
  const before =
    state.redirects !== undefined && now - state.redirects.since < LOOP_PERIOD ? state.redirects : undefined;
  const redirects = { count: (before?.count ?? 0) + 1, since: before?.since ?? now };
  const connected = holdersOf(draft.sas, tunnel).length > 0;
  if (redirects.count > MOST_REDIRECTS) {
    const detail = `redirected ${redirects.count} times within five minutes, at last from ${formatAddress(from)} to ${formatAddress(to)}`;
    const report = { kind: "failed", tunnel, code: "REDIRECT", detail } as const;
    draft.effects.push({ kind: "report", report });
    if (connected) return;
    const loss = { cause: "failed", reason: detail, lived: 0, called: 0 } as const;
    draft.setTunnel(tunnel, { ...afterLoss(state, ctx.sight.tunnel(tunnel), loss, now, ctx.random), redirects });
    return;
  }
  const story = `${formatAddress(from)} redirects us to ${formatAddress(to)}`;
  draft.effects.push({ kind: "report", report: { kind: "story", tunnel, story } });
  const { retryAt: _, ...kept } = state;
  draft.setTunnel(tunnel, {
    ...kept,
    redirect: { to, from },
    redirects,
    reason: story,
    ...(connected && { renewing: true }),
  });
}
