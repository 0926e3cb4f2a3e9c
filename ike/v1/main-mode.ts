/**
 * Main mode as its initiator, RFC 2409 section 5.4:
 *
 *     HDR, SA            -->
 *                        <--  HDR, SA
 *     HDR, KE, Ni, NAT-D -->
 *                        <--  HDR, KE, Nr, NAT-D
 *     HDR*, IDii, HASH_I -->
 *                        <--  HDR*, IDir, HASH_R
 *
 * The first four messages prove nothing (`decisions.md` 5): what goes wrong is told, and a better answer is waited for until the timeout.
 */
import { createPrf } from "../../crypto/backends.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import { refusalOf, spiHex } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import { formatIdPayload, identityOf, idPayload, ourIdentity, sameIdentity, theirIdentity } from "../core/identity.js";
import type { TunnelPolicy } from "../core/policy.js";
import { answererStory } from "../core/quirks.js";
import { GIVE_UP_AFTER, outstanding } from "../core/retransmit.js";
import type { Answer } from "../core/types.js";
import { encodeBodyV1, encodeMessageV1, type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { encryptMessage } from "./encrypted.js";
import { hashI, hashR, isHash } from "./hashes.js";
import { preSharedSkeyid } from "./keys.js";
import { initialContact } from "./notifications.js";
import {
  agreedFeatures,
  checkPublicValue,
  failed,
  floated,
  hashInputs,
  headerOf,
  keyed,
  NONCE_BYTES,
  natPayloads,
  natVerdict,
  offeredVendorIds,
  onlyId,
  proofGrounds,
  send,
  through,
  whoCame,
} from "./phase1.js";
import { chosenPhase1, offerPhase1 } from "./proposals.js";
import { type Received, row } from "./row.js";
import type { Chosen, MainDeriving, MainIdSent, MainKeying, MainKeySent, MainSent } from "./state.js";
import { lifetimeStory, limitsOf, phase1Lifetimes } from "./terms.js";

/** HDR, SA, VID --> */
export function startMain(tunnel: TunnelPolicy, path: Path, ctx: SaContext): Step<MainSent> {
  const spi = ctx.ids.ikeSpi();
  const base = { initiatorSpi: spi, responderSpi: 0n };
  const offer = payloadV1("SA", offerPhase1(tunnel.ike.proposals, phase1Lifetimes(tunnel)));
  const bytes = encodeMessageV1(headerOf(base, "MAIN_MODE"), [offer, ...offeredVendorIds(tunnel)]);
  const sa: MainSent = {
    version: 1,
    phase: "mainSent",
    key: spiHex(spi),
    role: "initiator",
    ...base,
    path,
    createdAt: ctx.now,
    tunnel: tunnel.name,
    exchange: "main",
    giveUpAt: ctx.now + GIVE_UP_AFTER,
    saBody: encodeBodyV1(offer),
    request: outstanding({ bytes }, ctx.now),
  };
  return stepTo(sa, ...send(path, bytes));
}

/** The peer's choice, with both sides' lifetimes. */
export function chosenBy(
  { tunnel }: { readonly tunnel: string },
  SA: Parameters<typeof chosenPhase1>[0],
  vendorIds: readonly { readonly data: Uint8Array }[],
  ctx: SaContext,
  group?: KeyExchangeRow,
): Chosen & { readonly story?: string } {
  const policy = ctx.sight.tunnel(tunnel);
  const ours = phase1Lifetimes(policy);
  const { suite, lifetimes } = chosenPhase1(SA, policy.ike.proposals, group);
  const story = lifetimeStory(lifetimes, ours);
  return {
    suite,
    limits: limitsOf(lifetimes, ours),
    lifetimes,
    features: agreedFeatures(policy, vendorIds),
    ...(story !== undefined && { story }),
  };
}

/** <-- HDR, SA, VID */
function onChoice(sa: MainSent, message: Received<"SA", "VID">, ctx: SaContext): Step {
  const { header, SA, vendorIds } = message;
  if (header.responderCookie === 0n) throw new ProtocolError("INVALID_SYNTAX", "the responder's cookie is 0");
  const { story, ...chosen } = chosenBy(sa, SA, vendorIds, ctx);
  const group = chosen.suite.keyExchange;
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const { request: _, ...begun } = sa;
  const next: MainKeying = {
    ...begun,
    phase: "mainKeying",
    responderSpi: header.responderCookie,
    chosen,
    privateOctets,
    ask,
  };
  return stepTo(next, ...told(next, answererStory(vendorIds)), ...told(next, story), {
    kind: "ask",
    ask,
    question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets },
  });
}

export function told(sa: Parameters<typeof report>[0], story: string | undefined): readonly SaEffect[] {
  return story === undefined ? [] : [report(sa, { kind: "story", story })];
}

/** HDR, KE, Ni, NAT-D, NAT-D --> */
export function onMainKeyingAnswer(sa: MainKeying, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "publicValue") return failed(sa, { code: "INTERNAL", detail: refusalOf(answer) });
  const ni = ctx.random(NONCE_BYTES);
  const { encapsulation } = ctx.sight.tunnel(sa.tunnel);
  const bytes = encodeMessageV1(headerOf(sa, "MAIN_MODE"), [
    payloadV1("KE", { data: answer.publicValue }),
    payloadV1("NONCE", { nonce: ni }),
    ...natPayloads(sa, sa.path, sa.chosen, encapsulation),
  ]);
  const { ask: _, ...begun } = sa;
  const next: MainKeySent = {
    ...begun,
    phase: "mainKeySent",
    publicValue: answer.publicValue,
    ni,
    request: outstanding({ bytes }, ctx.now),
  };
  return stepTo(next, ...send(sa.path, bytes, sa.chosen.features));
}

