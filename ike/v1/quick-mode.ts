/**
 * Quick mode as its initiator, RFC 2409 section 5.5: one pair of selectors, with PFS where a group is configured.
 *
 *     HDR*, HASH(1), SA, Ni, [KE], IDci, IDcr  -->
 *                                              <--  HDR*, HASH(2), SA, Nr, [KE], IDci, IDcr
 *     HDR*, HASH(3)                            -->
 *
 * The child receives before message 3 leaves; in the place of an old one it sends when the peer has shown that it does, or after a while
 * (`decisions.md` 10).
 */
import { createPrf } from "../../crypto/backends.js";
import { equal } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";
import { formatSelector } from "../../esp/selector.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { TunnelPolicy } from "../core/policy.js";
import { outstanding } from "../core/retransmit.js";
import { QUICK_DONE_LIFE, QUICK_SWITCH_AFTER } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { encodeBodyV1, type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import type { EncapsulationMode } from "../wire/v1-attributes.js";
import { childEstablished, liveOf, makeChild, retireOthers, withChild } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { firstIv, freshMessageId, phase1Of, sendIn } from "./exchange.js";
import { hash1, hash3 } from "./hashes.js";
import { type Lifetimes, responderLifetimeOf, shorter } from "./lifetimes.js";
import { encapsulationModes, isUdpEncapsulation } from "./nat-d.js";
import { checkPublicValue, NONCE_BYTES, replyTo } from "./phase1.js";
import { chosenPhase2, groupsOf, offerPhase2 } from "./proposals.js";
import type { OurQuick, QuickDeriving, QuickKeying, QuickSent, QuickTerms } from "./quick.js";
import { quickFailed, withoutQuick, withQuick } from "./quick-end.js";
import { type Place, type Received, row } from "./row.js";
import { idOfSelector } from "./selectors.js";
import type { Phase1, V1Peer } from "./state.js";
import { lifetimeSaid, lifetimeStory, limitsOf, phase2Lifetimes } from "./terms.js";
import type { PeerWish } from "./wishes.js";

/** Tunnel modes as we offer and accept them: UDP where a NAT was seen, or where the configuration says so (RFC 3947 section 5.1). */
export function modesOf({ nat, features }: Phase1, { encapsulation }: TunnelPolicy): readonly EncapsulationMode[] {
  return encapsulationModes(features.natTraversal, nat.here || nat.peer || encapsulation === "udp");
}

/** One more quick mode of ours: first its public value, if it has one. */
export function startQuick(
  peer: V1Peer,
  phase1: Phase1,
  { mapping, replaces }: PeerWish,
  ctx: SaContext,
): Step<V1Peer> {
  const group = groupsOf(ctx.sight.tunnel(peer.tunnel).esp.proposals)[0];
  const spiIn = ctx.ids.espSpi();
  const reserve = { kind: "reserveSpi", spi: spiIn } as const;
  const messageId = freshMessageId(peer, ctx);
  const base = {
    messageId,
    phase1: phase1.key,
    spiIn,
    iv: firstIv(phase1, messageId),
    ni: ctx.random(NONCE_BYTES),
    offer: { mapping, ...(replaces !== undefined && { replaces }) },
  };
  if (group === undefined) {
    const sent = sendOffer(peer, phase1, base, undefined, ctx);
    return stepTo(sent.sa, reserve, ...sent.effects);
  }
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const quick: QuickKeying = { ...base, stage: "keying", offer: { ...base.offer, group, privateOctets }, ask };
  return stepTo(withQuick(peer, quick), reserve, {
    kind: "ask",
    ask,
    question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets },
  });
}

