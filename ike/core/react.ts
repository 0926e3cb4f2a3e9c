/** What follows from a peer's error: the one place that decides, by RFC 7296 section 2.21. */
import { ERROR_NOTIFY, type ErrorNotify, type ProtocolError } from "./errors.js";

/** Where the error was found. */
export interface Situation {
  readonly exchange: "IKE_SA_INIT" | "IKE_AUTH" | "CREATE_CHILD_SA" | "INFORMATIONAL" | "other";
  /** Of the message that is at fault. */
  readonly response: boolean;
  /** Whether that message's integrity check passed. */
  readonly authenticated: boolean;
}

export type Reaction =
  /** Count it, change nothing, answer nothing. */
  | { readonly do: "drop" }
  /** Answer the request with this notification; the IKE SA (if there is one) stays as it was. */
  | { readonly do: "notify"; readonly notify: ErrorNotify; readonly data: Uint8Array }
  /** Answer the request with this notification and forget the IKE SA with its children. */
  | { readonly do: "notifyAndClose"; readonly notify: ErrorNotify; readonly data: Uint8Array }
  /** A response is at fault: forget the IKE SA, after telling the peer in an INFORMATIONAL request of its own. */
  | { readonly do: "tellAndClose"; readonly notify: ErrorNotify; readonly data: Uint8Array }
  /** A response is at fault, but only its exchange fails; the IKE SA stays. */
  | { readonly do: "abandonExchange" };

/** Errors of the child inside IKE_AUTH: the IKE SA is created all the same (RFC 7296 section 1.2). */
const CHILD_ERRORS: ReadonlySet<ErrorNotify> = new Set([
  "NO_PROPOSAL_CHOSEN",
  "TS_UNACCEPTABLE",
  "SINGLE_PAIR_REQUIRED",
  "INTERNAL_ADDRESS_FAILURE",
  "FAILED_CP_REQUIRED",
  "NO_ADDITIONAL_SAS",
  "TS_MAX_QUEUE",
]);

/**
 * Unauthenticated messages (section 2.21.1): a faulty IKE_SA_INIT request is answered, since there is nothing to lose
 * yet; everything else is dropped, and the initiator goes on waiting for a better answer until its timeout.
 * Authenticated ones: IKE_AUTH (section 2.21.2) fails as a whole but for errors of the child;
 * later (section 2.21.3) the IKE SA ends only for what `ERROR_NOTIFY` says.
 */
export function reactTo(error: ProtocolError, situation: Situation): Reaction {
  const { notify, data } = error;
  if (!situation.authenticated)
    return situation.exchange === "IKE_SA_INIT" && !situation.response
      ? { do: "notify", notify, data }
      : { do: "drop" };
  const closes = situation.exchange === "IKE_AUTH" ? !CHILD_ERRORS.has(notify) : ERROR_NOTIFY[notify].closes;
  if (situation.response) return closes ? { do: "tellAndClose", notify, data } : { do: "abandonExchange" };
  return { do: closes ? "notifyAndClose" : "notify", notify, data };
}
