/** The stages of a quick mode, RFC 2409 section 5.5: ours, and the peer's. */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { EspSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ChildId, Encapsulation } from "../../esp/sa.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { IkeKey } from "../core/context.js";
import type { Outstanding } from "../core/retransmit.js";
import type { AskId, Instant } from "../core/types.js";
import type { IdPayloadV1 } from "../wire/payloads/v1/id.js";
import type { SaPayloadV1 } from "../wire/payloads/v1/sa.js";
import type { Lifetimes } from "./lifetimes.js";
import type { Reply } from "./state.js";
import type { Limits } from "./terms.js";

interface Base {
  /** M-ID. */
  readonly messageId: number;
  /** The phase 1 SA that protects it. */
  readonly phase1: IkeKey;
  readonly spiIn: number;
  /** Of the next message, whoever sends it. */
  readonly iv: Uint8Array;
  readonly ni: Uint8Array;
}

/** What we ask for. */
export interface QuickOffer {
  readonly mapping: number;
  readonly replaces?: ChildId;
  /** With PFS. */
  readonly group?: KeyExchangeRow;
  readonly privateOctets?: Secret;
}

interface Ours extends Base {
  readonly offer: QuickOffer;
}

/** What was agreed, on whichever side, but for the keys. */
export interface QuickTerms {
  readonly suite: EspSuite;
  readonly spiOut: number;
  readonly nr: Uint8Array;
  readonly encapsulation: Encapsulation;
  /** Of both sides the shorter. */
  readonly limits: Limits;
  /** What the peer announced. */
  readonly announced: Lifetimes;
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
  readonly mappings: readonly number[];
}

/** Our public value is being made. */
export interface QuickKeying extends Ours {
  readonly stage: "keying";
  readonly ask: AskId;
}

export interface QuickSent extends Ours {
  readonly stage: "sent";
  readonly request: Outstanding;
}

/** Message 2 came; the shared secret is being made. */
export interface QuickDeriving extends Ours {
  readonly stage: "deriving";
  readonly terms: QuickTerms;
  readonly message: Uint8Array;
  /** The peer asked to be waited for. */
  readonly commit: boolean;
  readonly ask: AskId;
}

/** Through; kept for a while to repeat message 3 for a peer that did not get it. */
export interface QuickDone extends Omit<Ours, "offer"> {
  readonly stage: "done";
  readonly reply: Reply;
  readonly until: Instant;
}

/** What our message 2 will say. */
export interface QuickAnswer {
  readonly sa: SaPayloadV1;
  /** The peer's client identities, which are repeated; none where the peer named none. */
  readonly ids: readonly IdPayloadV1[];
  readonly terms: QuickTerms;
  /** Ours, where they are shorter than what the peer proposed: it is told. */
  readonly lifetimes?: Lifetimes;
}

/** The peer's message 1 came; our public value and then the shared secret are being made. */
export interface QuickAnswerKeying extends Base {
  readonly stage: "answerKeying";
  readonly answer: QuickAnswer;
  /** Message 1, and where it came from. */
  readonly message: Uint8Array;
  readonly path: Path;
  readonly group: KeyExchangeRow;
  readonly privateOctets: Secret;
  readonly peerPublic: Uint8Array;
  readonly publicValue?: Uint8Array;
  readonly ask: AskId;
}

/** Message 2 is out, the child receives; message 3 lets it send. */
export interface QuickAnswered extends Base {
  readonly stage: "answered";
  readonly nr: Uint8Array;
  readonly child: ChildId;
  /** When the child is to be renewed, once it is the peer's too. */
  readonly rekeyAt: Instant;
  /** What the peer announced. */
  readonly announced: Lifetimes;
  readonly reply: Reply;
  readonly request: Outstanding;
  readonly path: Path;
}

export type Quick = QuickKeying | QuickSent | QuickDeriving | QuickDone | QuickAnswerKeying | QuickAnswered;

/** Ours, under way: there is one at a time. */
export type OurQuick = QuickKeying | QuickSent | QuickDeriving;

export function isOurs(quick: Quick): quick is OurQuick {
  return quick.stage === "keying" || quick.stage === "sent" || quick.stage === "deriving";
}
