/**
 * IKE_SA_INIT as its initiator, RFC 7296 section 1.2:
 *
 *     HDR, SAi1, KEi, Ni  -->
 *                         <--  HDR, SAr1, KEr, Nr, [CERTREQ]
 *
 * with COOKIE and INVALID_KE_PAYLOAD in front of it. Nothing here is authenticated (`decisions.md` 5): what goes wrong
 * is told, and a better answer is waited for until the timeout.
 */
import { createPrf } from "../../crypto/backends.js";
import { keywordOf, rowById } from "../../crypto/registry/lookup.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { Address, Path } from "../../esp/address.js";
import { causeCode } from "../core/causes.js";
import { type FailedBody, refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { type NatVerdict, natDetection, natVerdict, onNatPort } from "../core/nat.js";
import { chosenIke, offerIke } from "../core/negotiate.js";
import { oursInWords } from "../core/offer-words.js";
import { phase1Evidence } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { answererStory } from "../core/quirks.js";
import { GIVE_UP_AFTER, outstanding } from "../core/retransmit.js";
import { REFUSED_INIT_LIFE } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { OUR_VENDOR_ID } from "../core/vendor-ids.js";
import { encodeMessage, type Payload, payload } from "../wire/message.js";
import { isErrorNotify, type NotifyType, notifyName } from "../wire/notify-table.js";
import { type NotifyPayload, notification } from "../wire/payloads/notify.js";
import { ignore, report, type SaContext, type SaEffect, type Step, spiHex, stepTo } from "./context.js";
import { childlessIn } from "./features/childless.js";
import { agreedFragmentation, announceFragmentation } from "./features/fragmentation.js";
import { announceRedirect, answersNonce, redirectIn, redirectOf } from "./features/redirect.js";
import { ikeKeys, skeyseed } from "./keys.js";
import { type Received, row } from "./row.js";
import type { InitAnswered, InitKeying, InitOffer, InitSent, PskAwaited } from "./state.js";

/** How often answers may make us start again. */
const MOST_RESTARTS = 4;
/** RFC 7296 section 2.10: at least 16 octets and half the PRF's key. */
export const NONCE_BYTES = 32;

/** The first thought of an IKE SA: its SPI, its nonce, and the question for our public value. */
export function initiate(tunnel: TunnelPolicy, path: Path, ctx: SaContext, redirectedFrom?: Address): Step<InitKeying> {
  const spi = ctx.ids.ikeSpi();
  const group = tunnel.ike.proposals[0]!.keyExchange[0]!;
  const offer = {
    tunnel: tunnel.name,
    nonce: ctx.random(NONCE_BYTES),
    ...freshGroup(group, ctx),
    restarts: 0,
    ...(redirectedFrom && { redirectedFrom }),
    giveUpAt: ctx.now + GIVE_UP_AFTER,
  };
  const base = {
    key: spiHex(spi),
    role: "initiator",
    initiatorSpi: spi,
    responderSpi: 0n,
    path,
    createdAt: ctx.now,
  } as const;
  return askPublicValue(base, offer, ctx);
}

export function onInitKeyingAnswer(sa: InitKeying, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "publicValue") return failed(sa, { kind: "failed", code: "INTERNAL", detail: refusalOf(answer) });
  return sendInit(sa, sa.offer, answer.publicValue, ctx);
}

export function onInitAnsweredAnswer(sa: InitAnswered, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "sharedSecret")
    return stepTo(sa.before, report(sa, { kind: "ignored", code: "bad public value", detail: refusalOf(answer) }));
  const { suite, ni, nr } = sa.negotiated;
  const { initiatorSpi, responderSpi, before, negotiated, first } = sa;
  const prf = createPrf(suite.prf);
  const keys = ikeKeys(prf, suite, skeyseed(prf, { ni, nr }, answer.secret), { ni, nr, initiatorSpi, responderSpi });
  const { tunnel } = before.offer;
  const ask = ctx.ids.ask();
  const next: PskAwaited = { ...baseOf(sa), phase: "pskAwaited", tunnel, negotiated, first, keys, ask };
  return stepTo(next, { kind: "ask", ask, question: { kind: "psk", tunnel } });
}

