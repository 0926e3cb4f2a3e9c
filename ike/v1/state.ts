/**
 * The states of IKEv1. One type per phase of a negotiation of phase 1; keys exist only in the phases that have them.
 *
 *     main mode, initiator:        mainSent -> mainKeying -> mainKeySent -> mainDeriving -> mainIdSent ->|
 *     main mode, responder:        mainAnswered -> mainAnswerKeying -> mainAnswerDeriving -> mainKeyed ->|
 *     aggressive mode, initiator:  aggressiveKeying -> aggressiveSent -> aggressiveDeriving ------------>| peer
 *     aggressive mode, responder:  aggressiveAnswerKeying -> aggressiveAnswered -> aggressiveAnswerDeriving -> aggressiveKeyed ->|
 *
 * A phase 1 that is through joins its peer: the children belong to the peer, and outlive the phase 1 SA that made
 * them (`decisions.md` 10).
 */
import type { KeyedCipher } from "../../crypto/cbc.js";
import type { IkeSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { Early, FailedBody, IkeKey, Role } from "../core/context.js";
import type { Identity } from "../core/identity.js";
import type { NatVerdict } from "../core/nat.js";
import type { Outstanding } from "../core/retransmit.js";
import type { AskId, Instant } from "../core/types.js";
import type { SaPayloadV1 } from "../wire/payloads/v1/sa.js";
import type { V1Child } from "./child.js";
import type { Fragments } from "./fragment.js";
import type { Phase1Keys } from "./keys.js";
import type { Lifetimes } from "./lifetimes.js";
import type { Quick } from "./quick.js";
import type { Limits } from "./terms.js";
import type { VendorFeatures } from "./vendor-features.js";
import type { PeerWish } from "./wishes.js";

export type Exchange = "main" | "aggressive";

interface Base {
  readonly version: 1;
  /** Our own cookie in hex. */
  readonly key: IkeKey;
  readonly role: Role;
  /** CKY-I and CKY-R; the latter is 0 until the responder has chosen it. */
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly createdAt: Instant;
  /** Fragments of a message that is not whole yet. */
  readonly fragments?: Fragments;
}

/** The last message that came, known by its hash, and what went out for it: the same again, octet for octet. Empty: nothing yet. */
export interface Reply {
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

// --- the initiator's phase 1 -----------------------------------------------------------------------------------

/** A negotiation of ours. */
interface Begun extends Base {
  readonly role: "initiator";
  readonly tunnel: string;
  readonly exchange: Exchange;
  readonly giveUpAt: Instant;
  /** An unauthenticated refusal: told to the operator, not believed until the timeout. */
  readonly refusal?: FailedBody;
  /** SAi_b. */
  readonly saBody: Uint8Array;
}

/** What the peer's choice leaves to both ends. */
export interface Chosen {
  readonly suite: IkeSuite;
  /** Of both sides the shorter. */
  readonly limits: Limits;
  /** What the peer announced. */
  readonly lifetimes: Lifetimes;
  readonly features: VendorFeatures;
}

/** Both halves of what keys are made of. */
export interface Exchanged {
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly publicI: Uint8Array;
  readonly publicR: Uint8Array;
  readonly nat: NatVerdict;
}

export interface MainSent extends Begun {
  readonly phase: "mainSent";
  readonly request: Outstanding;
}

export interface MainKeying extends Begun {
  readonly phase: "mainKeying";
  readonly chosen: Chosen;
  readonly privateOctets: Secret;
  readonly ask: AskId;
}

export interface MainKeySent extends Begun {
  readonly phase: "mainKeySent";
  readonly chosen: Chosen;
  readonly privateOctets: Secret;
  readonly publicValue: Uint8Array;
  readonly ni: Uint8Array;
  readonly request: Outstanding;
}

export interface MainDeriving extends Begun {
  readonly phase: "mainDeriving";
  /** To go back to when the peer's public value turns out to be bad. */
  readonly before: MainKeySent;
  readonly chosen: Chosen;
  readonly exchanged: Exchanged;
  /** Absent until it is here; then the pre-shared key is asked for. */
  readonly sharedSecret?: Secret;
  readonly ask: AskId;
}

/** The keys of a phase 1 that is not through: the IV moves with every message that turns out to be authentic. */
export interface Keyed {
  readonly keys: Phase1Keys;
  readonly cipher: KeyedCipher;
  readonly iv: Uint8Array;
}

export interface MainIdSent extends Begun, Keyed {
  readonly phase: "mainIdSent";
  readonly chosen: Chosen;
  readonly exchanged: Exchanged;
  readonly localId: Identity;
  readonly request: Outstanding;
}

export interface AggressiveKeying extends Begun {
  readonly phase: "aggressiveKeying";
  readonly privateOctets: Secret;
  readonly ask: AskId;
}

export interface AggressiveSent extends Begun {
  readonly phase: "aggressiveSent";
  readonly privateOctets: Secret;
  readonly publicValue: Uint8Array;
  readonly ni: Uint8Array;
  readonly localId: Identity;
  readonly request: Outstanding;
}

export interface AggressiveDeriving extends Begun {
  readonly phase: "aggressiveDeriving";
  readonly before: AggressiveSent;
  readonly chosen: Chosen;
  readonly exchanged: Exchanged;
  /** Message 2. */
  readonly message: Uint8Array;
  readonly peerId: Identity;
  readonly idBody: Uint8Array;
  readonly hash: Uint8Array;
  readonly sharedSecret?: Secret;
  readonly ask: AskId;
}

// --- the responder's phase 1 -----------------------------------------------------------------------------------

/** A negotiation of a peer that has proved nothing yet. */
interface Called extends Base {
  readonly role: "responder";
  readonly exchange: Exchange;
  readonly expiresAt: Instant;
  readonly reply: Reply;
  readonly saBody: Uint8Array;
  readonly chosen: Chosen;
}

export interface MainAnswered extends Called {
  readonly phase: "mainAnswered";
}

export interface MainAnswerKeying extends Called {
  readonly phase: "mainAnswerKeying";
  readonly privateOctets: Secret;
  readonly ni: Uint8Array;
  readonly publicI: Uint8Array;
  readonly nat: NatVerdict;
  /** Message 3. */
  readonly message: Uint8Array;
  readonly ask: AskId;
}

/** A message that waits for the keys. */
export type Parked = Early;

export interface MainAnswerDeriving extends Called {
  readonly phase: "mainAnswerDeriving";
  readonly exchanged: Exchanged;
  /** The tunnel whose key is asked for: all that the address fits have the same one (`decisions.md` 6). */
  readonly keyOf: string;
  readonly sharedSecret?: Secret;
  readonly parked?: Parked;
  readonly ask: AskId;
}

export interface MainKeyed extends Called, Keyed {
  readonly phase: "mainKeyed";
  readonly exchanged: Exchanged;
  readonly keyOf: string;
  /** Something came that does not decrypt: told once. */
  readonly toldGarbage?: true;
}

/** The identities of a phase 1 in aggressive mode stand in its first message. */
interface Named extends Called {
  readonly tunnel: string;
  readonly localId: Identity;
  readonly peerId: Identity;
  /** IDii_b. */
  readonly idBody: Uint8Array;
}

export interface AggressiveAnswerKeying extends Named {
  readonly phase: "aggressiveAnswerKeying";
  readonly privateOctets: Secret;
  readonly ni: Uint8Array;
  readonly publicI: Uint8Array;
  readonly answer: SaPayloadV1;
  /** Absent until it is here; then the pre-shared key is asked for. */
  readonly publicValue?: Uint8Array;
  readonly ask: AskId;
}

export interface AggressiveAnswered extends Named {
  readonly phase: "aggressiveAnswered";
  /** Something came that only a wrong key explains: told once. */
  readonly toldGarbage?: true;
  readonly privateOctets: Secret;
  readonly exchanged: Omit<Exchanged, "nat">;
  readonly skeyid: Secret;
  /** The peer is through already, and its first quick mode is here: it waits until we are. */
  readonly early?: Parked;
}

/** Message 3 came: only now the shared secret is computed, for somebody who is where he says he is. */
export interface AggressiveAnswerDeriving extends Omit<AggressiveAnswered, "phase" | "privateOctets"> {
  readonly phase: "aggressiveAnswerDeriving";
  readonly parked: Parked;
  readonly ask: AskId;
}

export interface AggressiveKeyed extends Named, Keyed {
  readonly phase: "aggressiveKeyed";
  readonly exchanged: Omit<Exchanged, "nat">;
  readonly toldGarbage?: true;
}

export type Negotiation =
  | MainSent
  | MainKeying
  | MainKeySent
  | MainDeriving
  | MainIdSent
  | AggressiveKeying
  | AggressiveSent
  | AggressiveDeriving
  | MainAnswered
  | MainAnswerKeying
  | MainAnswerDeriving
  | MainKeyed
  | AggressiveAnswerKeying
  | AggressiveAnswered
  | AggressiveAnswerDeriving
  | AggressiveKeyed;

export type Calling = Extract<Negotiation, { role: "initiator" }>;
export type Answering = Extract<Negotiation, { role: "responder" }>;

// --- after phase 1 ---------------------------------------------------------------------------------------------

/** An ISAKMP SA. */
export interface Phase1 {
  /** Our own cookie in hex. */
  readonly key: IkeKey;
  readonly role: Role;
  readonly exchange: Exchange;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly suite: IkeSuite;
  readonly features: VendorFeatures;
  readonly nat: NatVerdict;
  readonly keys: Phase1Keys;
  readonly cipher: KeyedCipher;
  /** The last block of phase 1: every later exchange begins its IVs behind it. */
  readonly lastBlock: Uint8Array;
  readonly createdAt: Instant;
  readonly establishedAt: Instant;
  readonly expiresAt: Instant;
  /** Absent once its replacement has begun. */
  readonly rekeyAt?: Instant;
  /** What it may encrypt, and has: its lifetime in KB. 0: no limit. */
  readonly volumeOctets: number;
  readonly usedOctets: number;
  /** The last message of phase 1, for a peer that did not get it. */
  readonly reply?: Reply;
  /** Message IDs of the latest exchanges of both sides: none of them counts twice, nor when it is reflected. */
  readonly seen: readonly number[];
}

/** Liveness, RFC 3706. */
export interface Probing {
  /** When the first question went out that is still unanswered. */
  readonly since: Instant;
  /** Its number. */
  readonly first: number;
  readonly nextAt: Instant;
}

/** Everything that there is with one peer of one tunnel: phase 1 SAs, children, and what is on its way. */
export interface V1Peer {
  readonly version: 1;
  readonly phase: "peer";
  /** Tunnel and identity; no cookie looks like it. */
  readonly key: IkeKey;
  readonly tunnel: string;
  readonly localId: Identity;
  readonly peerId: Identity;
  /** Of the newest phase 1, which may be gone. */
  readonly role: Role;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly nat: NatVerdict;
  readonly createdAt: Instant;
  readonly establishedAt: Instant;
  readonly lastAlive: Instant;
  /** For NAT keepalives. */
  readonly lastSent: Instant;
  /** The newest last: it is the one that we use. */
  readonly phase1s: readonly Phase1[];
  readonly children: ReadonlyMap<ChildId, V1Child>;
  /** Whose quick mode made a child, and when: the rest of what a child is, is the same in both versions. */
  readonly quicks: readonly Quick[];
  readonly wishes: readonly PeerWish[];
  /** The number of our next R-U-THERE. */
  readonly nextProbe: number;
  /** The number of the peer's last one, and the phase 1 that it came under: a new one may count anew. */
  readonly lastProbed?: number;
  readonly probedUnder?: IkeKey;
  readonly probing?: Probing;
  /** When the next phase 1 may be begun, if one is needed. */
  readonly callAt?: Instant;
  readonly fragments?: Fragments;
}

export type V1Sa = Negotiation | V1Peer;
export type Phase = V1Sa["phase"];
export type In<P extends Phase> = Extract<V1Sa, { phase: P }>;

/** A negotiation of ours that may still become a phase 1 SA. */
export function isCalling(sa: V1Sa): sa is Calling {
  return sa.phase !== "peer" && sa.role === "initiator";
}

/** One that another side has begun and not finished: what floods are made of. */
export function isHalfOpen(sa: V1Sa): sa is Answering {
  return sa.phase !== "peer" && sa.role === "responder";
}
