/**
 * Aggressive mode as its initiator, RFC 2409 section 5.4:
 *
 *     HDR, SA, KE, Ni, IDii      -->
 *                                <--  HDR, SA, KE, Nr, IDir, HASH_R, NAT-D
 *     HDR*, HASH_I, NAT-D        -->
 *
 * Both identities pass in the clear, and HASH_R with them (`AGGRESSIVE_WARNING`).
 */
import { createPrf } from "../../crypto/backends.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import { refusalOf, spiHex } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { formatIdPayload, identityOf, ourIdentity, sameIdentity, theirIdentity } from "../core/identity.js";
import type { TunnelPolicy } from "../core/policy.js";
import { answererStory } from "../core/quirks.js";
import { GIVE_UP_AFTER, outstanding } from "../core/retransmit.js";
import type { Answer } from "../core/types.js";
import { encodeBodyV1, encodeMessageV1, type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { type SaContext, type Step, stepTo } from "./context.js";
import { encryptMessage } from "./encrypted.js";
import { hashI, hashR, isHash } from "./hashes.js";
import { preSharedSkeyid } from "./keys.js";
import { chosenBy, identityPayload, told } from "./main-mode.js";
import { initialContact } from "./notifications.js";
import {
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
  refused,
  replyTo,
  send,
  through,
  whoCame,
} from "./phase1.js";
import { offerPhase1 } from "./proposals.js";
import { type Received, row } from "./row.js";
import type { AggressiveDeriving, AggressiveKeying, AggressiveSent } from "./state.js";
import { phase1Lifetimes } from "./terms.js";

/** The public value goes with the first message: its group is the first one of the configuration. */
export function startAggressive(tunnel: TunnelPolicy, path: Path, ctx: SaContext): Step<AggressiveKeying> {
  const spi = ctx.ids.ikeSpi();
  const group = groupOf(tunnel);
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const sa: AggressiveKeying = {
    version: 1,
    phase: "aggressiveKeying",
    key: spiHex(spi),
    role: "initiator",
    initiatorSpi: spi,
    responderSpi: 0n,
    path,
    createdAt: ctx.now,
    tunnel: tunnel.name,
    exchange: "aggressive",
    giveUpAt: ctx.now + GIVE_UP_AFTER,
    saBody: encodeBodyV1(offerOf(tunnel)),
    privateOctets,
    ask,
  };
  return stepTo(sa, { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } });
}

/** The one group of the whole offer: that of the KE payload beside it. */
function groupOf({ ike }: TunnelPolicy): KeyExchangeRow {
  return ike.proposals[0]!.keyExchange[0]!;
}

function offerOf(policy: TunnelPolicy): PayloadV1 {
  return payloadV1("SA", offerPhase1(policy.ike.proposals, phase1Lifetimes(policy), groupOf(policy)));
}

/** HDR, SA, KE, Ni, IDii, VID --> */
export function onAggressiveKeyingAnswer(sa: AggressiveKeying, answer: Answer, ctx: SaContext): Step {
  if (answer.kind !== "publicValue") return failed(sa, { code: "INTERNAL", detail: refusalOf(answer) });
  const policy = ctx.sight.tunnel(sa.tunnel);
  const ni = ctx.random(NONCE_BYTES);
  const localId = ourIdentity(policy, sa.path);
  const bytes = encodeMessageV1(headerOf(sa, "AGGRESSIVE_MODE"), [
    offerOf(policy),
    payloadV1("KE", { data: answer.publicValue }),
    payloadV1("NONCE", { nonce: ni }),
    identityPayload(localId),
    ...offeredVendorIds(policy),
  ]);
  const { ask: _, ...begun } = sa;
  const next: AggressiveSent = {
    ...begun,
    phase: "aggressiveSent",
    publicValue: answer.publicValue,
    ni,
    localId,
    request: outstanding({ bytes }, ctx.now),
  };
  return stepTo(next, ...send(sa.path, bytes));
}