/** HDR*, HASH(1), SA, Ni, [KE], IDci, IDcr --> */
function sendOffer(
  peer: V1Peer,
  phase1: Phase1,
  base: Omit<QuickSent, "stage" | "request">,
  publicValue: Uint8Array | undefined,
  ctx: SaContext,
): Step<V1Peer> {
  const policy = ctx.sight.tunnel(peer.tunnel);
  const { messageId, offer, iv, ni, spiIn } = base;
  const offered = offerPhase2(policy.esp.proposals, {
    spi: espSpiOctets(spiIn),
    group: offer.group,
    encapsulation: modesOf(phase1, policy)[0]!,
    lifetimes: phase2Lifetimes(policy),
  });
  const payloads: PayloadV1[] = [
    payloadV1("SA", offered),
    payloadV1("NONCE", { nonce: ni }),
    ...(publicValue === undefined ? [] : [payloadV1("KE", { data: publicValue })]),
    ...clientIds(policy, offer.mapping),
  ];
  const prf = createPrf(phase1.suite.prf);
  const hashOf = (behindHash: Uint8Array) => hash1(prf, phase1.keys.skeyidA, messageId, behindHash);
  const message = { exchange: "QUICK_MODE", messageId, iv, path: peer.path, payloads, hashOf } as const;
  const sent = sendIn(peer, phase1, message, ctx);
  const quick: QuickSent = {
    ...base,
    stage: "sent",
    iv: sent.iv,
    request: outstanding({ bytes: sent.bytes }, ctx.now),
  };
  return stepTo(withQuick(sent.peer, quick), ...sent.effects);
}

/** IDci and IDcr: our side of the mapping and the peer's. */
function clientIds({ mappings }: TunnelPolicy, mapping: number): readonly PayloadV1[] {
  const { local, peer } = mappings[mapping]!;
  return [local, peer].map((selector) => {
    const id = idOfSelector(selector);
    if (id === undefined) throw new Error(`${formatSelector(selector)} has no form in IKEv1`);
    return payloadV1("ID", id);
  });
}

export function onQuickKeyingAnswer(peer: V1Peer, quick: QuickKeying, answer: Answer, ctx: SaContext): Step<V1Peer> {
  const phase1 = phase1Of(peer, quick.phase1);
  if (phase1 === undefined) throw new Error("a quick mode without its phase 1");
  if (answer.kind !== "publicValue")
    return quickFailed(peer, quick, { code: "INTERNAL", detail: refusalOf(answer) }, ctx);
  const { stage: _, ask: __, ...base } = quick;
  return sendOffer(peer, phase1, base, answer.publicValue, ctx);
}

/** <-- HDR*, HASH(2), SA, Nr, [KE], IDci, IDcr, [N(RESPONDER-LIFETIME)] */
function onAnswer(
  { peer, phase1, quick }: Place<QuickSent>,
  message: Received<"SA" | "NONCE", "KE" | "ID" | "N">,
  ctx: SaContext,
): Step<V1Peer> {
  const { SA, NONCE, KE, ids, notifies, header, bytes, iv } = message;
  const policy = ctx.sight.tunnel(peer.tunnel);
  const { mapping, group, privateOctets } = quick.offer;
  const mode = modesOf(phase1, policy)[0]!;
  const choice = chosenPhase2(SA, policy.esp.proposals, { group, encapsulation: mode });
  checkIds(policy, mapping, ids);
  const { encapsulation, ...suite } = choice.suite;
  const ours = phase2Lifetimes(policy);
  const theirs = notifies.reduce<Lifetimes>(
    (known, { notify, data }) =>
      notify === "RESPONDER-LIFETIME" ? shorter(known, responderLifetimeOf(2, data)) : known,
    choice.lifetimes,
  );
  const story = lifetimeStory(theirs, ours);
  const { local, peer: remote } = policy.mappings[mapping]!;
  const terms: QuickTerms = {
    suite,
    spiOut: espSpiFrom(choice.peerSpi),
    nr: NONCE.nonce,
    encapsulation: isUdpEncapsulation(encapsulation) ? "udp" : "esp",
    limits: limitsOf(theirs, ours),
    announced: theirs,
    local,
    remote,
    mappings: [mapping],
  };
  const told: readonly SaEffect[] = story === undefined ? [] : [report(peer, { kind: "story", story })];
  const answered = { ...quick, iv };
  if (group === undefined) {
    const done = finish(peer, phase1, answered, terms, bytes, header.commit, undefined, ctx);
    return stepTo(done.sa, ...told, ...done.effects);
  }
  if (KE === undefined) throw new ProtocolError("INVALID_KE_PAYLOAD", "message 2 of a quick mode with PFS has no KE");
  checkPublicValue(KE.data, group);
  const ask = ctx.ids.ask();
  const { request: _, ...base } = answered;
  const deriving: QuickDeriving = {
    ...base,
    stage: "deriving",
    terms,
    message: bytes,
    commit: header.commit,
    ask,
  };
  const question = {
    kind: "sharedSecret",
    group: group.ids.ikev2!,
    privateOctets: privateOctets!,
    peerPublic: KE.data,
  } as const;
  return stepTo(withQuick(peer, deriving), ...told, { kind: "ask", ask, question });
}

