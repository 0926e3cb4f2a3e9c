/** The stations of a datagram in a phase 1 that is not through: repeated -> waiting for keys -> decrypted -> table -> handler. */
import { createHash, createPrf } from "../../crypto/backends.js";
import { equal } from "../../crypto/bytes.js";
import { formatSocketAddress, type Path } from "../../esp/address.js";
import { type CauseCode, causeCode, type Failure } from "../core/causes.js";
import { failureOf, spiText } from "../core/context.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import type { Evidence, SaidAll } from "../core/evidence.js";
import { phase1Evidence } from "../core/our-values.js";
import { GIVE_UP_AFTER, sentAgain } from "../core/retransmit.js";
import type { Answer, AskId, Instant } from "../core/types.js";
import { MAX_UNPROVEN_BYTES } from "../wire/limits.js";
import {
  bodiesOfV1,
  decodeMessageV1,
  encodeMessageV1,
  type MessageV1,
  type PayloadV1,
  type ReceivedPayloadV1,
} from "../wire/message-v1.js";
import { isErrorNotifyV1, notifyNameV1 } from "../wire/v1-notify-table.js";
import { onAggressiveDerivingAnswer, onAggressiveKeyingAnswer } from "./aggressive-mode.js";
import {
  onAggressiveAnswerDerivingAnswer,
  onAggressiveAnswerKeyingAnswer,
  parkProof,
} from "./aggressive-mode-answer.js";
import { andThen, ignore, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { decryptMessage } from "./encrypted.js";
import { hash1, isHash } from "./hashes.js";
import { exchangeIv } from "./iv.js";
import { onMainDerivingAnswer, onMainKeyingAnswer } from "./main-mode.js";
import { blamed, onMainAnswerDerivingAnswer, onMainAnswerKeyingAnswer } from "./main-mode-answer.js";
import { plainError } from "./notifications.js";
import { dropped, EXCHANGE_NAME, failed, headerOf, proofGrounds, refused, send, Uninvited } from "./phase1.js";
import { match, type Row } from "./row.js";
import type {
  AggressiveAnswerDeriving,
  AggressiveAnswered,
  AggressiveKeyed,
  Answering,
  Calling,
  MainIdSent,
  MainKeyed,
  Negotiation,
  Parked,
} from "./state.js";
import { rowsFor } from "./transition-table.js";

/** The phases that can decrypt. */
type KeyedNegotiation = MainIdSent | MainKeyed | AggressiveKeyed;

const NO_IV = new Uint8Array(0);

/** The first message of a stranger: a negotiation, or a refusal without any state. */
export function onFirstMessage(message: MessageV1, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  const { header } = message;
  try {
    const rows = rowsFor("none", header.exchange);
    if (header.initiatorCookie === 0n || header.messageId !== 0 || message.encrypted !== undefined || rows.length === 0)
      throw new ProtocolError("INVALID_SYNTAX", `${header.exchange} does not begin anything`);
    const { row, message: received } = match(rows, message.payloads, { header, path, bytes, iv: NO_IV });
    return row.run(undefined, received, ctx);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return refuseFirst(message, path, error);
  }
}

function exchangeWords(exchange: MessageV1["header"]["exchange"]): string {
  return typeof exchange === "number" ? `exchange ${exchange}` : exchange;
}

/**
 * One unprotected notification, shorter than what it answers, for an offer that no tunnel of this address allows. Whoever fits no tunnel
 * hears nothing at all, and what is no offer may be an answer itself.
 */
function refuseFirst({ header, payloads }: MessageV1, path: Path, error: ProtocolError): Step<undefined> {
  const named = { initiatorSpi: header.initiatorCookie, responderSpi: header.responderCookie };
  const { notify: code, detail } = error;
  const told = (body: object): SaEffect =>
    ({ kind: "report", report: { ...body, ike: spiText(named), peer: formatSocketAddress(path.remote) } }) as SaEffect;
  const offers = payloads.some(({ kind }) => kind === "SA");
  if (!offers) return stepTo(undefined, told({ kind: "ignored", code, detail }));
  const failure = failureOf(error, { exchange: exchangeWords(header.exchange), message: "request" });
  if (error instanceof Uninvited) return stepTo(undefined, told(failure));
  const bytes = encodeMessageV1(headerOf(named, "INFORMATIONAL"), [plainError(code)]);
  return stepTo(undefined, ...send(path, bytes), told(failure));
}

export function onNegotiationDatagram(
  sa: Negotiation,
  message: MessageV1,
  bytes: Uint8Array,
  digest: Uint8Array,
  path: Path,
  ctx: SaContext,
): Step {
  const { header, encrypted } = message;
  if ("reply" in sa && equal(sa.reply.digest, digest))
    return sa.reply.bytes.length > 0
      ? stepTo(sa, ...send(path, sa.reply.bytes, sa.chosen.features))
      : ignore(sa, "repeated", "the first message once more, while its answer is being made");
  if (header.exchange === "INFORMATIONAL") return onInformational(sa, message, ctx);
  if (header.exchange !== EXCHANGE_NAME[sa.exchange]) return onOtherExchange(sa, message, bytes, path);
  if (header.messageId !== 0) return ignore(sa, "unexpected", `${header.exchange} with message ID ${header.messageId}`);
  if (sa.phase === "mainAnswerDeriving" && encrypted !== undefined) return park(sa, { bytes, path });
  if (sa.phase === "aggressiveAnswered") {
    if (bytes.length > MAX_UNPROVEN_BYTES) return ignore(sa, "too long", `message 3 of ${bytes.length} octets`);
    return parkProof(sa, { bytes, path }, ctx);
  }
  if (!isKeyed(sa)) return onPlain(sa, message, bytes, path, ctx);
  return onKeyed(sa, message, bytes, path, ctx);
}

function isKeyed(sa: Negotiation): sa is KeyedNegotiation {
  return "cipher" in sa;
}

/** Before there are keys, by anybody: what is no good is ignored, and a better message is waited for. */
function onPlain(
  sa: Negotiation,
  { header, payloads, encrypted }: MessageV1,
  bytes: Uint8Array,
  path: Path,
  ctx: SaContext,
): Step {
  const rows = rowsFor(sa.phase, header.exchange);
  if (rows.length === 0 || encrypted !== undefined)
    return ignore(sa, "unexpected", `${header.exchange} has no business in phase ${sa.phase}`);
  return guarded(sa, ctx, () => run(sa, rows, payloads, { header, path, bytes, iv: NO_IV }, ctx));
}

/** With keys that nobody has proved: what does not decrypt was made with another pre-shared key, or forged. */
function onKeyed(
  sa: KeyedNegotiation,
  { header, payloads, encrypted }: MessageV1,
  bytes: Uint8Array,
  path: Path,
  ctx: SaContext,
): Step {
  const rows = rowsFor(sa.phase, header.exchange);
  if (encrypted === undefined) {
    // RFC 2409 section 5.4 leaves it open whether the last message of aggressive mode is encrypted.
    if (sa.phase !== "aggressiveKeyed")
      return ignore(sa, "unexpected", "an unencrypted message where identities belong");
    return guarded(sa, ctx, () => run(sa, rows, payloads, { header, path, bytes, iv: sa.iv }, ctx));
  }
  let opened: ReturnType<typeof decryptMessage>;
  try {
    opened = decryptMessage(encrypted, sa.cipher, sa.iv);
    match(rows, opened.payloads, { header, path, bytes, iv: sa.iv });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return garbage(sa, path, ctx);
  }
  return guarded(sa, ctx, () => run(sa, rows, opened.payloads, { header, path, bytes, iv: opened.iv }, ctx), path);
}

function run(
  sa: Negotiation,
  rows: readonly Row[],
  payloads: readonly ReceivedPayloadV1[],
  envelope: Parameters<typeof match>[2],
  ctx: SaContext,
): Step {
  const { row, message } = match(rows, payloads, envelope);
  const step = row.run(sa, message, ctx);
  return row.routine
    ? step
    : { sa: step.sa, effects: [report(sa, { kind: "story", story: row.story }), ...step.effects] };
}

const GARBAGE = "the pre-shared keys differ: what the peer sent decrypts to nothing that makes sense";

/** Said by nobody who has proved anything, so the negotiation stays; the operator is told once. */
function garbage(sa: KeyedNegotiation, path: Path, ctx: SaContext): Step {
  if (sa.phase === "mainIdSent") return refused(sa, garbageFailure(sa, ctx), ctx);
  return unproven(sa, new ProtocolError("AUTHENTICATION_FAILED", GARBAGE, undefined, garbageGrounds(sa, ctx)), path);
}

/** Keys of phase 1 are made from the pre-shared key: what does not decrypt was made with another one. */
function garbageGrounds(sa: KeyedNegotiation, ctx: SaContext): Grounds {
  if (sa.phase !== "mainKeyed")
    return proofGrounds(ctx.sight.tunnel(sa.tunnel), sa.path, sa.chosen, { psk: "different" });
  const exchange = sa.exchange;
  const meant = ctx.sight.candidates(sa.path, 1).filter(({ ike }) => (ike.exchange ?? "main") === exchange);
  return {
    candidates: blamed(meant, (tunnel) => proofGrounds(tunnel, sa.path, sa.chosen, { psk: "different" }).evidence!),
  };
}

function garbageFailure(sa: MainIdSent, ctx: SaContext): Failure {
  return { code: "AUTHENTICATION_FAILED", detail: GARBAGE, message: "response", ...garbageGrounds(sa, ctx) };
}

function unproven(sa: MainKeyed | AggressiveKeyed, error: ProtocolError, path: Path): Step {
  const { notify: code, detail } = error;
  if (sa.toldGarbage) return ignore(sa, code, detail);
  const bytes = encodeMessageV1(headerOf(sa, "INFORMATIONAL"), [plainError(code)]);
  return stepTo(
    { ...sa, toldGarbage: true },
    ...send(path, bytes),
    report(sa, failureOf(error, { exchange: EXCHANGE_NAME[sa.exchange], message: "request" })),
  );
}

/** What a refusal means for a negotiation that is not through: nothing yet, but the operator hears of it. */
const TOLD: ReadonlySet<string> = new Set(["NO_PROPOSAL_CHOSEN", "AUTHENTICATION_FAILED"]);

function guarded(sa: Negotiation, ctx: SaContext, work: () => Step, path: Path = sa.path): Step {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    if (sa.phase === "mainKeyed" || sa.phase === "aggressiveKeyed") return unproven(sa, error, path);
    if (sa.role === "initiator" && TOLD.has(error.notify)) {
      const { detail, grounds } = error;
      return refused(sa, { code: causeCode(error.notify), detail, message: "response", ...grounds }, ctx);
    }
    return ignore(sa, error.notify, error.detail);
  }
}

