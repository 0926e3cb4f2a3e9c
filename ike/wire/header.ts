/** The IKE header, RFC 7296 section 3.1: 28 octets before everything. IKEv1 has the same layout (RFC 2408 section 3.1). */
import { type ExchangeType, exchangeCode, exchangeType } from "./exchange-types.js";
import { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

export const HEADER_BYTES = 28;

/** Offsets of the two framing fields that are filled in late. */
export const NEXT_PAYLOAD_OFFSET = 16;
export const LENGTH_OFFSET = 24;

/** What both versions have, as octets and numbers: enough to find the SA, and to refuse a version. */
export interface RawHeader {
  /** Cookie in IKEv1. */
  readonly initiatorSpi: bigint;
  /** Zero in the first message of an IKE SA. */
  readonly responderSpi: bigint;
  readonly firstPayload: number;
  readonly majorVersion: number;
  readonly minorVersion: number;
  readonly exchangeCode: number;
  readonly flags: number;
  readonly messageId: number;
  /** Of the whole message, as the sender says. */
  readonly length: number;
}

/** The header of an IKEv2 message. */
export interface IkeHeader {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly exchange: ExchangeType;
  /** The I flag: the sender is the original initiator of this IKE SA. */
  readonly fromInitiator: boolean;
  /** The R flag: this answers the request with the same Message ID. */
  readonly response: boolean;
  readonly messageId: number;
}

const FLAG_INITIATOR = 0x08;
const FLAG_RESPONSE = 0x20;

/** Throws `ProtocolError` INVALID_SYNTAX for less than 28 octets; checks nothing else. */
export function decodeRawHeader(bytes: Uint8Array): RawHeader {
  const r = new Reader(bytes, "IKE header");
  const initiatorSpi = r.u64("IKE SA Initiator's SPI");
  const responderSpi = r.u64("IKE SA Responder's SPI");
  const firstPayload = r.u8("Next Payload");
  const version = r.u8("version");
  return {
    initiatorSpi,
    responderSpi,
    firstPayload,
    majorVersion: version >> 4,
    minorVersion: version & 0x0f,
    exchangeCode: r.u8("Exchange Type"),
    flags: r.u8("Flags"),
    messageId: r.u32("Message ID"),
    length: r.u32("Length"),
  };
}

/** The IKEv2 meaning of a header whose major version is 2. Unknown flags and the minor version are ignored (section 2.5). */
export function ikeHeader(raw: RawHeader): IkeHeader {
  return {
    initiatorSpi: raw.initiatorSpi,
    responderSpi: raw.responderSpi,
    exchange: exchangeType(raw.exchangeCode),
    fromInitiator: (raw.flags & FLAG_INITIATOR) !== 0,
    response: (raw.flags & FLAG_RESPONSE) !== 0,
    messageId: raw.messageId,
  };
}

/** Writes the header of a version 2.0 message; `length` may be patched later at `LENGTH_OFFSET`. */
export function encodeHeader(w: Writer, header: IkeHeader, firstPayload: number, length: number): void {
  w.u64(header.initiatorSpi)
    .u64(header.responderSpi)
    .u8(firstPayload)
    .u8(0x20)
    .u8(exchangeCode(header.exchange))
    .u8((header.fromInitiator ? FLAG_INITIATOR : 0) | (header.response ? FLAG_RESPONSE : 0))
    .u32(header.messageId)
    .u32(length);
}

/** The eight octets of an IKE SPI, as key derivation and cookies want them. */
export function spiOctets(spi: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, spi);
  return bytes;
}
