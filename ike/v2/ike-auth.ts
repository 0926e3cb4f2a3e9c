/**
 * IKE_AUTH as its initiator, RFC 7296 section 1.2, with a pre-shared key:
 *
 *     HDR, SK {IDi, [N(INITIAL_CONTACT)], [IDr], AUTH, SAi2, TSi, TSr}  -->
 *                                       <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr}
 *
 * A child that is refused leaves the IKE SA standing (section 1.2); its mapping is asked for again later.
 */
import { createPrf } from "../../crypto/backends.js";
import { formatAddress } from "../../esp/address.js";
import { causeCode } from "../core/causes.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { refusalOf } from "../core/context.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import {
  formatIdentity,
  formatIdPayload,
  identityOf,
  idPayload,
  ourIdentity,
  sameIdentity,
  theirIdentity,
} from "../core/identity.js";
import { chosenEsp, offerEsp } from "../core/negotiate.js";
import { agreedIke, methodWords, phase1Evidence } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import type { Answer } from "../core/types.js";
import { type Payload, payload } from "../wire/message.js";
import { isErrorNotify, notifyName } from "../wire/notify-table.js";
import { AUTH_METHOD } from "../wire/payloads/auth.js";
import { notification } from "../wire/payloads/notify.js";
import { childEstablished, makeChild, refusesTfc, withChild } from "./child.js";
import { close, sendDelete, withdraw } from "./closing.js";
import { andThen, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { establish, ikeEstablished } from "./establish.js";
import { announceToken, tokenIn } from "./features/crash-detection.js";
import { agreedMobike, announceMobike } from "./features/mobike.js";
import { redirectIn, redirectOf } from "./features/redirect.js";
import { notifications } from "./ike-sa-init.js";
import { isPskAuth, pskAuth } from "./keys.js";
import { checkAnswer, offerFor, tsPayload } from "./narrowing.js";
import { withRehearsal } from "./rehearsal.js";
import { type Received, row } from "./row.js";
import type { AuthSent, Established, PskAwaited } from "./state.js";
import { afterAnswer, childRefused, isRefusedTogether } from "./together.js";
import { AFTER_INIT_INITIATOR, sendRequest } from "./window.js";

/** HDR, SK {IDi, …} --> */
export function onPskAwaitedAnswer(sa: PskAwaited, answer: Answer, ctx: SaContext): Step {
  const { tunnel } = sa;
  if (answer.kind !== "psk") {
    const reason = `the pre-shared key cannot be had: ${refusalOf(answer)}`;
    return stepTo(undefined, report(sa, { kind: "failed", code: "PSK", detail: reason }), {
      kind: "lost",
      tunnel,
      cause: "failed",
      reason,
    });
  }
  const policy = ctx.sight.tunnel(tunnel);
  const { psk } = answer;
  const localId = ourIdentity(policy, sa.path);
  const peerId = theirIdentity(policy, sa.path);
  const mappings = firstMappings(sa, ctx);
  const child = mappings && { spiIn: ctx.ids.espSpi(), selectors: offerFor(policy, mappings) };
  const { negotiated, first, keys } = sa;
  const auth = pskAuth(createPrf(negotiated.suite.prf), psk, {
    message: first.initRequest,
    nonce: negotiated.nr,
    id: idPayload(localId),
    skP: keys.skPi,
  });
  const payloads: Payload[] = [
    payload("IDi", idPayload(localId)),
    ...notifications(announceMobike(policy)),
    ...notifications(announceToken(ctx.policy, sa)),
    ...(ctx.sight.inContact(tunnel, peerId, sa.key) ? [] : [payload("N", notification("INITIAL_CONTACT"))]),
    // Only an identity that the operator wrote: behind a NAT the default would not be the peer's own.
    ...(policy.peerId === undefined ? [] : [payload("IDr", idPayload(policy.peerId))]),
    payload("AUTH", { method: AUTH_METHOD.sharedKey, data: auth }),
    ...(child === undefined ? [] : childPayloads(policy, child)),
  ];
  const { ask: _, ...kept } = sa;
  const keyed = {
    ...kept,
    phase: "authSent",
    psk,
    localId,
    window: AFTER_INIT_INITIATOR,
    ...(child && { child }),
  } as const;
  const { sa: next, request, send } = sendRequest(keyed as unknown as AuthSent, "IKE_AUTH", payloads, ctx);
  const reserved = child === undefined ? [] : [{ kind: "reserveSpi", spi: child.spiIn } as const];
  return stepTo({ ...next, request }, ...reserved, send);
}

function childPayloads(policy: TunnelPolicy, { spiIn, selectors }: NonNullable<AuthSent["child"]>): readonly Payload[] {
  return [
    payload("SA", offerEsp(policy.esp.proposals, espSpiOctets(spiIn), false)),
    payload("TSi", tsPayload(selectors.local)),
    payload("TSr", tsPayload(selectors.remote)),
  ];
}

/**
 * What the child of IKE_AUTH is for: the first mapping that is wanted and that no child of another IKE SA carries, with those that may
 * share its SA. Nothing, where none is wanted and the peer does without (RFC 6023).
 */
function firstMappings({ tunnel, negotiated }: PskAwaited, { sight }: SaContext): readonly number[] | undefined {
  const mappings = [...sight.tunnel(tunnel).mappings.keys()];
  if (negotiated.childless && !mappings.some((i) => sight.wanted(tunnel, i))) return undefined;
  const open = mappings.filter((i) => !sight.carried(tunnel, i));
  return sight.joint(tunnel, open.find((i) => sight.wanted(tunnel, i)) ?? open[0] ?? 0);
}

/** <-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr} */
function onResponse(sa: AuthSent, message: Received<"IDr" | "AUTH" | "SA" | "TSi" | "TSr", "N">, ctx: SaContext): Step {
  const { SA, TSi, TSr, notifies } = message;
  const established = authenticated(sa, message, ctx);
  const { child: asked } = sa;
  if (asked === undefined) throw new ProtocolError("INVALID_SYNTAX", "a child that was not asked for");
  const policy = ctx.sight.tunnel(sa.tunnel);
  const { suite, peerSpi } = chosenEsp(SA, policy.esp.proposals, false);
  const answered = checkAnswer(policy, asked.selectors, TSi, TSr);
  const { selectors } = answered;
  const { ni, nr } = sa.negotiated;
  const facts = { suite, spiIn: asked.spiIn, spiOut: espSpiFrom(peerSpi), ni, nr, selectors };
  const child = makeChild(established, { ...facts, refusesTfc: refusesTfc(notifies), asked: true }, ctx);
  const next = withRehearsal(withChild(established, child), child, ctx);
  return stepTo<Established>(
    next,
    ikeEstablished(next, ctx),
    { kind: "installChild", child: child.pair },
    { kind: "useChild", id: child.id },
    childEstablished(next, child, "IKE_AUTH", ctx),
    ...afterAnswer(next, asked.selectors, answered, ctx),
    establishedNotice(notifies),
  );
}

/**
 * <-- HDR, SK {IDr, AUTH, [N(NO_PROPOSAL_CHOSEN | TS_UNACCEPTABLE | …)]}: an IKE SA without the child that we asked for, or as we
 * asked for it. With N(REDIRECT) we go elsewhere (RFC 5685 section 6).
 */
function onChildless(sa: AuthSent, message: Received<"IDr" | "AUTH", "N">, ctx: SaContext): Step {
  const { notifies, path } = message;
  const established = authenticated(sa, message, ctx);
  const redirect = redirectIn(notifies);
  if (redirect !== undefined) {
    const { to } = redirectOf(redirect, path.remote.address);
    const closing = close(sa, `the peer redirects us to ${formatAddress(to)}`, ctx);
    // The response has answered the request that was open.
    const told = andThen(closing, ({ request: _, ...free }) => sendDelete(free, ctx));
    return stepTo(told.sa, ...told.effects, { kind: "redirected", tunnel: sa.tunnel, to, from: path.remote.address });
  }
  const refusal = notifies.find((n) => isErrorNotify(n.notify));
  const { child } = sa;
  if (child === undefined)
    return stepTo<Established>(established, ikeEstablished(established, ctx), establishedNotice(notifies));
  if (refusal === undefined)
    throw new ProtocolError("INVALID_SYNTAX", "an answer to IKE_AUTH with neither a child nor an error");
  return stepTo<Established>(
    established,
    ikeEstablished(established, ctx),
    { kind: "releaseSpi", spi: child.spiIn },
    ...childRefused(established, refusal.notify, child.selectors.mappings, "IKE_AUTH", ctx),
    establishedNotice(notifies),
  );
}

/** <-- HDR, SK {N(AUTHENTICATION_FAILED | …)}: the peer does not want this IKE SA. */
function onRefusal(sa: AuthSent, { notifies }: Received<"N">, ctx: SaContext): Step {
  const refusal = notifies.find((n) => isErrorNotify(n.notify));
  if (refusal === undefined) throw new ProtocolError("INVALID_SYNTAX", "an answer to IKE_AUTH without IDr and AUTH");
  const { tunnel } = sa;
  const name = notifyName(refusal.notify);
  const code = causeCode(name);
  const ids = `we are ${formatIdentity(sa.localId)}, the peer should be ${formatIdentity(theirIdentity(ctx.sight.tunnel(tunnel), sa.path))}`;
  const reason =
    code === "AUTHENTICATION_FAILED"
      ? `the peer answers IKE_AUTH with AUTHENTICATION_FAILED: it knows no such identity, or the pre-shared keys differ; ${ids}`
      : `the peer answers IKE_AUTH with ${name}; ${ids}`;
  const together = sa.child?.selectors.mappings ?? [];
  return stepTo(
    undefined,
    ...withdraw(sa, reason),
    report(sa, {
      kind: "failed",
      code,
      detail: reason,
      exchange: "IKE_AUTH",
      message: "response",
      ...(code === "AUTHENTICATION_FAILED" && refusedProof(sa, ctx)),
    }),
    ...(isRefusedTogether(sa, refusal.notify, together, ctx)
      ? [{ kind: "apart", tunnel, mappings: together } as const]
      : []),
    { kind: "lost", tunnel, cause: "failed", reason },
  );
}

/** The peer looks for us by IDi, and for itself by IDr where we send it; then it checks the proof. */
function refusedProof(sa: AuthSent, ctx: SaContext): Grounds {
  const policy = ctx.sight.tunnel(sa.tunnel);
  return grounds(sa, ctx, {
    authentication: "suspect",
    "local-id": "suspect",
    ...(policy.peerId !== undefined && { "peer-id": "suspect" }),
    psk: "suspect",
  });
}

/** What IKE_SA_INIT has agreed on is no part of what fails in IKE_AUTH. */
function grounds(sa: AuthSent, ctx: SaContext, said: SaidAll): Grounds {
  const policy = ctx.sight.tunnel(sa.tunnel);
  return { evidence: phase1Evidence(policy, sa.path, { ...agreedIke(policy, sa.negotiated.suite), ...said }) };
}

/** Checks IDr and AUTH; throws `ProtocolError` AUTHENTICATION_FAILED. */
function authenticated(
  sa: AuthSent,
  { IDr, AUTH, notifies }: Received<"IDr" | "AUTH", "N">,
  ctx: SaContext,
): Established {
  const policy = ctx.sight.tunnel(sa.tunnel);
  const expected = theirIdentity(policy, sa.path);
  const peerId = identityOf(IDr);
  if (peerId === undefined || !sameIdentity(peerId, expected))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the peer says that it is ${formatIdPayload(IDr)}, peer_id expects ${formatIdentity(expected)}`,
      undefined,
      grounds(sa, ctx, { "local-id": "equal", "peer-id": { theirs: [formatIdPayload(IDr)] } }),
    );
  if (AUTH.method !== AUTH_METHOD.sharedKey)
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the peer authenticates with method ${AUTH.method}, a pre-shared key (2) is wanted`,
      undefined,
      grounds(sa, ctx, {
        authentication: { theirs: [methodWords(AUTH.method)] },
        "local-id": "equal",
        "peer-id": "equal",
      }),
    );
  const { first, negotiated, keys } = sa;
  const inputs = { message: first.initResponse, nonce: negotiated.ni, id: IDr, skP: keys.skPr };
  if (!isPskAuth(createPrf(negotiated.suite.prf), sa.psk, inputs, AUTH.data))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      "the pre-shared keys differ: the peer's AUTH was made with another one",
      undefined,
      grounds(sa, ctx, { "local-id": "equal", "peer-id": "equal", psk: "different" }),
    );
  const { key, role, initiatorSpi, responderSpi, path, createdAt, tunnel, window, localId } = sa;
  const agreed = agreedMobike(policy, notifies, true);
  return establish(
    {
      key,
      role,
      initiatorSpi,
      responderSpi,
      path,
      createdAt,
      tunnel,
      negotiated,
      keys,
      window,
      localId,
      peerId,
      began: true,
      ...agreed,
      ...tokenIn(notifies),
    },
    ctx,
  );
}

function establishedNotice(notifies: Received<"N">["notifies"]): SaEffect {
  return { kind: "established", initialContact: notifies.some((n) => n.notify === "INITIAL_CONTACT") };
}

export const AUTH_RESPONSE_ROWS = [
  row({
    phase: "authSent",
    exchange: "IKE_AUTH",
    response: true,
    story: "the peer has proved who it is; the IKE SA and its first child are up",
    needs: ["IDr", "AUTH", "SA", "TSi", "TSr"],
    may: ["N"],
    run: onResponse,
  }),
  row({
    phase: "authSent",
    exchange: "IKE_AUTH",
    response: true,
    story: "the peer has proved who it is; there is no child, or it redirects us",
    needs: ["IDr", "AUTH"],
    may: ["N"],
    run: onChildless,
  }),
  row({
    phase: "authSent",
    exchange: "IKE_AUTH",
    response: true,
    story: "the peer refuses the IKE SA",
    needs: ["N"],
    may: [],
    run: onRefusal,
  }),
];
