/**
 * Main mode as its responder, RFC 2409 section 5.4. Message 1 costs us a few hundred octets and no key exchange; message 3 comes from
 * where it says, since it holds our cookie. Stateless it cannot be: HASH_I covers the offer, which comes once. Identities are encrypted under a
 * key that is made from the pre-shared key, so all tunnels that the address fits have one (`decisions.md` 6).
 */

import { createPrf } from "../../crypto/backends.js";
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import { Secret } from "../../crypto/secret.js";
import { formatAddress, type Path } from "../../esp/address.js";
import { refusalOf, spiHex } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { type Blamed, type Evidence, MOST_BLAMED, type SaidAll } from "../core/evidence.js";
import {
  formatIdentity,
  formatIdPayload,
  type Identity,
  identityOf,
  ourIdentity,
  sameIdentity,
  theirIdentity,
} from "../core/identity.js";
import { allowsIke, distinctProposals } from "../core/negotiate.js";
import { agreedIke, notAllowed, phase1Evidence, versionWords } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { vendorStory } from "../core/quirks.js";
import { HALF_OPEN_LIFE } from "../core/timers.js";
import type { Answer } from "../core/types.js";

import { encodeBodyV1, encodeMessageV1, payloadV1 } from "../wire/message-v1.js";
import type { IdPayloadV1 } from "../wire/payloads/v1/id.js";
import type { SaPayloadV1 } from "../wire/payloads/v1/sa.js";
import { report, type SaContext, type Step, stepTo } from "./context.js";
import { encryptMessage } from "./encrypted.js";
import { hashI, hashR, isHash } from "./hashes.js";
import { preSharedSkeyid } from "./keys.js";
import { identityPayload, told } from "./main-mode.js";
import {
  agreedFeatures,
  answeredVendorIds,
  checkPublicValue,
  dropped,
  hashInputs,
  headerOf,
  keyed,
  NONCE_BYTES,
  natPayloads,
  natVerdict,
  onlyId,
  replyTo,
  send,
  through,
  Uninvited,
} from "./phase1.js";
import { choosePhase1, comparePhase1, noProposalChosenV1 } from "./proposals.js";
import { type Received, row } from "./row.js";
import type { Chosen, MainAnswerDeriving, MainAnswered, MainAnswerKeying, MainKeyed } from "./state.js";
import { lifetimeStory, limitsOf, phase1Lifetimes } from "./terms.js";

/** The tunnels that somebody at this address may mean by this exchange. */
export function candidatesOf(
  path: Parameters<SaContext["sight"]["candidates"]>[0],
  exchange: "main" | "aggressive",
  ctx: SaContext,
): readonly TunnelPolicy[] {
  const all = ctx.sight.candidates(path, 1);
  const candidates = all.filter(({ ike }) => (ike.exchange ?? "main") === exchange);
  if (candidates.length > 0) return candidates;
  const others = all.length > 0 ? all : ctx.sight.candidates(path, 2);
  const said: SaidAll = all.length > 0 ? { version: "equal", mode: { theirs: [exchange] } } : { version: V1_OFFERED };
  const names = others.length === 0 ? "" : `: ${listOf(others)} is for ${all.length > 0 ? "the other mode" : "IKEv2"}`;
  throw new Uninvited(
    "NO_PROPOSAL_CHOSEN",
    `no tunnel is configured for IKEv1 in ${exchange} mode with a peer at ${formatAddress(path.remote.address)}${names}`,
    undefined,
    { candidates: blamed(others, (tunnel) => phase1Evidence(tunnel, path, said)) },
  );
}

const V1_OFFERED = { theirs: [versionWords(1)] };

function listOf(tunnels: readonly TunnelPolicy[]): string {
  return tunnels
    .slice(0, MOST_BLAMED)
    .map(({ name }) => name)
    .join(", ");
}

/** The tunnels that a stranger may have meant, with what is known of each. */
export function blamed(
  tunnels: readonly TunnelPolicy[],
  evidenceOf: (tunnel: TunnelPolicy) => Evidence,
): readonly Blamed[] {
  return tunnels.slice(0, MOST_BLAMED).map((tunnel) => ({ tunnel: tunnel.name, evidence: evidenceOf(tunnel) }));
}

/** The first of the peer's proposals that one of these tunnels allows, with our lifetimes beside the peer's. */
export function choose(
  SA: SaPayloadV1,
  candidates: readonly TunnelPolicy[],
  vendorIds: readonly { readonly data: Uint8Array }[],
  path: Path,
): { readonly tunnel: TunnelPolicy; readonly chosen: Chosen; readonly answer: SaPayloadV1; readonly story?: string } {
  const choice = choosePhase1(SA, distinctProposals(candidates.flatMap(({ ike }) => ike.proposals)));
  if (choice.kind === "mismatch")
    throw noProposalChosenV1(choice, {
      candidates: blamed(candidates, (tunnel) =>
        phase1Evidence(tunnel, path, AGREED_MODE, comparePhase1(SA, tunnel.ike.proposals)),
      ),
    });
  const { suite, lifetimes } = choice;
  const tunnel = candidates.find(({ ike }) => allowsIke(ike.proposals, suite)) ?? candidates[0]!;
  const ours = phase1Lifetimes(tunnel);
  const story = lifetimeStory(lifetimes, ours);
  return {
    tunnel,
    chosen: {
      suite,
      limits: limitsOf(lifetimes, ours),
      lifetimes,
      features: agreedFeatures(tunnel, vendorIds),
    },
    answer: choice.answer(NO_SPI),
    ...(story !== undefined && { story }),
  };
}

