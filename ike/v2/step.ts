/**
 * One event of one IKEv2 IKE SA. A datagram passes the stations window -> open -> table -> handler; what a handler throws is
 * decided by `core/react.ts`, and anything that is not a `ProtocolError` is our bug and goes up.
 */
import { createPrf } from "../../crypto/backends.js";
import { compare, equal } from "../../crypto/bytes.js";
import type { Path } from "../../esp/address.js";
import { ProtocolError } from "../core/errors.js";
import { agreedIke, phase1Evidence } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import type { Situation } from "../core/react.js";
import { GIVE_UP_AFTER, sentAgain, transmit } from "../core/retransmit.js";
import type { Answer, AskId, Instant } from "../core/types.js";
import { type OpenedMessage, openMessage } from "../wire/encrypted.js";
import { MAX_FRAGMENTS, MAX_UNPROVEN_BYTES } from "../wire/limits.js";
import { decodeMessage, type Message } from "../wire/message.js";
import { close, deleting, withdraw } from "./closing.js";
import { andThen, ignore, report, type SaContext, type Step, stepTo } from "./context.js";
import { onAnsweringChild } from "./create-child-answer.js";
import { onChildAnswer } from "./create-child-sa.js";
import { rowsFor } from "./exchange-table.js";
import { provesCrash } from "./features/crash-detection.js";
import { collect, repeatForFragment, repeatReply, repeatRequest } from "./features/fragmentation.js";
import { onAnsweredElsewhere, onRoute, onRouteLate } from "./features/mobike.js";
import { onReplyKeyingAnswer } from "./first-request.js";
import { claim, overdueHeir } from "./heir.js";
import { onPskAwaitedAnswer } from "./ike-auth.js";
import { onAuthCheckingAnswer } from "./ike-auth-answer.js";
import { failed, onInitAnsweredAnswer, onInitKeyingAnswer, silentFirst } from "./ike-sa-init.js";
import { ikeKeys, inboundKeys, lowestNonce, skeyseed } from "./keys.js";
import { establishedDeadline, follow, forgotten, onEstablishedTick, rekeySoon } from "./life.js";
import { guarded } from "./reactions.js";
import { onAnsweringIke, onIkeAnswer } from "./rekey-ike.js";
import { type Envelope, match, type Row } from "./row.js";
import {
  type AuthSent,
  type Closing,
  type Established,
  hasKeys,
  type IkeSa,
  type In,
  type Keyed,
  type KeyedSa,
  type OpenRequest,
  type PeerRequest,
  type Replied,
  type SecretAwaited,
} from "./state.js";
import { advance } from "./tasks.js";
import { AFTER_INIT_RESPONDER, windowVerdict } from "./window.js";
import { wish } from "./wishes.js";

/** A message for this IKE SA: its SPIs are ours. */
export function onDatagram(sa: IkeSa, message: Message, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  if (hasKeys(sa)) return settle(onProtected(sa, message, bytes, path, ctx), ctx);
  if (sa.phase === "replied" && message.header.exchange === "IKE_AUTH" && message.encrypted !== undefined)
    return park(sa, message, bytes, path, ctx);
  if (sa.phase === "secretAwaited" && message.encrypted?.kind === "SKF") return parkFurther(sa, message, bytes, path);
  if (sa.phase === "initSent") return onPlain(sa, message, bytes, path, ctx);
  return ignore(sa, "early", `${message.header.exchange} while an answer of our own is being computed`);
}

/** The first request once more: the same answer once more, and nothing else changes. */
export function onRepeatedFirstRequest(sa: IkeSa, bytes: Uint8Array, path: Path): Step {
  if (
    (sa.phase === "replied" || sa.phase === "secretAwaited" || sa.phase === "keyed") &&
    equal(bytes, sa.first.initRequest)
  )
    return stepTo(sa, { kind: "send", path, bytes: sa.first.initResponse });
  return ignore(sa, "repeated", "a first request for an IKE SA that is known already");
}

