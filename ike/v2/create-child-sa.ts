/**
 * CREATE_CHILD_SA for children, as its initiator: a further mapping (RFC 7296 section 1.3.1), or a new child in the place of an
 * old one (section 1.3.3):
 *
 *     HDR, SK {[N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr}  -->
 *                                                       <--  HDR, SK {SA, Nr, [KEr], TSi, TSr}
 */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { ChildId } from "../../esp/sa.js";
import { causeCode, type Failure } from "../core/causes.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { chosenEsp, offerEsp } from "../core/negotiate.js";
import { oursInWords } from "../core/offer-words.js";
import { phase2Evidence } from "../core/our-values.js";
import { DELETE_OLD_CHILD_AFTER, pause, RETRY_REKEY } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { type Payload, payload } from "../wire/message.js";
import { type NotifyType, notifyName } from "../wire/notify-table.js";
import { espNotification } from "../wire/payloads/notify.js";
import { childClosed, childEstablished, makeChild, refusesTfc, withChild, withoutChild } from "./child.js";
import { settleRivals } from "./collision.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import type { ChildAnswer, ChildOffer, Task } from "./exchanges.js";
import { groupOf, NONCE_BYTES } from "./ike-sa-init.js";
import { checkAnswer, offerFor, type SelectorOffer, tsPayload } from "./narrowing.js";
import { inPlaceOf, redundantTo, renewalOf, retireRedundant } from "./redundant.js";
import { refusedChild } from "./refused-child.js";
import { rehearsalFailed } from "./rehearsal.js";
import type { Received } from "./row.js";
import type { Child, Established } from "./state.js";
import { afterAnswer, childRefused } from "./together.js";
import { sendRequest } from "./window.js";
import { wish } from "./wishes.js";

/** INVALID_KE_PAYLOAD answers that make us try another group. */
const MOST_RESTARTS = 2;

type ChildTask = Extract<Task, { do: "child" }>;
export type ChildResponse = Received<"SA" | "Nonce" | "TSi" | "TSr", "KE" | "N">;

/** For mappings that may share an SA (`Sight.joint`). */
export function startCreate(sa: Established, mappings: readonly number[], ctx: SaContext): Step<Established> {
  return start(sa, { do: "create" }, offerFor(ctx.sight.tunnel(sa.tunnel), mappings), ctx);
}

export function startRekey(
  sa: Established,
  child: Child,
  ctx: SaContext,
  how: { readonly rehearsal?: true } = {},
): Step<Established> {
  return start(sa, { do: "rekey", child: child.id, ...how }, child.pair, ctx);
}

function start(
  sa: Established,
  purpose: ChildOffer["purpose"],
  { local, remote, mappings }: SelectorOffer,
  ctx: SaContext,
): Step<Established> {
  const group = ctx.sight.tunnel(sa.tunnel).esp.proposals.find((p) => p.keyExchange.length > 0)?.keyExchange[0];
  const offer: ChildOffer = {
    purpose,
    spiIn: ctx.ids.espSpi(),
    ni: ctx.random(NONCE_BYTES),
    selectors: { local, remote, mappings },
    restarts: 0,
  };
  const reserve = { kind: "reserveSpi", spi: offer.spiIn } as const;
  const next = group === undefined ? send(sa, offer, undefined, ctx) : askPublicValue(sa, offer, group, ctx);
  return stepTo(next.sa, reserve, ...next.effects);
}

