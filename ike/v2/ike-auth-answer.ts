/**
 * IKE_AUTH as its responder, RFC 7296 section 1.2. Who the peer is decides which tunnel this is (`decisions.md` 6); its
 * key is asked for, and only then anything is believed.
 */
import { createPrf } from "../../crypto/backends.js";
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import { formatAddress } from "../../esp/address.js";
import { espSpiFrom, espSpiOctets } from "../core/child.js";
import { failureOf, refusalOf } from "../core/context.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import { MOST_BLAMED, type SaidAll } from "../core/evidence.js";
import {
  formatIdentity,
  formatIdPayload,
  type Identity,
  identityOf,
  idPayload,
  ourIdentity,
  sameIdentity,
  theirIdentity,
} from "../core/identity.js";
import { allowsIke, chooseEsp, compareEsp, noProposalChosen } from "../core/negotiate.js";
import {
  agreedEsp,
  agreedIke,
  methodWords,
  notAllowed,
  phase1Evidence,
  phase2Evidence,
  TRANSPORT_MODE,
} from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { reactTo } from "../core/react.js";
import type { Answer } from "../core/types.js";
import { type Payload, payload } from "../wire/message.js";
import { AUTH_METHOD } from "../wire/payloads/auth.js";
import { notification } from "../wire/payloads/notify.js";
import type { SaPayload } from "../wire/payloads/sa.js";
import { childEstablished, makeChild, refusesTfc, withChild } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { establish, ikeEstablished } from "./establish.js";
import { announceToken, tokenIn } from "./features/crash-detection.js";
import { agreedMobike, announceMobike, refuseNat } from "./features/mobike.js";
import { notifications } from "./ike-sa-init.js";
import { isPskAuth, pskAuth } from "./keys.js";
import { narrowAsResponder, tsPayload } from "./narrowing.js";
import { withRehearsal } from "./rehearsal.js";
import { type Received, row } from "./row.js";
import type { AuthChecking, Established, Keyed } from "./state.js";
import { sendReply } from "./window.js";

type ChildlessRequest = Received<"IDi" | "AUTH", "IDr" | "N">;
type AuthRequest = Received<"IDi" | "AUTH" | "SA" | "TSi" | "TSr", "IDr" | "N">;

/** --> HDR, SK {IDi, [IDr], AUTH, SAi2, TSi, TSr} */
function onRequest(sa: Keyed, message: AuthRequest, ctx: SaContext): Step<AuthChecking> {
  const { SA, TSi, TSr } = message;
  return check(sa, message, { sa: SA, tsi: TSi, tsr: TSr }, ctx);
}

/** --> HDR, SK {IDi, [IDr], AUTH}: no child yet (RFC 6023). */
function onChildlessRequest(sa: Keyed, message: ChildlessRequest, ctx: SaContext): Step<AuthChecking> {
  return check(sa, message, undefined, ctx);
}

function check(sa: Keyed, message: ChildlessRequest, child: AuthChecking["child"], ctx: SaContext): Step<AuthChecking> {
  const { IDi, AUTH, notifies, header, bytes, path } = message;
  const { tunnel, peerId } = tunnelOf(sa, message, child?.sa, ctx);
  if (AUTH.method !== AUTH_METHOD.sharedKey)
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `${formatIdPayload(IDi)} authenticates with method ${AUTH.method}, a pre-shared key (2) is wanted`,
      undefined,
      grounds(tunnel, sa, { authentication: { theirs: [methodWords(AUTH.method)] }, "peer-id": "equal" }),
    );
  refuseNat(notifies, path);
  const ask = ctx.ids.ask();
  const next: AuthChecking = {
    ...sa,
    phase: "authChecking",
    tunnel: tunnel.name,
    localId: ourIdentity(tunnel, path),
    peerId,
    auth: AUTH,
    ...(child && { child }),
    initialContact: notifies.some((n) => n.notify === "INITIAL_CONTACT"),
    refusesTfc: refusesTfc(notifies),
    ...agreedMobike(tunnel, notifies, false),
    ...tokenIn(notifies),
    ...(notifies.some((n) => n.notify === "USE_TRANSPORT_MODE") && { wantsTransport: true as const }),
    request: { messageId: header.messageId, bytes, path },
    ask,
  };
  return stepTo(next, { kind: "ask", ask, question: { kind: "psk", tunnel: tunnel.name } });
}

/** --> HDR, SK {IDi, SAi2, TSi, TSr} without AUTH: the peer wants EAP (section 2.16). */
function onEapRequest(sa: Keyed, { IDi, path }: Received<"IDi" | "SA">, ctx: SaContext): Step {
  const said: SaidAll = { authentication: { theirs: ["EAP"] } };
  const candidates = blamed(ctx.sight.candidates(path, 2), sa, () => said);
  const detail = `${formatIdPayload(IDi)} wants EAP, which is not supported`;
  throw new ProtocolError("AUTHENTICATION_FAILED", detail, undefined, { candidates });
}