/** <-- HDR, SA, KE, Nr, IDir, HASH_R, NAT-D, VID */
function onAnswer(
  sa: AggressiveSent,
  message: Received<"SA" | "KE" | "NONCE" | "ID" | "HASH", "NAT-D" | "NAT-D draft" | "VID">,
  ctx: SaContext,
): Step {
  const { header, SA, KE, NONCE, HASH, ids, payloads, path, bytes } = message;
  const { tunnel, ni, publicValue, privateOctets } = sa;
  if (header.responderCookie === 0n) throw new ProtocolError("INVALID_SYNTAX", "the responder's cookie is 0");
  const policy = ctx.sight.tunnel(tunnel);
  const { story, ...chosen } = chosenBy(sa, SA, message.vendorIds, ctx, groupOf(policy));
  const group = chosen.suite.keyExchange;
  checkPublicValue(KE.data, group);
  const id = onlyId(ids);
  const expected = theirIdentity(policy, sa.path);
  const peerId = identityOf(id.body);
  if (peerId === undefined || !sameIdentity(peerId, expected))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      whoCame(tunnel, expected, formatIdPayload(id.body)),
      undefined,
      proofGrounds(policy, sa.path, chosen, {
        "local-id": "equal",
        "peer-id": { theirs: [formatIdPayload(id.body)] },
      }),
    );
  const answered = { ...sa, responderSpi: header.responderCookie };
  const nat = natVerdict(answered, path, chosen, payloads);
  const ask = ctx.ids.ask();
  const { request: _, ni: __, publicValue: ___, privateOctets: ____, ...begun } = answered;
  const next: AggressiveDeriving = {
    ...begun,
    phase: "aggressiveDeriving",
    path: floated(sa.path, nat, policy.encapsulation, ctx),
    before: sa,
    chosen,
    exchanged: { ni, nr: NONCE.nonce, publicI: publicValue, publicR: KE.data, nat },
    message: bytes,
    peerId,
    idBody: id.octets,
    hash: HASH.hash,
    ask,
  };
  return stepTo(next, ...told(next, answererStory(message.vendorIds)), ...told(next, story), {
    kind: "ask",
    ask,
    question: { kind: "sharedSecret", group: group.ids.ikev2!, privateOctets, peerPublic: KE.data },
  });
}

/** First the shared secret, then the pre-shared key; then HASH_R is looked at, and HDR*, HASH_I, NAT-D --> */
export function onAggressiveDerivingAnswer(sa: AggressiveDeriving, answer: Answer, ctx: SaContext): Step {
  const { before, chosen, exchanged, tunnel, path } = sa;
  const back = (code: string, detail: string) =>
    stepTo(before, { kind: "report", report: { kind: "ignored", tunnel, code, detail } } as const);
  if (sa.sharedSecret === undefined) {
    if (answer.kind !== "sharedSecret") return back("bad public value", refusalOf(answer));
    const ask = ctx.ids.ask();
    return stepTo({ ...sa, sharedSecret: answer.secret, ask }, { kind: "ask", ask, question: { kind: "psk", tunnel } });
  }
  if (answer.kind !== "psk") return failed(sa, { code: "PSK", detail: refusalOf(answer) });
  const prf = createPrf(chosen.suite.prf);
  const skeyid = preSharedSkeyid(prf, answer.psk, exchanged);
  const inputs = hashInputs(sa, exchanged);
  if (!isHash(hashR(prf, skeyid, inputs, sa.idBody), sa.hash)) {
    const detail = `the pre-shared keys differ: the HASH_R of ${tunnel} is wrong`;
    const said: SaidAll = { "local-id": "equal", "peer-id": "equal", psk: "different" };
    const grounds = proofGrounds(ctx.sight.tunnel(tunnel), path, chosen, said);
    return refused(before, { code: "AUTHENTICATION_FAILED", detail, message: "response", ...grounds }, ctx);
  }
  const { localId } = before;
  const ready = keyed(sa, chosen, exchanged, skeyid, sa.sharedSecret);
  const policy = ctx.sight.tunnel(tunnel);
  const hash = hashI(prf, skeyid, inputs, encodeBodyV1(identityPayload(localId)));
  const { bytes, iv } = encryptMessage(
    headerOf(sa, "AGGRESSIVE_MODE"),
    [
      payloadV1("HASH", { hash }),
      ...natPayloads(sa, path, chosen, policy.encapsulation),
      ...initialContact(sa, tunnel, sa.peerId, ctx),
    ],
    ready.cipher,
    ready.iv,
  );
  return through(
    sa,
    {
      tunnel,
      localId,
      peerId: sa.peerId,
      path,
      chosen,
      nat: exchanged.nat,
      keyed: { ...ready, iv },
      reply: replyTo(sa.message, bytes),
      initialContact: false,
    },
    send(path, bytes, chosen.features),
    ctx,
  );
}

export const AGGRESSIVE_INITIATOR_ROWS = [
  row({
    phase: "aggressiveSent",
    exchange: "AGGRESSIVE_MODE",
    story: "the peer chose a proposal, says who it is and proves it; the keys are being made",
    needs: ["SA", "KE", "NONCE", "ID", "HASH"],
    may: ["NAT-D", "NAT-D draft", "VID"],
    run: onAnswer,
  }),
];
