/**
 * The Encrypted payload, RFC 7296 section 3.14, for AEADs RFC 5282 section 3:
 *
 *     IKE header | payloads in the clear | generic header | IV | ciphertext of (payloads | padding | Pad Length) | ICV
 *     |------------- covered by the ICV, AAD of an AEAD ----------|
 *
 * Opening goes in this order: integrity, padding, the payloads inside. Nothing inside is looked at before the ICV passed.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { open, seal } from "../../crypto/seal.js";
import { ProtocolError } from "../core/errors.js";
import { encodeHeader, HEADER_BYTES, type IkeHeader } from "./header.js";
import { decodeChain, encodeChain, firstType, type Message, type Payload } from "./message.js";
import { ENCRYPTED_PAYLOADS, type EncryptedKind } from "./payload-table.js";
import { Writer } from "./writer.js";

declare const opened: unique symbol;

/** A message whose integrity check passed. Only `openedMessage` makes one. */
export interface OpenedMessage {
  readonly [opened]: true;
  readonly header: IkeHeader;
  /** The payloads inside the Encrypted payload. Those outside of it are dropped: nobody has a use for them. */
  readonly payloads: readonly Payload[];
}

/**
 * Opens the SK payload of a decoded message; `bytes` is the whole datagram. Undefined: forged, damaged, or not protected
 * at all, so nothing may follow from it. Throws `ProtocolError` for an authentic message that breaks the format.
 */
export function openMessage(
  bytes: Uint8Array,
  message: Message,
  spec: SealerSpec,
  keys: SealerKeys,
): OpenedMessage | undefined {
  const { header, encrypted } = message;
  if (encrypted?.kind !== "SK") return undefined;
  const inside = openPart(bytes, encrypted.start + GENERIC_HEADER_BYTES, spec, keys);
  return inside && openedMessage(header, encrypted.firstPayload, inside);
}

/** Reads the payloads of content whose integrity check passed, in one piece or fragment by fragment (`fragment.ts`). */
export function openedMessage(header: IkeHeader, firstPayload: number, inside: Uint8Array): OpenedMessage {
  const { payloads } = decodeChain(inside, 0, firstPayload, false);
  return { header, payloads } as unknown as OpenedMessage;
}

/**
 * What is inside of an Encrypted payload whose IV starts at `ivAt`, without padding. Undefined: forged or damaged. Throws
 * `ProtocolError` INVALID_SYNTAX for authentic padding that breaks the format.
 */
export function openPart(bytes: Uint8Array, ivAt: number, spec: SealerSpec, keys: SealerKeys): Uint8Array | undefined {
  const { ivBytes, icvBytes } = overhead(spec);
  if (bytes.length < ivAt + ivBytes + 1 + icvBytes) return undefined;
  const plain = open(spec, keys, bytes.subarray(0, ivAt), bytes.subarray(ivAt));
  if (plain === undefined) return undefined;
  const padLength = plain[plain.length - 1];
  if (padLength === undefined || padLength + 1 > plain.length)
    throw new ProtocolError("INVALID_SYNTAX", `Encrypted payload: Pad Length ${padLength} in ${plain.length} octets`);
  return plain.subarray(0, plain.length - 1 - padLength);
}

/** What goes inside of an Encrypted payload, or of several fragments. */
export interface MessageContent {
  readonly header: IkeHeader;
  /** Type of the first payload inside. */
  readonly firstPayload: number;
  readonly octets: Uint8Array;
}

export function messageContent(header: IkeHeader, payloads: readonly Payload[]): MessageContent {
  const w = new Writer();
  encodeChain(w, payloads);
  return { header, firstPayload: firstType(payloads), octets: w.done() };
}

/**
 * A whole protected message. `counter` never repeats under these keys: it is the IV of AEADs and counter modes (RFC 5282
 * section 3.1); CBC takes its IV from `random`.
 */
export function sealMessage(
  header: IkeHeader,
  payloads: readonly Payload[],
  spec: SealerSpec,
  keys: SealerKeys,
  counter: number,
  random: Random,
): Uint8Array {
  return sealContent(messageContent(header, payloads), spec, keys, counter, random);
}

export function sealContent(
  { header, firstPayload, octets }: MessageContent,
  spec: SealerSpec,
  keys: SealerKeys,
  counter: number,
  random: Random,
): Uint8Array {
  return sealPart({ header, firstPayload, octets, kind: "SK", fields: NO_FIELDS }, spec, keys, counter, random);
}

export interface SealedPart extends MessageContent {
  readonly kind: EncryptedKind;
  /** Between the generic payload header and the IV: covered by the ICV, not encrypted. */
  readonly fields: Uint8Array;
}

/** One datagram that ends with an Encrypted payload. */
export function sealPart(
  { header, kind, firstPayload, fields, octets }: SealedPart,
  spec: SealerSpec,
  keys: SealerKeys,
  counter: number,
  random: Random,
): Uint8Array {
  const { ivBytes } = overhead(spec);
  const length = sealedBytes(spec, fields.length, octets.length);
  const w = new Writer();
  encodeHeader(w, header, ENCRYPTED_PAYLOADS[kind].number, length);
  w.u8(firstPayload)
    .zero(1)
    .u16(length - HEADER_BYTES)
    .bytes(fields);
  const iv = spec.encryption.saltBytes > 0 ? counterIv(counter, ivBytes) : random(ivBytes);
  return w.bytes(seal(spec, keys, iv, w.done(), padded(octets, spec.encryption.blockBytes))).done();
}

/** Octets of a message with an Encrypted payload around `inside` octets of payloads. */
export function sealedBytes(spec: SealerSpec, fieldBytes: number, inside: number): number {
  const { ivBytes, icvBytes } = overhead(spec);
  const { blockBytes } = spec.encryption;
  const padded = Math.ceil((inside + PAD_LENGTH_BYTES) / blockBytes) * blockBytes;
  return HEADER_BYTES + GENERIC_HEADER_BYTES + fieldBytes + ivBytes + padded + icvBytes;
}

/** The most octets of payloads that fit into a message of at most `length` octets. */
export function roomInside(spec: SealerSpec, fieldBytes: number, length: number): number {
  const { ivBytes, icvBytes } = overhead(spec);
  const { blockBytes } = spec.encryption;
  const left = length - HEADER_BYTES - GENERIC_HEADER_BYTES - fieldBytes - ivBytes - icvBytes;
  return Math.floor(left / blockBytes) * blockBytes - PAD_LENGTH_BYTES;
}

const GENERIC_HEADER_BYTES = 4;
const PAD_LENGTH_BYTES = 1;
const NO_FIELDS = new Uint8Array(0);

function overhead({ encryption, integrity }: SealerSpec): { ivBytes: number; icvBytes: number } {
  return { ivBytes: encryption.ivBytes, icvBytes: integrity?.icvBytes ?? encryption.icvBytes };
}

/** The counter, big-endian, in the low octets. */
function counterIv(counter: number, length: number): Uint8Array {
  const w = new Writer();
  return w
    .zero(length - 8)
    .u64(BigInt(counter))
    .done();
}

/** Payloads, as little padding as the cipher's block allows, Pad Length. */
function padded(octets: Uint8Array, blockBytes: number): Uint8Array {
  const w = new Writer().bytes(octets);
  const padLength = (blockBytes - ((w.length + PAD_LENGTH_BYTES) % blockBytes)) % blockBytes;
  return w.zero(padLength).u8(padLength).done();
}
