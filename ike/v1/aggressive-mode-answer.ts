/**
 * Aggressive mode as its responder, RFC 2409 section 5.4. Who is called stands in the first message, and picks the tunnel and its key. HASH_R
 * needs no shared secret: that costly computation waits for message 3, which a forged source never sends.
 */

import { createPrf } from "../../crypto/backends.js";
import { Secret } from "../../crypto/secret.js";
import { formatAddress } from "../../esp/address.js";
import { refusalOf, spiHex } from "../core/context.js";
import { ProtocolError } from "../core/errors.js";
import {
  formatIdentity,
  formatIdPayload,
  identityOf,
  ourIdentity,
  sameIdentity,
  theirIdentity,
} from "../core/identity.js";
import { phase1Evidence } from "../core/our-values.js";
import { vendorStory } from "../core/quirks.js";
import { HALF_OPEN_LIFE } from "../core/timers.js";
import type { Answer } from "../core/types.js";

import { encodeBodyV1, encodeMessageV1, payloadV1 } from "../wire/message-v1.js";
import { report, type SaContext, type Step, stepTo } from "./context.js";
import { hashI, hashR, isHash } from "./hashes.js";
import { preSharedSkeyid } from "./keys.js";
import { identityPayload, told } from "./main-mode.js";
import { blamed, candidatesOf, choose } from "./main-mode-answer.js";
import {
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
  proofGrounds,
  replyTo,
  send,
  through,
  Uninvited,
} from "./phase1.js";
import { type Received, row } from "./row.js";
import type {
  AggressiveAnswerDeriving,
  AggressiveAnswered,
  AggressiveAnswerKeying,
  AggressiveKeyed,
  Parked,
} from "./state.js";

/** --> HDR, SA, KE, Ni, IDii, VID */
function onOffer(
  _: undefined,
  message: Received<"SA" | "KE" | "NONCE" | "ID", "VID">,
  ctx: SaContext,
): Step<AggressiveAnswerKeying> {
  const { header, path, bytes, SA, saBody, KE, NONCE, ids, vendorIds: theirs } = message;
  const id = onlyId(ids);
  const peerId = identityOf(id.body);
  const candidates = candidatesOf(path, "aggressive", ctx);
  const meant = candidates.filter((t) => peerId !== undefined && sameIdentity(theirIdentity(t, path), peerId));
  if (peerId === undefined || meant.length === 0) {
    const expected = candidates.map((t) => `${t.name} expects ${formatIdentity(theirIdentity(t, path))}`);
    throw new Uninvited(
      "AUTHENTICATION_FAILED",
      `no tunnel for a peer at ${formatAddress(path.remote.address)} that says it is ${formatIdPayload(id.body)}: ${expected.join(", ")}`,
      undefined,
      {
        candidates: blamed(candidates, (t) =>
          phase1Evidence(t, path, {
            version: "equal",
            mode: "equal",
            "peer-id": { theirs: [formatIdPayload(id.body)] },
          }),
        ),
      },
    );
  }
  const { tunnel, chosen, answer, story } = choose(SA, meant, theirs, path);
  const group = chosen.suite.keyExchange;
  checkPublicValue(KE.data, group);
  const spi = ctx.ids.ikeSpi();
  const privateOctets = new Secret(ctx.random(group.privateBytes));
  const ask = ctx.ids.ask();
  const sa: AggressiveAnswerKeying = {
    version: 1,
    phase: "aggressiveAnswerKeying",
    key: spiHex(spi),
    role: "responder",
    initiatorSpi: header.initiatorCookie,
    responderSpi: spi,
    path,
    createdAt: ctx.now,
    exchange: "aggressive",
    expiresAt: ctx.now + HALF_OPEN_LIFE,
    reply: replyTo(bytes, NOTHING),
    saBody,
    chosen,
    tunnel: tunnel.name,
    localId: ourIdentity(tunnel, path),
    peerId,
    idBody: id.octets,
    privateOctets,
    ni: NONCE.nonce,
    publicI: KE.data,
    answer,
    ask,
  };
  return stepTo(
    sa,
    report(sa, {
      kind: "story",
      story: `a peer asks for an IKE SA in aggressive mode${vendorStory(theirs)}`,
    }),
    ...told(sa, story),
    { kind: "ask", ask, question: { kind: "publicValue", group: group.ids.ikev2!, privateOctets } },
  );
}

const NOTHING = new Uint8Array(0);

