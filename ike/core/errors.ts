/** What a peer can do wrong: the error notifications of IKEv2 and the exception that carries one. */
import type { Blamed, Evidence } from "./evidence.js";

/**
 * Error notifications, RFC 7296 section 3.10.1 and the IANA registry "IKEv2 Notify Message Error Types".
 * `closes`: the IKE SA cannot outlive it, wherever it occurs (RFC 7296 section 2.21.3).
 */
export const ERROR_NOTIFY = {
  UNSUPPORTED_CRITICAL_PAYLOAD: { code: 1, closes: false },
  INVALID_IKE_SPI: { code: 4, closes: false },
  INVALID_MAJOR_VERSION: { code: 5, closes: false },
  INVALID_SYNTAX: { code: 7, closes: true },
  INVALID_MESSAGE_ID: { code: 9, closes: false },
  INVALID_SPI: { code: 11, closes: false },
  NO_PROPOSAL_CHOSEN: { code: 14, closes: false },
  INVALID_KE_PAYLOAD: { code: 17, closes: false },
  AUTHENTICATION_FAILED: { code: 24, closes: true },
  SINGLE_PAIR_REQUIRED: { code: 34, closes: false },
  NO_ADDITIONAL_SAS: { code: 35, closes: false },
  INTERNAL_ADDRESS_FAILURE: { code: 36, closes: false },
  FAILED_CP_REQUIRED: { code: 37, closes: false },
  TS_UNACCEPTABLE: { code: 38, closes: false },
  INVALID_SELECTORS: { code: 39, closes: false },
  UNACCEPTABLE_ADDRESSES: { code: 40, closes: false }, // RFC 4555
  UNEXPECTED_NAT_DETECTED: { code: 41, closes: false }, // RFC 4555
  USE_ASSIGNED_HOA: { code: 42, closes: false }, // RFC 5026
  TEMPORARY_FAILURE: { code: 43, closes: false },
  CHILD_SA_NOT_FOUND: { code: 44, closes: false },
  INVALID_GROUP_ID: { code: 45, closes: false },
  AUTHORIZATION_FAILED: { code: 46, closes: false },
  STATE_NOT_FOUND: { code: 47, closes: false }, // RFC 9370
  TS_MAX_QUEUE: { code: 48, closes: false }, // RFC 9611
} as const;

export type ErrorNotify = keyof typeof ERROR_NOTIFY;

/** Notify types below this number are errors (RFC 7296 section 3.10.1). */
export const FIRST_STATUS_NOTIFY = 16384;

/** What an error rests on, for whoever has to explain it: of the tunnel, or of those that may have been meant. */
export interface Grounds {
  readonly evidence?: Evidence;
  readonly candidates?: readonly Blamed[];
}

const NOTHING = new Uint8Array(0);

/** The peer broke a rule, or asked what we refuse. `notify` and `data` are for the peer, the message for the operator. */
export class ProtocolError extends Error {
  readonly notify: ErrorNotify;
  /** Why, as a sentence for the operator, without the notification's name. */
  readonly detail: string;
  /** Notification Data. */
  readonly data: Uint8Array;
  readonly grounds: Grounds;

  constructor(notify: ErrorNotify, detail: string, data: Uint8Array = NOTHING, grounds: Grounds = {}) {
    super(`${notify}: ${detail}`);
    this.name = "ProtocolError";
    this.notify = notify;
    this.detail = detail;
    this.data = data;
    this.grounds = grounds;
  }
}
