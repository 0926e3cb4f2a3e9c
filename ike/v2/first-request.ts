/**
 * IKE_SA_INIT as its responder, RFC 7296 section 1.2: the first message of a stranger.
 *
 *     HDR, SAi1, KEi, Ni  -->
 *                         <--  HDR, SAr1, KEr, Nr
 *
 * Under load a cookie is asked for first (section 2.6), and nothing is kept of the request. Who the peer is stands in IKE_AUTH
 * alone, so that every tunnel that its address fits has a say in the proposals (`decisions.md` 6).
 */

import { createPrf } from "../../crypto/backends.js";
import { PRF_HMAC_SHA2_256 } from "../../crypto/registry/prf.js";
import { Secret } from "../../crypto/secret.js";
import { formatAddress, formatSocketAddress, type Path } from "../../esp/address.js";
import { failureOf, refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { MOST_BLAMED } from "../core/evidence.js";
import { natDetection, natVerdict } from "../core/nat.js";
import { chooseIke, compareIke, distinctProposals, noProposalChosen } from "../core/negotiate.js";
import { phase1Evidence, versionWords } from "../core/our-values.js";
import { vendorStory } from "../core/quirks.js";
import { reactTo } from "../core/react.js";
import { HALF_OPEN_LIFE } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { OUR_VENDOR_ID } from "../core/vendor-ids.js";
import { encodeMessage, type Message, type Payload, payload } from "../wire/message.js";
import { notification } from "../wire/payloads/notify.js";
import { report, type SaContext, type SaEffect, type Step, spiHex, spiText, stepTo } from "./context.js";
import { type CookieSecrets, isOurCookie, makeCookie } from "./cookie.js";
import { announceChildless } from "./features/childless.js";
import { agreedFragmentation, announceFragmentation } from "./features/fragmentation.js";
import { NONCE_BYTES, notifications } from "./ike-sa-init.js";
import { match, type Received, row } from "./row.js";
import type { Replied, ReplyKeying } from "./state.js";

/** How the endpoint stands against floods. */
export interface Guard {
  readonly cookies: CookieSecrets;
  readonly demandCookie: boolean;
}

type FirstRequest = Received<"SA" | "KE" | "Nonce", "N" | "V">;

/** A half-open IKE SA, or an answer without any state. */
export function onFirstRequest(
  message: Message,
  bytes: Uint8Array,
  path: Path,
  guard: Guard,
  ctx: SaContext,
): Step<ReplyKeying | undefined> {
  const { header } = message;
  try {
    const { message: request } = match(FIRST_REQUEST_ROWS, message.payloads, { header, path, bytes });
    return accept(request as FirstRequest, guard, ctx);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return refuse(header, path, error);
  }
}

/** The unprotected answer to a first request that cannot be accepted (RFC 7296 section 2.21.1). */
export function refuse(header: Message["header"], path: Path, error: ProtocolError): Step<undefined> {
  const reaction = reactTo(error, { exchange: "IKE_SA_INIT", response: false, authenticated: false });
  if (reaction.do !== "notify") return stepTo(undefined, stranger(header, path, "ignored", error));
  const answer = plainReply(header, [payload("N", notification(reaction.notify, reaction.data))]);
  const kind = error.notify === "INVALID_KE_PAYLOAD" ? "ignored" : "failed";
  return stepTo(undefined, { kind: "send", path, bytes: answer }, stranger(header, path, kind, error));
}

function accept(request: FirstRequest, guard: Guard, ctx: SaContext): Step<ReplyKeying | undefined> {
  const { header, path, bytes, SA, KE, Nonce, notifies } = request;
  if (header.initiatorSpi === 0n || header.responderSpi !== 0n || header.messageId !== 0)
    throw new ProtocolError("INVALID_SYNTAX", "a first request has an initiator's SPI alone, and message ID 0");
  if (guard.demandCookie) {
    const binding = { nonce: Nonce.nonce, address: path.remote.address, initiatorSpi: header.initiatorSpi };
    const cookie = notifies[0]?.notify === "COOKIE" ? notifies[0].data : undefined;
    const prf = createPrf(PRF_HMAC_SHA2_256);
    if (cookie === undefined || !isOurCookie(prf, guard.cookies, binding, cookie)) {
      const ours = notification("COOKIE", makeCookie(prf, guard.cookies, binding));
      return stepTo(undefined, { kind: "send", path, bytes: plainReply(header, [payload("N", ours)]) });
    }
  }
  const candidates = ctx.sight.candidates(path, 2);
  if (candidates.length === 0) throw uninvited(path, ctx);
  const choice = chooseIke(SA, distinctProposals(candidates.flatMap((tunnel) => tunnel.ike.proposals)), {
    keGroup: KE.group,
  });
  if (choice.kind === "mismatch")
    throw noProposalChosen(choice, {
      candidates: candidates.slice(0, MOST_BLAMED).map((tunnel) => ({
        tunnel: tunnel.name,
        evidence: phase1Evidence(tunnel, path, { version: "equal" }, compareIke(SA, tunnel.ike.proposals)),
      })),
    });
  const { suite } = choice;
  const group = suite.keyExchange;
  const number = group.ids.ikev2!;
  if (KE.group !== number)
    throw new ProtocolError(
      "INVALID_KE_PAYLOAD",
      `KEi is group ${KE.group}, ${group.name} is wanted`,
      new Uint8Array([number >> 8, number & 0xff]),
    );
  if (KE.data.length !== group.publicBytes)
    throw new ProtocolError(
      "INVALID_SYNTAX",
      `KEi has ${KE.data.length} octets, ${group.name} has ${group.publicBytes}`,
    );
  const spi = ctx.ids.ikeSpi();
  const ask = ctx.ids.ask();
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const sa: ReplyKeying = {
    phase: "replyKeying",
    role: "responder",
    key: spiHex(spi),
    initiatorSpi: header.initiatorSpi,
    responderSpi: spi,
    path,
    createdAt: ctx.now,
    negotiated: {
      suite,
      ni: Nonce.nonce,
      nr: ctx.random(NONCE_BYTES),
      nat: natVerdict(header, path, notifies),
      ...agreedFragmentation(candidates, notifies),
    },
    initRequest: bytes,
    privateOctets,
    peerPublic: KE.data,
    answer: choice.answer(new Uint8Array(0)),
    ask,
    expiresAt: ctx.now + HALF_OPEN_LIFE,
  };
  return stepTo(
    sa,
    report(sa, { kind: "story", story: `a peer asks for an IKE SA${vendorStory(request.vendorIds)}` }),
    { kind: "ask", ask, question: { kind: "publicValue", group: number, privateOctets } },
  );
}

/** The tunnels of this address may be of the other version. */
function uninvited(path: Path, ctx: SaContext): ProtocolError {
  const detail = `no tunnel is configured for a peer at ${formatAddress(path.remote.address)} that speaks IKEv2`;
  const others = ctx.sight.candidates(path, 1).slice(0, MOST_BLAMED);
  if (others.length === 0) return new ProtocolError("NO_PROPOSAL_CHOSEN", detail);
  const candidates = others.map((tunnel) => ({
    tunnel: tunnel.name,
    evidence: phase1Evidence(tunnel, path, { version: { theirs: [versionWords(2)] } }),
  }));
  const words = `${detail}: ${others.map(({ name }) => name).join(", ")} speaks IKEv1`;
  return new ProtocolError("NO_PROPOSAL_CHOSEN", words, undefined, { candidates });
}

/** <-- HDR, SAr1, KEr, Nr, N(NAT_DETECTION_*_IP) */
export function onReplyKeyingAnswer(sa: ReplyKeying, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "publicValue")
    return stepTo(undefined, report(sa, { kind: "failed", code: "INTERNAL", detail: refusalOf(answer) }));
  const { initiatorSpi, responderSpi, path, negotiated, peerPublic, privateOctets, expiresAt, key, role, createdAt } =
    sa;
  const { suite, nr, nat, fragmentation } = negotiated;
  const candidates = ctx.sight.candidates(path, 2);
  const fakesNat = candidates.some((tunnel) => tunnel.encapsulation === "udp");
  const header = {
    initiatorSpi,
    responderSpi,
    exchange: "IKE_SA_INIT",
    fromInitiator: false,
    response: true,
    messageId: 0,
  } as const;
  const initResponse = encodeMessage(header, [
    payload("SA", sa.answer),
    payload("KE", { group: suite.keyExchange.ids.ikev2!, data: answer.publicValue }),
    payload("Nonce", { nonce: nr }),
    ...(nat.supported ? notifications(natDetection(header, path, fakesNat ? "udp" : "auto")) : []),
    ...notifications(fragmentation ? announceFragmentation(candidates) : []),
    ...notifications(announceChildless()),
    payload("V", { data: OUR_VENDOR_ID }),
  ]);
  const next: Replied = {
    phase: "replied",
    role,
    key,
    initiatorSpi,
    responderSpi,
    path,
    createdAt,
    negotiated,
    first: { initRequest: sa.initRequest, initResponse },
    privateOctets,
    peerPublic,
    expiresAt,
  };
  return stepTo(next, { kind: "send", path, bytes: initResponse });
}

/** An answer that belongs to no IKE SA; the responder's SPI stays 0. */
function plainReply(header: Message["header"], payloads: readonly Payload[]): Uint8Array {
  return encodeMessage({ ...header, fromInitiator: false, response: true }, payloads);
}

function stranger(header: Message["header"], path: Path, kind: "ignored" | "failed", error: ProtocolError): SaEffect {
  const names = { ike: spiText(header), peer: formatSocketAddress(path.remote) };
  const { notify: code, detail } = error;
  const body =
    kind === "failed"
      ? failureOf(error, { exchange: "IKE_SA_INIT", message: "request" })
      : ({ kind, code, detail } as const);
  return { kind: "report", report: { ...names, ...body } };
}

/** The one row without an IKE SA; its handler is `accept`, which `onFirstRequest` calls with the guard. */
export const FIRST_REQUEST_ROWS = [
  row({
    phase: "none",
    exchange: "IKE_SA_INIT",
    response: false,
    story: "a peer asks for an IKE SA: its proposals, its public value, its nonce",
    needs: ["SA", "KE", "Nonce"],
    may: ["N", "V"],
    run: () => stepTo(undefined),
  }),
];
