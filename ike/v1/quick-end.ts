/** Quick modes that come to nothing: their SPIs are free again, their mappings are wished for again or given up. */
import type { ChildId } from "../../esp/sa.js";
import type { Failure } from "../core/causes.js";
import { pause, RETRY_REKEY } from "../core/timers.js";
import { withChild } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import type { OurQuick, Quick } from "./quick.js";
import type { V1Peer } from "./state.js";
import { wish } from "./wishes.js";

/** SPIs that were reserved and have no child. */
export function releasedSpis(quicks: readonly Quick[]): readonly SaEffect[] {
  return quicks
    .filter(({ stage }) => stage !== "done" && stage !== "answered")
    .map(({ spiIn }) => ({ kind: "releaseSpi", spi: spiIn }));
}

export function withQuick(peer: V1Peer, quick: Quick): V1Peer {
  return { ...withoutQuick(peer, quick), quicks: [...withoutQuick(peer, quick).quicks, quick] };
}

export function withoutQuick(peer: V1Peer, { messageId, phase1 }: Pick<Quick, "messageId" | "phase1">): V1Peer {
  return { ...peer, quicks: peer.quicks.filter((q) => q.messageId !== messageId || q.phase1 !== phase1) };
}

/** Ours failed: a child that was to be replaced still serves, and is tried again after a pause; a mapping is the supervisor's. */
export function quickFailed(peer: V1Peer, quick: OurQuick, failure: Failure, ctx: SaContext): Step<V1Peer> {
  const { mapping, replaces } = quick.offer;
  const next = withoutQuick(peer, quick);
  const told = [...releasedSpis([quick]), report(peer, { kind: "failed", exchange: "QUICK_MODE", ...failure })];
  const again = replaces === undefined ? undefined : rekeyAgain(next, replaces, mapping, ctx);
  if (again !== undefined) return stepTo(again, ...told);
  return stepTo(next, ...told, {
    kind: "mappingLost",
    tunnel: peer.tunnel,
    mapping,
    cause: "failed",
    reason: failure.detail,
  });
}

function rekeyAgain(peer: V1Peer, replaces: ChildId, mapping: number, ctx: SaContext): V1Peer | undefined {
  const child = peer.children.get(replaces);
  if (child?.state !== "live") return undefined;
  const attempts = child.attempts + 1;
  const at = ctx.now + pause(RETRY_REKEY, attempts, ctx.random);
  return { ...withChild(peer, { ...child, attempts }), wishes: wish(peer.wishes, { mapping, at, replaces }) };
}