export function onAnswer(sa: IkeSa, ask: AskId, answer: Answer, ctx: SaContext): Step {
  return settle(answered(sa, ask, answer, ctx), ctx);
}

export function onTick(sa: IkeSa, ctx: SaContext): Step {
  const { now } = ctx;
  switch (sa.phase) {
    case "established":
      return onEstablishedTick(sa, ctx);
    case "initSent":
      if (now >= sa.offer.giveUpAt) return initTimeout(sa, ctx);
      if (now < sa.request.nextAt) return stepTo(sa);
      return stepTo({ ...sa, request: sentAgain(sa.request, now) }, transmit(sa.path, sa.request));
    case "authSent":
      if (now >= sa.request.sentAt + GIVE_UP_AFTER) return authTimeout(sa, ctx);
      return now < sa.request.nextAt ? stepTo(sa) : again(sa, sa.request, ctx);
    case "closing":
      if (now >= sa.until) return stepTo(undefined);
      return sa.request === undefined || now < sa.request.nextAt ? stepTo(sa) : again(sa, sa.request, ctx);
    case "heir":
      return now >= sa.until ? overdueHeir(sa, ctx) : stepTo(sa);
    case "lingering":
      return stepTo(now >= sa.until ? undefined : sa);
    case "replyKeying":
    case "replied":
    case "secretAwaited":
    case "keyed":
    case "authChecking":
      if (now < sa.expiresAt) return stepTo(sa);
      return stepTo(undefined, report(sa, { kind: "story", story: "the peer never finished its handshake" }));
    case "initKeying":
    case "initAnswered":
    case "pskAwaited":
      return stepTo(sa);
  }
}

function again(sa: AuthSent | Closing, open: OpenRequest, ctx: SaContext): Step {
  const { sa: next, request, effects } = repeatRequest(sa, open, ctx);
  return stepTo({ ...next, request }, ...effects);
}

/** When this IKE SA wants its next tick. */
export function saDeadline(sa: IkeSa, tunnel: (name: string) => TunnelPolicy): Instant | undefined {
  switch (sa.phase) {
    case "established":
      return establishedDeadline(sa, tunnel(sa.tunnel));
    case "initSent":
      return Math.min(sa.offer.giveUpAt, sa.request.nextAt);
    case "authSent":
      return Math.min(sa.request.nextAt, sa.request.sentAt + GIVE_UP_AFTER);
    case "closing":
      return sa.request === undefined ? sa.until : Math.min(sa.until, sa.request.nextAt);
    case "heir":
    case "lingering":
      return sa.until;
    case "replyKeying":
    case "replied":
    case "secretAwaited":
    case "keyed":
    case "authChecking":
      return sa.expiresAt;
    case "initKeying":
    case "initAnswered":
    case "pskAwaited":
      return undefined;
  }
}

// --- wishes from above -------------------------------------------------------------------------------------------

export function wishMapping(sa: Established, mapping: number, ctx: SaContext): Step {
  return advance({ ...sa, wishes: wish(sa.wishes, { do: "createChild", mapping, at: ctx.now }) }, ctx);
}

export function wishRekeyIke(sa: Established, ctx: SaContext): Step {
  const { rekeyAt: _, ...begun } = sa;
  return advance({ ...begun, wishes: wish(begun.wishes, { do: "rekeyIke", at: ctx.now }) }, ctx);
}

export function wishRekeyChildren(sa: Established, ctx: SaContext): Step {
  let next = sa;
  for (const child of sa.children.values()) next = rekeySoon(next, child, ctx);
  return advance(next, ctx);
}

/** The operator's "down": a handshake is dropped, an established IKE SA is deleted. `lasting`: how long we wait for the answer. */
export function wishClose(sa: IkeSa, reason: string, lasting: number, ctx: SaContext): Step {
  switch (sa.phase) {
    case "established":
    case "authSent":
      return andThen(close(sa, reason, ctx), (closing) => stepTo({ ...closing, until: ctx.now + lasting }));
    case "heir":
      return deleting(sa, ctx.now + lasting, ctx);
    case "closing":
      return stepTo({ ...sa, until: Math.min(sa.until, ctx.now + lasting) });
    default:
      return stepTo(undefined);
  }
}

