/**
 * The states of an IKEv2 IKE SA. One type per phase; keys exist only in the phases that have them.
 *
 *     initiator:  initKeying -> initSent -> initAnswered -> pskAwaited -> authSent -> established
 *     responder:  replyKeying -> replied -> secretAwaited -> keyed -> authChecking -> established
 *     both:       established -> closing (we delete it) | lingering (over; answers what still comes) -> gone
 *                 heir -> established | lingering, when both ends rekeyed the IKE SA at once
 */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { IkeSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Address, Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { Child } from "../core/child.js";
import type { FailedBody, IkeKey, Role } from "../core/context.js";
import type { Identity } from "../core/identity.js";
import type { NatVerdict } from "../core/nat.js";
import type { Outstanding, Transmission } from "../core/retransmit.js";
import type { AskId, Instant } from "../core/types.js";
import type { MessageContent } from "../wire/encrypted.js";
import type { Reassembly } from "../wire/fragment.js";
import type { AuthPayload } from "../wire/payloads/auth.js";
import type { NotifyPayload } from "../wire/payloads/notify.js";
import type { SaPayload } from "../wire/payloads/sa.js";
import type { TsPayload } from "../wire/payloads/ts.js";
import type { Answering, Task } from "./exchanges.js";
import type { IkeKeys } from "./keys.js";
import type { SelectorOffer } from "./narrowing.js";
import type { SaWish } from "./wishes.js";

export type { Child } from "../core/child.js";
export type { IkeKey, Role } from "../core/context.js";

interface Base {
  readonly key: IkeKey;
  readonly role: Role;
  readonly initiatorSpi: bigint;
  /** 0 until the responder has chosen it. */
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly createdAt: Instant;
}

// --- the initiator's handshake ---------------------------------------------------------------------------------

/** What we offered, and how often the peer made us offer again. */
export interface InitOffer {
  readonly tunnel: string;
  readonly nonce: Uint8Array;
  readonly group: KeyExchangeRow;
  readonly privateOctets: Secret;
  readonly cookie?: Uint8Array;
  /** The gateway that redirected us here (RFC 5685). */
  readonly redirectedFrom?: Address;
  /** Answers that made us start again; bounded, so that nobody keeps us busy (RFC 7296 section 2.6). */
  readonly restarts: number;
  readonly giveUpAt: Instant;
  /** An unauthenticated refusal: told to the operator, not believed until the timeout. */
  readonly refusal?: FailedBody;
}

export interface InitKeying extends Base {
  readonly phase: "initKeying";
  readonly role: "initiator";
  readonly offer: InitOffer;
  readonly ask: AskId;
}

export interface InitSent extends Base {
  readonly phase: "initSent";
  readonly role: "initiator";
  readonly offer: InitOffer;
  readonly publicValue: Uint8Array;
  readonly request: Outstanding;
}

/** What IKE_SA_INIT leaves to both ends. */
export interface Negotiated {
  readonly suite: IkeSuite;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly nat: NatVerdict;
  /** The responder takes an IKE_AUTH without a child (RFC 6023). */
  readonly childless?: true;
  /** Both ends understand fragments (RFC 7383). */
  readonly fragmentation?: true;
}

/** The first messages as sent: each end signs its own (RFC 7296 section 2.15). */
export interface FirstMessages {
  readonly initRequest: Uint8Array;
  readonly initResponse: Uint8Array;
}

export interface InitAnswered extends Base {
  readonly phase: "initAnswered";
  readonly role: "initiator";
  /** To go back to when the peer's public value turns out to be bad. */
  readonly before: InitSent;
  readonly negotiated: Negotiated;
  readonly first: FirstMessages;
  readonly ask: AskId;
}

export interface PskAwaited extends Base {
  readonly phase: "pskAwaited";
  readonly role: "initiator";
  readonly tunnel: string;
  readonly negotiated: Negotiated;
  readonly first: FirstMessages;
  readonly keys: IkeKeys;
  readonly ask: AskId;
}

export interface AuthSent extends Base {
  readonly phase: "authSent";
  readonly role: "initiator";
  readonly tunnel: string;
  readonly negotiated: Negotiated;
  readonly first: FirstMessages;
  readonly keys: IkeKeys;
  readonly psk: Secret;
  readonly localId: Identity;
  readonly window: Window;
  readonly request: OpenRequest;
  /** The child inside IKE_AUTH; absent where none is wanted yet (RFC 6023). */
  readonly child?: { readonly spiIn: number; readonly selectors: SelectorOffer };
}

// --- the responder's handshake ---------------------------------------------------------------------------------

export interface ReplyKeying extends Base {
  readonly phase: "replyKeying";
  readonly role: "responder";
  readonly negotiated: Negotiated;
  readonly initRequest: Uint8Array;
  readonly privateOctets: Secret;
  readonly peerPublic: Uint8Array;
  /** SAr1. */
  readonly answer: SaPayload;
  readonly ask: AskId;
  readonly expiresAt: Instant;
}

export interface Replied extends Base {
  readonly phase: "replied";
  readonly role: "responder";
  readonly negotiated: Negotiated;
  readonly first: FirstMessages;
  readonly privateOctets: Secret;
  readonly peerPublic: Uint8Array;
  readonly expiresAt: Instant;
}

/** The shared secret is computed when IKE_AUTH comes, which a spoofed source never sends; that message waits meanwhile. */
export interface SecretAwaited extends Omit<Replied, "phase"> {
  readonly phase: "secretAwaited";
  /** Several where it comes in fragments. */
  readonly parked: readonly { readonly bytes: Uint8Array; readonly path: Path }[];
  readonly ask: AskId;
}

export interface Keyed extends Base {
  readonly phase: "keyed";
  readonly role: "responder";
  readonly negotiated: Negotiated;
  readonly first: FirstMessages;
  readonly keys: IkeKeys;
  readonly expiresAt: Instant;
  readonly window: Window;
}

/** IKE_AUTH came and opened; its AUTH is checked as soon as the key is here. */
export interface AuthChecking extends Omit<Keyed, "phase"> {
  readonly phase: "authChecking";
  readonly tunnel: string;
  readonly localId: Identity;
  readonly peerId: Identity;
  readonly auth: AuthPayload;
  /** Absent: the peer wants no child yet (RFC 6023). */
  readonly child?: { readonly sa: SaPayload; readonly tsi: TsPayload; readonly tsr: TsPayload };
  readonly initialContact: boolean;
  readonly refusesTfc: boolean;
  /** The peer would like transport mode, which it does not get (RFC 7296 section 1.3.1). */
  readonly wantsTransport?: true;
  readonly mobike?: Mobike;
  readonly peerToken?: Uint8Array;
  readonly request: PeerRequest;
  readonly ask: AskId;
}

/** A request of the peer that is answered later: what the answer needs of it. */
export interface PeerRequest {
  readonly messageId: number;
  /** Its datagram, or the one with the first fragment. */
  readonly bytes: Uint8Array;
  readonly path: Path;
}

// --- after the handshake ---------------------------------------------------------------------------------------

/** Message IDs of one IKE SA, RFC 7296 section 2.2, with a window of one in both directions. */
export interface Window {
  readonly nextOut: number;
  readonly nextIn: number;
  /** How many messages we have sealed: the source of unique IVs. */
  readonly sealed: number;
  /** The last request answered and its answer, which is repeated octet for octet. `request`: the datagram that asks for it. */
  readonly reply?: SealedMessage & { readonly request: Uint8Array; readonly repeats: number };
  /** What came of a request or a response that comes in fragments (RFC 7383). */
  readonly partialRequest?: Reassembly;
  readonly partialResponse?: Reassembly;
  /** Octets of an IP datagram that get through, where longer ones were lost. */
  readonly datagramLimit?: number;
}

/** A sealed message; `content` where it can be cut smaller, if what was sent does not get through. */
export interface SealedMessage extends Transmission {
  readonly content?: MessageContent;
}

/** Our request whose response is missing. */
export type OpenRequest = Outstanding & SealedMessage;

/** What both ends know of each other's addresses (RFC 4555). */
export interface Mobike {
  /** We began the first IKE SA of all: we decide which addresses are used. */
  readonly decides: boolean;
  /** Addresses of the peer beside the one in use, as it told. */
  readonly further: readonly Address[];
  /** How the peer last saw our address: the hash of its NAT_DETECTION_DESTINATION_IP. */
  readonly seen?: Uint8Array;
  /** The question for our own address that is open. */
  readonly asking?: AskId;
}

interface Open extends Base {
  readonly tunnel: string;
  readonly negotiated: Negotiated;
  readonly keys: IkeKeys;
  readonly window: Window;
}

export interface Established extends Open {
  readonly phase: "established";
  readonly localId: Identity;
  readonly peerId: Identity;
  /** Agreed on in IKE_AUTH. */
  readonly mobike?: Mobike;
  /** We began the first IKE SA of all. */
  readonly began?: true;
  /** What proves that the peer has forgotten this IKE SA (RFC 6290). */
  readonly peerToken?: Uint8Array;
  /** Our own token for these SPIs is not with the peer yet. */
  readonly tokenDue?: true;
  readonly establishedAt: Instant;
  readonly expiresAt: Instant;
  readonly rekeyAt?: Instant;
  readonly rekeyAttempts: number;
  readonly lastAlive: Instant;
  /** For NAT keepalives. */
  readonly lastSent: Instant;
  readonly children: ReadonlyMap<ChildId, Child>;
  readonly wishes: readonly SaWish[];
  /** Our exchange, at most one. */
  readonly task?: Task;
  /** The peer's exchange that waits for an answer to one of our asks. */
  readonly answering?: Answering;
  /** The IKE SA of the peer's rekey, while our own request to rekey this one is open. */
  readonly heir?: IkeKey;
}

/**
 * Born of the peer's rekey while our own request to rekey the same IKE SA was open (RFC 7296 section 2.8.2). The predecessor
 * holds the children until it is clear which of the two new IKE SAs stays.
 */
export interface Heir extends Omit<Established, "phase"> {
  readonly phase: "heir";
  readonly predecessor: IkeKey;
  readonly until: Instant;
}

/** We are deleting it: no children any more. An exchange that was under way ends first (window of one). */
export interface Closing extends Open {
  readonly phase: "closing";
  readonly request?: OpenRequest;
  readonly deleteSent: boolean;
  /** An error to tell the peer beside the Delete. */
  readonly notify?: NotifyPayload;
  readonly until: Instant;
}

/**
 * It is over: rekeyed by the peer, deleted by it, or refused. Kept for a while to repeat the last answer, and to answer
 * the Delete of an IKE SA whose children are gone to the new one.
 */
export interface Lingering extends Omit<Open, "tunnel"> {
  readonly phase: "lingering";
  readonly tunnel?: string;
  /** It was refused before its peer had proved who it is. */
  readonly unproven?: true;
  /** With MOBIKE: our address may change while the peer still waits for the last answer. */
  readonly mobile?: { readonly asking?: AskId };
  readonly until: Instant;
}

export type IkeSa =
  | InitKeying
  | InitSent
  | InitAnswered
  | PskAwaited
  | AuthSent
  | ReplyKeying
  | Replied
  | SecretAwaited
  | Keyed
  | AuthChecking
  | Established
  | Heir
  | Closing
  | Lingering;

export type Phase = IkeSa["phase"];
export type In<P extends Phase> = Extract<IkeSa, { phase: P }>;

/** The phases that can open a protected message. */
export type KeyedSa = AuthSent | Keyed | AuthChecking | Established | Heir | Closing | Lingering;

export function hasKeys(sa: IkeSa): sa is KeyedSa {
  return "window" in sa;
}

/** A negotiation of ours that may still become an IKE SA. */
export function isHandshake(sa: IkeSa): boolean {
  switch (sa.phase) {
    case "initKeying":
    case "initSent":
    case "initAnswered":
    case "pskAwaited":
    case "authSent":
      return true;
    default:
      return false;
  }
}

/** An IKE SA that another side has begun and not finished, or was refused: what floods are made of. */
export function isHalfOpen(sa: IkeSa): boolean {
  switch (sa.phase) {
    case "replyKeying":
    case "replied":
    case "secretAwaited":
    case "keyed":
    case "authChecking":
      return true;
    case "lingering":
      return sa.unproven === true;
    default:
      return false;
  }
}
