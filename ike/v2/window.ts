/**
 * Message IDs and the one outstanding exchange in each direction, RFC 7296 sections 2.1 to 2.3: what comes in is let
 * through, repeated or passed over; what goes out is numbered, sealed and remembered.
 */
import { equal } from "../../crypto/bytes.js";
import { outstanding, transmit } from "../core/retransmit.js";
import type { Effect } from "../core/types.js";
import { messageContent } from "../wire/encrypted.js";
import type { ExchangeName } from "../wire/exchange-types.js";
import type { IkeHeader } from "../wire/header.js";
import type { Message, Payload } from "../wire/message.js";
import type { SaContext } from "./context.js";
import { type Sealed, sealToFit } from "./features/fragmentation.js";
import type { KeyedSa, OpenRequest, PeerRequest, Window } from "./state.js";

/** The responder's window when its keys are there: IKE_SA_INIT had number 0, IKE_AUTH comes with 1. */
export const AFTER_INIT_RESPONDER: Window = { nextOut: 0, nextIn: 1, sealed: 0 };
export const AFTER_INIT_INITIATOR: Window = { nextOut: 1, nextIn: 0, sealed: 0 };

/** Of an IKE SA that takes the place of another one on the same path. */
export function freshWindow({ datagramLimit }: Window): Window {
  return { nextOut: 0, nextIn: 0, sealed: 0, ...(datagramLimit !== undefined && { datagramLimit }) };
}

/** Of the Exchange Type in the header: an answer has that of its request. */
const EXCHANGE_OFFSET = 18;

export type Verdict =
  | { readonly do: "proceed" }
  /** The peer did not get our answer: the same octets again. */
  | { readonly do: "repeat" }
  /** The same, if this is an authentic first fragment: the peer has cut its request anew (RFC 7383 section 2.6.1). */
  | { readonly do: "repeatIfAuthentic" }
  | { readonly do: "ignore"; readonly code: string; readonly detail: string };

const PROCEED: Verdict = { do: "proceed" };

/** Decided by the header alone, before anything is opened; changes nothing. */
export function windowVerdict(sa: KeyedSa, message: Message, bytes: Uint8Array): Verdict {
  const { header } = message;
  if (header.fromInitiator === (sa.role === "initiator"))
    return { do: "ignore", code: "reflected", detail: "its I flag says that we sent it" };
  return header.response ? responseVerdict(sa, header, bytes) : requestVerdict(sa, message, bytes);
}

function responseVerdict(sa: KeyedSa, { messageId }: IkeHeader, bytes: Uint8Array): Verdict {
  const request = requestOf(sa);
  if (
    request === undefined ||
    messageId !== sa.window.nextOut - 1 ||
    request.bytes[EXCHANGE_OFFSET] !== bytes[EXCHANGE_OFFSET]
  )
    return { do: "ignore", code: "unexpected response", detail: `response ${messageId} answers no open request` };
  return PROCEED;
}

function requestVerdict(sa: KeyedSa, { header: { messageId }, encrypted }: Message, bytes: Uint8Array): Verdict {
  const { nextIn, reply } = sa.window;
  const busy = requestBeingAnswered(sa);
  if (busy !== undefined)
    return { do: "ignore", code: "in progress", detail: `request ${busy.messageId} is still being answered` };
  if (messageId === nextIn) return PROCEED;
  if (messageId === nextIn - 1 && reply !== undefined) {
    if (equal(bytes, reply.request)) return { do: "repeat" };
    if (encrypted?.kind === "SKF") return { do: "repeatIfAuthentic" };
  }
  return { do: "ignore", code: "message id", detail: `request ${messageId}, expected ${nextIn}` };
}

/** Our request whose response is missing. */
export function requestOf(sa: KeyedSa): OpenRequest | undefined {
  switch (sa.phase) {
    case "authSent":
    case "closing":
      return sa.request;
    case "established":
      return sa.task?.stage === "sent" ? sa.task.request : undefined;
    case "keyed":
    case "authChecking":
    case "heir":
    case "lingering":
      return undefined;
  }
}

function requestBeingAnswered(sa: KeyedSa): PeerRequest | undefined {
  if (sa.phase === "authChecking") return sa.request;
  return sa.phase === "established" ? sa.answering?.request : undefined;
}

/** Seals and sends our next request. The caller stores the `request` where its phase keeps it. */
export function sendRequest<Sa extends KeyedSa>(
  sa: Sa,
  exchange: ExchangeName,
  payloads: readonly Payload[],
  ctx: SaContext,
): { readonly sa: Sa; readonly request: OpenRequest; readonly send: Effect } {
  const { partialResponse: _, ...window } = sa.window;
  const { message, used } = seal(sa, { exchange, response: false, messageId: window.nextOut }, payloads, ctx);
  const next = {
    ...sa,
    window: { ...window, nextOut: window.nextOut + 1, sealed: window.sealed + used },
    ...sentNow(sa, ctx),
  };
  return { sa: next, request: outstanding(message, ctx.now), send: transmit(sa.path, message) };
}

/** Seals and sends the answer to a request, and keeps it for repetitions. It goes where the request came from. */
export function sendReply<Sa extends KeyedSa>(
  sa: Sa,
  to: PeerRequest,
  exchange: ExchangeName,
  payloads: readonly Payload[],
  ctx: SaContext,
): { readonly sa: Sa; readonly send: Effect } {
  const { partialRequest: _, ...window } = sa.window;
  const { message, used } = seal(sa, { exchange, response: true, messageId: to.messageId }, payloads, ctx);
  const reply = { request: to.bytes, repeats: 0, ...message };
  const next = {
    ...sa,
    window: { ...window, nextIn: to.messageId + 1, sealed: window.sealed + used, reply },
    ...sentNow(sa, ctx),
  };
  return { sa: next, send: transmit(to.path, message) };
}

function sentNow(sa: KeyedSa, { now }: SaContext): object {
  return sa.phase === "established" ? { lastSent: now } : {};
}

function seal(
  sa: KeyedSa,
  { exchange, response, messageId }: Pick<IkeHeader, "exchange" | "response" | "messageId">,
  payloads: readonly Payload[],
  ctx: SaContext,
): Sealed {
  const { initiatorSpi, responderSpi, role } = sa;
  const header = { initiatorSpi, responderSpi, exchange, fromInitiator: role === "initiator", response, messageId };
  return sealToFit(sa, messageContent(header, payloads), ctx);
}
