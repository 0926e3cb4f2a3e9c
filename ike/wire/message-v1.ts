/**
 * IKEv1 messages, RFC 2408: a header and a chain of payloads, in the clear or (E flag) ciphertext as a whole.
 * What is decrypted has no integrity yet: decoding it is bounded, and nothing follows from it before its HASH holds.
 */
import { ProtocolError } from "../core/errors.js";
import { decodeRawHeader, HEADER_BYTES, LENGTH_OFFSET, NEXT_PAYLOAD_OFFSET, type RawHeader } from "./header.js";
import { encodeHeaderV1, type HeaderV1, headerV1 } from "./header-v1.js";
import { MAX_NOTIFIES, MAX_PAYLOADS } from "./limits.js";
import {
  PAYLOADS_V1,
  type PayloadBodiesV1,
  type PayloadKindV1,
  type PayloadRowV1,
  payloadRowV1,
} from "./payload-table.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** A payload of a private-use type (128 to 255) that we do not know, and pass over. */
export interface UnknownPayloadV1 {
  readonly kind: "unknown";
  readonly body: { readonly type: number; readonly data: Uint8Array };
}

type KnownPayloadV1 = {
  readonly [Kind in PayloadKindV1]: { readonly kind: Kind; readonly body: PayloadBodiesV1[Kind] };
}[PayloadKindV1];

export type PayloadV1 = KnownPayloadV1 | UnknownPayloadV1;

/** What came. `octets` is the body as it came, for hashes over it (SAi_b, IDii_b: RFC 2409 section 3.2). */
export type ReceivedPayloadV1 = PayloadV1 & { readonly octets: Uint8Array };

export interface MessageV1 {
  readonly header: HeaderV1;
  /** Empty when the message is encrypted. */
  readonly payloads: readonly ReceivedPayloadV1[];
  /** With the E flag: the ciphertext, of which nothing has been read, and the type of the first payload inside. */
  readonly encrypted?: EncryptedBodyV1;
}

export interface EncryptedBodyV1 {
  readonly firstPayload: number;
  readonly body: Uint8Array;
}

export interface ChainV1 {
  readonly payloads: readonly ReceivedPayloadV1[];
  /** Everything from the second payload's generic header to the end of the last payload: what HASH(1) and its like cover. */
  readonly behindFirst: Uint8Array;
}

/** Makes a payload for `encodeMessageV1`: `payloadV1("NONCE", { nonce })`. */
export function payloadV1<Kind extends PayloadKindV1>(kind: Kind, body: PayloadBodiesV1[Kind]): PayloadV1 {
  return { kind, body } as unknown as PayloadV1;
}

/** The bodies of all payloads of a kind, in order. */
export function bodiesOfV1<Kind extends PayloadKindV1>(
  payloads: readonly PayloadV1[],
  kind: Kind,
): PayloadBodiesV1[Kind][] {
  const bodies: unknown[] = [];
  for (const p of payloads) if (p.kind === kind) bodies.push(p.body);
  return bodies as PayloadBodiesV1[Kind][];
}

/**
 * Decodes a whole datagram of major version 1; with the E flag down to the header. Throws `ProtocolError`: INVALID_SYNTAX,
 * UNSUPPORTED_CRITICAL_PAYLOAD with the payload type as data, INVALID_MAJOR_VERSION.
 */
export function decodeMessageV1(bytes: Uint8Array, raw: RawHeader = decodeRawHeader(bytes)): MessageV1 {
  if (raw.majorVersion !== 1) throw new ProtocolError("INVALID_MAJOR_VERSION", `version ${raw.majorVersion}`);
  if (raw.length !== bytes.length)
    throw new ProtocolError("INVALID_SYNTAX", `IKE header: Length is ${raw.length}, ${bytes.length} octets came`);
  const header = headerV1(raw);
  const body = bytes.subarray(HEADER_BYTES);
  if (header.encryption) return { header, payloads: [], encrypted: { firstPayload: raw.firstPayload, body } };
  return { header, payloads: decodeChain(body, raw.firstPayload, LONGEST_ALIGNMENT).payloads };
}

/**
 * Decodes the payloads of a decrypted body. Behind them may be padding of up to 256 octets: RFC 2409 appendix B wants zeros and
 * a count in the last octet, peers send zeros or noise and no count, and no HASH covers it, so nothing is read from it.
 */
export function decodeChainV1(decrypted: Uint8Array, firstPayload: number): ChainV1 {
  return decodeChain(decrypted, firstPayload, LONGEST_PADDING);
}

