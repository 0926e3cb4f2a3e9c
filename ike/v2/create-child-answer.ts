/**
 * CREATE_CHILD_SA for children, as its responder, RFC 7296 sections 1.3.1 and 1.3.3. The new child receives before the answer
 * leaves; after a rekey the old one is sent on until the peer has shown that it uses the new one (`decisions.md` 8).
 */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { refusalOf } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { chooseEsp, compareEsp, noProposalChosen } from "../core/negotiate.js";
import { phase2Evidence } from "../core/our-values.js";
import { SWITCH_AFTER } from "../core/timers.js";
import type { Answer } from "../core/types.js";
import { type Payload, payload } from "../wire/message.js";
import type { KePayload } from "../wire/payloads/ke.js";
import { espNotification, espSpiOf, notification } from "../wire/payloads/notify.js";
import { childByOutbound, childEstablished, makeChild, refusesTfc, withChild } from "./child.js";
import {
  giveWay,
  refuseChildRekey,
  refuseDuringIkeRekey,
  refuseSameMapping,
  refuseWhileUnanswered,
  settleRivals,
  sharesMapping,
} from "./collision.js";
import { report, type SaContext, type Step, stepTo } from "./context.js";
import { retire } from "./create-child-sa.js";
import type { Answering, ChildPlan } from "./exchanges.js";
import { carriedBy } from "./ike-auth-answer.js";
import { NONCE_BYTES } from "./ike-sa-init.js";
import { narrowAsResponder, tsPayload } from "./narrowing.js";
import { inPlaceOf, isNarrower, redundantTo, renewalOf, retireRedundant } from "./redundant.js";
import { type Received, row } from "./row.js";
import type { Child, Established, PeerRequest } from "./state.js";
import { sendReply } from "./window.js";

type ChildRequest = Received<"SA" | "Nonce" | "TSi" | "TSr", "KE" | "N">;