/** A message of another exchange: the peer may be further than we are, because our last message, or its own, got lost. */
function onOtherExchange(sa: Negotiation, { header }: MessageV1, bytes: Uint8Array, path: Path): Step {
  if (
    header.exchange === "QUICK_MODE" &&
    (sa.phase === "aggressiveAnswered" || sa.phase === "aggressiveAnswerDeriving")
  )
    return onEarlyQuickMode(sa, { bytes, path });
  return ignore(sa, "unexpected", `${header.exchange} before phase 1 is through`);
}

/** Message 5 came before its keys: it waits. The first one counts; another one may be forged, and the peer repeats its own. */
function park(sa: Extract<Negotiation, { phase: "mainAnswerDeriving" }>, parked: Parked): Step {
  if (sa.parked !== undefined || parked.bytes.length > MAX_UNPROVEN_BYTES)
    return ignore(sa, "early", "a further message while the keys are being made");
  return stepTo({ ...sa, parked });
}

/**
 * In aggressive mode the peer is through with its last message, and goes on to quick mode while that is under way, or our keys are being made.
 * One message waits, and means something when phase 1 is proven; were it forged, the peer repeats its own.
 */
function onEarlyQuickMode(sa: AggressiveAnswered | AggressiveAnswerDeriving, early: Parked): Step {
  const parks = sa.early === undefined && early.bytes.length <= MAX_UNPROVEN_BYTES;
  if (sa.phase === "aggressiveAnswered")
    return stepTo(parks ? { ...sa, early } : sa, ...send(early.path, sa.reply.bytes, sa.chosen.features));
  return parks ? stepTo({ ...sa, early }) : ignore(sa, "early", "a further message while the keys are being made");
}

