/** IKEv2 messages: a header and a chain of payloads. Protected content is passed over here; `encrypted.ts` opens it. */
import { ProtocolError } from "../core/errors.js";
import {
  decodeRawHeader,
  encodeHeader,
  HEADER_BYTES,
  type IkeHeader,
  ikeHeader,
  LENGTH_OFFSET,
  NEXT_PAYLOAD_OFFSET,
  type RawHeader,
} from "./header.js";
import { MAX_NOTIFIES, MAX_PAYLOADS } from "./limits.js";
import {
  type EncryptedKind,
  encryptedKind,
  PAYLOADS,
  type PayloadBodies,
  type PayloadKind,
  type PayloadRow,
  payloadRow,
} from "./payload-table.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** A payload of a type that we do not know and may pass over (its critical bit was clear). */
export interface UnknownPayload {
  readonly kind: "unknown";
  readonly body: { readonly type: number; readonly data: Uint8Array };
}

type KnownPayload = {
  readonly [Kind in PayloadKind]: { readonly kind: Kind; readonly body: PayloadBodies[Kind] };
}[PayloadKind];

export type Payload = KnownPayload | UnknownPayload;

/** Where the Encrypted payload stands in the message; nothing of it has been read or believed. */
export interface EncryptedPart {
  readonly kind: EncryptedKind;
  /** Type of the first payload inside. */
  readonly firstPayload: number;
  /** Offset of its generic payload header. */
  readonly start: number;
}

export interface Message {
  readonly header: IkeHeader;
  /** The payloads in the clear, in order. */
  readonly payloads: readonly Payload[];
  /** Present when the message ends with an SK or SKF payload. */
  readonly encrypted?: EncryptedPart;
}

/** Makes a payload for `encodeMessage`: `payload("KE", { group, data })`. */
export function payload<Kind extends PayloadKind>(kind: Kind, body: PayloadBodies[Kind]): Payload {
  return { kind, body } as unknown as Payload;
}

/** The bodies of all payloads of a kind, in order. */
export function bodiesOf<Kind extends PayloadKind>(payloads: readonly Payload[], kind: Kind): PayloadBodies[Kind][] {
  const bodies: unknown[] = [];
  for (const p of payloads) if (p.kind === kind) bodies.push(p.body);
  return bodies as PayloadBodies[Kind][];
}

/**
 * Decodes a whole datagram of major version 2, down to an Encrypted payload. Throws `ProtocolError`: INVALID_SYNTAX,
 * UNSUPPORTED_CRITICAL_PAYLOAD with the payload type as data, INVALID_MAJOR_VERSION.
 */
export function decodeMessage(bytes: Uint8Array, raw: RawHeader = decodeRawHeader(bytes)): Message {
  if (raw.majorVersion !== 2) throw new ProtocolError("INVALID_MAJOR_VERSION", `version ${raw.majorVersion}`);
  if (raw.length !== bytes.length)
    throw new ProtocolError("INVALID_SYNTAX", `IKE header: Length is ${raw.length}, ${bytes.length} octets came`);
  const { payloads, encrypted } = decodeChain(bytes, HEADER_BYTES, raw.firstPayload, true);
  return { header: ikeHeader(raw), payloads, ...(encrypted && { encrypted }) };
}

/** A message without protection: IKE_SA_INIT, and answers outside of any IKE SA. */
export function encodeMessage(header: IkeHeader, payloads: readonly Payload[]): Uint8Array {
  const w = new Writer();
  encodeHeader(w, header, NO_NEXT_PAYLOAD, 0);
  w.patch8(NEXT_PAYLOAD_OFFSET, firstType(payloads));
  encodeChain(w, payloads);
  w.patch32(LENGTH_OFFSET, w.length);
  return w.done();
}

/** Appends payloads with their generic headers (RFC 7296 section 3.2): Next Payload (1) | critical (1) | length (2). */
export function encodeChain(w: Writer, payloads: readonly Payload[]): void {
  payloads.forEach((p, i) => {
    const start = w.length;
    const next = payloads[i + 1];
    w.u8(next === undefined ? NO_NEXT_PAYLOAD : payloadType(next))
      .zero(1)
      .sized16(start, () => {
        if (p.kind === "unknown") w.bytes(p.body.data);
        else (PAYLOADS[p.kind] as PayloadRow).codec.encode(w, p.body as never);
      });
  });
}

/** The type number that announces a chain. */
export function firstType(payloads: readonly Payload[]): number {
  const first = payloads[0];
  return first === undefined ? NO_NEXT_PAYLOAD : payloadType(first);
}

interface Chain {
  readonly payloads: readonly Payload[];
  readonly encrypted?: EncryptedPart;
}

/**
 * Decodes the chain of payloads from `at` to the end of `bytes`. Only a message's outer chain may end with an
 * Encrypted payload (`outer`), which then must reach to the end of the message.
 */
export function decodeChain(bytes: Uint8Array, at: number, firstPayload: number, outer: boolean): Chain {
  const r = new Reader(bytes.subarray(at), outer ? "message" : "Encrypted payload");
  const payloads: Payload[] = [];
  let notifies = 0;
  let type = firstPayload;
  while (type !== NO_NEXT_PAYLOAD) {
    const start = bytes.length - r.remaining;
    const next = r.u8("Next Payload");
    const critical = (r.u8("Critical") & CRITICAL) !== 0;
    const length = r.u16("Payload Length");
    if (length < GENERIC_HEADER_BYTES) r.fail(`Payload Length ${length} of payload type ${type}`);
    const body = r.bytes(length - GENERIC_HEADER_BYTES, nameOf(type));
    const encrypted = encryptedKind(type);
    if (encrypted !== undefined) {
      if (!outer) r.fail("an Encrypted payload inside another one");
      r.end();
      return { payloads, encrypted: { kind: encrypted, firstPayload: next, start } };
    }
    if (payloads.length === MAX_PAYLOADS) r.fail(`more than ${MAX_PAYLOADS} payloads`);
    payloads.push(decodePayload(type, critical, body));
    if (type === PAYLOADS.N.number && ++notifies > MAX_NOTIFIES) r.fail(`more than ${MAX_NOTIFIES} notifications`);
    type = next;
  }
  r.end();
  return { payloads };
}

function decodePayload(type: number, critical: boolean, body: Uint8Array): Payload {
  const row = payloadRow(type);
  if (row === undefined) {
    if (critical)
      throw new ProtocolError(
        "UNSUPPORTED_CRITICAL_PAYLOAD",
        `payload type ${type} is critical to the peer and unknown here`,
        new Uint8Array([type]),
      );
    return { kind: "unknown", body: { type, data: body } };
  }
  const r = new Reader(body, nameOf(type));
  const value = { kind: row.notation, body: row.codec.decode(r) } as Payload;
  r.end();
  return value;
}

function payloadType(p: Payload): number {
  return p.kind === "unknown" ? p.body.type : PAYLOADS[p.kind].number;
}

function nameOf(type: number): string {
  return `${payloadRow(type)?.notation ?? encryptedKind(type) ?? `type ${type}`} payload`;
}

const NO_NEXT_PAYLOAD = 0;
const GENERIC_HEADER_BYTES = 4;
const CRITICAL = 0x80;