/** <-- HDR, SAr1, KEr, Nr: the other half of everything that keys are made of. */
function onResponse(sa: InitSent, message: Received<"SA" | "KE" | "Nonce", "N" | "V">, ctx: SaContext): Step {
  const { header, path, SA, KE, Nonce, notifies } = message;
  const policy = ctx.sight.tunnel(sa.offer.tunnel);
  if (header.responderSpi === 0n) throw new ProtocolError("INVALID_SYNTAX", "the responder's SPI is 0");
  const { suite } = chosenIke(SA, policy.ike.proposals);
  const { group, privateOctets, nonce } = sa.offer;
  if (suite.keyExchange !== group || KE.group !== group.ids.ikev2)
    throw new ProtocolError(
      "INVALID_SYNTAX",
      `KEr is group ${KE.group}, SAr1 chose ${suite.keyExchange.name}, KEi was ${group.name}`,
    );
  if (KE.data.length !== group.publicBytes)
    throw new ProtocolError(
      "INVALID_SYNTAX",
      `KEr has ${KE.data.length} octets, ${group.name} has ${group.publicBytes}`,
    );
  const nat = natVerdict(header, path, notifies);
  const ask = ctx.ids.ask();
  const next: InitAnswered = {
    ...baseOf(sa),
    responderSpi: header.responderSpi,
    path: wantsNatPort(policy, nat) ? onNatPort(sa.path, ctx) : sa.path,
    phase: "initAnswered",
    before: sa,
    negotiated: {
      suite,
      ni: nonce,
      nr: Nonce.nonce,
      nat,
      ...agreedFragmentation([policy], notifies),
      ...childlessIn(notifies),
    },
    first: { initRequest: sa.request.bytes, initResponse: message.bytes },
    ask,
  };
  const question = { kind: "sharedSecret", group: KE.group, privateOctets, peerPublic: KE.data } as const;
  return stepTo(next, ...answererTold(next, message.vendorIds), { kind: "ask", ask, question });
}

/** What product it is. */
function answererTold(sa: InitAnswered, vendorIds: Parameters<typeof answererStory>[0]): readonly SaEffect[] {
  const story = answererStory(vendorIds);
  return story === undefined ? [] : [report(sa, { kind: "story", story })];
}

/** With MOBIKE also where no NAT is: one may stand on a later path (RFC 4555 section 3.3). */
function wantsNatPort({ encapsulation, ike }: TunnelPolicy, { supported, here, peer }: NatVerdict): boolean {
  return here || peer || encapsulation === "udp" || (ike.mobike && supported);
}

/** <-- HDR, N(COOKIE) | N(INVALID_KE_PAYLOAD) | N(error): start again, or an unauthenticated refusal. */
function onNotify(sa: InitSent, { notifies }: Received<"N">, ctx: SaContext): Step {
  for (const { notify, data } of notifies) {
    if (notify === "COOKIE") return onCookie(sa, data, ctx);
    if (notify === "REDIRECT") return onRedirect(sa, notifies);
    if (notify === "INVALID_KE_PAYLOAD") return onInvalidGroup(sa, data, ctx);
    if (isErrorNotify(notify)) return onRefusal(sa, notify, ctx);
  }
  return ignore(sa, "empty answer", `an answer of ${notifies.map((n) => notifyName(n.notify)).join(", ")} alone`);
}

function onCookie(sa: InitSent, cookie: Uint8Array, ctx: SaContext): Step {
  if (cookie.length < 1 || cookie.length > 64)
    throw new ProtocolError("INVALID_SYNTAX", `a cookie of ${cookie.length} octets`);
  if (sa.offer.restarts >= MOST_RESTARTS) return ignore(sa, "too many restarts", "one more COOKIE");
  return sendInit(sa, { ...sa.offer, cookie, restarts: sa.offer.restarts + 1 }, sa.publicValue, ctx);
}

