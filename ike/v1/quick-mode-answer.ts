/**
 * Quick mode as its responder, RFC 2409 section 5.5. The child receives before message 2 leaves, and sends when message 3 has shown
 * that the peer is there now and no recording of it (`decisions.md` 10).
 */
import { createPrf } from "../../crypto/backends.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import { formatSelector, isSubset, sameSelector, type TrafficSelector } from "../../esp/selector.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { agreedEsp, phase2Evidence, selectorWords } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { outstanding } from "../core/retransmit.js";
import type { Answer } from "../core/types.js";
import { type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { childEstablished, liveOf, makeChild, retireOthers, withChild } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { phase1Of, sendIn } from "./exchange.js";
import { hash2 } from "./hashes.js";
import { responderLifetime } from "./lifetimes.js";
import { isUdpEncapsulation } from "./nat-d.js";
import { espNotification } from "./notifications.js";
import { checkPublicValue, NONCE_BYTES, replyTo } from "./phase1.js";
import { choosePhase2, comparePhase2, groupsOf, noProposalChosenV1 } from "./proposals.js";
import type { QuickAnswer, QuickAnswered, QuickAnswerKeying } from "./quick.js";
import { withoutQuick, withQuick } from "./quick-end.js";
import { modesOf } from "./quick-mode.js";
import { type Place, type Received, type ReceivedId, row } from "./row.js";
import { selectorOfId, selectorWithoutId } from "./selectors.js";
import type { Phase1, V1Peer } from "./state.js";
import { isShorter, lifetimeSaid, lifetimeStory, limitsOf, phase2Lifetimes } from "./terms.js";

/** Beside one for each mapping, and another one while that is replaced: duplicates, and old ones whose Delete was lost. */
const SPARE_CHILDREN = 16;
/** Quick modes of the peer that are under way at once. */
const MOST_QUICKS = 32;

/** --> HDR*, HASH(1), SA, Ni, [KE], IDci, IDcr */
function onOffer(
  { peer, phase1 }: Place<undefined>,
  message: Received<"SA" | "NONCE", "KE" | "ID" | "N">,
  ctx: SaContext,
): Step<V1Peer> {
  const { header, path, bytes, SA, NONCE, KE, ids, iv } = message;
  const { tunnel } = peer;
  const policy = ctx.sight.tunnel(tunnel);
  refuseTooMany(peer, policy.mappings.length);
  const choice = choosePhase2(SA, policy.esp.proposals, modesOf(phase1, policy));
  if (choice.kind === "mismatch") {
    const offer = comparePhase2(SA, policy.esp.proposals, modesOf(phase1, policy));
    throw noProposalChosenV1(choice, { evidence: phase2Evidence(policy, { protocol: "equal" }, offer) });
  }
  const { encapsulation, ...suite } = choice.suite;
  checkPfs(policy, suite.keyExchange, KE?.data);
  const selectors = selectorsOf(policy, peer.path, ids, agreedEsp(suite, { pfs: true }));
  const ours = phase2Lifetimes(policy);
  const { lifetimes } = choice;
  const spiIn = ctx.ids.espSpi();
  const terms = {
    suite,
    spiOut: espSpiFrom(choice.peerSpi),
    nr: ctx.random(NONCE_BYTES),
    encapsulation: isUdpEncapsulation(encapsulation) ? ("udp" as const) : ("esp" as const),
    limits: limitsOf(lifetimes, ours),
    announced: lifetimes,
    ...selectors,
  };
  const answer: QuickAnswer = {
    sa: choice.answer(espSpiOctets(spiIn)),
    ids: ids.map(({ body }) => body),
    terms,
    ...(isShorter(ours, lifetimes) && { lifetimes: ours }),
  };
  const base = { messageId: header.messageId, phase1: phase1.key, spiIn, iv, ni: NONCE.nonce };
  const story = lifetimeStory(lifetimes, ours);
  const before: readonly SaEffect[] = [
    ...(story === undefined ? [] : [report(peer, { kind: "story", story })]),
    { kind: "reserveSpi", spi: spiIn },
  ];
  const group = suite.keyExchange;
  if (group === undefined || KE === undefined) {
    const done = finish(peer, phase1, { ...base, answer, message: bytes, path }, [], undefined, ctx);
    return stepTo(done.sa, ...before, ...done.effects);
  }
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const quick: QuickAnswerKeying = {
    ...base,
    stage: "answerKeying",
    answer,
    message: bytes,
    path,
    group,
    privateOctets,
    peerPublic: KE.data,
    ask,
  };
  return stepTo(withQuick(peer, quick), ...before, {
    kind: "ask",
    ask,
    question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets },
  });
}