/** <-- HDR, KE, Nr, NAT-D, NAT-D */
function onKeyExchange(
  sa: MainKeySent,
  message: Received<"KE" | "NONCE", "NAT-D" | "NAT-D draft" | "VID">,
  ctx: SaContext,
): Step {
  const { KE, NONCE, payloads, path } = message;
  const { chosen, ni, publicValue, privateOctets } = sa;
  const group = chosen.suite.keyExchange;
  checkPublicValue(KE.data, group);
  const nat = natVerdict(sa, path, chosen, payloads);
  const ask = ctx.ids.ask();
  const { request: _, ni: __, publicValue: ___, privateOctets: ____, ...begun } = sa;
  const next: MainDeriving = {
    ...begun,
    phase: "mainDeriving",
    path: floated(sa.path, nat, ctx.sight.tunnel(sa.tunnel).encapsulation, ctx),
    before: sa,
    exchanged: { ni, nr: NONCE.nonce, publicI: publicValue, publicR: KE.data, nat },
    ask,
  };
  const question = {
    kind: "sharedSecret",
    group: group.ids.ikev2!,
    privateOctets,
    peerPublic: KE.data,
  } as const;
  return stepTo(next, { kind: "ask", ask, question });
}

/** First the shared secret, then the pre-shared key; then HDR*, IDii, HASH_I --> */
export function onMainDerivingAnswer(sa: MainDeriving, answer: Answer, ctx: SaContext): Step {
  if (sa.sharedSecret === undefined) {
    if (answer.kind !== "sharedSecret")
      return stepTo(sa.before, report(sa, { kind: "ignored", code: "bad public value", detail: refusalOf(answer) }));
    const ask = ctx.ids.ask();
    const question = { kind: "psk", tunnel: sa.tunnel } as const;
    return stepTo({ ...sa, sharedSecret: answer.secret, ask }, { kind: "ask", ask, question });
  }
  if (answer.kind !== "psk") return failed(sa, { code: "PSK", detail: refusalOf(answer) });
  const { before: _, ask: __, sharedSecret, ...begun } = sa;
  const policy = ctx.sight.tunnel(sa.tunnel);
  const prf = createPrf(sa.chosen.suite.prf);
  const skeyid = preSharedSkeyid(prf, answer.psk, sa.exchanged);
  const ready = keyed(sa, sa.chosen, sa.exchanged, skeyid, sharedSecret);
  const localId = ourIdentity(policy, sa.path);
  const id = identityPayload(localId);
  const hash = hashI(prf, skeyid, hashInputs(sa, sa.exchanged), encodeBodyV1(id));
  const { bytes, iv } = encryptMessage(
    headerOf(sa, "MAIN_MODE"),
    [id, payloadV1("HASH", { hash }), ...initialContact(sa, sa.tunnel, theirIdentity(policy, sa.path), ctx)],
    ready.cipher,
    ready.iv,
  );
  const next: MainIdSent = {
    ...begun,
    ...ready,
    phase: "mainIdSent",
    iv,
    localId,
    request: outstanding({ bytes }, ctx.now),
  };
  return stepTo(next, ...send(sa.path, bytes, sa.chosen.features));
}

/** RFC 2407 section 4.6.2: of phase 1 the ID payload has neither protocol nor port. */
export function identityPayload(identity: Parameters<typeof idPayload>[0]): PayloadV1 {
  return payloadV1("ID", { ...idPayload(identity), protocol: 0, port: 0 });
}

/** <-- HDR*, IDir, HASH_R */
function onIdentity(sa: MainIdSent, message: Received<"ID" | "HASH", "N">, ctx: SaContext): Step {
  const { ids, HASH, iv } = message;
  const { chosen, exchanged, tunnel } = sa;
  const policy = ctx.sight.tunnel(tunnel);
  const id = onlyId(ids);
  const right = hashR(createPrf(chosen.suite.prf), sa.keys.skeyid, hashInputs(sa, exchanged), id.octets);
  if (!isHash(right, HASH.hash))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the pre-shared keys differ: the HASH_R of ${tunnel} is wrong`,
      undefined,
      proofGrounds(policy, sa.path, chosen, { psk: "different" }),
    );
  const expected = theirIdentity(policy, sa.path);
  const peerId = identityOf(id.body);
  if (peerId === undefined || !sameIdentity(peerId, expected))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      whoCame(tunnel, expected, formatIdPayload(id.body)),
      undefined,
      proofGrounds(policy, sa.path, chosen, {
        "local-id": "equal",
        psk: "equal",
        "peer-id": { theirs: [formatIdPayload(id.body)] },
      }),
    );
  const { keys, cipher } = sa;
  return through(
    sa,
    {
      tunnel,
      localId: sa.localId,
      peerId,
      path: sa.path,
      chosen,
      nat: exchanged.nat,
      keyed: { keys, cipher, iv },
      initialContact: message.notifies.some((n) => n.notify === "INITIAL-CONTACT"),
    },
    [],
    ctx,
  );
}

export const MAIN_INITIATOR_ROWS = [
  row({
    phase: "mainSent",
    exchange: "MAIN_MODE",
    story: "the peer chose a proposal; the public value is being made",
    needs: ["SA"],
    may: ["VID"],
    run: onChoice,
  }),
  row({
    phase: "mainKeySent",
    exchange: "MAIN_MODE",
    story: "the peer sent its public value and its nonce; the keys are being made",
    needs: ["KE", "NONCE"],
    may: ["NAT-D", "NAT-D draft", "VID"],
    run: onKeyExchange,
  }),
  row({
    phase: "mainIdSent",
    exchange: "MAIN_MODE",
    story: "the peer says who it is, and has proved it",
    needs: ["ID", "HASH"],
    may: ["N"],
    run: onIdentity,
  }),
];