/** A message in the clear. */
export function encodeMessageV1(header: HeaderV1, payloads: readonly PayloadV1[]): Uint8Array {
  return framed({ ...header, encryption: false }, firstTypeV1(payloads), encodeChainV1(payloads));
}

/** A message whose body is ciphertext of a chain that begins with a payload of type `firstPayload`. */
export function encodeEncryptedV1(header: HeaderV1, { firstPayload, body }: EncryptedBodyV1): Uint8Array {
  return framed({ ...header, encryption: true }, firstPayload, body);
}

/** Payloads with their generic headers (RFC 2408 section 3.2): Next Payload (1) | RESERVED (1) | length (2). */
export function encodeChainV1(payloads: readonly PayloadV1[]): Uint8Array {
  const w = new Writer();
  payloads.forEach((p, i) => {
    const start = w.length;
    w.u8(firstTypeV1(payloads.slice(i + 1, i + 2)))
      .zero(1)
      .sized16(start, () => writeBody(w, p));
  });
  return w.done();
}

/** A payload's body without generic header, as hashes want it: SAi_b, IDii_b. */
export function encodeBodyV1(p: PayloadV1): Uint8Array {
  const w = new Writer();
  writeBody(w, p);
  return w.done();
}

/** The type number that announces a chain. */
export function firstTypeV1(payloads: readonly PayloadV1[]): number {
  const first = payloads[0];
  if (first === undefined) return NO_NEXT_PAYLOAD;
  return first.kind === "unknown" ? first.body.type : PAYLOADS_V1[first.kind].number;
}

function framed(header: HeaderV1, firstPayload: number, body: Uint8Array): Uint8Array {
  const w = new Writer();
  encodeHeaderV1(w, header, NO_NEXT_PAYLOAD, 0);
  w.patch8(NEXT_PAYLOAD_OFFSET, firstPayload);
  w.bytes(body);
  w.patch32(LENGTH_OFFSET, w.length);
  return w.done();
}

function writeBody(w: Writer, p: PayloadV1): void {
  if (p.kind === "unknown") w.bytes(p.body.data);
  else (PAYLOADS_V1[p.kind] as PayloadRowV1).codec.encode(w, p.body as never);
}

function decodeChain(bytes: Uint8Array, firstPayload: number, mostPadding: number): ChainV1 {
  const r = new Reader(bytes, "message");
  const payloads: ReceivedPayloadV1[] = [];
  let notifies = 0;
  let behindFirst = 0;
  for (let type = firstPayload; type !== NO_NEXT_PAYLOAD; ) {
    if (payloads.length === MAX_PAYLOADS) r.fail(`more than ${MAX_PAYLOADS} payloads`);
    const next = r.u8("Next Payload");
    const reserved = r.u8("RESERVED");
    if (reserved !== 0) r.fail(`RESERVED of payload type ${type} is ${reserved}`);
    const length = r.u16("Payload Length");
    if (length < GENERIC_HEADER_BYTES) r.fail(`Payload Length ${length} of payload type ${type}`);
    payloads.push(decodePayload(type, r.bytes(length - GENERIC_HEADER_BYTES, nameOf(type))));
    if (type === PAYLOADS_V1.N.number && ++notifies > MAX_NOTIFIES) r.fail(`more than ${MAX_NOTIFIES} notifications`);
    if (payloads.length === 1) behindFirst = bytes.length - r.remaining;
    type = next;
  }
  if (r.remaining > mostPadding) r.fail(`${r.remaining} octets too many`);
  return { payloads, behindFirst: bytes.subarray(behindFirst, bytes.length - r.remaining) };
}

function decodePayload(type: number, octets: Uint8Array): ReceivedPayloadV1 {
  const row = payloadRowV1(type);
  if (row === undefined) {
    if (type < FIRST_PRIVATE_PAYLOAD)
      throw new ProtocolError(
        "UNSUPPORTED_CRITICAL_PAYLOAD",
        `payload type ${type} is unknown`,
        new Uint8Array([type]),
      );
    return { kind: "unknown", body: { type, data: octets }, octets };
  }
  const r = new Reader(octets, nameOf(type));
  const received = { kind: row.notation, body: row.codec.decode(r), octets } as ReceivedPayloadV1;
  r.end();
  return received;
}

function nameOf(type: number): string {
  return `${payloadRowV1(type)?.notation ?? `type ${type}`} payload`;
}

const NO_NEXT_PAYLOAD = 0;
const GENERIC_HEADER_BYTES = 4;
const FIRST_PRIVATE_PAYLOAD = 128;
/** libreswan fills messages in the clear up to whole words of four octets. */
const LONGEST_ALIGNMENT = 3;
/** What one octet can count, and that octet. */
const LONGEST_PADDING = 256;