/** Even a peer that has proved who it is gets no endless memory. */
function refuseTooMany({ children, quicks }: V1Peer, mappings: number): void {
  const most = 2 * mappings + SPARE_CHILDREN;
  if (children.size >= most)
    throw new ProtocolError("NO_ADDITIONAL_SAS", `the peer has ${children.size} children, ${most} at most`);
  const open = quicks.filter(({ stage }) => stage === "answered" || stage === "answerKeying").length;
  if (open >= MOST_QUICKS)
    throw new ProtocolError("NO_ADDITIONAL_SAS", `the peer has ${open} quick modes under way, ${MOST_QUICKS} at most`);
}

/** Group and KE come together or not at all (RFC 2409 section 5.5), and as configured. */
function checkPfs(policy: TunnelPolicy, group: KeyExchangeRow | undefined, KE: Uint8Array | undefined): void {
  const wanted = groupsOf(policy.esp.proposals);
  if (!wanted.includes(group))
    throw new ProtocolError(
      "NO_PROPOSAL_CHOSEN",
      `PFS: theirs ${pfsWords(group)}, ours ${wanted.map(pfsWords).join(" ")}`,
      undefined,
      { evidence: phase2Evidence(policy, { pfs: { theirs: [pfsWords(group)] } }) },
    );
  if ((group === undefined) !== (KE === undefined))
    throw new ProtocolError(
      "INVALID_KE_PAYLOAD",
      KE === undefined ? `${group!.name} is chosen, and there is no KE` : "a KE payload without a group",
    );
  if (group !== undefined) checkPublicValue(KE!, group);
}

function pfsWords(group: KeyExchangeRow | undefined): string {
  return group === undefined ? "none" : keywordOf(group);
}

interface Selectors {
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
  readonly mappings: readonly number[];
}

/** The mapping of the peer's client identities: the very same, else one that holds them. IKEv1 has no way to narrow. */
function selectorsOf(policy: TunnelPolicy, path: Path, ids: readonly ReceivedId[], agreed: SaidAll): Selectors {
  const { mappings } = policy;
  if (ids.length !== 0 && ids.length !== 2)
    throw new ProtocolError("INVALID_SYNTAX", `${ids.length} client identities, two or none are allowed`);
  const [remote, local] =
    ids.length === 2
      ? ids.map(({ body }) => selectorOfId(body))
      : [selectorWithoutId(path.remote.address), selectorWithoutId(path.local.address)];
  if (remote === undefined || local === undefined)
    throw new ProtocolError("TS_UNACCEPTABLE", "the peer's client identities are no addresses");
  const same = mappings.findIndex((m) => sameSelector(m.local, local) && sameSelector(m.peer, remote));
  const holds = mappings.findIndex((m) => isSubset(local, m.local) && isSubset(remote, m.peer));
  const mapping = same >= 0 ? same : holds;
  if (mapping < 0)
    throw new ProtocolError(
      "TS_UNACCEPTABLE",
      `the peer asks for ${formatSelector(remote)} <-> ${formatSelector(local)} (its side first), configured are ${configured(mappings)}`,
      undefined,
      {
        evidence: phase2Evidence(policy, { ...agreed, selectors: { theirs: [selectorWords([local], [remote])] } }),
      },
    );
  return { local: local, remote: remote, mappings: [mapping] };
}

const MOST_WORDS = 8;

