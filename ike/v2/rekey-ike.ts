/**
 * The rekey of the IKE SA, RFC 7296 sections 1.3.2 and 2.18, in both roles; the new one inherits the children.
 *
 *     HDR, SK {SA, Ni, KEi}  -->
 *                            <--  HDR, SK {SA, Nr, KEr}
 *
 * Its initiator then deletes the old one. When both ends ask at once, `heir.ts` decides.
 */
import { createPrf } from "../../crypto/backends.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import { causeCode, type Failure } from "../core/causes.js";
import { refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { chooseIke, chosenIke, noProposalChosen, offerIke } from "../core/negotiate.js";
import { oursInWords } from "../core/offer-words.js";
import { pause, REPLACED_IKE_LIFE, RETRY_REKEY } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { spiOctets } from "../wire/header.js";
import { payload } from "../wire/message.js";
import { type NotifyType, notifyName } from "../wire/notify-table.js";
import { close, lingering } from "./closing.js";
import { giveWay, refuseIkeRekey } from "./collision.js";
import { report, type SaContext, type SaEffect, type Step, spiHex, stepTo } from "./context.js";
import { publicValueOf } from "./create-child-answer.js";
import { hopeless, withoutTask } from "./create-child-sa.js";
import { establish, ikeEstablished } from "./establish.js";
import type { Answering, IkeAnswer, IkeOffer, IkePlan, Task } from "./exchanges.js";
import { announceToken, tokenIn } from "./features/crash-detection.js";
import { inheritedErrands, inheritedMobike } from "./features/mobike.js";
import { bequeath, born, heirOf, rekeyed, replaced, wins } from "./heir.js";
import { groupOf, NONCE_BYTES, notifications } from "./ike-sa-init.js";
import { ikeKeys, rekeySkeyseed } from "./keys.js";
import { type Received, row } from "./row.js";
import type { Established, Heir, PeerRequest, Role } from "./state.js";
import { freshWindow, sendReply, sendRequest } from "./window.js";
import { wish } from "./wishes.js";

const MOST_RESTARTS = 2;

type IkeTask = Extract<Task, { do: "rekeyIke" }>;
export type IkeResponse = Received<"SA" | "Nonce" | "KE", "N">;

/** We ask; first with the group that the peer accepted before. */
export function startIkeRekey(sa: Established, ctx: SaContext): Step<Established> {
  return askPublicValue(
    sa,
    { spi: ctx.ids.ikeSpi(), ni: ctx.random(NONCE_BYTES), restarts: 0 },
    sa.negotiated.suite.keyExchange,
    ctx,
  );
}

function askPublicValue(
  sa: Established,
  begun: Pick<IkeOffer, "spi" | "ni" | "restarts">,
  group: KeyExchangeRow,
  ctx: SaContext,
): Step<Established> {
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  return stepTo<Established>(
    { ...sa, task: { do: "rekeyIke", stage: "keying", offer: { ...begun, group, privateOctets }, ask } },
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

export function onIkeAnswer(sa: Established, task: IkeTask, answer: Answer, ctx: SaContext): Step {
  switch (task.stage) {
    case "keying":
      return answer.kind === "publicValue"
        ? send(sa, task.offer, answer.publicValue, ctx)
        : ikeRekeyFailed(sa, { code: "INTERNAL", detail: refusalOf(answer) }, ctx);
    case "deriving":
      return answer.kind === "sharedSecret"
        ? finishOurs(sa, task.offer, task.answer, answer.secret, ctx)
        : ikeRekeyBroken(sa, { code: "INVALID_KE_PAYLOAD", detail: refusalOf(answer) }, ctx);
    case "sent":
      throw new Error("an answer to a task that asked nothing");
  }
}

function send(sa: Established, offer: IkeOffer, publicValue: Uint8Array, ctx: SaContext): Step<Established> {
  const payloads = [
    payload("SA", offerIke(ctx.sight.tunnel(sa.tunnel).ike.proposals, spiOctets(offer.spi))),
    payload("Nonce", { nonce: offer.ni }),
    payload("KE", { group: offer.group.ids.ikev2!, data: publicValue }),
  ];
  const sent = sendRequest(sa, "CREATE_CHILD_SA", payloads, ctx);
  return stepTo<Established>(
    { ...sent.sa, task: { do: "rekeyIke", stage: "sent", offer, request: sent.request } },
    sent.send,
  );
}

/** <-- HDR, SK {SA, Nr, KEr} */
export function onIkeResponse(
  sa: Established,
  { offer }: IkeTask,
  { SA, Nonce, KE, notifies }: IkeResponse,
  ctx: SaContext,
): Step<Established> {
  const { suite, peerSpi } = chosenIke(SA, ctx.sight.tunnel(sa.tunnel).ike.proposals, true);
  const { group, privateOctets } = offer;
  if (suite.keyExchange !== group || KE.group !== group.ids.ikev2 || KE.data.length !== group.publicBytes)
    throw new ProtocolError(
      "NO_PROPOSAL_CHOSEN",
      `the answer chose ${suite.keyExchange.name}; its KE is group ${KE.group}, ours was ${group.name}`,
    );
  const ask = ctx.ids.ask();
  const answer: IkeAnswer = { suite, spi: spiFrom(peerSpi), nr: Nonce.nonce, ...tokenIn(notifies) };
  return stepTo<Established>(
    { ...sa, task: { do: "rekeyIke", stage: "deriving", offer, answer, ask } },
    { kind: "ask", ask, question: { kind: "sharedSecret", group: KE.group, privateOctets, peerPublic: KE.data } },
  );
}

/** <-- HDR, SK {N(error)}. The old IKE SA serves on until its hard limit. */
export function onIkeRefused(
  sa: Established,
  { offer }: IkeTask,
  notify: NotifyType,
  data: Uint8Array,
  ctx: SaContext,
): Step {
  const heir = heirOf(sa, ctx);
  if (heir !== undefined) return bequeath(withoutTask(sa), heir, ctx);
  const { proposals } = ctx.sight.tunnel(sa.tunnel).ike;
  if (notify === "INVALID_KE_PAYLOAD" && offer.restarts < MOST_RESTARTS) {
    const wanted = groupOf(data);
    const group = proposals.flatMap((p) => p.keyExchange).find((candidate) => candidate.ids.ikev2 === wanted);
    if (group !== undefined && group !== offer.group)
      return askPublicValue(sa, { spi: offer.spi, ni: offer.ni, restarts: offer.restarts + 1 }, group, ctx);
  }
  const name = notifyName(notify);
  const detail = `the peer refuses to rekey the IKE SA with ${name}; ${oursInWords(proposals)}`;
  return ikeRekeyFailed(sa, { code: causeCode(name), detail, message: "response" }, ctx);
}

function ikeRekeyFailed(sa: Established, failure: Failure, ctx: SaContext): Step<Established> {
  const { code, detail } = failure;
  const rekeyAttempts = sa.rekeyAttempts + 1;
  const at = ctx.now + pause(RETRY_REKEY, rekeyAttempts, ctx.random);
  const renew: readonly SaEffect[] = hopeless(code, rekeyAttempts)
    ? [{ kind: "renew", tunnel: sa.tunnel, reason: detail }]
    : [];
  return stepTo(
    { ...withoutTask(sa), rekeyAttempts, wishes: wish(sa.wishes, { do: "rekeyIke", at }) },
    code === "TEMPORARY_FAILURE"
      ? report(sa, {
          kind: "story",
          story: "the peer is busy with an exchange of its own; the rekey is tried again later",
        })
      : report(sa, { kind: "failed", exchange: "CREATE_CHILD_SA", ...failure }),
    ...renew,
  );
}

/** The peer has moved to an IKE SA that we cannot take over: everything begins anew. */
export function ikeRekeyBroken(sa: Established, failure: Failure, ctx: SaContext): Step {
  const reason = `the rekey of the IKE SA failed half way: ${failure.detail}`;
  const closing = close(withoutTask(sa), reason, ctx);
  return stepTo(
    closing.sa,
    report(sa, { kind: "failed", exchange: "CREATE_CHILD_SA", ...failure, detail: reason }),
    ...closing.effects,
    { kind: "lost", tunnel: sa.tunnel, cause: "failed", reason },
  );
}

function finishOurs(sa: Established, offer: IkeOffer, answer: IkeAnswer, sharedSecret: Secret, ctx: SaContext): Step {
  const plan = {
    suite: answer.suite,
    initiatorSpi: offer.spi,
    responderSpi: answer.spi,
    ni: offer.ni,
    nr: answer.nr,
    ...(answer.peerToken && { peerToken: answer.peerToken }),
  };
  const old = withoutTask(sa);
  const next = successor(old, plan, "initiator", sharedSecret, ctx);
  const heir = heirOf(sa, ctx);
  if (heir !== undefined && !wins(next, heir)) return lost(old, heir, next, ctx);
  const closing = replaced({ ...old, children: new Map() }, ctx);
  return stepTo(
    closing.sa,
    ...(heir === undefined ? [] : [yielded(heir, ctx)]),
    { kind: "adopt", sa: next },
    rekeyed(sa, next),
    ikeEstablished(next, ctx),
    ...closing.effects,
  );
}

/** Both ends have rekeyed, and the peer's new IKE SA stays: ours is deleted by us, who created it (section 2.8.2). */
function lost(old: Established, heir: Heir, ours: Established, ctx: SaContext): Step {
  const over = replaced({ ...ours, children: new Map() }, ctx);
  const left = bequeath(old, heir, ctx);
  return stepTo(left.sa, ...left.effects, { kind: "adopt", sa: over.sa }, ...over.effects);
}

/** Both ends have rekeyed, and ours stays: the peer deletes its own. */
function yielded(heir: Heir, ctx: SaContext): SaEffect {
  return { kind: "adopt", sa: lingering(heir, ctx.now + REPLACED_IKE_LIFE) };
}

/** --> HDR, SK {SA, Ni, KEi} */
function onRequest(sa: Established, message: Received<"SA" | "Nonce" | "KE", "N">, ctx: SaContext): Step {
  const { header, bytes, path, SA, Nonce, KE } = message;
  refuseIkeRekey(sa);
  const { sa: free, effects: given } = sa.task?.do === "rekeyIke" ? giveWay(sa, ctx) : stepTo(sa);
  const choice = chooseIke(SA, ctx.sight.tunnel(sa.tunnel).ike.proposals, { rekey: true, keGroup: KE.group });
  if (choice.kind === "mismatch") throw noProposalChosen(choice);
  const { suite, peerSpi } = choice;
  const group = suite.keyExchange;
  const peerPublic = publicValueOf(group, KE);
  const initiatorSpi = spiFrom(peerSpi);
  if (initiatorSpi === 0n) throw new ProtocolError("INVALID_SYNTAX", "the new IKE SA's SPI is 0");
  const responderSpi = ctx.ids.ikeSpi();
  const plan: IkePlan = {
    suite,
    sa: choice.answer(spiOctets(responderSpi)),
    initiatorSpi,
    responderSpi,
    ni: Nonce.nonce,
    nr: ctx.random(NONCE_BYTES),
  };
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const request: PeerRequest = { messageId: header.messageId, bytes, path };
  return stepTo<Established>(
    { ...free, answering: { do: "rekeyIke", plan, request, ask, group, privateOctets, peerPublic } },
    ...given,
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

export function onAnsweringIke(
  sa: Established,
  answering: Extract<Answering, { do: "rekeyIke" }>,
  answer: Answer,
  ctx: SaContext,
): Step {
  const { plan, request, group, privateOctets, peerPublic, publicValue } = answering;
  if (publicValue === undefined) {
    if (answer.kind !== "publicValue") throw new ProtocolError("TEMPORARY_FAILURE", refusalOf(answer));
    const ask = ctx.ids.ask();
    return stepTo<Established>(
      { ...sa, answering: { ...answering, publicValue: answer.publicValue, ask } },
      { kind: "ask", ask, question: { kind: "sharedSecret", group: group.ids.ikev2!, privateOctets, peerPublic } },
    );
  }
  if (answer.kind !== "sharedSecret") throw new ProtocolError("INVALID_SYNTAX", refusalOf(answer));
  const { answering: _, ...idle } = sa;
  const next = successor(idle, plan, "responder", answer.secret, ctx);
  const payloads = [
    payload("SA", plan.sa),
    payload("Nonce", { nonce: plan.nr }),
    payload("KE", { group: group.ids.ikev2!, data: publicValue }),
    ...notifications(announceToken(ctx.policy, plan)),
  ];
  const { sa: old, send } = sendReply(idle, request, "CREATE_CHILD_SA", payloads, ctx);
  if (old.task?.do === "rekeyIke") return stepTo<Established>({ ...old, heir: next.key }, born(next, old, ctx), send);
  return stepTo(
    lingering(old, ctx.now + REPLACED_IKE_LIFE),
    { kind: "adopt", sa: next },
    send,
    rekeyed(sa, next),
    ikeEstablished(next, ctx),
  );
}

/** The IKE SA that takes over: fresh message IDs, all children, and what was still to be done for them. */
function successor(
  old: Established,
  plan: Pick<IkePlan, "suite" | "ni" | "nr" | "initiatorSpi" | "responderSpi"> & Pick<IkeAnswer, "peerToken">,
  role: Role,
  sharedSecret: Secret,
  ctx: SaContext,
): Established {
  const { suite, ni, nr, initiatorSpi, responderSpi } = plan;
  const seed = rekeySkeyseed(createPrf(old.negotiated.suite.prf), old.keys.skD, plan, sharedSecret);
  const { path, tunnel, localId, peerId, negotiated } = old;
  const sa = establish(
    {
      key: spiHex(role === "initiator" ? initiatorSpi : responderSpi),
      role,
      initiatorSpi,
      responderSpi,
      path,
      createdAt: ctx.now,
      tunnel,
      negotiated: { ...negotiated, suite, ni, nr },
      keys: ikeKeys(createPrf(suite.prf), suite, seed, plan),
      window: freshWindow(old.window),
      ...(old.began && { began: old.began }),
      ...inheritedMobike(old),
      ...(plan.peerToken && { peerToken: plan.peerToken }),
      localId,
      peerId,
    },
    ctx,
    old.children,
  );
  const wishes = inheritedErrands(old, ctx);
  // The side that asked for the rekey has had no message to put the token for the new SPIs into (RFC 6290 section 4.3).
  if (role === "responder" || ctx.policy.crashSecret === undefined) return { ...sa, wishes };
  return { ...sa, tokenDue: true, wishes: wish(wishes, { do: "probe", at: ctx.now }) };
}

function spiFrom(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}

export const IKE_REKEY_REQUEST_ROW = row({
  phase: "established",
  exchange: "CREATE_CHILD_SA",
  response: false,
  story: "the peer asks to rekey the IKE SA",
  needs: ["SA", "Nonce", "KE"],
  may: ["N"],
  run: onRequest,
});