/** An error of the peer: without protection it is told and not believed; under our keys it proves that the keys agree. */
function onInformational(sa: Negotiation, { header, payloads, encrypted }: MessageV1, ctx: SaContext): Step {
  if (sa.role === "responder") return onPeersError(sa, { payloads, encrypted }, ctx);
  if (encrypted === undefined) {
    const name = errorIn(payloads);
    if (name === undefined) return ignore(sa, "unauthenticated", "a notification before phase 1 is through");
    const detail = `the peer answers ${EXCHANGE_NAME[sa.exchange]} with ${name}${hint(sa, name)}`;
    return refused(sa, { code: codeOf(name), detail, message: "response", evidence: leftOpen(sa, name, ctx) }, ctx);
  }
  if (sa.phase !== "mainIdSent") return ignore(sa, "unexpected", "an encrypted notification before there are keys");
  try {
    const { suite } = sa.chosen;
    const iv = exchangeIv(createHash(suite.prf), suite.encryption, sa.iv, header.messageId);
    const opened = decryptMessage(encrypted, sa.cipher, iv);
    const [first] = opened.payloads;
    const right = hash1(createPrf(suite.prf), sa.keys.skeyidA, header.messageId, opened.behindFirst);
    const name = errorIn(opened.payloads);
    if (first?.kind === "HASH" && isHash(right, first.body.hash) && name !== undefined)
      return refused(
        sa,
        {
          code: codeOf(name),
          detail: `the peer refuses our identity or proof with ${name}`,
          message: "response",
          ...proofGrounds(ctx.sight.tunnel(sa.tunnel), sa.path, sa.chosen, REFUSED_UNDER_KEYS),
        },
        ctx,
      );
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return refused(sa, garbageFailure(sa, ctx), ctx);
}

/** What a refusal of the peer's leaves open: before it has chosen the algorithms, and after. */
function leftOpen(sa: Calling, name: string, ctx: SaContext): Evidence {
  const policy = ctx.sight.tunnel(sa.tunnel);
  if ("chosen" in sa) {
    const keyOnly = codeOf(name) === "AUTHENTICATION_FAILED" && name !== "AUTHENTICATION-FAILED";
    const said: SaidAll = keyOnly ? { psk: "suspect" } : PROOF_SUSPECTS;
    return proofGrounds(policy, sa.path, sa.chosen, said).evidence!;
  }
  if (name === "AUTHENTICATION-FAILED" || name === "INVALID-ID-INFORMATION")
    return phase1Evidence(policy, sa.path, { version: "equal", mode: "suspect", ...PROOF_SUSPECTS });
  return phase1Evidence(policy, sa.path, firstSuspects(sa.exchange));
}

/** The keys agree, and with them the pre-shared key. Some peers find out only now that they want the other mode. */
const REFUSED_UNDER_KEYS: SaidAll = {
  mode: "suspect",
  authentication: "suspect",
  "local-id": "suspect",
  "peer-id": "suspect",
  psk: "equal",
};

const PROOF_SUSPECTS: SaidAll = { "local-id": "suspect", "peer-id": "suspect", psk: "suspect" };

/** What the first message says, and so what may be wrong with it; in aggressive mode our identity as well. */
function firstSuspects(exchange: Calling["exchange"]): SaidAll {
  return {
    version: "suspect",
    mode: "suspect",
    authentication: "suspect",
    encryption: "suspect",
    hash: "suspect",
    group: "suspect",
    ...(exchange === "aggressive" && { "local-id": "suspect" }),
  };
}

/** HASH_R is the first thing that the key goes into, and what the peer says of it is under keys that we do not share or under none. */
const PROOF_REFUSED =
  "the peer refuses our proof in aggressive mode: the pre-shared keys differ, or it does not accept our identity";

/** The peer does not go on after our proof, which it can check alone: told once, and nothing follows from it. */
function onPeersError(
  sa: Answering,
  { payloads, encrypted }: { readonly payloads: readonly PayloadV1[]; readonly encrypted: unknown },
  ctx: SaContext,
): Step {
  const doubts = sa.phase === "aggressiveAnswered" || sa.phase === "aggressiveKeyed";
  const isError = encrypted !== undefined || errorIn(payloads) !== undefined;
  if (!doubts || !isError || sa.toldGarbage)
    return ignore(sa, "unauthenticated", "a notification before phase 1 is through");
  const said: SaidAll = { "local-id": "suspect", "peer-id": "equal", psk: "suspect" };
  return stepTo(
    { ...sa, toldGarbage: true },
    report(sa, {
      kind: "failed",
      code: "AUTHENTICATION_FAILED",
      detail: PROOF_REFUSED,
      exchange: EXCHANGE_NAME[sa.exchange],
      message: "response",
      unproven: true,
      ...proofGrounds(ctx.sight.tunnel(sa.tunnel), sa.path, sa.chosen, said),
    }),
  );
}

function errorIn(payloads: readonly PayloadV1[]): string | undefined {
  const error = bodiesOfV1(payloads, "N").find(({ notify }) => isErrorNotifyV1(notify));
  return error && notifyNameV1(error.notify);
}

/** What a peer answers whose key does not open our message: it does not know better. */
function codeOf(name: string): CauseCode {
  return name === "PAYLOAD-MALFORMED" || name === "INVALID-ID-INFORMATION" ? "AUTHENTICATION_FAILED" : causeCode(name);
}

/** Peers that cannot decrypt message 5 say that it is malformed. */
function hint(sa: Negotiation, name: string): string {
  return sa.phase === "mainIdSent" && codeOf(name) === "AUTHENTICATION_FAILED" ? ": the pre-shared keys differ" : "";
}

// --- answers to our asks -----------------------------------------------------------------------------------------

export function onNegotiationAnswer(sa: Negotiation, ask: AskId, answer: Answer, ctx: SaContext): Step {
  if (!("ask" in sa) || sa.ask !== ask) return stepTo(sa);
  switch (sa.phase) {
    case "mainKeying":
      return onMainKeyingAnswer(sa, answer, ctx);
    case "mainDeriving":
      return made(sa, () => onMainDerivingAnswer(sa, answer, ctx));
    case "aggressiveKeying":
      return onAggressiveKeyingAnswer(sa, answer, ctx);
    case "aggressiveDeriving":
      return made(sa, () => onAggressiveDerivingAnswer(sa, answer, ctx));
    case "mainAnswerKeying":
      return onMainAnswerKeyingAnswer(sa, answer, ctx);
    case "mainAnswerDeriving":
      return made(sa, () => unparked(sa.parked, onMainAnswerDerivingAnswer(sa, answer, ctx), ctx));
    case "aggressiveAnswerKeying":
      return onAggressiveAnswerKeyingAnswer(sa, answer, ctx);
    case "aggressiveAnswerDeriving":
      return made(sa, () =>
        handingOn(sa.early, unparked(sa.parked, onAggressiveAnswerDerivingAnswer(sa, answer), ctx)),
      );
  }
}

/** Keys that cannot be made (DES has keys that must not be used) end the attempt. */
function made(sa: Negotiation, work: () => Step): Step {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const { detail, grounds } = error;
    const failure: Failure = { code: causeCode(error.notify), detail, ...grounds };
    return sa.role === "initiator" ? failed(sa, failure) : dropped(sa, failure);
  }
}