/** The answer repeats our client identities; some leave them out where they are hosts. */
function checkIds(policy: TunnelPolicy, mapping: number, ids: Received<"ID">["ids"]): void {
  if (ids.length === 0) return;
  const ours = clientIds(policy, mapping).map(encodeBodyV1);
  if (ids.length !== 2 || !ids.every(({ octets }, i) => equal(octets, ours[i]!)))
    throw new ProtocolError("TS_UNACCEPTABLE", "the peer answers with other client identities than we asked for");
}

export function onQuickDerivingAnswer(
  peer: V1Peer,
  quick: QuickDeriving,
  answer: Answer,
  ctx: SaContext,
): Step<V1Peer> {
  const phase1 = phase1Of(peer, quick.phase1);
  if (phase1 === undefined) throw new Error("a quick mode without its phase 1");
  if (answer.kind !== "sharedSecret")
    return quickFailed(peer, quick, { code: "INVALID_KE_PAYLOAD", detail: refusalOf(answer) }, ctx);
  return finish(peer, phase1, quick, quick.terms, quick.message, quick.commit, answer.secret, ctx);
}

/** The child is there; HDR*, HASH(3) --> */
function finish(
  peer: V1Peer,
  phase1: Phase1,
  quick: OurQuick,
  terms: QuickTerms,
  message: Uint8Array,
  commit: boolean,
  sharedSecret: Secret | undefined,
  ctx: SaContext,
): Step<V1Peer> {
  const { messageId, spiIn, iv, ni } = quick;
  const [mapping] = terms.mappings;
  const old = liveOf(peer, mapping!);
  const facts = { terms, spiIn, ni, ours: true, ...(sharedSecret && { sharedSecret }) };
  const made = makeChild(peer, phase1, facts, ctx);
  const waits = old !== undefined || commit;
  const child = {
    ...made,
    ...(old !== undefined && { replaces: old.id }),
    ...(waits && { useAt: ctx.now + QUICK_SWITCH_AFTER }),
  };
  const prf = createPrf(phase1.suite.prf);
  const hashOf = () => hash3(prf, phase1.keys.skeyidA, messageId, { ni, nr: terms.nr });
  const sent = sendIn(
    retireOthers(withChild(peer, child), child),
    phase1,
    { exchange: "QUICK_MODE", messageId, iv, path: peer.path, payloads: [], hashOf },
    ctx,
  );
  const next = withQuick(withoutQuick(sent.peer, quick), {
    stage: "done",
    messageId,
    phase1: phase1.key,
    spiIn,
    ni,
    iv: sent.iv,
    reply: replyTo(message, sent.bytes),
    until: ctx.now + QUICK_DONE_LIFE,
  });
  const said = lifetimeSaid(terms.announced, phase2Lifetimes(ctx.sight.tunnel(peer.tunnel)), "initiator");
  return stepTo(
    next,
    { kind: "installChild", child: child.pair },
    ...sent.effects,
    ...(waits ? [] : [{ kind: "useChild", id: child.id } as const]),
    childEstablished(next, child, said, ctx),
  );
}

export const QUICK_INITIATOR_ROWS = [
  row({
    phase: "quick sent",
    exchange: "QUICK_MODE",
    story: "the peer agrees to the child",
    needs: ["SA", "NONCE"],
    may: ["KE", "ID", "N"],
    run: onAnswer,
  }),
];
