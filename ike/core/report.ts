/** Typed reports: the log line, the status view, the metrics and the explanations are all made from these. */
import type { ChildId } from "../../esp/sa.js";
import type { Failure } from "./causes.js";
import type { Blamed, Evidence } from "./evidence.js";

interface Base {
  /** Absent when the peer is not known yet. */
  readonly tunnel?: string;
  /** Which negotiation: SPIs in hex ("initiator_responder"), so that a log reads as one story. */
  readonly ike?: string;
  readonly peer?: string;
}

export type Report = Base &
  (
    | { readonly kind: "story"; readonly story: string }
    | {
        readonly kind: "ikeEstablished";
        readonly proposal: string;
        readonly role: "initiator" | "responder";
        readonly nat: string;
        readonly evidence?: Evidence;
      }
    | {
        readonly kind: "childEstablished";
        readonly child: ChildId;
        /** The child whose place it takes. */
        readonly replaces?: ChildId;
        readonly proposal: string;
        readonly local: readonly string[];
        readonly remote: readonly string[];
        readonly evidence?: Evidence;
      }
    | { readonly kind: "childClosed"; readonly child: ChildId; readonly reason: string }
    | { readonly kind: "ikeClosed"; readonly reason: string }
    /** A negotiation failed; `causeOf` says what follows from it. */
    | (Failure & {
        readonly kind: "failed";
        /** Said by somebody who has proved nothing: a better answer is still waited for (RFC 7296 section 2.21.1). */
        readonly unproven?: true;
        /** The tunnels that a peer may have meant of which nobody knows who it is. */
        readonly candidates?: readonly Blamed[];
      })
    /** An input that changed nothing: counted, and logged at a limited rate. */
    | { readonly kind: "ignored"; readonly code: string; readonly detail: string }
  );
