/** Notify message types of IKEv1: RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 6. */
import type { ErrorNotify } from "../core/errors.js";

export const ERROR_NOTIFY_V1 = {
  "INVALID-PAYLOAD-TYPE": 1,
  "DOI-NOT-SUPPORTED": 2,
  "SITUATION-NOT-SUPPORTED": 3,
  "INVALID-COOKIE": 4,
  "INVALID-MAJOR-VERSION": 5,
  "INVALID-MINOR-VERSION": 6,
  "INVALID-EXCHANGE-TYPE": 7,
  "INVALID-FLAGS": 8,
  "INVALID-MESSAGE-ID": 9,
  "INVALID-PROTOCOL-ID": 10,
  "INVALID-SPI": 11,
  "INVALID-TRANSFORM-ID": 12,
  "ATTRIBUTES-NOT-SUPPORTED": 13,
  "NO-PROPOSAL-CHOSEN": 14,
  "BAD-PROPOSAL-SYNTAX": 15,
  "PAYLOAD-MALFORMED": 16,
  "INVALID-KEY-INFORMATION": 17,
  "INVALID-ID-INFORMATION": 18,
  "INVALID-CERT-ENCODING": 19,
  "INVALID-CERTIFICATE": 20,
  "CERT-TYPE-UNSUPPORTED": 21,
  "INVALID-CERT-AUTHORITY": 22,
  "INVALID-HASH-INFORMATION": 23,
  "AUTHENTICATION-FAILED": 24,
  "INVALID-SIGNATURE": 25,
  "ADDRESS-NOTIFICATION": 26,
  "NOTIFY-SA-LIFETIME": 27,
  "CERTIFICATE-UNAVAILABLE": 28,
  "UNSUPPORTED-EXCHANGE-TYPE": 29,
  "UNEQUAL-PAYLOAD-LENGTHS": 30,
} as const;

export const STATUS_NOTIFY_V1 = {
  CONNECTED: 16384,
  "RESPONDER-LIFETIME": 24576,
  "REPLAY-STATUS": 24577,
  "INITIAL-CONTACT": 24578,
  "R-U-THERE": 36136,
  "R-U-THERE-ACK": 36137,
} as const;

export type ErrorNotifyV1 = keyof typeof ERROR_NOTIFY_V1;
export type NotifyNameV1 = ErrorNotifyV1 | keyof typeof STATUS_NOTIFY_V1;

/** A known type by name, any other by number. */
export type NotifyTypeV1 = NotifyNameV1 | number;

const CODES: Readonly<Record<NotifyNameV1, number>> = { ...ERROR_NOTIFY_V1, ...STATUS_NOTIFY_V1 };
const NAMES: ReadonlyMap<number, NotifyNameV1> = new Map(
  (Object.keys(CODES) as NotifyNameV1[]).map((name) => [CODES[name], name]),
);

export function notifyTypeV1(code: number): NotifyTypeV1 {
  return NAMES.get(code) ?? code;
}

export function notifyCodeV1(type: NotifyTypeV1): number {
  return typeof type === "number" ? type : CODES[type];
}

/** Whether the peer says that something failed: 1 to 8191 by the RFC, up to 16383 in private use (RFC 2408 section 3.14.1). */
export function isErrorNotifyV1(type: NotifyTypeV1): boolean {
  const code = notifyCodeV1(type);
  return code > 0 && code < STATUS_NOTIFY_V1.CONNECTED;
}

/** For logs. */
export function notifyNameV1(type: NotifyTypeV1): string {
  return typeof type === "number" ? `notify ${type}` : type;
}

/** What IKEv1 calls an error that is thrown with its IKEv2 name: both versions share decoders and checks. */
export function errorNotifyV1(notify: ErrorNotify): ErrorNotifyV1 {
  return V1_ERRORS[notify] ?? "PAYLOAD-MALFORMED";
}

const V1_ERRORS: { readonly [Name in ErrorNotify]?: ErrorNotifyV1 } = {
  UNSUPPORTED_CRITICAL_PAYLOAD: "INVALID-PAYLOAD-TYPE",
  INVALID_IKE_SPI: "INVALID-COOKIE",
  INVALID_MAJOR_VERSION: "INVALID-MAJOR-VERSION",
  INVALID_MESSAGE_ID: "INVALID-MESSAGE-ID",
  INVALID_SPI: "INVALID-SPI",
  NO_PROPOSAL_CHOSEN: "NO-PROPOSAL-CHOSEN",
  INVALID_KE_PAYLOAD: "INVALID-KEY-INFORMATION",
  AUTHENTICATION_FAILED: "AUTHENTICATION-FAILED",
  TS_UNACCEPTABLE: "INVALID-ID-INFORMATION",
  INVALID_SELECTORS: "INVALID-ID-INFORMATION",
};