/** First our public value, then the pre-shared key; then <-- HDR, SA, KE, Nr, IDir, HASH_R, NAT-D, VID */
export function onAggressiveAnswerKeyingAnswer(sa: AggressiveAnswerKeying, answer: Answer, ctx: SaContext): Step {
  const { tunnel } = sa;
  if (sa.publicValue === undefined) {
    if (answer.kind !== "publicValue") return dropped(sa, { code: "INTERNAL", detail: refusalOf(answer) });
    const ask = ctx.ids.ask();
    return stepTo(
      { ...sa, publicValue: answer.publicValue, ask },
      { kind: "ask", ask, question: { kind: "psk", tunnel } },
    );
  }
  if (answer.kind !== "psk") return dropped(sa, { code: "PSK", detail: refusalOf(answer) });
  const { ni, publicI, publicValue, answer: choice, ask: _, ...called } = sa;
  const { chosen, path, localId } = sa;
  const nr = ctx.random(NONCE_BYTES);
  const prf = createPrf(chosen.suite.prf);
  const skeyid = preSharedSkeyid(prf, answer.psk, { ni, nr });
  const exchanged = { ni, nr, publicI, publicR: publicValue };
  const id = identityPayload(localId);
  const bytes = encodeMessageV1(headerOf(sa, "AGGRESSIVE_MODE"), [
    payloadV1("SA", choice),
    payloadV1("KE", { data: publicValue }),
    payloadV1("NONCE", { nonce: nr }),
    id,
    payloadV1("HASH", { hash: hashR(prf, skeyid, hashInputs(sa, exchanged), encodeBodyV1(id)) }),
    ...natPayloads(sa, path, chosen, ctx.sight.tunnel(tunnel).encapsulation),
    ...answeredVendorIds(chosen.features),
  ]);
  const next: AggressiveAnswered = {
    ...called,
    phase: "aggressiveAnswered",
    reply: { ...sa.reply, bytes },
    exchanged,
    skeyid,
  };
  return stepTo(next, ...send(path, bytes, chosen.features));
}

/** Message 3 came, for which the keys are missing: it waits until they are made. */
export function parkProof(sa: AggressiveAnswered, parked: Parked, ctx: SaContext): Step<AggressiveAnswerDeriving> {
  const { privateOctets, ...called } = sa;
  const ask = ctx.ids.ask();
  const group = sa.chosen.suite.keyExchange.ids.ikev2!;
  return stepTo(
    { ...called, phase: "aggressiveAnswerDeriving", parked, ask },
    {
      kind: "ask",
      ask,
      question: { kind: "sharedSecret", group, privateOctets, peerPublic: sa.exchanged.publicI },
    },
  );
}

/** The keys are here; the caller looks at the message that waits. */
export function onAggressiveAnswerDerivingAnswer(
  sa: AggressiveAnswerDeriving,
  answer: Answer,
): Step<AggressiveKeyed | undefined> {
  if (answer.kind !== "sharedSecret") return dropped(sa, { code: "INVALID_KE_PAYLOAD", detail: refusalOf(answer) });
  const { parked: _, early: __, ask: ___, skeyid, ...called } = sa;
  return stepTo({
    ...called,
    ...keyed(sa, sa.chosen, sa.exchanged, skeyid, answer.secret),
    phase: "aggressiveKeyed",
  });
}

/** --> HDR*, HASH_I, NAT-D */
function onProof(sa: AggressiveKeyed, message: Received<"HASH", "NAT-D" | "NAT-D draft" | "N">, ctx: SaContext): Step {
  const { HASH, payloads, path, iv } = message;
  const { chosen, exchanged, keys, cipher, tunnel, localId, peerId } = sa;
  const right = hashI(createPrf(chosen.suite.prf), keys.skeyid, hashInputs(sa, exchanged), sa.idBody);
  if (!isHash(right, HASH.hash))
    throw new ProtocolError(
      "AUTHENTICATION_FAILED",
      `the pre-shared keys differ: ${formatIdentity(peerId)} made its HASH_I with another one`,
      undefined,
      proofGrounds(ctx.sight.tunnel(tunnel), path, chosen, { "peer-id": "equal", psk: "different" }),
    );
  return through(
    sa,
    {
      tunnel,
      localId,
      peerId,
      path,
      chosen,
      nat: natVerdict(sa, path, chosen, payloads),
      keyed: { keys, cipher, iv },
      initialContact: message.notifies.some((n) => n.notify === "INITIAL-CONTACT"),
    },
    [],
    ctx,
  );
}

export const AGGRESSIVE_RESPONDER_ROWS = [
  row({
    phase: "none",
    exchange: "AGGRESSIVE_MODE",
    story: "a peer asks for an IKE SA in aggressive mode and says who it is; our public value is being made",
    routine: true,
    needs: ["SA", "KE", "NONCE", "ID"],
    may: ["VID"],
    run: onOffer,
  }),
  row({
    phase: "aggressiveKeyed",
    exchange: "AGGRESSIVE_MODE",
    story: "the peer has proved who it is",
    needs: ["HASH"],
    may: ["NAT-D", "NAT-D draft", "N"],
    run: onProof,
  }),
];
