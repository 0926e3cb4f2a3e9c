/** What a handler of one IKE SA sees of the endpoint around it, and what it gives back: the same in both versions of IKE. */
import { type Address, formatSocketAddress, type Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import { causeCode, type Where } from "./causes.js";
import type { ProtocolError } from "./errors.js";
import type { Identity } from "./identity.js";
import type { Policy, TunnelPolicy } from "./policy.js";
import type { Report } from "./report.js";
import type { AnySa } from "./sas.js";
import type { Answer, AskId, Context, Effect, Instant } from "./types.js";

/** Names an IKE SA in its endpoint: our own SPI in hex. */
export type IkeKey = string;

/** Of the whole IKE SA: who sent its first request, or who asked for the rekey that made it. */
export type Role = "initiator" | "responder";

export interface SaContext extends Context {
  readonly policy: Policy;
  readonly ids: Ids;
  readonly sight: Sight;
}

/** Numbers that are unique in the endpoint. */
export interface Ids {
  ask(): AskId;
  child(): ChildId;
  /** Random, above 255 (RFC 4303 section 2.1), in use nowhere else here. */
  espSpi(): number;
  /** Random, not zero. */
  ikeSpi(): bigint;
}

/** What an IKE SA may know of the others. */
export interface Sight {
  tunnel(name: string): TunnelPolicy;
  /** The tunnels of this IKE version that a peer at this address may be, the closest description first. */
  candidates(path: Path, version: 1 | 2): readonly TunnelPolicy[];
  /** Whether another IKE SA with this identity pair is established (`decisions.md` 7). */
  inContact(tunnel: string, peerId: Identity, except: IkeKey): boolean;
  /** A child of the tunnel, in whatever IKE SA, that carries the mapping and is not being replaced. */
  carried(tunnel: string, mapping: number): boolean;
  /**
   * The mapping, with those that are to share an SA with it: wanted, carried nowhere, and taken together by the peer as far as is known.
   * `made`: carried all the same, by what this step has just made.
   */
  joint(tunnel: string, mapping: number, made?: (mapping: number) => boolean): readonly number[];
  /** Whether a mapping sends on this child; a duplicate that none sends on is not renewed. */
  inUse(child: ChildId): boolean;
  /** Another IKE SA: the heir of this one, or its predecessor. */
  other(key: IkeKey): AnySa | undefined;
  /** Whether the mapping is to be brought up from here: not while it waits for traffic, or for the peer. */
  wanted(tunnel: string, mapping: number): boolean;
  /** `duplicates: keep`: the peer has an IKE SA that stays, and gets no other one. `sa`: the one that it asks for. */
  hasToKeep(tunnel: string, peerId: Identity, sa: { readonly key: IkeKey; readonly createdAt: Instant }): boolean;
}

/** What happened, for the endpoint: the supervisor and the bookkeeping above one SA. `Adopted`: what may be born of it. */
export type Notice<Adopted> =
  /** An IKE SA was born of this one, or takes its next state from what happened in this one; it is put into the table as it is. */
  | { readonly kind: "adopt"; readonly sa: Adopted }
  /** The handshake is through; `initialContact`: the peer knows of no other IKE SA with us. */
  | { readonly kind: "established"; readonly initialContact: boolean }
  /** IKEv1: a phase 1 is through; with its peer, which may be known already. `early`: what the peer said under it before that. */
  | { readonly kind: "phase1"; readonly sa: Adopted; readonly initialContact: boolean; readonly early?: Early }
  /** IKEv1: a peer needs a new phase 1. */
  | { readonly kind: "call"; readonly tunnel: string; readonly path: Path }
  /** The IKE SA is gone, or will be when the peer has answered our Delete. */
  | { readonly kind: "lost"; readonly tunnel: string; readonly cause: LossCause; readonly reason: string }
  /** A rekey is refused again and again: only a new IKE SA beside the old one helps (`decisions.md` 12). */
  | { readonly kind: "renew"; readonly tunnel: string; readonly reason: string }
  /** The peer does not take these mappings together: from now on each is asked for by itself. */
  | { readonly kind: "apart"; readonly tunnel: string; readonly mappings: readonly number[] }
  /** The peer sends us to another gateway (RFC 5685). */
  | { readonly kind: "redirected"; readonly tunnel: string; readonly to: Address; readonly from: Address }
  /** A refusal that is not believed yet. */
  | { readonly kind: "refused"; readonly tunnel: string; readonly reason: string }
  | {
      readonly kind: "mappingLost";
      readonly tunnel: string;
      readonly mapping: number;
      readonly cause: MappingLossCause;
      readonly reason: string;
    };

/** A message that came before the SA that it belongs to was ready. */
export interface Early {
  readonly bytes: Uint8Array;
  readonly path: Path;
}

/**
 * The "peer" deleted its child, it "expired"; the peer refused one, or is "busy" with what collides with it; it has left out what may
 * not have an SA of its own ("unsplit").
 */
export type MappingLossCause = "peer" | "failed" | "expired" | "busy" | "unsplit";

/** "peer" deleted it, it is "dead", the negotiation "failed", it "expired", the "operator" wanted it, a newer one "replaced" it. */
export type LossCause = "peer" | "dead" | "failed" | "expired" | "operator" | "replaced";

/** The next state (undefined: gone) and what follows, in order. `Adopted` as in `Notice`. */
export interface Stepped<Sa, Adopted> {
  readonly sa: Sa;
  readonly effects: readonly (Effect | Notice<Adopted>)[];
}

export type ReportBody = Report extends infer R
  ? R extends Report
    ? Omit<R, "tunnel" | "ike" | "peer">
    : never
  : never;

/** A report with the names that make a log read as one story. */
export function reportOf(
  sa: { readonly initiatorSpi: bigint; readonly responderSpi: bigint; readonly path: Path },
  tunnel: string | undefined,
  body: ReportBody,
): Extract<Effect, { kind: "report" }> {
  const [ike, peer] = [spiText(sa), peerText(sa.path)];
  const named = tunnel === undefined ? { ike, peer } : { ike, peer, tunnel };
  return { kind: "report", report: { ...named, ...body } as Report };
}

export function spiText(sa: { readonly initiatorSpi: bigint; readonly responderSpi: bigint }): string {
  return `${spiHex(sa.initiatorSpi)}_${spiHex(sa.responderSpi)}`;
}

export function spiHex(spi: bigint): string {
  return spi.toString(16).padStart(16, "0");
}

export function peerText(path: Path): string {
  return formatSocketAddress(path.remote);
}

/** A failure by what somebody did wrong. */
export function failureOf({ notify, detail, grounds }: ProtocolError, where: Where): FailedBody {
  return { kind: "failed", code: causeCode(notify), detail, ...where, ...grounds };
}

export type FailedBody = Extract<ReportBody, { kind: "failed" }>;

/** Why a question was not answered; any other answer than the one asked for is our bug. */
export function refusalOf(answer: Answer): string {
  if (answer.kind !== "refused") throw new Error(`an answer about ${answer.kind} to another question`);
  return answer.reason;
}
