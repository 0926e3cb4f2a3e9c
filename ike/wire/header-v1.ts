/** The ISAKMP header, RFC 2408 section 3.1: the layout of `header.ts` with other flags. */
import { type ExchangeTypeV1, exchangeCodeV1, exchangeTypeV1 } from "./exchange-types.js";
import type { RawHeader } from "./header.js";
import type { Writer } from "./writer.js";

export interface HeaderV1 {
  /** CKY-I. */
  readonly initiatorCookie: bigint;
  /** CKY-R; zero in the first message of an exchange of phase 1. */
  readonly responderCookie: bigint;
  readonly exchange: ExchangeTypeV1;
  /** E flag: everything behind the header is encrypted. */
  readonly encryption: boolean;
  /** C flag: the sender asks to be waited for. */
  readonly commit: boolean;
  /** A flag: an informational exchange with integrity and without encryption. */
  readonly authenticationOnly: boolean;
  /** Zero in phase 1. */
  readonly messageId: number;
}

const FLAG_ENCRYPTION = 0x01;
const FLAG_COMMIT = 0x02;
const FLAG_AUTHENTICATION_ONLY = 0x04;

/** The IKEv1 meaning of a header whose major version is 1. Other flags and the minor version do not count. */
export function headerV1(raw: RawHeader): HeaderV1 {
  return {
    initiatorCookie: raw.initiatorSpi,
    responderCookie: raw.responderSpi,
    exchange: exchangeTypeV1(raw.exchangeCode),
    encryption: (raw.flags & FLAG_ENCRYPTION) !== 0,
    commit: (raw.flags & FLAG_COMMIT) !== 0,
    authenticationOnly: (raw.flags & FLAG_AUTHENTICATION_ONLY) !== 0,
    messageId: raw.messageId,
  };
}

/** Writes the header of a version 1.0 message; `length` may be patched later at `LENGTH_OFFSET`. */
export function encodeHeaderV1(w: Writer, header: HeaderV1, firstPayload: number, length: number): void {
  w.u64(header.initiatorCookie)
    .u64(header.responderCookie)
    .u8(firstPayload)
    .u8(0x10)
    .u8(exchangeCodeV1(header.exchange))
    .u8(
      (header.encryption ? FLAG_ENCRYPTION : 0) |
        (header.commit ? FLAG_COMMIT : 0) |
        (header.authenticationOnly ? FLAG_AUTHENTICATION_ONLY : 0),
    )
    .u32(header.messageId)
    .u32(length);
}