/** An error of IKE_AUTH in a tunnel: what IKE_SA_INIT has agreed on is no part of it. */
function grounds(tunnel: TunnelPolicy, sa: Keyed | AuthChecking, said: SaidAll): Grounds {
  return { evidence: phase1Evidence(tunnel, sa.path, { ...agreedIke(tunnel, sa.negotiated.suite), ...said }) };
}

function blamed(
  tunnels: readonly TunnelPolicy[],
  sa: Keyed,
  said: (tunnel: TunnelPolicy) => SaidAll,
): NonNullable<Grounds["candidates"]> {
  return tunnels.slice(0, MOST_BLAMED).map((tunnel) => ({
    tunnel: tunnel.name,
    evidence: phase1Evidence(tunnel, sa.path, { ...agreedIke(tunnel, sa.negotiated.suite), ...said(tunnel) }),
  }));
}

/**
 * The tunnel of this pair of identities whose proposals allow what was chosen before they were known; where several do, the
 * first one that takes the child as well.
 */
function tunnelOf(
  sa: Keyed,
  { IDi, IDr, path }: ChildlessRequest,
  SA: SaPayload | undefined,
  ctx: SaContext,
): { readonly tunnel: TunnelPolicy; readonly peerId: Identity } {
  const peerId = identityOf(IDi);
  const candidates = ctx.sight.candidates(path, 2);
  const known = peerId === undefined ? [] : candidates.filter((t) => sameIdentity(theirIdentity(t, path), peerId));
  if (peerId === undefined || known.length === 0) {
    const expected = candidates.map((t) => `${t.name} expects ${formatIdentity(theirIdentity(t, path))}`);
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `no tunnel for a peer at ${formatAddress(path.remote.address)} that says it is ${formatIdPayload(IDi)}: ${expected.join(", ") || "none fits the address"}`,
      undefined,
      { candidates: blamed(candidates, sa, () => ({ "peer-id": { theirs: [formatIdPayload(IDi)] } })) },
    );
  }
  const meant = known.filter((t) => {
    const wanted = IDr && identityOf(IDr);
    return IDr === undefined || (wanted !== undefined && sameIdentity(ourIdentity(t, path), wanted));
  });
  if (meant.length === 0) {
    const ours = known.map((t) => `${t.name} is ${formatIdentity(ourIdentity(t, path))}`);
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the peer expects us to be ${formatIdPayload(IDr!)}: ${ours.join(", ")}`,
      undefined,
      {
        candidates: blamed(known, sa, () => ({
          "peer-id": "equal",
          "local-id": { theirs: [formatIdPayload(IDr!)] },
        })),
      },
    );
  }
  const allowing = meant.filter((t) => allowsIke(t.ike.proposals, sa.negotiated.suite));
  const tunnel = allowing.find((t) => takesChild(t, SA)) ?? allowing[0];
  if (tunnel === undefined)
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `${meant[0]!.name} does not allow ${ikeSuiteName(sa.negotiated.suite)}, which another tunnel of this address does`,
      undefined,
      { candidates: blamed(meant, sa, (t) => ({ ...notAllowed(t, sa.negotiated.suite), "peer-id": "equal" })) },
    );
  return { tunnel, peerId };
}

function takesChild({ esp }: TunnelPolicy, offer: SaPayload | undefined): boolean {
  return offer === undefined || chooseEsp(offer, esp.proposals, { keyExchange: false }).kind === "chosen";
}

/** <-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr}. Throws `ProtocolError` AUTHENTICATION_FAILED. */
export function onAuthCheckingAnswer(sa: AuthChecking, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "psk")
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the pre-shared key of ${sa.tunnel} cannot be had: ${refusalOf(answer)}`,
    );
  const { first, negotiated, keys, localId, peerId } = sa;
  const policy = ctx.sight.tunnel(sa.tunnel);
  const prf = createPrf(negotiated.suite.prf);
  const theirs = { message: first.initRequest, nonce: negotiated.nr, id: idPayload(peerId), skP: keys.skPi };
  if (!isPskAuth(prf, answer.psk, theirs, sa.auth.data))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the pre-shared keys of ${sa.tunnel} differ: ${formatIdentity(peerId)} made its AUTH with another one`,
      undefined,
      grounds(policy, sa, { "local-id": "equal", "peer-id": "equal", psk: "different" }),
    );
  if (!sa.initialContact && ctx.sight.hasToKeep(sa.tunnel, peerId, sa))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `${formatIdentity(peerId)} has an IKE SA in ${sa.tunnel}, which stays (duplicates: keep)`,
    );
  const ours = { message: first.initResponse, nonce: negotiated.ni, id: idPayload(localId), skP: keys.skPr };
  const identity = [
    ...notifications(sa.mobike === undefined ? [] : announceMobike(ctx.sight.tunnel(sa.tunnel))),
    ...notifications(announceToken(ctx.policy, sa)),
    payload("IDr", idPayload(localId)),
    payload("AUTH", { method: AUTH_METHOD.sharedKey, data: pskAuth(prf, answer.psk, ours) }),
  ];
  const { key, role, initiatorSpi, responderSpi, createdAt, tunnel, window, request } = sa;
  const established = establish(
    {
      key,
      role,
      initiatorSpi,
      responderSpi,
      path: request.path,
      createdAt,
      tunnel,
      negotiated,
      keys,
      window,
      localId,
      peerId,
      ...(sa.mobike && { mobike: sa.mobike }),
      ...(sa.peerToken && { peerToken: sa.peerToken }),
    },
    ctx,
  );
  const made = firstChild(established, sa, ctx);
  const { sa: next, send } = sendReply(made.sa, request, "IKE_AUTH", [...identity, ...made.payloads], ctx);
  return stepTo(next, ...made.before, send, ikeEstablished(next, ctx), ...made.after, {
    kind: "established",
    initialContact: sa.initialContact,
  });
}

interface FirstChild {
  readonly sa: Established;
  readonly payloads: readonly Payload[];
  /** Received on before the peer can use it, sent on after it was told (`architecture.md` section 9, 8). */
  readonly before: readonly SaEffect[];
  readonly after: readonly SaEffect[];
}

/** The child inside IKE_AUTH, or the notification that refuses it: the IKE SA stands either way. */
function firstChild(
  sa: Established,
  { child: asked, refusesTfc, wantsTransport }: AuthChecking,
  ctx: SaContext,
): FirstChild {
  if (asked === undefined) return { sa, payloads: [], before: [], after: [] };
  const policy = ctx.sight.tunnel(sa.tunnel);
  const mode: SaidAll = { encapsulation: wantsTransport ? { theirs: [TRANSPORT_MODE] } : "equal" };
  try {
    const choice = chooseEsp(asked.sa, policy.esp.proposals, { keyExchange: false });
    if (choice.kind === "mismatch") {
      const said: SaidAll = { protocol: "equal", ...mode };
      const evidence = phase2Evidence(policy, said, compareEsp(asked.sa, policy.esp.proposals, false));
      throw noProposalChosen(choice, { evidence });
    }
    const { selectors, more } = narrowAsResponder(policy, asked.tsi, asked.tsr, {
      live: carriedBy(sa.tunnel, ctx),
      grounds: (theirs) => ({
        evidence: phase2Evidence(policy, {
          ...agreedEsp(choice.suite, { pfs: false }),
          ...mode,
          selectors: { theirs: [theirs] },
        }),
      }),
    });
    const spiIn = ctx.ids.espSpi();
    const { suite, peerSpi } = choice;
    const { ni, nr } = sa.negotiated;
    const facts = { suite, spiIn, spiOut: espSpiFrom(peerSpi), ni, nr, selectors, refusesTfc };
    const child = makeChild(sa, { ...facts, asked: false }, ctx);
    const next = withRehearsal(withChild(sa, child), child, ctx);
    return {
      sa: next,
      payloads: [
        payload("SA", choice.answer(espSpiOctets(spiIn))),
        payload("TSi", tsPayload(selectors.remote)),
        payload("TSr", tsPayload(selectors.local)),
        ...(more ? [payload("N", notification("ADDITIONAL_TS_POSSIBLE"))] : []),
      ],
      before: [
        { kind: "reserveSpi", spi: spiIn },
        { kind: "installChild", child: child.pair },
      ],
      after: [{ kind: "useChild", id: child.id }, childEstablished(next, child, "IKE_AUTH", ctx, mode)],
    };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const reaction = reactTo(error, { exchange: "IKE_AUTH", response: false, authenticated: true });
    if (reaction.do !== "notify") throw error;
    return {
      sa,
      payloads: [payload("N", notification(reaction.notify, reaction.data))],
      before: [],
      after: [report(sa, failureOf(error, { exchange: "IKE_AUTH", message: "request" }))],
    };
  }
}

/** The mappings that some live child of the tunnel carries. */
export function carriedBy(tunnel: string, ctx: SaContext): ReadonlySet<number> {
  const live = new Set<number>();
  ctx.sight.tunnel(tunnel).mappings.forEach((_, i) => {
    if (ctx.sight.carried(tunnel, i)) live.add(i);
  });
  return live;
}

export const AUTH_REQUEST_ROWS = [
  row({
    phase: "keyed",
    exchange: "IKE_AUTH",
    response: false,
    story: "the peer says who it is; its proof is checked with the tunnel's key",
    needs: ["IDi", "AUTH", "SA", "TSi", "TSr"],
    may: ["IDr", "N"],
    run: onRequest,
  }),
  row({
    phase: "keyed",
    exchange: "IKE_AUTH",
    response: false,
    story: "the peer says who it is, and wants no child yet; its proof is checked with the tunnel's key",
    needs: ["IDi", "AUTH"],
    may: ["IDr", "N"],
    run: onChildlessRequest,
  }),
  row({
    phase: "keyed",
    exchange: "IKE_AUTH",
    response: false,
    story: "the peer wants EAP",
    needs: ["IDi", "SA"],
    may: [],
    run: onEapRequest,
  }),
];