/** The message that waited for keys is looked at as soon as they are there. */
function unparked(parked: Parked | undefined, step: Step, ctx: SaContext): Step {
  const { sa } = step;
  if (parked === undefined || sa === undefined || sa.phase === "peer" || !isKeyed(sa)) return step;
  return andThen(step, () => onKeyed(sa, decodeMessageV1(parked.bytes), parked.bytes, parked.path, ctx));
}

/** The quick mode that waited goes with the phase 1 that is through; where it is not, the peer repeats it. */
function handingOn(early: Parked | undefined, { sa, effects }: Step): Step {
  if (early === undefined) return { sa, effects };
  return { sa, effects: effects.map((effect) => (effect.kind === "phase1" ? { ...effect, early } : effect)) };
}

// --- time ----------------------------------------------------------------------------------------------------------

export function negotiationDeadline(sa: Negotiation): Instant {
  if (sa.role === "responder") return sa.expiresAt;
  return "request" in sa ? Math.min(sa.giveUpAt, sa.request.nextAt) : sa.giveUpAt + GIVE_UP_AFTER;
}

export function onNegotiationTick(sa: Negotiation, ctx: SaContext): Step {
  if (ctx.now < negotiationDeadline(sa)) return stepTo(sa);
  if (sa.role === "responder") return expired(sa);
  if (!("request" in sa)) return failed(sa, { code: "INTERNAL", detail: "an answer of our own never came" });
  if (ctx.now >= sa.giveUpAt) return timeout(sa, ctx);
  const { request } = sa;
  const features = "chosen" in sa ? sa.chosen.features : undefined;
  const again = stepTo({ ...sa, request: sentAgain(request, ctx.now) }, ...send(sa.path, request.bytes, features));
  const doubts = sa.phase === "mainIdSent" && sa.refusal === undefined && request.interval === DOUBTFUL_INTERVAL;
  if (!doubts) return again;
  const told: readonly SaEffect[] = [
    report(sa, { kind: "story", story: SILENT_AFTER_IDENTITY }),
    { kind: "refused", tunnel: sa.tunnel, reason: SILENT_AFTER_IDENTITY },
  ];
  return { sa: again.sa, effects: [...again.effects, ...told] };
}

