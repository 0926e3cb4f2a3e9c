/** One event of one IKEv1 SA: of a phase 1 that is not through, or of a peer. */
import { createPrf } from "../../crypto/backends.js";
import { equal } from "../../crypto/bytes.js";
import type { Path } from "../../esp/address.js";
import { causeCode } from "../core/causes.js";
import { failureOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { TunnelPolicy } from "../core/policy.js";
import type { Answer, AskId, Instant } from "../core/types.js";
import { decodeRawHeader, type RawHeader } from "../wire/header.js";
import { bodiesOfV1, decodeMessageV1, type MessageV1 } from "../wire/message-v1.js";
import { errorNotifyV1 } from "../wire/v1-notify-table.js";
import { startAggressive } from "./aggressive-mode.js";
import { andThen, ignore, report, type SaContext, type Step, stepTo } from "./context.js";
import { decryptMessage } from "./encrypted.js";
import { arrived, counted, firstIv, inform, withPhase1, withSeen } from "./exchange.js";
import { collect } from "./fragment.js";
import { hash1, hash2, hash3, isHash } from "./hashes.js";
import { checkVolume, closePeer, onPeerTick, peerDeadline, settle } from "./life.js";
import { startMain } from "./main-mode.js";
import {
  negotiationDeadline,
  onFirstMessage,
  onNegotiationAnswer,
  onNegotiationDatagram,
  onNegotiationTick,
} from "./negotiation.js";
import { espNotification, notification } from "./notifications.js";
import { digestOf, send } from "./phase1.js";
import type { Quick } from "./quick.js";
import { quickFailed, releasedSpis, withoutQuick } from "./quick-end.js";
import { onQuickDerivingAnswer, onQuickKeyingAnswer } from "./quick-mode.js";
import { onQuickAnswerKeyingAnswer } from "./quick-mode-answer.js";
import { match, type Row } from "./row.js";
import type { Phase1, V1Peer, V1Sa } from "./state.js";
import { rowsFor } from "./transition-table.js";

/** Phase 1 of a tunnel begins, in the mode that it is configured for. */
export function initiate(tunnel: TunnelPolicy, path: Path, ctx: SaContext): Step<V1Sa> {
  return tunnel.ike.exchange === "aggressive" ? startAggressive(tunnel, path, ctx) : startMain(tunnel, path, ctx);
}

/** A message of a stranger. */
export function onStranger(message: MessageV1, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  return onFirstMessage(message, bytes, path, ctx);
}

/** A message for this SA: it has its cookies. What cannot be decoded changes nothing. */
export function onDatagram(sa: V1Sa, bytes: Uint8Array, raw: RawHeader, path: Path, ctx: SaContext): Step {
  return undecoded(sa, () => {
    const message = decodeMessageV1(bytes, raw);
    const [fragment] = bodiesOfV1(message.payloads, "FRAGMENT");
    if (fragment === undefined) return settle(received(sa, message, bytes, path, ctx), ctx, "peer");
    return undecoded(withoutFragments(sa), () => {
      const collected = collect(sa.fragments, fragment);
      if (collected.kind === "waiting") return stepTo({ ...sa, fragments: collected.fragments });
      return onWhole(withoutFragments(sa), collected.bytes, path, ctx);
    });
  });
}

function withoutFragments({ fragments: _, ...sa }: V1Sa): V1Sa {
  return sa as V1Sa;
}

/** The fragments are gone, whatever they make: one may have been of another message, or forged; the peer's repetition sets that right. */
function onWhole(sa: V1Sa, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  return undecoded(sa, () => {
    const message = decodeMessageV1(bytes, decodeRawHeader(bytes));
    if (bodiesOfV1(message.payloads, "FRAGMENT").length > 0)
      return ignore(sa, "fragment", "fragments inside fragments");
    return settle(received(sa, message, bytes, path, ctx), ctx, "peer");
  });
}

function undecoded(sa: V1Sa, decode: () => Step): Step {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return ignore(sa, error.notify, error.detail);
  }
}

function received(sa: V1Sa, message: MessageV1, bytes: Uint8Array, path: Path, ctx: SaContext): Step {
  const digest = digestOf(bytes);
  if (sa.phase === "peer") return onPeerDatagram(sa, message, bytes, digest, path, ctx);
  return onNegotiationDatagram(sa, message, bytes, digest, path, ctx);
}

export function onAnswer(sa: V1Sa, ask: AskId, answer: Answer, ctx: SaContext): Step {
  if (sa.phase !== "peer") return onNegotiationAnswer(sa, ask, answer, ctx);
  const quick = sa.quicks.find((one) => "ask" in one && one.ask === ask);
  if (quick === undefined) return stepTo(sa);
  return settle(
    guardedQuick(sa, quick, ctx, () => {
      switch (quick.stage) {
        case "keying":
          return onQuickKeyingAnswer(sa, quick, answer, ctx);
        case "deriving":
          return onQuickDerivingAnswer(sa, quick, answer, ctx);
        case "answerKeying":
          return onQuickAnswerKeyingAnswer(sa, quick, answer, ctx);
        default:
          return stepTo(sa);
      }
    }),
    ctx,
  );
}

export function onTick(sa: V1Sa, ctx: SaContext): Step {
  return sa.phase === "peer" ? onPeerTick(sa, ctx) : onNegotiationTick(sa, ctx);
}

/** When this SA wants its next tick. */
export function saDeadline(sa: V1Sa, tunnel: (name: string) => TunnelPolicy): Instant | undefined {
  return sa.phase === "peer" ? peerDeadline(sa, tunnel(sa.tunnel)) : negotiationDeadline(sa);
}

