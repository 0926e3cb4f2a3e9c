/** INFORMATIONAL exchanges, RFC 7296 section 1.4: Deletes of either side, and the empty one that asks "are you there?". */

import { ERROR_NOTIFY, type ErrorNotify, ProtocolError } from "../core/errors.js";
import { LINGER_LIFE } from "../core/timers.js";
import { type Payload, payload } from "../wire/message.js";
import { isErrorNotify, notifyName } from "../wire/notify-table.js";
import type { DeletePayload } from "../wire/payloads/delete.js";
import { childByInbound, childByOutbound, childClosed, withChild, withoutChild } from "./child.js";
import { lingering, sendDelete, withdraw } from "./closing.js";
import { heirOfChild } from "./collision.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { switchTo } from "./create-child-answer.js";
import { mappingsLost, withoutTask } from "./create-child-sa.js";
import { announceToken, tokenIn } from "./features/crash-detection.js";
import { answerMobike, onMobikeAnswer, onProbed, probePayloads } from "./features/mobike.js";
import { redirectIn, redirectOf } from "./features/redirect.js";
import { bequeath, heirOf } from "./heir.js";
import { notifications } from "./ike-sa-init.js";
import { type Received, row } from "./row.js";
import type { Child, Closing, Established, Heir, Lingering } from "./state.js";
import { sendReply, sendRequest } from "./window.js";
import type { SaWish } from "./wishes.js";

type Informational = Received<never, "N" | "D">;

// --- the peer's requests ---------------------------------------------------------------------------------------

/** --> HDR, SK {[N], [D]} */
function onRequest(sa: Established, message: Informational, ctx: SaContext): Step {
  const { deletes, notifies } = message;
  const fatal = notifies.find(
    (n) => typeof n.notify === "string" && isErrorNotify(n.notify) && closes(n.notify as ErrorNotify),
  );
  if (fatal !== undefined)
    return onPeerClose(sa, message, ctx, `the peer ends the IKE SA with ${notifyName(fatal.notify)}`);
  if (deletes.some((d) => d.protocol === "IKE")) return onPeerClose(sa, message, ctx, "the peer deleted the IKE SA");
  const mobile = answerMobike({ ...sa, ...tokenIn(notifies) }, message, ctx);
  const deleted = childrenDeleted(mobile.sa, deletes);
  const { sa: next, send } = sendReply(
    deleted.sa,
    { ...message, messageId: message.header.messageId },
    "INFORMATIONAL",
    [...mobile.payloads, ...deleted.payloads],
    ctx,
  );
  return stepTo(next, ...deleted.before, send, ...mobile.effects, ...deleted.after, ...redirected(sa, message));
}

/** N(REDIRECT) in an IKE SA that we began (RFC 5685 section 5): a new one elsewhere takes its place, which serves until then. */
function redirected(sa: Established, { notifies, path }: Informational): readonly SaEffect[] {
  const redirect = redirectIn(notifies);
  if (redirect === undefined || !sa.began) return [];
  const from = path.remote.address;
  try {
    return [{ kind: "redirected", tunnel: sa.tunnel, to: redirectOf(redirect, from).to, from }];
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return [report(sa, { kind: "ignored", code: "redirect", detail: error.detail })];
  }
}

function closes(notify: ErrorNotify): boolean {
  return ERROR_NOTIFY[notify].closes;
}

function onPeerClose(sa: Established, message: Informational, ctx: SaContext, reason: string): Step {
  const { sa: answered, send } = sendReply(
    sa,
    { ...message, messageId: message.header.messageId },
    "INFORMATIONAL",
    [],
    ctx,
  );
  const heir = heirOf(sa, ctx);
  if (heir !== undefined) {
    const left = bequeath(withoutTask(answered), heir, ctx);
    return stepTo(left.sa, ...left.effects, send);
  }
  return stepTo(
    lingering(answered, ctx.now + LINGER_LIFE),
    send,
    ...withdraw(sa, reason),
    report(sa, { kind: "ikeClosed", reason }),
    { kind: "lost", tunnel: sa.tunnel, cause: "peer", reason },
  );
}

