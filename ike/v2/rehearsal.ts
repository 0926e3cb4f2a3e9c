/**
 * The rehearsal of PFS: the child of IKE_AUTH is made without a key exchange of its own, so that a group that only one side has
 * would show when the child is rekeyed, an hour later. A rekey soon after the beginning shows it at once; when it fails, the
 * child is left alone (`decisions.md` 12).
 */

import type { CauseCode, Failure } from "../core/causes.js";
import { pause, RETRY_REHEARSAL } from "../core/timers.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import type { Child, Established } from "./state.js";
import { wish } from "./wishes.js";

/** For the child of a handshake that has just ended. */
export function withRehearsal(sa: Established, { id }: Child, ctx: SaContext): Established {
  return ctx.sight.tunnel(sa.tunnel).esp.pfsCheck ? rehearseLater(sa, id, ctx) : sa;
}

function rehearseLater(sa: Established, child: Child["id"], ctx: SaContext): Established {
  const at = ctx.now + pause(RETRY_REHEARSAL, 1, ctx.random);
  return { ...sa, wishes: wish(sa.wishes, { do: "rekeyChild", child, at, rehearsal: true }) };
}

/** Another child was made by CREATE_CHILD_SA meanwhile: nothing is left to be shown. */
export function isProven({ children }: Established): boolean {
  return children.size > 1;
}

/** The peer is busy: later once more. Anything else is told, and changes nothing. */
export function rehearsalFailed(
  sa: Established,
  child: Child["id"],
  failure: Failure,
  ctx: SaContext,
): Step<Established> {
  if (failure.code === "TEMPORARY_FAILURE") return stepTo(rehearseLater(sa, child, ctx));
  return stepTo(sa, told(sa, failure));
}

/** What a peer says whose groups are others than ours. */
const MISMATCHES: ReadonlySet<CauseCode> = new Set(["NO_PROPOSAL_CHOSEN", "INVALID_KE_PAYLOAD"]);

function told(sa: Established, failure: Failure): SaEffect {
  const { detail: reason } = failure;
  const code = MISMATCHES.has(failure.code) ? "PFS_MISMATCH" : failure.code;
  const detail =
    code === "PFS_MISMATCH"
      ? `the tunnel is up, but its children cannot be rekeyed as both sides are configured: ${reason}`
      : `the rehearsal of a rekey failed, the child serves on: ${reason}`;
  return report(sa, { ...failure, kind: "failed", exchange: "CREATE_CHILD_SA", code, detail });
}
