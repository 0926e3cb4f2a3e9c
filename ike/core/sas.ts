/**
 * What the endpoint knows and asks of an IKE SA, whatever its version: the rest of `ike/core` sees the versions through this file.
 * A "holder" is what children belong to: in IKEv2 the established IKE SA, in IKEv1 the peer (`decisions.md` 10).
 */
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import { type Address, formatSocketAddress, type Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import * as v1Context from "../v1/context.js";
import { current } from "../v1/exchange.js";
import * as v1Life from "../v1/life.js";
import { join as joinPeer } from "../v1/peer.js";
import { isOurs } from "../v1/quick.js";
import { renumbered as renumberedV1 } from "../v1/renumbering.js";
import { isCalling, isHalfOpen as isHalfOpenV1, type V1Peer, type V1Sa } from "../v1/state.js";
import * as v1 from "../v1/step.js";
import * as v2Context from "../v2/context.js";
import { onAddressesLate, onAddresses as onAddressesV2 } from "../v2/features/mobike.js";
import { initiate as initiateV2 } from "../v2/ike-sa-init.js";
import * as v2Life from "../v2/life.js";
import { renumbered as renumberedV2 } from "../v2/renumbering.js";
import { type Established, type IkeSa, isHalfOpen as isHalfOpenV2, isHandshake as isHandshakeV2 } from "../v2/state.js";
import * as v2 from "../v2/step.js";
import { decodeRawHeader } from "../wire/header.js";
import type { Child } from "./child.js";
import { type Early, type SaContext, type Stepped, spiHex } from "./context.js";
import { derived } from "./derived.js";
import { formatIdentity } from "./identity.js";
import { natWords } from "./nat.js";
import type { TunnelPolicy } from "./policy.js";
import type { Moved } from "./policy-change.js";
import type { SaTable } from "./sa-table.js";
import type { Answer, AskId, Instant } from "./types.js";
import type { IkeView } from "./view.js";

export type AnySa = IkeSa | V1Sa;
export type Holder = Established | V1Peer;
export type AnyStep<Sa extends AnySa | undefined = AnySa | undefined> = Stepped<Sa, AnySa>;

export function isV1(sa: AnySa): sa is V1Sa {
  return "version" in sa;
}

export function isHolder(sa: AnySa): sa is Holder {
  return sa.phase === "established" || sa.phase === "peer";
}

/** The holders of a tunnel, the newest last. */
export function holdersOf(sas: SaTable, tunnel: string): readonly Holder[] {
  const found = sas.of(tunnel).filter(isHolder);
  return found.length < 2 ? found : found.sort((a, b) => a.establishedAt - b.establishedAt);
}

export function tunnelOf(sa: AnySa): string | undefined {
  return isV1(sa) ? v1Context.tunnelOf(sa) : v2Context.tunnelOf(sa);
}

/** A negotiation of ours that may still become an IKE SA. */
export function isHandshake(sa: AnySa): boolean {
  return isV1(sa) ? isCalling(sa) : isHandshakeV2(sa);
}

/** A negotiation of ours that another one may make superfluous: the peer has nothing to lose by it yet. */
export function mayYield(sa: AnySa): boolean {
  return sa.phase !== "authSent" && sa.phase !== "mainIdSent";
}

/** An IKE SA that another side has begun and not finished: what floods are made of. */
export function isHalfOpen(sa: AnySa): boolean {
  return isV1(sa) ? isHalfOpenV1(sa) : isHalfOpenV2(sa);
}

/** It is over, and only answers what still comes: nobody waits for it. */
export function isOver(sa: AnySa): boolean {
  return sa.phase === "lingering";
}

/** The first message to a peer. */
export function initiate(policy: TunnelPolicy, path: Path, ctx: SaContext, redirectedFrom?: Address): AnyStep<AnySa> {
  return policy.ike.version === 1 ? v1.initiate(policy, path, ctx) : initiateV2(policy, path, ctx, redirectedFrom);
}

export function onAnswer(sa: AnySa, ask: AskId, answer: Answer, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1.onAnswer(sa, ask, answer, ctx) : v2.onAnswer(sa, ask, answer, ctx);
}

export function onTick(sa: AnySa, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1.onTick(sa, ctx) : v2.onTick(sa, ctx);
}

/** When it wants its next tick. */
export function saDeadline(sa: AnySa, tunnel: (name: string) => TunnelPolicy): Instant | undefined {
  return isV1(sa) ? v1.saDeadline(sa, tunnel) : v2.saDeadline(sa, tunnel);
}

// --- news from the data plane ------------------------------------------------------------------------------------

/** An authenticated ESP packet came in (`decisions.md` 15). */
export function onAlive(sa: Holder, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.onAlive(sa, ctx) : v2Life.onAlive(sa, ctx);
}

/** The peer sends on this child. */
export function onFirstInbound(sa: Holder, id: ChildId, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.onFirstInbound(sa, id, ctx) : v2Life.onFirstInbound(sa, id, ctx);
}

export function onLimit(sa: Holder, id: ChildId, limit: "soft" | "hard", ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.onLimit(sa, id, limit, ctx) : v2Life.onLimit(sa, id, limit, ctx);
}

/** The data plane cannot carry the child. */
export function onChildRefused(sa: Holder, id: ChildId, reason: string, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.onChildRefused(sa, id, reason, ctx) : v2Life.onChildRefused(sa, id, reason, ctx);
}

/** This host has other addresses or routes now. */
export function onAddresses(sa: AnySa, addresses: readonly Address[], ctx: SaContext): AnyStep {
  if (isV1(sa)) return { sa, effects: [] };
  if (sa.phase === "lingering") return onAddressesLate(sa, ctx);
  return sa.phase === "established" ? onAddressesV2(sa, addresses, ctx) : { sa, effects: [] };
}

/** An authenticated UDP-encapsulated packet came along another path. */
export function onMoved(sa: Holder, path: Path, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.onMoved(sa, path, ctx) : v2Life.follow({ ...sa, lastAlive: ctx.now }, path, ctx);
}

// --- wishes ------------------------------------------------------------------------------------------------------

export function wishMapping(sa: Holder, mapping: number, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.wishMapping(sa, mapping, ctx) : v2.wishMapping(sa, mapping, ctx);
}

export function wishRekeyChildren(sa: Holder, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.wishRekeyChildren(sa, ctx) : v2.wishRekeyChildren(sa, ctx);
}

export function wishRekeyIke(sa: Holder, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.wishRekeyIke(sa, ctx) : v2.wishRekeyIke(sa, ctx);
}

/** The operator's "down". `lasting`: how long an answer is waited for, where there is one. */
export function wishClose(sa: AnySa, reason: string, lasting: number, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1.wishClose(sa, reason, ctx) : v2.wishClose(sa, reason, lasting, ctx);
}

/** Ends without a word to the peer, which knows nothing of it any more. */
export function drop(sa: Holder, reason: string): AnyStep<undefined> {
  return isV1(sa) ? v1Life.dropPeer(sa, reason) : v2.drop(sa, reason);
}

/** IKEv1: a phase 1 is through with a peer that is known already. */
export function join(known: AnySa, fresh: Holder, initialContact: boolean, ctx: SaContext): AnyStep {
  if (known.phase !== "peer" || fresh.phase !== "peer") throw new Error("phase 1 of something that is no peer");
  return joinPeer(known, fresh, initialContact, ctx);
}

/** IKEv1: what the peer said under a phase 1 before that was through here. */
export function onEarly(sa: AnySa, { bytes, path }: Early, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1.onDatagram(sa, bytes, decodeRawHeader(bytes), path, ctx) : { sa, effects: [] };
}

/** Both sides started at once: which of the two IKE SAs goes. In IKEv1 they live side by side in one peer. */
export function losesTo(sa: Holder, other: Holder): boolean {
  return !isV1(sa) && !isV1(other) && v2.losesTo(sa, other);
}

/** Whether a child for the mapping, a further one or in the place of an old one, is wished for or on its way. */
export function isAskedFor(sa: Holder, mapping: number): boolean {
  if (isV1(sa)) return wishedV1(sa.wishes).has(mapping) || underWayV1(sa.quicks).has(mapping);
  const { task, wishes } = sa;
  if (task?.do === "child" && task.offer.selectors.mappings.includes(mapping)) return true;
  return wishedV2(wishes).has(mapping);
}

const wishedV1 = derived((wishes: V1Peer["wishes"]) => new Set(wishes.map(({ mapping }) => mapping)));
const underWayV1 = derived((quicks: V1Peer["quicks"]) => new Set(quicks.filter(isOurs).map((q) => q.offer.mapping)));
const spisUnderWayV1 = derived((quicks: V1Peer["quicks"]) => quicks.map(({ spiIn }) => spiIn));
const wishedV2 = derived(
  (wishes: Established["wishes"]) => new Set(wishes.flatMap((w) => (w.do === "createChild" ? w.mapping : []))),
);

// --- another configuration ---------------------------------------------------------------------------------------

/** The child ends here and at the peer, before its time. */
export function dropChild(sa: Holder, id: ChildId, reason: string, ctx: SaContext): AnyStep {
  return isV1(sa) ? v1Life.dropChild(sa, id, reason, ctx) : v2Life.dropChild(sa, id, reason, ctx);
}

/** The same with other numbers for its mappings; undefined while an exchange about one is under way. */
export function renumbered(sa: AnySa, moved: Moved): AnySa | undefined {
  return isV1(sa) ? renumberedV1(sa, moved) : renumberedV2(sa, moved);
}

// --- children ----------------------------------------------------------------------------------------------------

/** Whether the child is being replaced, or has been. */
export function isRenewing(sa: Holder, { id, state }: Child): boolean {
  if (state === "old") return true;
  if (isV1(sa)) return sa.quicks.some((q) => isOurs(q) && q.offer.replaces === id);
  return sa.task?.do === "child" && sa.task.offer.purpose.do === "rekey" && sa.task.offer.purpose.child === id;
}

/** The inbound SPIs that are taken by children that are on their way. */
export function espSpisOf(sa: AnySa): readonly number[] {
  if (sa.phase === "authSent") return sa.child === undefined ? [] : [sa.child.spiIn];
  if (!isHolder(sa)) return [];
  if (isV1(sa)) return spisUnderWayV1(sa.quicks);
  const spis: number[] = [];
  if (sa.task?.do === "child") spis.push(sa.task.offer.spiIn);
  if (sa.answering?.do === "child") spis.push(sa.answering.plan.spiIn);
  return spis;
}

/** The initiator's SPIs that a first message may repeat: of IKEv2 where we answered, of IKEv1 those of every phase 1. */
export function cookiesOf(sa: AnySa): readonly bigint[] {
  if (!isV1(sa)) return sa.role === "responder" ? [sa.initiatorSpi] : [];
  return sa.phase === "peer" ? sa.phase1s.map(({ initiatorSpi }) => initiatorSpi) : [sa.initiatorSpi];
}

// --- views -------------------------------------------------------------------------------------------------------

/** What a handshake is doing. */
export function handshakeWords(sa: AnySa): string {
  switch (sa.phase) {
    case "initKeying":
    case "initSent":
    case "mainSent":
    case "aggressiveKeying":
    case "aggressiveSent":
      return `calling ${formatSocketAddress(sa.path.remote)}`;
    case "initAnswered":
    case "pskAwaited":
    case "authSent":
    case "mainKeying":
    case "mainKeySent":
    case "mainDeriving":
    case "mainIdSent":
    case "aggressiveDeriving":
      return "the peer has answered; authenticating";
    default:
      return "the peer calls; authenticating";
  }
}

/** The IKE SA as `status` shows it; none while a peer of IKEv1 has children alone. */
export function ikeView(sa: Holder): IkeView | undefined {
  const named = isV1(sa) ? viewOfPeer(sa) : viewOfSa(sa);
  return (
    named && {
      ...named,
      local: formatSocketAddress(sa.path.local),
      remote: formatSocketAddress(sa.path.remote),
      localId: formatIdentity(sa.localId),
      peerId: formatIdentity(sa.peerId),
    }
  );
}

type Named = Omit<IkeView, "local" | "remote" | "localId" | "peerId">;

function viewOfSa({
  role,
  initiatorSpi,
  responderSpi,
  negotiated,
  establishedAt,
  rekeyAt,
  expiresAt,
}: Established): Named {
  return {
    version: 2,
    role,
    spiI: spiHex(initiatorSpi),
    spiR: spiHex(responderSpi),
    proposal: ikeSuiteName(negotiated.suite),
    nat: natWords(negotiated.nat),
    establishedAt,
    rekeyAt: rekeyAt ?? expiresAt,
  };
}

function viewOfPeer(peer: V1Peer): Named | undefined {
  const phase1 = current(peer);
  if (phase1 === undefined) return undefined;
  const { role, initiatorSpi, responderSpi, suite, nat, establishedAt, rekeyAt, expiresAt } = phase1;
  return {
    version: 1,
    role,
    spiI: spiHex(initiatorSpi),
    spiR: spiHex(responderSpi),
    proposal: ikeSuiteName(suite),
    nat: natWords(nat),
    establishedAt,
    rekeyAt: rekeyAt ?? expiresAt,
  };
}