interface Deleted {
  readonly sa: Established;
  readonly payloads: readonly Payload[];
  /** Sending moves to the child that takes over, before the answer tells the peer that we are through. */
  readonly before: readonly SaEffect[];
  readonly after: readonly SaEffect[];
}

/**
 * The peer names its own inbound SPIs; we answer with ours of the same pairs. A pair that we have asked to delete ourselves is
 * left out of the answer (RFC 7296 section 1.4.1).
 */
function childrenDeleted(sa: Established, deletes: readonly DeletePayload[]): Deleted {
  let next = sa;
  const spis: number[] = [];
  const before: SaEffect[] = [];
  const after: SaEffect[] = [];
  for (const spi of deletes.flatMap((d) => (d.protocol === "ESP" ? d.spis : []))) {
    const child = childByOutbound(next, spi);
    if (child === undefined) {
      next = noteDeleted(next, spi);
      continue;
    }
    const heir = heirOfChild(next, child);
    if (heir !== undefined) {
      const switched = switchTo(next, heir);
      next = switched.sa;
      before.push(...switched.effects);
    }
    if (child.state !== "deleting") spis.push(child.pair.spiIn);
    const reason = child.state === "live" ? "the peer deleted this child" : "replaced by a newer child";
    next = withoutChild(next, child.id);
    after.push(
      { kind: "removeChild", id: child.id, receives: true },
      childClosed(sa, child.id, reason),
      ...mappingsLost(sa, child, "peer", reason),
    );
  }
  return { sa: next, payloads: spis.length === 0 ? [] : [payload("D", { protocol: "ESP", spis })], before, after };
}

/** The answer that made this child may still be under way to us. */
function noteDeleted(sa: Established, spi: number): Established {
  const { task } = sa;
  if (task?.do !== "child" || task.stage === "keying") return sa;
  const { deletedMeanwhile = [] } = task.offer;
  if (deletedMeanwhile.length >= MOST_NOTED) return sa;
  return { ...sa, task: { ...task, offer: { ...task.offer, deletedMeanwhile: [...deletedMeanwhile, spi] } } };
}

/** One answer makes one child; more is a peer that talks nonsense. */
const MOST_NOTED = 16;

// --- ours --------------------------------------------------------------------------------------------------------

/** All deletions that are due, in one exchange; nothing is sent on a child any more of which the peer is told that it goes. */
export function startDelete(
  sa: Established,
  due: readonly Extract<SaWish, { do: "delete" }>[],
  ctx: SaContext,
): Step<Established> {
  let marked = sa;
  const children: number[] = [];
  const switched: SaEffect[] = [];
  for (const { spi } of due) {
    const child = childByInbound(marked, spi);
    if (child === undefined) continue;
    children.push(child.id);
    marked = withChild(marked, { ...child, state: "deleting" });
    const heir = heirOfChild(marked, child);
    if (heir === undefined) continue;
    const instead = sendInstead(marked, child, heir);
    marked = instead.sa;
    switched.push(...instead.effects);
  }
  const spis = due.map(({ spi }) => spi);
  const {
    sa: next,
    request,
    send,
  } = sendRequest(marked, "INFORMATIONAL", [payload("D", { protocol: "ESP", spis })], ctx);
  return stepTo<Established>({ ...next, task: { do: "delete", stage: "sent", children, request } }, ...switched, send);
}

/**
 * What is sent on once `child` goes by our hand. Where it is the rival that went, our answer that made the other one may not have
 * reached the peer yet: what both replaced serves until the peer shows that it has (`decisions.md` 8).
 */
function sendInstead(sa: Established, { replaces }: Child, heir: Child): Step<Established> {
  const replaced = replaces !== undefined && replaces === heir.replaces ? sa.children.get(replaces) : undefined;
  if (heir.useAt === undefined || replaced?.state !== "old") return switchTo(sa, heir);
  return stepTo(sa, { kind: "useChild", id: replaced.id });
}