/** Section 3 of RFC 5685: believed, as everything here, only so far that we ask there; who answers has to prove who it is. */
function onRedirect(sa: InitSent, notifies: readonly NotifyPayload[]): Step {
  const from = sa.path.remote.address;
  const redirect = redirectOf(redirectIn(notifies)!, from);
  if (!answersNonce(redirect, sa.offer.nonce)) return ignore(sa, "redirect", "it does not answer our nonce");
  return stepTo(undefined, { kind: "redirected", tunnel: sa.offer.tunnel, to: redirect.to, from });
}

/** RFC 7296 section 1.2: only a group that we offered, and not for ever. */
function onInvalidGroup(sa: InitSent, data: Uint8Array, ctx: SaContext): Step {
  const wanted = groupOf(data);
  const groups = ctx.sight.tunnel(sa.offer.tunnel).ike.proposals.flatMap((proposal) => proposal.keyExchange);
  const group = groups.find((candidate) => candidate.ids.ikev2 === wanted);
  if (group === undefined || group === sa.offer.group || sa.offer.restarts >= MOST_RESTARTS)
    return onRefusal(sa, "INVALID_KE_PAYLOAD", ctx, wanted);
  const offer = { ...sa.offer, ...freshGroup(group, ctx), restarts: sa.offer.restarts + 1 };
  return askPublicValue(baseOf(sa), offer, ctx);
}

/** Told at once, believed at the timeout, which now comes sooner (RFC 7296 section 2.21.1). */
function onRefusal(sa: InitSent, notify: NotifyType, ctx: SaContext, wantedGroup?: number): Step {
  const name = notifyName(notify);
  const { tunnel } = sa.offer;
  const policy = ctx.sight.tunnel(tunnel);
  const more = wantedGroup === undefined ? "" : `: the peer wants group ${wantedGroup}`;
  const detail = `the peer answers IKE_SA_INIT with ${name}${more}; ${oursInWords(policy.ike.proposals)}`;
  if (sa.offer.refusal !== undefined) return ignore(sa, "refused again", detail);
  const giveUpAt = Math.min(sa.offer.giveUpAt, ctx.now + REFUSED_INIT_LIFE);
  const failure: FailedBody = {
    kind: "failed",
    code: causeCode(name),
    detail,
    exchange: "IKE_SA_INIT",
    message: "response",
    evidence: phase1Evidence(policy, sa.path, refusedFirst(name, wantedGroup)),
  };
  return stepTo(
    { ...sa, offer: { ...sa.offer, refusal: failure, giveUpAt } },
    report(sa, { ...failure, unproven: true }),
    { kind: "refused", tunnel, reason: detail },
  );
}

/** What a refusal of the first message leaves open. */
function refusedFirst(name: string, wantedGroup: number | undefined): SaidAll {
  if (name === "INVALID_MAJOR_VERSION") return { version: "different" };
  if (wantedGroup !== undefined) return { version: "equal", group: { theirs: [groupWords(wantedGroup)] } };
  return FIRST_SUSPECTS;
}

/** What the first message says, and so what may be wrong with it. */
const FIRST_SUSPECTS: SaidAll = {
  version: "suspect",
  encryption: "suspect",
  prf: "suspect",
  integrity: "suspect",
  group: "suspect",
};

/** Nobody has answered the first message. */
export function silentFirst(sa: InitSent, ctx: SaContext): Step<undefined> {
  const evidence = phase1Evidence(ctx.sight.tunnel(sa.offer.tunnel), sa.path, FIRST_SUSPECTS);
  const where = { exchange: "IKE_SA_INIT", message: "silence" } as const;
  return failed(sa, {
    kind: "failed",
    code: "TIMEOUT",
    detail: "the peer does not answer IKE_SA_INIT",
    ...where,
    evidence,
  });
}

