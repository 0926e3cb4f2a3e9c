/** The end of an IKE SA, RFC 7296 section 1.4.1: by our Delete, by the peer's, or without a word. */

import { CLOSING_LIFE } from "../core/timers.js";
import type { Instant } from "../core/types.js";
import { type Payload, payload } from "../wire/message.js";
import type { NotifyPayload } from "../wire/payloads/notify.js";
import { childClosed } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo, tunnelOf } from "./context.js";
import type { AuthSent, Closing, Established, Heir, KeyedSa, Lingering } from "./state.js";
import { requestOf, sendRequest } from "./window.js";

/**
 * Takes the children down at once and tells the peer as soon as the window allows (one request at a time). `reason` is for
 * the operator; `notify` for the peer, where an error is the cause.
 */
export function close(
  sa: Established | AuthSent,
  reason: string,
  ctx: SaContext,
  notify?: NotifyPayload,
): Step<Closing> {
  const gone = [...withdraw(sa, reason), report(sa, { kind: "ikeClosed", reason })];
  const closing = deleting(sa, ctx.now + CLOSING_LIFE, ctx, notify);
  return stepTo(closing.sa, ...gone, ...closing.effects);
}

/** The Delete of an IKE SA that holds nothing any more; sent at once, or when the exchange under way has ended. */
export function deleting(
  sa: Established | Heir | AuthSent,
  until: Instant,
  ctx: SaContext,
  notify?: NotifyPayload,
): Step<Closing> {
  const { key, role, initiatorSpi, responderSpi, path, createdAt, tunnel, negotiated, keys, window } = sa;
  const request = requestOf(sa);
  const closing: Closing = {
    phase: "closing",
    key,
    role,
    initiatorSpi,
    responderSpi,
    path,
    createdAt,
    tunnel,
    negotiated,
    keys,
    window,
    deleteSent: false,
    until,
    ...(notify && { notify }),
    ...(request && { request }),
  };
  return request === undefined ? sendDelete(closing, ctx) : stepTo(closing);
}

/** HDR, SK {[N(error)], D} --> */
export function sendDelete(sa: Closing, ctx: SaContext): Step<Closing> {
  const payloads: Payload[] = [
    ...(sa.notify === undefined ? [] : [payload("N", sa.notify)]),
    payload("D", { protocol: "IKE", spis: [] }),
  ];
  const { sa: next, request, send } = sendRequest(sa, "INFORMATIONAL", payloads, ctx);
  return stepTo({ ...next, request, deleteSent: true }, send);
}

/** What leaves the data plane with an IKE SA: its children, and the SPIs of those that were on their way. */
export function withdraw(sa: Established | AuthSent, reason: string): readonly SaEffect[] {
  if (sa.phase === "authSent") return sa.child === undefined ? [] : [{ kind: "releaseSpi", spi: sa.child.spiIn }];
  const effects: SaEffect[] = [];
  if (sa.task?.do === "child") effects.push({ kind: "releaseSpi", spi: sa.task.offer.spiIn });
  if (sa.answering?.do === "child") effects.push({ kind: "releaseSpi", spi: sa.answering.plan.spiIn });
  for (const { id } of sa.children.values()) effects.push({ kind: "removeChild", id }, childClosed(sa, id, reason));
  return effects;
}

function mobileOf({ mobike }: Established): Pick<Lingering, "mobile"> {
  if (mobike === undefined) return {};
  return { mobile: mobike.asking === undefined ? {} : { asking: mobike.asking } };
}

/** An IKE SA that is over but repeats its last answer, and answers what an honest peer may still send. */
export function lingering(sa: KeyedSa, until: Instant): Lingering {
  const { key, role, initiatorSpi, responderSpi, path, createdAt, negotiated, keys, window } = sa;
  const unproven = sa.phase === "lingering" ? sa.unproven : sa.phase === "keyed" || sa.phase === "authChecking";
  const tunnel = tunnelOf(sa);
  return {
    phase: "lingering",
    key,
    role,
    initiatorSpi,
    responderSpi,
    path,
    createdAt,
    negotiated,
    keys,
    window,
    until,
    ...(unproven && { unproven }),
    ...(sa.phase === "established" && mobileOf(sa)),
    ...(tunnel !== undefined && { tunnel }),
  };
}