/** Ends without a word to the peer, which knows nothing of it any more. */
export function drop(sa: Established, reason: string): Step<undefined> {
  return stepTo(undefined, ...withdraw(sa, reason), report(sa, { kind: "ikeClosed", reason }));
}

/** Both sides started at once: the IKE SA with the lowest of the four nonces goes, as RFC 7296 section 2.8.1 has it for rekeys. */
export function losesTo(sa: Established, other: Established): boolean {
  return compare(lowestNonce(sa.negotiated), lowestNonce(other.negotiated)) < 0;
}

// --- the stations ------------------------------------------------------------------------------------------------

/** Before there are keys: the answer to our IKE_SA_INIT, by anybody. */
function onPlain(sa: In<"initSent">, message: Message, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  const { header } = message;
  const rows = rowsFor(sa.phase, header.exchange, header.response);
  if (rows.length === 0 || header.fromInitiator || header.messageId !== 0)
    return ignore(sa, "unexpected", `${header.exchange} is not the answer to IKE_SA_INIT`);
  return guarded(sa, { exchange: "IKE_SA_INIT", response: true, authenticated: false }, undefined, ctx, () => {
    const { row, message: received } = match(rows, message.payloads, { header, path, bytes });
    return told(sa, row, row.run(sa, received, ctx));
  });
}

function onProtected(sa: KeyedSa, message: Message, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  if (sa.phase === "established" && provesCrash(sa, message)) return forgotten(sa);
  const verdict = windowVerdict(sa, message, bytes);
  switch (verdict.do) {
    case "ignore":
      return ignore(sa, verdict.code, verdict.detail);
    case "repeat":
      return repeatReply(sa, path, ctx);
    case "repeatIfAuthentic":
      return onFaulty(
        sa,
        () => repeatForFragment(sa, message, bytes, path, ctx) ?? ignore(sa, "message id", "answered"),
      );
    case "proceed":
      break;
  }
  if (message.encrypted?.kind === "SKF") return onFaulty(sa, () => onFragment(sa, message, bytes, path, ctx));
  return onWhole(sa, { header: message.header, bytes, path }, ctx, () =>
    openMessage(bytes, message, sa.negotiated.suite, inboundKeys(sa.keys, sa.role)),
  );
}

/** A fragment that breaks the format is as good as lost: what it is part of may come again. */
function onFaulty(sa: KeyedSa, run: () => Step): Step {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return ignore(sa, error.notify, error.detail);
  }
}

/** The peer is there as soon as one fragment is authentic; the message is looked at when all have come. */
function onFragment(sa: KeyedSa, message: Message, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  const collected = collect(sa, message, bytes);
  if (collected.is === "nothing") return ignore(sa, collected.code, collected.detail);
  const next = { ...sa, window: collected.window };
  if (collected.is === "part") return arrived(next, path, ctx);
  return onWhole(next, { header: message.header, bytes: collected.first, path }, ctx, collected.open);
}

function onWhole(
  sa: KeyedSa,
  { header, bytes, path }: Envelope,
  ctx: SaContext,
  open: () => OpenedMessage | undefined,
): Step {
  const exchange =
    typeof header.exchange === "string" && header.exchange in EXCHANGES
      ? (header.exchange as Situation["exchange"])
      : "other";
  const request: PeerRequest | undefined = header.response ? undefined : { messageId: header.messageId, bytes, path };
  return guarded(sa, { exchange, response: header.response, authenticated: true }, request, ctx, () => {
    const opened = open();
    if (opened === undefined) return ignore(sa, "integrity", "its integrity check failed, or it has none");
    const reached = claim(sa, header, opened.payloads, ctx);
    return andThen(
      andThen(reached, (known) => arrived(known, path, ctx, header.response)),
      (here) => {
        const rows = rowsFor(here.phase, header.exchange, header.response);
        if (rows.length === 0)
          return ignore(here, "unexpected", `${header.exchange} has no business in phase ${sa.phase}`);
        const { row, message: received } = match(rows, opened.payloads, { header, path, bytes });
        return told(here, row, row.run(here, received, ctx));
      },
    );
  });
}