const NO_SPI = new Uint8Array(0);
const AGREED_MODE: SaidAll = { version: "equal", mode: "equal" };

/** --> HDR, SA, VID; <-- HDR, SA, VID */
function onOffer(_: undefined, message: Received<"SA", "VID">, ctx: SaContext): Step<MainAnswered> {
  const { header, path, bytes, SA, saBody, vendorIds: theirs } = message;
  const { chosen, answer, story } = choose(SA, candidatesOf(path, "main", ctx), theirs, path);
  const spi = ctx.ids.ikeSpi();
  const base = { initiatorSpi: header.initiatorCookie, responderSpi: spi };
  const reply = encodeMessageV1(headerOf(base, "MAIN_MODE"), [
    payloadV1("SA", answer),
    ...answeredVendorIds(chosen.features),
  ]);
  const sa: MainAnswered = {
    version: 1,
    phase: "mainAnswered",
    key: spiHex(spi),
    role: "responder",
    ...base,
    path,
    createdAt: ctx.now,
    exchange: "main",
    expiresAt: ctx.now + HALF_OPEN_LIFE,
    reply: replyTo(bytes, reply),
    saBody,
    chosen,
  };
  return stepTo(
    sa,
    report(sa, { kind: "story", story: `a peer asks for an IKE SA${vendorStory(theirs)}` }),
    ...told(sa, story),
    ...send(path, reply),
  );
}

/** --> HDR, KE, Ni, NAT-D, NAT-D */
function onKeyExchange(
  sa: MainAnswered,
  message: Received<"KE" | "NONCE", "NAT-D" | "NAT-D draft" | "VID">,
  ctx: SaContext,
): Step {
  const { KE, NONCE, payloads, path, bytes } = message;
  const group = sa.chosen.suite.keyExchange;
  checkPublicValue(KE.data, group);
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const next: MainAnswerKeying = {
    ...sa,
    phase: "mainAnswerKeying",
    path,
    privateOctets,
    ni: NONCE.nonce,
    publicI: KE.data,
    nat: natVerdict(sa, path, sa.chosen, payloads),
    message: bytes,
    ask,
  };
  const question = { kind: "publicValue", group: group.ids.ikev2!, privateOctets } as const;
  return stepTo(next, { kind: "ask", ask, question });
}

/** <-- HDR, KE, Nr, NAT-D, NAT-D; the shared secret is made while the peer makes it too. */
export function onMainAnswerKeyingAnswer(sa: MainAnswerKeying, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "publicValue") return dropped(sa, { code: "INTERNAL", detail: refusalOf(answer) });
  const { privateOctets, ni, publicI, nat, message, chosen, path, ...called } = sa;
  const candidates = ctx.sight.candidates(path, 1).filter(({ ike }) => (ike.exchange ?? "main") === "main");
  const [first] = candidates;
  if (first === undefined)
    return dropped(sa, { code: "NO_PROPOSAL_CHOSEN", detail: "the tunnel of this address has been taken down" });
  const nr = ctx.random(NONCE_BYTES);
  const fakesNat = candidates.some(({ encapsulation }) => encapsulation === "udp");
  const bytes = encodeMessageV1(headerOf(sa, "MAIN_MODE"), [
    payloadV1("KE", { data: answer.publicValue }),
    payloadV1("NONCE", { nonce: nr }),
    ...natPayloads(sa, path, chosen, fakesNat ? "udp" : "auto"),
  ]);
  const ask = ctx.ids.ask();
  const next: MainAnswerDeriving = {
    ...called,
    path,
    chosen,
    phase: "mainAnswerDeriving",
    reply: replyTo(message, bytes),
    exchanged: { ni, nr, publicI, publicR: answer.publicValue, nat },
    keyOf: first.name,
    ask,
  };
  const group = chosen.suite.keyExchange.ids.ikev2!;
  return stepTo(next, ...send(path, bytes, chosen.features), {
    kind: "ask",
    ask,
    question: { kind: "sharedSecret", group, privateOctets, peerPublic: publicI },
  });
}