/** The operator's "down": a negotiation is dropped, a peer is told. */
export function wishClose(sa: V1Sa, reason: string, ctx: SaContext): Step {
  return sa.phase === "peer" ? closePeer(sa, reason, ctx) : stepTo(undefined);
}

// --- the stations behind phase 1: repeated -> decrypted -> HASH -> table -> handler -------------------------------

function onPeerDatagram(
  peer: V1Peer,
  message: MessageV1,
  bytes: Uint8Array,
  digest: Uint8Array,
  path: Path,
  ctx: SaContext,
): Step {
  const { header, encrypted } = message;
  const phase1 = peer.phase1s.find(
    ({ initiatorSpi, responderSpi }) =>
      initiatorSpi === header.initiatorCookie &&
      (responderSpi === header.responderCookie || header.responderCookie === 0n),
  );
  if (phase1 === undefined) return ignore(peer, "unknown SPI", "it belongs to no phase 1 SA here");
  const replies = [phase1.reply, ...peer.quicks.map((quick) => ("reply" in quick ? quick.reply : undefined))];
  const repeated = replies.find((reply) => reply !== undefined && equal(reply.digest, digest));
  if (repeated !== undefined) return stepTo(peer, ...send(path, repeated.bytes, phase1.features));
  if (header.messageId === 0) return ignore(peer, "repeated", `${header.exchange} after phase 1 is through`);
  if (encrypted === undefined) return ignore(peer, "unauthenticated", `${header.exchange} without protection`);
  const quick = peer.quicks.find((q) => q.phase1 === phase1.key && q.messageId === header.messageId);
  if (quick === undefined && phase1.seen.includes(header.messageId))
    return ignore(peer, "repeated", `exchange ${header.messageId} is over`);
  const opened = open(phase1, quick, message);
  if (opened === undefined) return ignore(peer, "integrity", "its HASH is wrong, or it decrypts to nothing");
  const place = header.exchange === "QUICK_MODE" && quick !== undefined ? (`quick ${quick.stage}` as const) : "peer";
  const rows = rowsFor(place, header.exchange);
  const counting = counted(quick === undefined ? withSeen(phase1, header.messageId) : phase1, bytes.length);
  const known = checkVolume(withPhase1(peer, counting));
  // Messages 2 and 3 of a quick mode cover a nonce of ours; any other may be a recording, and its handler says whether it is new.
  const isFresh = quick?.stage === "sent" || quick?.stage === "answered";
  return andThen(isFresh ? arrived(known, path, ctx) : stepTo(known), (now): Step => {
    if (rows.length === 0) return ignore(now, "unexpected", `${header.exchange} has no business here`);
    return guardedMessage(now, counting, quick, ctx, () => {
      const envelope = { header, path, bytes, iv: opened.iv };
      const { row, message: matched } = match(rows, opened.payloads, envelope);
      return told(now, row, row.run({ peer: now, phase1: counting, quick }, matched, ctx));
    });
  });
}

/** Decrypted and proven; undefined: neither. Nothing but the HASH has been looked at (`decisions.md` 5). */
function open(
  phase1: Phase1,
  quick: Quick | undefined,
  { header, encrypted }: MessageV1,
): ReturnType<typeof decryptMessage> | undefined {
  const { messageId } = header;
  try {
    const opened = decryptMessage(encrypted!, phase1.cipher, quick?.iv ?? firstIv(phase1, messageId));
    const [first] = opened.payloads;
    if (first?.kind !== "HASH") return undefined;
    const prf = createPrf(phase1.suite.prf);
    const { skeyidA } = phase1.keys;
    const right =
      quick?.stage === "sent"
        ? hash2(prf, skeyidA, messageId, quick.ni, opened.behindFirst)
        : quick?.stage === "answered"
          ? hash3(prf, skeyidA, messageId, quick)
          : hash1(prf, skeyidA, messageId, opened.behindFirst);
    return isHash(right, first.body.hash) ? opened : undefined;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
}

function told(peer: V1Peer, { story, routine }: Row, step: Step): Step {
  if (routine) return step;
  return { sa: step.sa, effects: [report(peer, { kind: "story", story }), ...step.effects] };
}

/** What an authentic message asks and we refuse, or does wrong: the peer is told, its exchange ends, everything else stays. */
function guardedMessage(peer: V1Peer, phase1: Phase1, quick: Quick | undefined, ctx: SaContext, run: () => Step): Step {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return refuseQuick(peer, phase1, quick, error, ctx);
  }
}

function guardedQuick(peer: V1Peer, quick: Quick, ctx: SaContext, run: () => Step): Step {
  const phase1 = peer.phase1s.find(({ key }) => key === quick.phase1);
  if (phase1 === undefined) return stepTo(withoutQuick(peer, quick), ...releasedSpis([quick]));
  return guardedMessage(peer, phase1, quick, ctx, run);
}

function refuseQuick(
  peer: V1Peer,
  phase1: Phase1,
  quick: Quick | undefined,
  error: ProtocolError,
  ctx: SaContext,
): Step {
  const { notify: code, detail } = error;
  const name = errorNotifyV1(code);
  const about = quick === undefined ? notification(phase1, name) : espNotification(name, new Uint8Array(0));
  const telling = inform(peer, phase1, [about], ctx);
  return andThen(telling, (now): Step => {
    if (quick !== undefined && (quick.stage === "sent" || quick.stage === "deriving" || quick.stage === "keying"))
      return quickFailed(now, quick, { code: causeCode(code), detail, message: "response", ...error.grounds }, ctx);
    const failure = report(now, failureOf(error, { exchange: "QUICK_MODE", message: "request" }));
    if (quick?.stage !== "answerKeying") return stepTo(now, failure);
    return stepTo(withoutQuick(now, quick), ...releasedSpis([quick]), failure);
  });
}