const EXCHANGES = { IKE_SA_INIT: 0, IKE_AUTH: 0, CREATE_CHILD_SA: 0, INFORMATIONAL: 0 } as const;

/** What any authentic message means: the peer is alive, and it is there where the message came from. */
function arrived(sa: KeyedSa, path: Path, ctx: SaContext, response = false): Step<KeyedSa> {
  if (sa.phase === "keyed") return stepTo({ ...sa, path });
  if (sa.phase !== "established") return stepTo(sa);
  return andThen(follow({ ...sa, lastAlive: ctx.now }, path, ctx), (here) =>
    response ? onAnsweredElsewhere(here, path, ctx) : stepTo(here),
  );
}

function told(sa: IkeSa, { story, routine }: Row, step: Step): Step {
  if (routine) return step;
  return { sa: step.sa, effects: [report(sa, { kind: "story", story }), ...step.effects] };
}

// --- answers to our asks -----------------------------------------------------------------------------------------

function answered(sa: IkeSa, ask: AskId, answer: Answer, ctx: SaContext): Step {
  switch (sa.phase) {
    case "initKeying":
      return sa.ask === ask ? onInitKeyingAnswer(sa, answer, ctx) : stepTo(sa);
    case "initAnswered":
      return sa.ask === ask ? onInitAnsweredAnswer(sa, answer, ctx) : stepTo(sa);
    case "pskAwaited":
      return sa.ask === ask ? onPskAwaitedAnswer(sa, answer, ctx) : stepTo(sa);
    case "replyKeying":
      return sa.ask === ask ? onReplyKeyingAnswer(sa, answer, ctx) : stepTo(sa);
    case "secretAwaited":
      return sa.ask === ask ? unpark(sa, answer, ctx) : stepTo(sa);
    case "authChecking":
      if (sa.ask !== ask) return stepTo(sa);
      return guarded(sa, { exchange: "IKE_AUTH", response: false, authenticated: true }, sa.request, ctx, () =>
        onAuthCheckingAnswer(sa, answer, ctx),
      );
    case "established":
      return establishedAnswer(sa, ask, answer, ctx);
    case "lingering":
      return sa.mobile?.asking === ask ? onRouteLate(sa, answer) : stepTo(sa);
    default:
      return stepTo(sa);
  }
}

function establishedAnswer(sa: Established, ask: AskId, answer: Answer, ctx: SaContext): Step {
  const { task, answering, mobike } = sa;
  if (mobike?.asking === ask) return onRoute(sa, answer, ctx);
  if (task !== undefined && "ask" in task && task.ask === ask)
    return task.do === "child" ? onChildAnswer(sa, task, answer, ctx) : onIkeAnswer(sa, task, answer, ctx);
  if (answering?.ask !== ask) return stepTo(sa);
  return guarded(
    sa,
    { exchange: "CREATE_CHILD_SA", response: false, authenticated: true },
    answering.request,
    ctx,
    () =>
      answering.do === "child"
        ? onAnsweringChild(sa, answering, answer, ctx)
        : onAnsweringIke(sa, answering, answer, ctx),
  );
}

/** IKE_AUTH came, for which the keys are missing: it waits until they are made. */
function park(sa: Replied, message: Message, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  const { header } = message;
  if (header.response || !header.fromInitiator || header.messageId !== 1)
    return ignore(sa, "unexpected", "not the request that follows IKE_SA_INIT");
  if (bytes.length > MAX_UNPROVEN_BYTES)
    return ignore(sa, "too long", `IKE_AUTH of ${bytes.length} octets, ${MAX_UNPROVEN_BYTES} at most`);
  const ask = ctx.ids.ask();
  const { privateOctets, peerPublic, negotiated } = sa;
  const group = negotiated.suite.keyExchange.ids.ikev2!;
  return stepTo(
    { ...sa, phase: "secretAwaited", parked: [{ bytes, path }], ask },
    { kind: "ask", ask, question: { kind: "sharedSecret", group, privateOctets, peerPublic } },
  );
}

