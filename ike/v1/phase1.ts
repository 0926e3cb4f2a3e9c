/** What main mode and aggressive mode have in common: RFC 2409 section 5, and NAT traversal beside it (RFC 3947 section 3). */
import { createHash, createPrf } from "../../crypto/backends.js";
import { sha256 } from "../../crypto/hash.js";
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { Failure } from "../core/causes.js";
import type { FailedBody } from "../core/context.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { formatIdentity, type Identity } from "../core/identity.js";
import { type NatVerdict, NO_NAT, natWords, onNatPort } from "../core/nat.js";
import { agreedIke, PROVEN, phase1Evidence } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { REFUSED_INIT_LIFE, softLife } from "../core/timers.js";
import type { ExchangeNameV1 } from "../wire/exchange-types.js";
import type { HeaderV1 } from "../wire/header-v1.js";
import { type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { ignore, report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { inform } from "./exchange.js";
import { splitMessage } from "./fragment.js";
import type { Phase1HashInputs } from "./hashes.js";
import { phase1Iv } from "./iv.js";
import { type Cookies, phase1Cipher, phase1Keys } from "./keys.js";
import { type Lifetimes, responderLifetime } from "./lifetimes.js";
import { natDetectionV1, natVerdictV1 } from "./nat-d.js";
import { notification } from "./notifications.js";
import { newPeer } from "./peer.js";
import type { ReceivedId } from "./row.js";
import type { Calling, Chosen, Exchange, Exchanged, Keyed, Negotiation, Phase1, Reply, V1Peer } from "./state.js";
import { isShorter, lifetimeSaid, phase1Lifetimes } from "./terms.js";
import { initiatorVendorIds, responderVendorIds, type VendorFeatures, vendorFeatures } from "./vendor-features.js";

/** RFC 2409 section 5: 8 to 256 octets. */
export const NONCE_BYTES = 32;

export const EXCHANGE_NAME = { main: "MAIN_MODE", aggressive: "AGGRESSIVE_MODE" } as const satisfies Record<
  Exchange,
  ExchangeNameV1
>;

/** A stranger whom no tunnel expects: told to the operator and not answered, because anybody can ask who is here. */
export class Uninvited extends ProtocolError {}

interface Named {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

export function cookiesOf(sa: Named): Cookies {
  return { initiatorCookie: sa.initiatorSpi, responderCookie: sa.responderSpi };
}

/** The header of a message of ours; `messageId` is 0 in phase 1. */
export function headerOf(sa: Named, exchange: ExchangeNameV1, messageId = 0): HeaderV1 {
  return {
    initiatorCookie: sa.initiatorSpi,
    responderCookie: sa.responderSpi,
    exchange,
    encryption: false,
    commit: false,
    authenticationOnly: false,
    messageId,
  };
}

/** Octets of a datagram that passes everywhere: 1280 of IPv6, less its headers, UDP's and the non-ESP marker. */
const MOST_UNFRAGMENTED = 1228;

/** One message, in fragments where it is long and the peer understands them. */
export function send(path: Path, bytes: Uint8Array, features?: VendorFeatures): readonly SaEffect[] {
  if (!features?.fragmentation || bytes.length <= MOST_UNFRAGMENTED) return [{ kind: "send", path, bytes }];
  const [high, low] = digestOf(bytes);
  const id = (high! << 8) | low! || 1;
  return splitMessage(bytes, MOST_UNFRAGMENTED, id).map((part) => ({ kind: "send", path, bytes: part }));
}

/** What a message is known by when it comes again. */
export function digestOf(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

export function replyTo(message: Uint8Array, bytes: Uint8Array): Reply {
  return { digest: digestOf(message), bytes };
}

/** What we announce in message 1. */
export function offeredVendorIds({ ike }: TunnelPolicy): readonly PayloadV1[] {
  return initiatorVendorIds({ fragmentation: ike.fragmentation === "auto" }).map(vendorId);
}

/** What we announce in an answer, to a peer with whom this was agreed. */
export function answeredVendorIds(features: VendorFeatures): readonly PayloadV1[] {
  return responderVendorIds(features, { fragmentation: true }).map(vendorId);
}

/** What both sides can and want. */
export function agreedFeatures(
  { ike }: TunnelPolicy,
  theirs: readonly { readonly data: Uint8Array }[],
): VendorFeatures {
  const features = vendorFeatures(theirs.map(({ data }) => data));
  return ike.fragmentation === "auto" ? features : { ...features, fragmentation: false };
}

function vendorId(data: Uint8Array): PayloadV1 {
  return payloadV1("VID", { data });
}

/** NAT-D payloads, where both sides do NAT traversal. */
export function natPayloads(
  sa: Named,
  path: Path,
  { suite, features }: Chosen,
  encapsulation: TunnelPolicy["encapsulation"],
): readonly PayloadV1[] {
  const { natTraversal } = features;
  if (natTraversal === undefined) return [];
  return natDetectionV1(natTraversal, createHash(suite.prf), cookiesOf(sa), path, encapsulation);
}

export function natVerdict(
  sa: Named,
  path: Path,
  { suite, features }: Chosen,
  payloads: readonly PayloadV1[],
): NatVerdict {
  const { natTraversal } = features;
  return natTraversal === undefined
    ? NO_NAT
    : natVerdictV1(natTraversal, createHash(suite.prf), cookiesOf(sa), path, payloads);
}

/** Where the rest of phase 1 is spoken: on port 4500 as soon as a NAT is seen (RFC 3947 section 4). */
export function floated(
  path: Path,
  { here, peer }: NatVerdict,
  encapsulation: TunnelPolicy["encapsulation"],
  ctx: SaContext,
): Path {
  const wanted = here || peer || encapsulation === "udp";
  return wanted && path.local.port !== ctx.policy.ports.natT ? onNatPort(path, ctx) : path;
}

/** The peer's public value has the length of the group that was chosen. */
export function checkPublicValue(data: Uint8Array, group: KeyExchangeRow): void {
  if (data.length !== group.publicBytes)
    throw new ProtocolError(
      "INVALID_KE_PAYLOAD",
      `KE has ${data.length} octets, ${group.name} has ${group.publicBytes}`,
    );
}

/** The keys and the first IV of phase 1. */
export function keyed(
  sa: Named,
  { suite }: Chosen,
  { publicI, publicR }: Pick<Exchanged, "publicI" | "publicR">,
  skeyid: Secret,
  sharedSecret: Secret,
): Keyed {
  const prf = createPrf(suite.prf);
  const keys = phase1Keys(prf, skeyid, sharedSecret, cookiesOf(sa));
  const cipher = phase1Cipher(prf, keys.skeyidE, suite.encryption, suite.keyBits);
  return { keys, cipher, iv: phase1Iv(createHash(suite.prf), suite.encryption, publicI, publicR) };
}

/** What HASH_I and HASH_R are made over. */
export function hashInputs(
  sa: { readonly initiatorSpi: bigint; readonly responderSpi: bigint; readonly saBody: Uint8Array },
  { publicI, publicR }: Pick<Exchanged, "publicI" | "publicR">,
): Phase1HashInputs {
  return { ...cookiesOf(sa), publicI, publicR, sa: sa.saBody };
}

/** The one identity of a message of phase 1. */
export function onlyId(ids: readonly ReceivedId[]): ReceivedId {
  const [id, ...more] = ids;
  if (id === undefined || more.length > 0)
    throw new ProtocolError("INVALID_SYNTAX", `${ids.length} ID payloads in phase 1, one is wanted`);
  return id;
}

interface Through {
  readonly tunnel: string;
  readonly localId: Identity;
  readonly peerId: Identity;
  readonly path: Path;
  readonly chosen: Chosen;
  readonly nat: NatVerdict;
  readonly keyed: Keyed;
  readonly reply?: Reply;
  /** The peer knows of no other phase 1 with us. */
  readonly initialContact: boolean;
}

/** Phase 1 is through: it joins the peer of that identity, or makes it. `before` go out first. */
export function through(
  sa: Negotiation,
  { tunnel, localId, peerId, path, chosen, nat, keyed, reply, initialContact }: Through,
  before: readonly SaEffect[],
  ctx: SaContext,
): Step<undefined> {
  const policy = ctx.sight.tunnel(tunnel);
  const { rekeyMarginSeconds } = policy.ike;
  const { lifetimeSeconds, volumeOctets } = chosen.limits;
  const soft = softLife(lifetimeSeconds, rekeyMarginSeconds, ctx.random);
  const hard = lifetimeSeconds * 1000;
  const phase1: Phase1 = {
    key: sa.key,
    role: sa.role,
    exchange: sa.exchange,
    initiatorSpi: sa.initiatorSpi,
    responderSpi: sa.responderSpi,
    path,
    suite: chosen.suite,
    features: chosen.features,
    nat,
    keys: keyed.keys,
    cipher: keyed.cipher,
    lastBlock: keyed.iv,
    createdAt: sa.createdAt,
    establishedAt: ctx.now,
    expiresAt: ctx.now + hard,
    // The initiator renews; the responder does only when that does not happen (`decisions.md` 10).
    rekeyAt: ctx.now + (sa.role === "initiator" ? soft : soft + (hard - soft) / 2),
    volumeOctets,
    usedOctets: 0,
    ...(reply && { reply }),
    seen: [],
  };
  const ours = phase1Lifetimes(policy);
  const fresh = newPeer({ tunnel, localId, peerId }, phase1, ctx);
  const telling =
    sa.role === "responder" && isShorter(ours, chosen.lifetimes)
      ? tellLifetime(fresh, phase1, ours, ctx)
      : stepTo(fresh);
  const peer = telling.sa;
  return stepTo(
    undefined,
    ...before,
    report(peer, {
      kind: "ikeEstablished",
      proposal: ikeSuiteName(chosen.suite),
      role: sa.role,
      nat: natWords(nat),
      ...proofGrounds(policy, path, chosen, { ...PROVEN, ...lifetimeSaid(chosen.lifetimes, ours, sa.role) }),
    }),
    ...telling.effects,
    ...(sa.exchange === "aggressive" ? [report(peer, { kind: "story", story: AGGRESSIVE_WARNING })] : []),
    { kind: "phase1", sa: peer, initialContact },
  );
}

/** The responder repeats the initiator's lifetime, and says afterwards that its own is shorter (RFC 2407 section 4.6.3.1). */
function tellLifetime(peer: V1Peer, phase1: Phase1, ours: Lifetimes, ctx: SaContext): Step<V1Peer> {
  return inform(peer, phase1, [notification(phase1, "RESPONDER-LIFETIME", responderLifetime(1, ours))], ctx);
}

/** RFC 2409 gives the hash to whoever asks: nothing but the key's strength protects it. */
export const AGGRESSIVE_WARNING =
  "aggressive mode shows a hash of the pre-shared key to anybody who asks or listens: a weak key can be found offline; use main mode or IKEv2 where the peer allows it";

/** The negotiation of ours ends without an IKE SA. */
export function failed(sa: Calling, failure: Failure): Step<undefined> {
  const { tunnel } = sa;
  return stepTo(undefined, report(sa, bodyOf(sa, failure)), {
    kind: "lost",
    tunnel,
    cause: "failed",
    reason: failure.detail,
  });
}

function bodyOf(sa: Negotiation, failure: Failure): FailedBody {
  return { kind: "failed", exchange: EXCHANGE_NAME[sa.exchange], ...failure };
}

/** Said by somebody who has proved nothing: told at once, believed at the timeout, which now comes sooner. */
export function refused<Sa extends Calling>(sa: Sa, failure: Failure, ctx: SaContext): Step<Sa> {
  const { detail } = failure;
  if (sa.refusal !== undefined) return ignore(sa, "refused again", detail);
  const giveUpAt = Math.min(sa.giveUpAt, ctx.now + REFUSED_INIT_LIFE);
  return stepTo(
    { ...sa, refusal: bodyOf(sa, failure), giveUpAt },
    report(sa, { ...bodyOf(sa, failure), unproven: true }),
    { kind: "refused", tunnel: sa.tunnel, reason: detail },
  );
}

/** That of a stranger. */
export function dropped(sa: Negotiation, failure: Failure): Step<undefined> {
  return stepTo(undefined, report(sa, bodyOf(sa, failure)));
}

/** An error of phase 1 in a tunnel whose algorithms are agreed on: they are no part of it. */
export function proofGrounds(
  policy: TunnelPolicy,
  path: Path,
  { suite }: Pick<Chosen, "suite">,
  said: SaidAll,
): Grounds {
  return { evidence: phase1Evidence(policy, path, { ...agreedIke(policy, suite), ...said }) };
}

/** For errors: who was expected, who came. */
export function whoCame(tunnel: string, expected: Identity, came: string): string {
  return `${tunnel} expects ${formatIdentity(expected)}, the peer says it is ${came}`;
}