/** --> HDR, SK {[N(REKEY_SA)], SA, Ni, [KEi], TSi, TSr} */
function onRequest(sa: Established, message: ChildRequest, ctx: SaContext): Step {
  const { header, bytes, path, SA, Nonce, KE, TSi, TSr, notifies } = message;
  const request = { messageId: header.messageId, bytes, path };
  refuseDuringIkeRekey(sa);
  const rekeySa = notifies.find((n) => n.notify === "REKEY_SA");
  let old: Child | undefined;
  if (rekeySa !== undefined) {
    const spi = espSpiOf(rekeySa);
    old = spi === undefined ? undefined : childByOutbound(sa, spi);
    if (old === undefined) {
      refuseWhileUnanswered(sa);
      return unknownChild(sa, request, spi ?? 0, ctx);
    }
    refuseChildRekey(old);
  }
  const policy = ctx.sight.tunnel(sa.tunnel);
  refuseTooMany(sa, policy.mappings.length);
  const rekeyed = old?.pair.mappings[0];
  const { selectors, more } = narrowAsResponder(policy, TSi, TSr, {
    live: carriedBy(sa.tunnel, ctx),
    ...(rekeyed !== undefined && { rekeyed }),
    grounds: (theirs) => ({ evidence: phase2Evidence(policy, { selectors: { theirs: [theirs] } }) }),
  });
  if (old === undefined) refuseSameMapping(sa, selectors.mappings);
  const choice = chooseEsp(SA, policy.esp.proposals, { keyExchange: true, ...(KE && { keGroup: KE.group }) });
  if (choice.kind === "mismatch") {
    const said: SaidAll = { protocol: "equal", encapsulation: "equal" };
    throw noProposalChosen(choice, {
      evidence: phase2Evidence(policy, said, compareEsp(SA, policy.esp.proposals, true)),
    });
  }
  const { suite, peerSpi } = choice;
  const peerPublic = suite.keyExchange && publicValueOf(suite.keyExchange, KE);
  const { sa: free, effects: given } = rekeysToo(sa, old, selectors.mappings) ? giveWay(sa, ctx) : stepTo(sa);
  const spiIn = ctx.ids.espSpi();
  const plan: ChildPlan = {
    suite,
    sa: choice.answer(espSpiOctets(spiIn)),
    spiIn,
    spiOut: espSpiFrom(peerSpi),
    ni: Nonce.nonce,
    nr: ctx.random(NONCE_BYTES),
    selectors,
    refusesTfc: refusesTfc(notifies),
    more,
    ...(old && { replaces: old.id }),
  };
  const reserved = { kind: "reserveSpi", spi: spiIn } as const;
  if (suite.keyExchange === undefined || peerPublic === undefined) {
    const done = finish(free, request, plan, [], undefined, ctx);
    return stepTo(done.sa, ...given, reserved, ...done.effects);
  }
  const privateOctets = new Secret(ctx.random(suite.keyExchange.privateBytes));
  const ask = ctx.ids.ask();
  const group = suite.keyExchange;
  return stepTo<Established>(
    { ...free, answering: { do: "child", plan, request, ask, group, privateOctets, peerPublic } },
    ...given,
    reserved,
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

/** Whether our own exchange wants to replace this child as well, or one that the new one makes redundant. */
function rekeysToo({ task, children }: Established, old: Child | undefined, mappings: readonly number[]): boolean {
  if (task?.do === "rekeyIke") return true;
  if (task?.do !== "child" || task.offer.purpose.do !== "rekey") return false;
  const { child } = task.offer.purpose;
  return old === undefined ? sharesMapping(children.get(child), mappings) : child === old.id;
}

/** Beside one for each mapping, and another one while that is replaced: duplicates, and old ones whose Delete was lost. */
const SPARE_CHILDREN = 16;

/** Even a peer that has proved who it is gets no endless memory (RFC 7296 section 1.3: NO_ADDITIONAL_SAS). */
function refuseTooMany({ children }: Established, mappings: number): void {
  const most = 2 * mappings + SPARE_CHILDREN;
  if (children.size >= most)
    throw new ProtocolError(
      "NO_ADDITIONAL_SAS",
      `the peer has ${children.size} children in this IKE SA, ${most} at most for ${mappings} mappings`,
    );
}

/** The peer's public value, of the group that was chosen; else INVALID_KE_PAYLOAD with that group (section 1.3). */
export function publicValueOf(group: KeyExchangeRow, KE: KePayload | undefined): Uint8Array {
  const number = group.ids.ikev2!;
  if (KE?.group !== number)
    throw new ProtocolError(
      "INVALID_KE_PAYLOAD",
      `KEi is group ${KE?.group ?? "none"}, ${group.name} is wanted`,
      new Uint8Array([number >> 8, number & 0xff]),
    );
  if (KE.data.length !== group.publicBytes)
    throw new ProtocolError(
      "INVALID_SYNTAX",
      `KEi has ${KE.data.length} octets, ${group.name} has ${group.publicBytes}`,
    );
  return KE.data;
}

/** Section 2.25: the peer wants to renew a child that we do not have. */
function unknownChild(sa: Established, request: PeerRequest, spi: number, ctx: SaContext): Step {
  const { sa: next, send } = sendReply(
    sa,
    request,
    "CREATE_CHILD_SA",
    [payload("N", espNotification("CHILD_SA_NOT_FOUND", spi))],
    ctx,
  );
  return stepTo(
    next,
    send,
    report(sa, {
      kind: "ignored",
      code: "CHILD_SA_NOT_FOUND",
      detail: "the peer wants to rekey a child that is not here",
    }),
  );
}

/** Our public value first, then the shared secret; a bad public value of the peer's is its fault. */
export function onAnsweringChild(
  sa: Established,
  answering: Extract<Answering, { do: "child" }>,
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
  const ke = payload("KE", { group: group.ids.ikev2!, data: publicValue });
  return finish(idle, request, plan, [ke], answer.secret, ctx);
}

/** <-- HDR, SK {SA, Nr, [KEr], TSi, TSr} */
function finish(
  sa: Established,
  request: PeerRequest,
  plan: ChildPlan,
  ke: readonly Payload[],
  sharedSecret: Secret | undefined,
  ctx: SaContext,
): Step<Established> {
  const { selectors, replaces } = plan;
  const made = makeChild(sa, { ...plan, asked: false, ...(sharedSecret && { sharedSecret }) }, ctx);
  const old = replaces === undefined ? undefined : sa.children.get(replaces);
  const redundant = replaces === undefined ? redundantTo(sa, made) : [];
  const placed = replaces === undefined ? inPlaceOf(redundant, made, ctx.now) : { ...renewalOf(old, made), replaces };
  const rest = old === undefined ? sa : retire(sa, old);
  const waits = placed.replaces !== undefined && !isNarrower(rest, placed);
  const child: Child = waits ? { ...placed, useAt: ctx.now + SWITCH_AFTER } : placed;
  const added = withChild(rest, child);
  const retired = retireRedundant(added, redundant, child, ctx.now);
  const settled = settleRivals(retired.sa, child, ctx.now);
  const isUsed = !waits && !isNarrower(settled.sa, child);
  const payloads = [
    payload("SA", plan.sa),
    payload("Nonce", { nonce: plan.nr }),
    ...ke,
    payload("TSi", tsPayload(selectors.remote)),
    payload("TSr", tsPayload(selectors.local)),
    ...(plan.more ? [payload("N", notification("ADDITIONAL_TS_POSSIBLE"))] : []),
  ];
  const { sa: next, send } = sendReply(settled.sa, request, "CREATE_CHILD_SA", payloads, ctx);
  return stepTo<Established>(
    next,
    { kind: "installChild", child: child.pair },
    send,
    ...(isUsed ? [{ kind: "useChild", id: child.id } as const] : []),
    childEstablished(next, child, "CREATE_CHILD_SA", ctx),
    ...retired.effects,
    ...settled.effects,
  );
}

/** We send on the child from now on, if we did not yet. */
export function switchTo(sa: Established, { useAt, ...child }: Child): Step<Established> {
  if (useAt === undefined) return stepTo(sa);
  return stepTo(withChild(sa, child), { kind: "useChild", id: child.id });
}

export const CHILD_REQUEST_ROW = row({
  phase: "established",
  exchange: "CREATE_CHILD_SA",
  response: false,
  story: "the peer asks for a child, new or in the place of an old one",
  needs: ["SA", "Nonce", "TSi", "TSr"],
  may: ["KE", "N"],
  run: onRequest,
});
