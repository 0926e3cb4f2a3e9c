/** The exchanges under way in an established IKE SA: ours (`Task`) and the peer's that waits for an ask (`Answering`). */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { EspSuite, IkeSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { AskId } from "../core/types.js";
import type { SaPayload } from "../wire/payloads/sa.js";
import type { NarrowedSelectors, SelectorOffer } from "./narrowing.js";
import type { OpenRequest, PeerRequest } from "./state.js";
import type { MobikeExchange } from "./wishes.js";

/** A child that we ask for with CREATE_CHILD_SA. */
export interface ChildOffer {
  readonly purpose:
    | { readonly do: "create" }
    | { readonly do: "rekey"; readonly child: ChildId; readonly rehearsal?: true };
  readonly spiIn: number;
  readonly ni: Uint8Array;
  readonly selectors: SelectorOffer;
  /** With PFS. */
  readonly keyExchange?: { readonly group: KeyExchangeRow; readonly privateOctets: Secret };
  /** INVALID_KE_PAYLOAD answers so far. */
  readonly restarts: number;
  /** The peer's SPIs that it has deleted and we have never heard of: its answer to this request may name one, and come late. */
  readonly deletedMeanwhile?: readonly number[];
}

/** What the peer's response says, kept while the shared secret is computed. */
export interface ChildAnswer {
  readonly suite: EspSuite;
  readonly spiOut: number;
  readonly nr: Uint8Array;
  readonly selectors: NarrowedSelectors;
  readonly refusesTfc: boolean;
  readonly peerPublic?: Uint8Array;
}

/** The rekey of the IKE SA, asked for by us. */
export interface IkeOffer {
  readonly spi: bigint;
  readonly ni: Uint8Array;
  readonly group: KeyExchangeRow;
  readonly privateOctets: Secret;
  readonly restarts: number;
}

export interface IkeAnswer {
  /** The peer's crash token for the new IKE SA. */
  readonly peerToken?: Uint8Array;
  readonly suite: IkeSuite;
  readonly spi: bigint;
  readonly nr: Uint8Array;
}

/** Our exchange. "keying" waits for our public value, "sent" for the response, "deriving" for the shared secret. */
export type Task =
  | { readonly do: "child"; readonly stage: "keying"; readonly offer: ChildOffer; readonly ask: AskId }
  | { readonly do: "child"; readonly stage: "sent"; readonly offer: ChildOffer; readonly request: OpenRequest }
  | {
      readonly do: "child";
      readonly stage: "deriving";
      readonly offer: ChildOffer;
      readonly answer: ChildAnswer;
      readonly ask: AskId;
    }
  | { readonly do: "rekeyIke"; readonly stage: "keying"; readonly offer: IkeOffer; readonly ask: AskId }
  | { readonly do: "rekeyIke"; readonly stage: "sent"; readonly offer: IkeOffer; readonly request: OpenRequest }
  | {
      readonly do: "rekeyIke";
      readonly stage: "deriving";
      readonly offer: IkeOffer;
      readonly answer: IkeAnswer;
      readonly ask: AskId;
    }
  | {
      readonly do: "delete";
      readonly stage: "sent";
      readonly children: readonly ChildId[];
      readonly request: OpenRequest;
    }
  | { readonly do: "probe"; readonly stage: "sent"; readonly request: OpenRequest }
  | {
      readonly do: "mobike";
      readonly stage: "sent";
      readonly errand: MobikeExchange;
      /** Of the IKE SA when it was sent. */
      readonly path: Path;
      readonly cookie: Uint8Array;
      readonly request: OpenRequest;
    };

/** What we decided about a child that the peer asks for; all but the keys. */
export interface ChildPlan {
  readonly suite: EspSuite;
  /** Our SA payload: the chosen proposal with our SPI. */
  readonly sa: SaPayload;
  readonly spiIn: number;
  readonly spiOut: number;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
  readonly selectors: NarrowedSelectors;
  readonly refusesTfc: boolean;
  /** Another of our entries fits the peer's selectors as well. */
  readonly more: boolean;
  readonly replaces?: ChildId;
}

export interface IkePlan {
  readonly suite: IkeSuite;
  readonly sa: SaPayload;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly ni: Uint8Array;
  readonly nr: Uint8Array;
}

interface Exchanged {
  readonly request: PeerRequest;
  readonly ask: AskId;
  readonly group: KeyExchangeRow;
  readonly privateOctets: Secret;
  readonly peerPublic: Uint8Array;
  /** Absent until our public value is here; then the shared secret is being computed. */
  readonly publicValue?: Uint8Array;
}

export type Answering =
  | (Exchanged & { readonly do: "child"; readonly plan: ChildPlan })
  | (Exchanged & { readonly do: "rekeyIke"; readonly plan: IkePlan });