/** After so many repetitions of our identity the operator hears what that mostly means. */
const DOUBTFUL_INTERVAL = 4_000;

const SILENT_AFTER_IDENTITY =
  "the peer does not answer our identity: most often the pre-shared keys differ or the identities do, or a firewall drops UDP 4500";

function expired(sa: Answering): Step<undefined> {
  const story =
    sa.phase === "aggressiveAnswered"
      ? "the peer did not go on after our proof: the pre-shared keys differ, or it only wanted to see"
      : "the peer never finished its phase 1";
  return stepTo(undefined, report(sa, { kind: "story", story }));
}

/** What was told when it came is believed now; silence is told now. */
function timeout(sa: Calling, ctx: SaContext): Step<undefined> {
  const { refusal } = sa;
  if (refusal !== undefined) return failed(sa, refusal);
  const words: Partial<Record<Calling["phase"], string>> = {
    mainSent: "the peer does not answer main mode",
    aggressiveSent: "the peer does not answer aggressive mode: it may know neither our identity nor our proposals",
    mainKeySent: "the peer chose a proposal, but does not answer the key exchange",
    mainIdSent: SILENT_AFTER_IDENTITY,
  };
  const policy = ctx.sight.tunnel(sa.tunnel);
  const evidence =
    "chosen" in sa
      ? proofGrounds(policy, sa.path, sa.chosen, sa.phase === "mainIdSent" ? PROOF_SUSPECTS : {}).evidence!
      : phase1Evidence(policy, sa.path, firstSuspects(sa.exchange));
  const detail = words[sa.phase] ?? "the peer does not answer";
  return failed(sa, { code: "TIMEOUT", detail, message: "silence", evidence });
}
