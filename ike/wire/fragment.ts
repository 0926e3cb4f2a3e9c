/**
 * The Encrypted Fragment payload, RFC 7383 section 2.5: one protected message in several datagrams, each with its own ICV.
 *
 *     IKE header | generic header | Fragment Number (2) | Total Fragments (2) | IV | ciphertext of (part | padding | Pad Length) | ICV
 *     |----------------------- covered by the ICV, AAD of an AEAD -----------|
 *
 * The generic header of the first fragment tells the type of the first payload inside; those of the others tell 0.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { ProtocolError } from "../core/errors.js";
import { type MessageContent, type OpenedMessage, openedMessage, openPart, roomInside, sealPart } from "./encrypted.js";
import type { IkeHeader } from "./header.js";
import { MAX_FRAGMENTS } from "./limits.js";
import type { Message } from "./message.js";
import { Reader } from "./reader.js";
import { Writer } from "./writer.js";

/** What a fragment says of its place, which is read before its ICV is checked, and believed after. */
export interface FragmentPlace {
  /** From 1. */
  readonly number: number;
  readonly total: number;
}

/** Fragments of one message that came so far; each of them passed its integrity check. */
export interface Reassembly {
  readonly messageId: number;
  readonly total: number;
  readonly parts: ReadonlyMap<number, Uint8Array>;
  /** Of all parts together. */
  readonly octets: number;
  /** Of the first fragment: the type of the first payload inside, and its datagram. */
  readonly first?: { readonly firstPayload: number; readonly datagram: Uint8Array };
}

/** Undefined for a message that is no fragment. Throws `ProtocolError` INVALID_SYNTAX for a place that cannot be. */
export function fragmentPlace(bytes: Uint8Array, { encrypted }: Message): FragmentPlace | undefined {
  if (encrypted?.kind !== "SKF") return undefined;
  const r = new Reader(bytes.subarray(encrypted.start + GENERIC_HEADER_BYTES), "SKF payload");
  const number = r.u16("Fragment Number");
  const total = r.u16("Total Fragments");
  if (number === 0 || number > total) r.fail(`fragment ${number} of ${total}`);
  if (total > MAX_FRAGMENTS) r.fail(`${total} fragments, ${MAX_FRAGMENTS} at most`);
  return { number, total };
}

/** The part of the message in a fragment. Undefined: forged or damaged. */
export function openFragment(
  bytes: Uint8Array,
  { encrypted }: Message,
  spec: SealerSpec,
  keys: SealerKeys,
): Uint8Array | undefined {
  if (encrypted?.kind !== "SKF") return undefined;
  return openPart(bytes, encrypted.start + GENERIC_HEADER_BYTES + PLACE_BYTES, spec, keys);
}

/**
 * Whether a fragment would bring anything, decided before its ICV is looked at (section 2.6): not one that is there already,
 * nor one of a cut with fewer fragments than the one being collected.
 */
export function isNews(known: Reassembly | undefined, messageId: number, { number, total }: FragmentPlace): boolean {
  if (known?.messageId !== messageId || total > known.total) return true;
  return total === known.total && !known.parts.has(number);
}

/**
 * The fragments with one more, whose ICV passed. A cut into more fragments takes the place of what was collected: the sender
 * tries smaller ones (section 2.5.2). Throws `ProtocolError` INVALID_SYNTAX when the message becomes longer than `mostOctets`.
 */
export function withFragment(
  known: Reassembly | undefined,
  { header, encrypted }: Message,
  { number, total }: FragmentPlace,
  part: Uint8Array,
  datagram: Uint8Array,
  mostOctets: number,
): Reassembly {
  const { messageId } = header;
  const base: Omit<Reassembly, "messageId" | "total"> =
    known?.messageId === messageId && known.total === total ? known : { parts: new Map(), octets: 0 };
  const octets = base.octets + part.length;
  if (octets > mostOctets)
    throw new ProtocolError("INVALID_SYNTAX", `fragments of ${octets} octets together, ${mostOctets} at most`);
  const first = number === 1 ? { firstPayload: encrypted!.firstPayload, datagram } : base.first;
  return { messageId, total, parts: new Map(base.parts).set(number, part), octets, ...(first && { first }) };
}

export function isComplete({ parts, total }: Reassembly): boolean {
  return parts.size === total;
}

/** The message of a complete set of fragments. Throws `ProtocolError` for content that breaks the format. */
export function reassemble(header: IkeHeader, { total, parts, octets, first }: Reassembly): OpenedMessage {
  const w = new Writer();
  for (let number = 1; number <= total; number++) w.bytes(parts.get(number)!);
  if (first === undefined || w.length !== octets) throw new Error("a message with a fragment that is not there");
  return openedMessage(header, first.firstPayload, w.done());
}

/**
 * The message in datagrams of at most `length` octets of IKE each, in order. Each fragment takes a counter of its own from
 * `counter` on.
 */
export function sealFragments(
  { header, firstPayload, octets }: MessageContent,
  length: number,
  spec: SealerSpec,
  keys: SealerKeys,
  counter: number,
  random: Random,
): readonly Uint8Array[] {
  const room = roomInside(spec, PLACE_BYTES, length);
  const total = Math.ceil(octets.length / room);
  if (room < 1 || total > MAX_FRAGMENTS) throw new RangeError(`${octets.length} octets in fragments of ${length}`);
  return Array.from({ length: total }, (_, i) => {
    const fields = new Writer()
      .u16(i + 1)
      .u16(total)
      .done();
    const part = octets.subarray(i * room, (i + 1) * room);
    const first = i === 0 ? firstPayload : 0;
    return sealPart(
      { header, kind: "SKF", firstPayload: first, fields, octets: part },
      spec,
      keys,
      counter + i,
      random,
    );
  });
}

const GENERIC_HEADER_BYTES = 4;
/** Fragment Number and Total Fragments. */
const PLACE_BYTES = 4;