function askPublicValue(sa: Established, offer: ChildOffer, group: KeyExchangeRow, ctx: SaContext): Step<Established> {
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  return stepTo<Established>(
    { ...sa, task: { do: "child", stage: "keying", offer: { ...offer, keyExchange: { group, privateOctets } }, ask } },
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

function send(
  sa: Established,
  offer: ChildOffer,
  publicValue: Uint8Array | undefined,
  ctx: SaContext,
): Step<Established> {
  const { purpose, spiIn, ni, selectors, keyExchange } = offer;
  const old = purpose.do === "rekey" ? sa.children.get(purpose.child) : undefined;
  const payloads: Payload[] = [
    ...(old === undefined ? [] : [payload("N", espNotification("REKEY_SA", old.pair.spiIn))]),
    payload("SA", offerEsp(ctx.sight.tunnel(sa.tunnel).esp.proposals, espSpiOctets(spiIn), true)),
    payload("Nonce", { nonce: ni }),
    ...(publicValue === undefined ? [] : [payload("KE", { group: keyExchange!.group.ids.ikev2!, data: publicValue })]),
    payload("TSi", tsPayload(selectors.local)),
    payload("TSr", tsPayload(selectors.remote)),
  ];
  const sent = sendRequest(sa, "CREATE_CHILD_SA", payloads, ctx);
  return stepTo<Established>(
    { ...sent.sa, task: { do: "child", stage: "sent", offer, request: sent.request } },
    sent.send,
  );
}

/** <-- HDR, SK {SA, Nr, [KEr], TSi, TSr} */
export function onChildResponse(
  sa: Established,
  { offer }: ChildTask,
  { SA, KE, Nonce, TSi, TSr, notifies }: ChildResponse,
  ctx: SaContext,
): Step<Established> {
  const policy = ctx.sight.tunnel(sa.tunnel);
  const { suite, peerSpi } = chosenEsp(SA, policy.esp.proposals, true);
  const answered = checkAnswer(policy, offer.selectors, TSi, TSr);
  const { selectors } = answered;
  const narrowed = afterAnswer(sa, offer.selectors, answered, ctx);
  const answer: ChildAnswer = {
    suite,
    spiOut: espSpiFrom(peerSpi),
    nr: Nonce.nonce,
    selectors,
    refusesTfc: refusesTfc(notifies),
  };
  if (suite.keyExchange === undefined) {
    const done = finish(sa, offer, answer, undefined, ctx);
    return stepTo(done.sa, ...narrowed, ...done.effects);
  }
  const group = offer.keyExchange?.group;
  if (
    KE === undefined ||
    suite.keyExchange !== group ||
    KE.group !== group?.ids.ikev2 ||
    KE.data.length !== group.publicBytes
  )
    throw new ProtocolError(
      "NO_PROPOSAL_CHOSEN",
      `the answer chose ${suite.keyExchange.name}; its KE is group ${KE?.group ?? "none"}, ours was ${group?.name ?? "none"}`,
    );
  const ask = ctx.ids.ask();
  const question = {
    kind: "sharedSecret",
    group: KE.group,
    privateOctets: offer.keyExchange!.privateOctets,
    peerPublic: KE.data,
  } as const;
  return stepTo<Established>({ ...sa, task: { do: "child", stage: "deriving", offer, answer, ask } }, ...narrowed, {
    kind: "ask",
    ask,
    question,
  });
}

export function onChildAnswer(sa: Established, task: ChildTask, answer: Answer, ctx: SaContext): Step<Established> {
  switch (task.stage) {
    case "keying":
      return answer.kind === "publicValue"
        ? send(sa, task.offer, answer.publicValue, ctx)
        : childFailed(sa, task.offer, { code: "INTERNAL", detail: refusalOf(answer) }, ctx);
    case "deriving":
      return answer.kind === "sharedSecret"
        ? finish(sa, task.offer, task.answer, answer.secret, ctx)
        : abandonAnswered(sa, task.offer, { code: "INVALID_KE_PAYLOAD", detail: refusalOf(answer) }, ctx);
    case "sent":
      throw new Error("an answer to a task that asked nothing");
  }
}

/** Ours now: the initiator sends on the new child at once, and deletes the old one (`decisions.md` 8). */
function finish(
  sa: Established,
  offer: ChildOffer,
  { suite, spiOut, nr, selectors, refusesTfc }: ChildAnswer,
  sharedSecret: Secret | undefined,
  ctx: SaContext,
): Step<Established> {
  const { purpose, spiIn, ni, deletedMeanwhile } = offer;
  if (deletedMeanwhile?.includes(spiOut))
    return childFailed(
      sa,
      offer,
      { code: "TEMPORARY_FAILURE", detail: "the peer has deleted the child before its answer came" },
      ctx,
    );
  const negotiated = { suite, spiIn, spiOut, ni, nr, selectors, refusesTfc };
  const facts = { ...negotiated, asked: true, ...(sharedSecret && { sharedSecret }) };
  const made = makeChild(sa, facts, ctx);
  const old = purpose.do === "rekey" ? sa.children.get(purpose.child) : undefined;
  const redundant = purpose.do === "create" ? redundantTo(sa, made) : [];
  const child =
    purpose.do === "create"
      ? inPlaceOf(redundant, made, ctx.now)
      : { ...renewalOf(old, made), replaces: purpose.child };
  const added = withChild(withoutTask(sa), child);
  const retired =
    old === undefined
      ? retireRedundant(added, redundant, child, ctx.now)
      : stepTo(retire(added, old, ctx.now + DELETE_OLD_CHILD_AFTER));
  const settled = settleRivals(retired.sa, child, ctx.now);
  const stays = settled.sa.children.get(child.id)!.state === "live";
  return stepTo<Established>(
    settled.sa,
    { kind: "installChild", child: child.pair },
    ...(stays ? [{ kind: "useChild", id: child.id } as const] : []),
    childEstablished(settled.sa, child, "CREATE_CHILD_SA", ctx),
    ...retired.effects,
    ...settled.effects,
  );
}

/** A child that has been replaced receives until its Delete or hard limit. `deleteAt`: when we delete it, if it is ours to do. */
export function retire(sa: Established, { rekeyAt: _, ...old }: Child, deleteAt?: number): Established {
  if (old.state === "deleting") return sa;
  const next = withChild(sa, { ...old, state: "old" });
  if (deleteAt === undefined) return next;
  return { ...next, wishes: wish(next.wishes, { do: "delete", spi: old.pair.spiIn, at: deleteAt }) };
}

/** <-- HDR, SK {N(error)} */
export function onChildRefused(
  sa: Established,
  { offer }: ChildTask,
  notify: NotifyType,
  data: Uint8Array,
  ctx: SaContext,
): Step<Established> {
  if (notify === "INVALID_KE_PAYLOAD" && offer.restarts < MOST_RESTARTS) {
    const wanted = groupOf(data);
    const groups = ctx.sight.tunnel(sa.tunnel).esp.proposals.flatMap((p) => p.keyExchange);
    const group = groups.find((candidate) => candidate.ids.ikev2 === wanted);
    if (group !== undefined && group !== offer.keyExchange?.group)
      return askPublicValue(sa, { ...offer, restarts: offer.restarts + 1 }, group, ctx);
  }
  const { purpose } = offer;
  if (notify === "CHILD_SA_NOT_FOUND" && purpose.do === "rekey") return onUnknownChild(sa, offer, purpose.child);
  if (purpose.do === "create" && notify !== "TEMPORARY_FAILURE")
    return stepTo<Established>(
      withoutTask(sa),
      { kind: "releaseSpi", spi: offer.spiIn },
      ...childRefused(sa, notify, offer.selectors.mappings, "CREATE_CHILD_SA", ctx, data),
    );
  const name = notifyName(notify);
  const policy = ctx.sight.tunnel(sa.tunnel);
  const detail = `the peer refuses the child with ${name}; ${oursInWords(policy.esp.proposals)}`;
  // What is to be rekeyed was agreed on once, in IKE_AUTH without PFS.
  const evidence = phase2Evidence(policy, refusedChild(name, "CREATE_CHILD_SA", data, purpose.do === "rekey"));
  return childFailed(sa, offer, { code: causeCode(name), detail, message: "response", evidence }, ctx);
}

/**
 * The peer has forgotten the child that we want to renew: so do we, and ask for its mappings anew. Unless it has replaced or
 * deleted the child itself, before our request came (section 2.8.1).
 */
function onUnknownChild(sa: Established, { spiIn }: ChildOffer, id: ChildId): Step<Established> {
  const child = sa.children.get(id);
  const released = { kind: "releaseSpi", spi: spiIn } as const;
  if (child?.state !== "live") return stepTo(withoutTask(sa), released);
  const reason = "the peer does not know this child any more";
  return stepTo(
    withoutChild(withoutTask(sa), id),
    released,
    { kind: "removeChild", id },
    childClosed(sa, id, reason),
    ...mappingsLost(sa, child, "peer", reason),
  );
}

/** For each mapping that a live child carried; the endpoint asks for it again if nothing else carries it. */
export function mappingsLost(
  { tunnel }: Established,
  { state, pair }: Child,
  cause: "peer" | "expired" | "failed",
  reason: string,
): readonly SaEffect[] {
  if (state !== "live") return [];
  return pair.mappings.map((mapping) => ({ kind: "mappingLost", tunnel, mapping, cause, reason }));
}

/** Our exchange came to nothing; the peer has nothing either. Tried again after a pause. */
function childFailed(
  sa: Established,
  { purpose, spiIn, selectors }: ChildOffer,
  failure: Omit<Failure, "exchange">,
  ctx: SaContext,
): Step<Established> {
  const { tunnel } = sa;
  const { code, detail: reason } = failure;
  const told =
    code === "TEMPORARY_FAILURE"
      ? report(sa, { kind: "story", story: "the peer is busy with an exchange of its own; ours is tried again later" })
      : report(sa, { kind: "failed", exchange: "CREATE_CHILD_SA", ...failure });
  const released = { kind: "releaseSpi", spi: spiIn } as const;
  const next = withoutTask(sa);
  if (purpose.do === "create") {
    const cause = code === "TEMPORARY_FAILURE" ? "busy" : "failed";
    const lost = selectors.mappings.map(
      (mapping) => ({ kind: "mappingLost", tunnel, mapping, cause, reason }) as const,
    );
    return stepTo(next, released, told, ...lost);
  }
  const child = next.children.get(purpose.child);
  if (child === undefined || child.state !== "live") return stepTo(next, released, told);
  if (purpose.rehearsal) {
    const left = rehearsalFailed(next, child.id, failure, ctx);
    return stepTo(left.sa, released, ...left.effects);
  }
  const attempts = child.attempts + 1;
  const again = { do: "rekeyChild", child: child.id, at: ctx.now + pause(RETRY_REKEY, attempts, ctx.random) } as const;
  const renew: readonly SaEffect[] = hopeless(code, attempts) ? [{ kind: "renew", tunnel, reason }] : [];
  return stepTo(
    { ...withChild(next, { ...child, attempts }), wishes: wish(next.wishes, again) },
    released,
    told,
    ...renew,
  );
}

/** Whether a rekey will be refused for ever: twice for a reason of its own, or for minutes by a peer that is busy (section 2.25). */
export function hopeless(code: string, attempts: number): boolean {
  return attempts >= (code === "TEMPORARY_FAILURE" ? 8 : 2);
}

/** The peer's answer is no good: it has a child that we do not take, and is told to delete it. */
export function abandonAnswered(
  sa: Established,
  offer: ChildOffer,
  failure: Omit<Failure, "exchange">,
  ctx: SaContext,
): Step<Established> {
  const failed = childFailed(sa, offer, failure, ctx);
  const orphan = { do: "delete", spi: offer.spiIn, at: ctx.now } as const;
  return { ...failed, sa: { ...failed.sa, wishes: wish(failed.sa.wishes, orphan) } };
}

export function withoutTask({ task: _, ...sa }: Established): Established {
  return sa;
}