/** The negotiation ends without an IKE SA. */
export function failed(sa: InitKeying | InitSent | InitAnswered, failure: FailedBody): Step<undefined> {
  const { tunnel } = "before" in sa ? sa.before.offer : sa.offer;
  return stepTo(undefined, report(sa, failure), { kind: "lost", tunnel, cause: "failed", reason: failure.detail });
}

function askPublicValue(base: BaseOf<InitKeying>, offer: InitOffer, ctx: SaContext): Step<InitKeying> {
  const ask = ctx.ids.ask();
  const { group, privateOctets } = offer;
  return stepTo(
    { ...base, phase: "initKeying", offer, ask },
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

/** HDR, [N(COOKIE)], SAi1, KEi, Ni, N(NAT_DETECTION_*_IP) --> */
function sendInit(
  sa: InitKeying | InitSent,
  offer: InitOffer,
  publicValue: Uint8Array,
  ctx: SaContext,
): Step<InitSent> {
  const tunnel = ctx.sight.tunnel(offer.tunnel);
  const { ike, encapsulation } = tunnel;
  const header = {
    initiatorSpi: sa.initiatorSpi,
    responderSpi: 0n,
    exchange: "IKE_SA_INIT",
    fromInitiator: true,
    response: false,
    messageId: 0,
  } as const;
  const bytes = encodeMessage(header, [
    ...(offer.cookie === undefined ? [] : [payload("N", notification("COOKIE", offer.cookie))]),
    payload("SA", offerIke(ike.proposals)),
    payload("KE", { group: offer.group.ids.ikev2!, data: publicValue }),
    payload("Nonce", { nonce: offer.nonce }),
    ...notifications(natDetection(header, sa.path, encapsulation)),
    ...notifications(announceFragmentation([tunnel])),
    ...notifications(announceRedirect(offer.redirectedFrom)),
    payload("V", { data: OUR_VENDOR_ID }),
  ]);
  return stepTo(
    { ...baseOf(sa), phase: "initSent", offer, publicValue, request: outstanding({ bytes }, ctx.now) },
    { kind: "send", path: sa.path, bytes },
  );
}

type BaseOf<Sa extends InitKeying> = Pick<Sa, "key" | "role" | "initiatorSpi" | "responderSpi" | "path" | "createdAt">;

function baseOf({ key, role, initiatorSpi, responderSpi, path, createdAt }: BaseOf<InitKeying>): BaseOf<InitKeying> {
  return { key, role, initiatorSpi, responderSpi, path, createdAt };
}

function freshGroup(group: KeyExchangeRow, ctx: SaContext): Pick<InitOffer, "group" | "privateOctets"> {
  return { group, privateOctets: new Secret(ctx.random(group.privateBytes)) };
}

/** A group by its keyword, where it has one. */
export function groupWords(number: number): string {
  const row = rowById("keyExchange", "ikev2", number);
  return row === undefined ? `group ${number}` : keywordOf(row);
}

/** The group number in an INVALID_KE_PAYLOAD notification. */
export function groupOf(data: Uint8Array): number {
  if (data.length !== 2) throw new ProtocolError("INVALID_SYNTAX", `INVALID_KE_PAYLOAD with ${data.length} octets`);
  return (data[0]! << 8) | data[1]!;
}

export function notifications(list: readonly NotifyPayload[]): readonly Payload[] {
  return list.map((one) => payload("N", one));
}

export const INIT_RESPONSE_ROWS = [
  row({
    phase: "initSent",
    exchange: "IKE_SA_INIT",
    response: true,
    story: "the peer answered IKE_SA_INIT with its choice, its public value and its nonce; the keys are being made",
    needs: ["SA", "KE", "Nonce"],
    may: ["N", "V"],
    run: onResponse,
  }),
  row({
    phase: "initSent",
    exchange: "IKE_SA_INIT",
    response: true,
    story: "the peer answered IKE_SA_INIT with a notification: a cookie, another group, or a refusal",
    needs: ["N"],
    may: ["V"],
    run: onNotify,
  }),
];
