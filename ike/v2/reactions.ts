/** What becomes of a `ProtocolError` in an IKE SA: `core/react.ts` decides, this file does it (RFC 7296 section 2.21). */

import { causeCode } from "../core/causes.js";
import { failureOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { reactTo, type Situation } from "../core/react.js";
import { LINGER_LIFE } from "../core/timers.js";
import { payload } from "../wire/message.js";
import { notification } from "../wire/payloads/notify.js";
import { close, lingering, sendDelete, withdraw } from "./closing.js";
import { andThen, ignore, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { abandonAnswered, withoutTask } from "./create-child-sa.js";
import { ikeRekeyBroken } from "./rekey-ike.js";
import { type AuthSent, type Established, hasKeys, type IkeSa, type KeyedSa, type PeerRequest } from "./state.js";
import { sendReply } from "./window.js";

/** Runs a handler; a `ProtocolError` becomes what RFC 7296 section 2.21 says, for the IKE SA as it was before. */
export function guarded(
  sa: IkeSa,
  situation: Situation,
  request: PeerRequest | undefined,
  ctx: SaContext,
  run: () => Step,
): Step {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return react(sa, error, situation, request, ctx);
  }
}

/** Refusals that are part of a normal day: no failure for the operator. */
const QUIET: ReadonlySet<string> = new Set(["TEMPORARY_FAILURE", "INVALID_KE_PAYLOAD"]);

function react(
  sa: IkeSa,
  error: ProtocolError,
  situation: Situation,
  request: PeerRequest | undefined,
  ctx: SaContext,
): Step {
  const { notify: code, detail } = error;
  const reaction = reactTo(error, situation);
  if (reaction.do === "drop" || !hasKeys(sa)) return ignore(sa, code, detail);
  const failure = QUIET.has(code)
    ? report(sa, { kind: "story", story: `refused for now with ${code}: ${detail}` })
    : report(
        sa,
        failureOf(error, { exchange: situation.exchange, message: situation.response ? "response" : "request" }),
      );
  const reason = `${code}: ${detail}`;
  switch (reaction.do) {
    case "notify":
    case "notifyAndClose": {
      if (request === undefined) throw new Error(`${reaction.do} without a request`);
      const { answering, ...idle } = { answering: undefined, ...sa };
      const notifyPayload = payload("N", notification(reaction.notify, reaction.data));
      const { sa: next, send } = sendReply(idle as KeyedSa, request, exchangeOf(situation), [notifyPayload], ctx);
      if (reaction.do === "notify") {
        const unused: readonly SaEffect[] =
          answering?.do === "child" ? [{ kind: "releaseSpi", spi: answering.plan.spiIn }] : [];
        return stepTo(next, ...unused, send, failure);
      }
      return stepTo(lingering(next, ctx.now + LINGER_LIFE), send, failure, ...endOf(sa, reason));
    }
    case "tellAndClose":
      return tellAndClose(sa, error, failure, ctx);
    case "abandonExchange":
      return abandonExchange(sa, error, failure, ctx);
  }
}

function exchangeOf({ exchange }: Situation): "IKE_SA_INIT" | "IKE_AUTH" | "CREATE_CHILD_SA" | "INFORMATIONAL" {
  return exchange === "other" ? "INFORMATIONAL" : exchange;
}

/** What an IKE SA takes with it when it ends by an error. */
function endOf(sa: KeyedSa, reason: string): readonly SaEffect[] {
  if (sa.phase === "established")
    return [
      ...withdraw(sa, reason),
      report(sa, { kind: "ikeClosed", reason }),
      { kind: "lost", tunnel: sa.tunnel, cause: "failed", reason },
    ];
  return sa.phase === "authChecking" ? [{ kind: "refused", tunnel: sa.tunnel, reason }] : [];
}

function tellAndClose(sa: KeyedSa, { notify, data, detail }: ProtocolError, failure: SaEffect, ctx: SaContext): Step {
  if (sa.phase !== "authSent" && sa.phase !== "established") return stepTo(undefined, failure);
  const reason = `${notify}: ${detail}`;
  const answered: AuthSent | Established = sa.phase === "established" ? withoutTask(sa) : sa;
  const closing = close(answered, reason, ctx, notification(notify, data));
  // The response at fault has answered the request that was open.
  const told = closing.sa.deleteSent ? closing : andThen(closing, ({ request: _, ...free }) => sendDelete(free, ctx));
  return stepTo(told.sa, failure, ...told.effects, { kind: "lost", tunnel: sa.tunnel, cause: "failed", reason });
}

function abandonExchange(sa: KeyedSa, error: ProtocolError, failure: SaEffect, ctx: SaContext): Step {
  if (sa.phase !== "established") return tellAndClose(sa, error, failure, ctx);
  const { notify, detail, grounds } = error;
  const told = { code: causeCode(notify), detail, message: "response", ...grounds } as const;
  if (sa.task?.do === "child") return abandonAnswered(sa, sa.task.offer, told, ctx);
  if (sa.task?.do === "rekeyIke") return ikeRekeyBroken(sa, told, ctx);
  return stepTo(withoutTask(sa), failure);
}