/** HDR, SK {[N]} --> */
export function startProbe(sa: Established, ctx: SaContext): Step<Established> {
  const { tokenDue, ...told } = sa;
  const token = tokenDue ? notifications(announceToken(ctx.policy, sa)) : [];
  const { sa: next, request, send } = sendRequest(told, "INFORMATIONAL", [...token, ...probePayloads(sa, ctx)], ctx);
  return stepTo<Established>({ ...next, task: { do: "probe", stage: "sent", request } }, send);
}

/** <-- HDR, SK {[D], [N]} */
function onResponse(sa: Established, message: Received<never, "N">, ctx: SaContext): Step<Established> {
  const { task } = sa;
  let next = withoutTask(sa);
  if (task?.do === "mobike") return onMobikeAnswer(next, task, message, ctx);
  if (task?.do === "probe") return onProbed(next, message.notifies, ctx);
  if (task?.do !== "delete") return stepTo(next);
  const effects: SaEffect[] = [];
  for (const id of task.children) {
    const child = next.children.get(id);
    if (child === undefined) continue;
    next = withoutChild(next, id);
    effects.push({ kind: "removeChild", id, receives: true }, childClosed(sa, id, "deleted here"));
  }
  return stepTo(next, ...effects);
}

// --- while the IKE SA ends ---------------------------------------------------------------------------------------

/** <-- HDR, SK {} to our Delete, or to the request that was under way before it. */
function onClosingResponse({ request: _, ...sa }: Closing, __: unknown, ctx: SaContext): Step {
  return sa.deleteSent ? stepTo(undefined) : sendDelete(sa, ctx);
}

/** Both ends delete at once (RFC 7296 section 2.25.2), or the peer does not know yet; or it deletes an heir of ours. */
function onLateRequest(sa: Closing | Heir | Lingering, message: Informational, ctx: SaContext): Step {
  const { sa: next, send } = sendReply(
    sa,
    { ...message, messageId: message.header.messageId },
    "INFORMATIONAL",
    [],
    ctx,
  );
  const over = message.deletes.some((d) => d.protocol === "IKE");
  return stepTo(over ? lingering(next, ctx.now + LINGER_LIFE) : next, send);
}

export const INFORMATIONAL_ROWS = [
  row({
    phase: "established",
    exchange: "INFORMATIONAL",
    response: false,
    story: "the peer tells or asks something: a Delete, an error, or whether we are alive",
    routine: true,
    needs: [],
    may: ["N", "D"],
    run: onRequest,
  }),
  row({
    phase: "established",
    exchange: "INFORMATIONAL",
    response: true,
    story: "the peer is alive; what we asked it to delete is gone",
    routine: true,
    needs: [],
    may: ["N"],
    run: onResponse,
  }),
  row({
    phase: "closing",
    exchange: "INFORMATIONAL",
    response: true,
    story: "the peer has deleted the IKE SA as we asked",
    needs: [],
    may: [],
    run: onClosingResponse,
  }),
  row({
    phase: "closing",
    exchange: "IKE_AUTH",
    response: true,
    story: "the peer has finished a handshake that is not wanted any more; our Delete follows",
    needs: [],
    may: [],
    run: onClosingResponse,
  }),
  row({
    phase: "closing",
    exchange: "CREATE_CHILD_SA",
    response: true,
    story: "an exchange that is of no use any more has ended; our Delete follows",
    needs: [],
    may: [],
    run: onClosingResponse,
  }),
  row({
    phase: "closing",
    exchange: "INFORMATIONAL",
    response: false,
    story: "the peer speaks of an IKE SA that we are deleting",
    needs: [],
    may: ["N", "D"],
    run: onLateRequest,
  }),
  row({
    phase: "heir",
    exchange: "INFORMATIONAL",
    response: false,
    story: "the peer speaks in an IKE SA of its rekey, while ours is open; its Delete decides for ours",
    needs: [],
    may: ["N", "D"],
    run: onLateRequest,
  }),
  row({
    phase: "lingering",
    exchange: "INFORMATIONAL",
    response: false,
    story: "the peer deletes an IKE SA that is over",
    needs: [],
    may: ["N", "D"],
    run: onLateRequest,
  }),
];