/** First the shared secret, then the pre-shared key; the caller looks at a message that waits. */
export function onMainAnswerDerivingAnswer(
  sa: MainAnswerDeriving,
  answer: Answer,
  ctx: SaContext,
): Step<MainAnswerDeriving | MainKeyed | undefined> {
  if (sa.sharedSecret === undefined) {
    if (answer.kind !== "sharedSecret") return dropped(sa, { code: "INVALID_KE_PAYLOAD", detail: refusalOf(answer) });
    const ask = ctx.ids.ask();
    const question = { kind: "psk", tunnel: sa.keyOf } as const;
    return stepTo({ ...sa, sharedSecret: answer.secret, ask }, { kind: "ask", ask, question });
  }
  if (answer.kind !== "psk") return dropped(sa, { code: "PSK", detail: refusalOf(answer) });
  const { sharedSecret, parked: _, ask: __, ...called } = sa;
  const skeyid = preSharedSkeyid(createPrf(sa.chosen.suite.prf), answer.psk, sa.exchanged);
  return stepTo<MainKeyed>({
    ...called,
    ...keyed(sa, sa.chosen, sa.exchanged, skeyid, sharedSecret),
    phase: "mainKeyed",
  });
}

/** --> HDR*, IDii, HASH_I; <-- HDR*, IDir, HASH_R */
function onIdentity(sa: MainKeyed, message: Received<"ID" | "HASH", "N">, ctx: SaContext): Step {
  const { ids, HASH, path, bytes } = message;
  const { chosen, exchanged, keys, cipher } = sa;
  const prf = createPrf(chosen.suite.prf);
  const id = onlyId(ids);
  const inputs = hashInputs(sa, exchanged);
  if (!isHash(hashI(prf, keys.skeyid, inputs, id.octets), HASH.hash))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the pre-shared keys differ: ${formatIdPayload(id.body)} made its HASH_I with another one`,
      undefined,
      { candidates: blamed(candidatesOf(sa.path, "main", ctx), (t) => proofEvidence(t, sa, { psk: "different" })) },
    );
  const { tunnel, peerId } = tunnelOf(sa, id.body, message.path, ctx);
  const localId = ourIdentity(tunnel, path);
  const ours = identityPayload(localId);
  const hash = hashR(prf, keys.skeyid, inputs, encodeBodyV1(ours));
  const answer = encryptMessage(headerOf(sa, "MAIN_MODE"), [ours, payloadV1("HASH", { hash })], cipher, message.iv);
  return through(
    sa,
    {
      tunnel: tunnel.name,
      localId,
      peerId,
      path,
      chosen: { ...chosen, limits: limitsOf(chosen.lifetimes, phase1Lifetimes(tunnel)) },
      nat: exchanged.nat,
      keyed: { keys, cipher, iv: answer.iv },
      reply: replyTo(bytes, answer.bytes),
      initialContact: message.notifies.some((n) => n.notify === "INITIAL-CONTACT"),
    },
    send(path, answer.bytes, chosen.features),
    ctx,
  );
}

/** The tunnel of this identity whose proposals allow what was chosen before it was known, and that has the key that was used. */
function tunnelOf(
  { chosen, path: called }: MainKeyed,
  id: IdPayloadV1,
  path: MainKeyed["path"],
  ctx: SaContext,
): { readonly tunnel: TunnelPolicy; readonly peerId: Identity } {
  const peerId = identityOf(id);
  const candidates = candidatesOf(called, "main", ctx);
  const known = peerId === undefined ? [] : candidates.filter((t) => sameIdentity(theirIdentity(t, path), peerId));
  if (peerId === undefined || known.length === 0) {
    const expected = candidates.map((t) => `${t.name} expects ${formatIdentity(theirIdentity(t, path))}`);
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `no tunnel for a peer at ${formatAddress(path.remote.address)} that says it is ${formatIdPayload(id)}: ${expected.join(", ")}`,
      undefined,
      {
        candidates: blamed(candidates, (t) =>
          proofEvidence(t, { path, chosen }, { psk: "equal", "peer-id": { theirs: [formatIdPayload(id)] } }),
        ),
      },
    );
  }
  const tunnel = known.find(({ ike }) => allowsIke(ike.proposals, chosen.suite));
  if (tunnel === undefined)
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `${known[0]!.name} does not allow ${ikeSuiteName(chosen.suite)}, which another tunnel of this address does`,
      undefined,
      { candidates: blamed(known, (t) => proofEvidence(t, { path, chosen }, notAllowed(t, chosen.suite))) },
    );
  return { tunnel, peerId };
}

function proofEvidence(
  tunnel: TunnelPolicy,
  { path, chosen }: Pick<MainKeyed, "path" | "chosen">,
  said: SaidAll,
): Evidence {
  return phase1Evidence(tunnel, path, { ...agreedIke(tunnel, chosen.suite), ...said });
}

export const MAIN_RESPONDER_ROWS = [
  row({
    phase: "none",
    exchange: "MAIN_MODE",
    story: "a peer asks for an IKE SA in main mode; gets our choice of its proposals",
    routine: true,
    needs: ["SA"],
    may: ["VID"],
    run: onOffer,
  }),
  row({
    phase: "mainAnswered",
    exchange: "MAIN_MODE",
    story: "the peer sent its public value and its nonce; ours are being made",
    needs: ["KE", "NONCE"],
    may: ["NAT-D", "NAT-D draft", "VID"],
    run: onKeyExchange,
  }),
  row({
    phase: "mainKeyed",
    exchange: "MAIN_MODE",
    story: "the peer says who it is, and has proved it; so do we",
    needs: ["ID", "HASH"],
    may: ["N"],
    run: onIdentity,
  }),
];