/** A further fragment of the IKE_AUTH that waits; all of them together may be no longer than one message. */
function parkFurther(sa: SecretAwaited, { header }: Message, bytes: Uint8Array, path: Path): Step {
  const { parked } = sa;
  if (header.exchange !== "IKE_AUTH" || header.response || !header.fromInitiator || header.messageId !== 1)
    return ignore(sa, "unexpected", "not the request that follows IKE_SA_INIT");
  const octets = parked.reduce((sum, one) => sum + one.bytes.length, bytes.length);
  if (octets > MAX_UNPROVEN_BYTES || parked.length >= MAX_FRAGMENTS)
    return ignore(sa, "too long", `IKE_AUTH of ${octets} octets, ${MAX_UNPROVEN_BYTES} at most`);
  if (parked.some((one) => equal(one.bytes, bytes))) return ignore(sa, "early", "this fragment waits already");
  return stepTo({ ...sa, parked: [...parked, { bytes, path }] });
}

/** The keys are here: the waiting message is looked at. A public value that is no good ends the attempt. */
function unpark(sa: SecretAwaited, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "sharedSecret") {
    const detail = answer.kind === "refused" ? answer.reason : `an answer about ${answer.kind}`;
    return stepTo(
      undefined,
      report(sa, { kind: "failed", code: "INVALID_SYNTAX", detail, exchange: "IKE_SA_INIT", message: "request" }),
    );
  }
  const { key, role, initiatorSpi, responderSpi, path, createdAt, negotiated, first, expiresAt, parked } = sa;
  const { suite, ni, nr } = negotiated;
  const prf = createPrf(suite.prf);
  const keys = ikeKeys(prf, suite, skeyseed(prf, { ni, nr }, answer.secret), { ni, nr, initiatorSpi, responderSpi });
  const window = AFTER_INIT_RESPONDER;
  const keyed: Keyed = {
    phase: "keyed",
    key,
    role,
    initiatorSpi,
    responderSpi,
    path,
    createdAt,
    negotiated,
    first,
    keys,
    expiresAt,
    window,
  };
  return parked.reduce<Step>(
    (step, { bytes, path }) =>
      andThen(step, (now) =>
        now === undefined ? stepTo(now) : onDatagram(now, decodeMessage(bytes), bytes, path, ctx),
      ),
    stepTo(keyed),
  );
}

/** What was told when it came is believed now; silence is told now. */
function initTimeout(sa: In<"initSent">, ctx: SaContext): Step<undefined> {
  const { refusal } = sa.offer;
  return refusal !== undefined ? failed(sa, refusal) : silentFirst(sa, ctx);
}

function authTimeout(sa: AuthSent, ctx: SaContext): Step<undefined> {
  const reason =
    "the peer answered IKE_SA_INIT, but not IKE_AUTH: a firewall may drop UDP 4500, or the peer drops our identity";
  const policy = ctx.sight.tunnel(sa.tunnel);
  return stepTo(
    undefined,
    ...withdraw(sa, reason),
    report(sa, {
      kind: "failed",
      code: "TIMEOUT",
      detail: reason,
      exchange: "IKE_AUTH",
      message: "silence",
      evidence: phase1Evidence(policy, sa.path, {
        ...agreedIke(policy, sa.negotiated.suite),
        "local-id": "suspect",
        "peer-id": "suspect",
        psk: "suspect",
      }),
    }),
    { kind: "lost", tunnel: sa.tunnel, cause: "failed", reason },
  );
}

/** After whatever happened: the next wish, if the window is free. */
function settle(step: Step, ctx: SaContext): Step {
  if (step.sa?.phase !== "established") return step;
  return andThen(step as Step<Established>, (sa) => advance(sa, ctx));
}