function configured(mappings: TunnelPolicy["mappings"]): string {
  const words = mappings.slice(0, MOST_WORDS).map((m) => `${formatSelector(m.peer)} <-> ${formatSelector(m.local)}`);
  const more = mappings.length - words.length;
  return [...words, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** Our public value first, then the shared secret; a bad public value of the peer's is its fault. */
export function onQuickAnswerKeyingAnswer(
  peer: V1Peer,
  quick: QuickAnswerKeying,
  answer: Answer,
  ctx: SaContext,
): Step<V1Peer> {
  const phase1 = phase1Of(peer, quick.phase1);
  if (phase1 === undefined) throw new Error("a quick mode without its phase 1");
  const { group, privateOctets, peerPublic, publicValue } = quick;
  if (publicValue === undefined) {
    if (answer.kind !== "publicValue") throw new ProtocolError("TEMPORARY_FAILURE", refusalOf(answer));
    const ask = ctx.ids.ask();
    return stepTo(withQuick(peer, { ...quick, publicValue: answer.publicValue, ask }), {
      kind: "ask",
      ask,
      question: { kind: "sharedSecret", group: group.ids.ikev2!, privateOctets, peerPublic },
    });
  }
  if (answer.kind !== "sharedSecret") throw new ProtocolError("INVALID_KE_PAYLOAD", refusalOf(answer));
  return finish(peer, phase1, quick, [payloadV1("KE", { data: publicValue })], answer.secret, ctx);
}

type Open = Pick<QuickAnswerKeying, "messageId" | "phase1" | "spiIn" | "iv" | "ni" | "answer" | "message" | "path">;

/** <-- HDR*, HASH(2), SA, Nr, [KE], IDci, IDcr, [N(RESPONDER-LIFETIME)] */
function finish(
  peer: V1Peer,
  phase1: Phase1,
  { messageId, spiIn, iv, ni, answer, message, path }: Open,
  ke: readonly PayloadV1[],
  sharedSecret: Secret | undefined,
  ctx: SaContext,
): Step<V1Peer> {
  const { terms, lifetimes } = answer;
  const { nr } = terms;
  const facts = { terms, spiIn, ni, ours: false, ...(sharedSecret && { sharedSecret }) };
  const made = makeChild(peer, phase1, facts, ctx);
  // Not renewed, and nobody's heir, before message 3 has come.
  const { rekeyAt: _, ...child } = { ...made, state: "old" as const };
  const payloads: PayloadV1[] = [
    payloadV1("SA", answer.sa),
    payloadV1("NONCE", { nonce: nr }),
    ...ke,
    ...answer.ids.map((id) => payloadV1("ID", id)),
    ...(lifetimes === undefined
      ? []
      : [espNotification("RESPONDER-LIFETIME", espSpiOctets(spiIn), responderLifetime(2, lifetimes))]),
  ];
  const prf = createPrf(phase1.suite.prf);
  const hashOf = (behindHash: Uint8Array) => hash2(prf, phase1.keys.skeyidA, messageId, ni, behindHash);
  const sent = sendIn(
    withChild(peer, child),
    phase1,
    { exchange: "QUICK_MODE", messageId, iv, path, payloads, hashOf },
    ctx,
  );
  const quick: QuickAnswered = {
    stage: "answered",
    messageId,
    phase1: phase1.key,
    spiIn,
    iv: sent.iv,
    ni,
    nr,
    child: child.id,
    rekeyAt: made.rekeyAt!,
    announced: terms.announced,
    reply: replyTo(message, sent.bytes),
    request: outstanding({ bytes: sent.bytes }, ctx.now),
    path,
  };
  return stepTo(
    withQuick(withoutQuick(sent.peer, quick), quick),
    { kind: "installChild", child: child.pair },
    ...sent.effects,
  );
}

/** --> HDR*, HASH(3) */
function onProof({ peer, quick }: Place<QuickAnswered>, _: unknown, ctx: SaContext): Step<V1Peer> {
  return confirm(peer, quick, ctx);
}

/** The peer has the child: we send on it from now on, and it is renewed in its time. */
export function confirm(peer: V1Peer, quick: QuickAnswered, ctx: SaContext): Step<V1Peer> {
  const child = peer.children.get(quick.child);
  const through = withoutQuick(peer, quick);
  if (child === undefined) return stepTo(through);
  const old = liveOf(through, child.pair.mappings[0]!);
  const live = {
    ...child,
    state: "live" as const,
    rekeyAt: quick.rekeyAt,
    ...(old !== undefined && { replaces: old.id }),
  };
  const next = retireOthers(withChild(through, live), live);
  const said = lifetimeSaid(quick.announced, phase2Lifetimes(ctx.sight.tunnel(peer.tunnel)), "responder");
  return stepTo(next, { kind: "useChild", id: live.id }, childEstablished(next, live, said, ctx));
}

export const QUICK_RESPONDER_ROWS = [
  row({
    phase: "peer",
    exchange: "QUICK_MODE",
    story: "the peer asks for a child, new or in the place of an old one",
    needs: ["SA", "NONCE"],
    may: ["KE", "ID", "N"],
    run: onOffer,
  }),
  row({
    phase: "quick answered",
    exchange: "QUICK_MODE",
    story: "the peer has the child; we send on it from now on",
    routine: true,
    needs: [],
    may: [],
    run: onProof,
  }),
];
