/**
 * The proprietary IKE fragmentation that Cisco, Microsoft and strongSwan speak: a message that is too long travels as FRAGMENT payloads
 * in messages of their own, each with the cookies and the exchange type of the whole, in the clear, with Message ID 0.
 * Fragments prove nothing: what is collected is bounded, and the whole message is treated as if it had come in one piece.
 */
import { concat } from "../../crypto/bytes.js";
import { ProtocolError } from "../core/errors.js";
import { decodeRawHeader, HEADER_BYTES } from "../wire/header.js";
import { headerV1 } from "../wire/header-v1.js";
import { MAX_UNPROVEN_BYTES } from "../wire/limits.js";
import { encodeMessageV1, payloadV1 } from "../wire/message-v1.js";
import type { FragmentPayloadV1 } from "../wire/payloads/v1/fragment.js";

/** The fragments of one message that have come. Bounded: one message at a time, `MAX_UNPROVEN_BYTES` of it. */
export interface Fragments {
  readonly id: number;
  /** Data by Fragment Number. */
  readonly parts: ReadonlyMap<number, Uint8Array>;
  /** Fragment Number of the last one, once it has come. */
  readonly last?: number;
  readonly bytes: number;
}

/**
 * A whole message (header included) as datagrams of at most `mostBytes` each; one that is short enough stays as it is. `id` is for
 * telling messages apart. Throws `RangeError` where 255 fragments are not enough.
 */
export function splitMessage(bytes: Uint8Array, mostBytes: number, id: number): readonly Uint8Array[] {
  if (bytes.length <= mostBytes) return [bytes];
  const room = mostBytes - OVERHEAD;
  const count = Math.ceil(bytes.length / room);
  if (room < 1 || count > MOST_FRAGMENTS) throw new RangeError(`${bytes.length} octets in fragments of ${mostBytes}`);
  const header = { ...headerV1(decodeRawHeader(bytes)), encryption: false, commit: false, authenticationOnly: false };
  return Array.from({ length: count }, (_, i) => {
    const data = bytes.subarray(i * room, (i + 1) * room);
    const fragment = { id, number: i + 1, last: i === count - 1, data };
    return encodeMessageV1({ ...header, messageId: 0 }, [payloadV1("FRAGMENT", fragment)]);
  });
}

/** What a fragment leads to: the whole message, or what is to be kept until the next one. */
export type Collected =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  | { readonly kind: "waiting"; readonly fragments: Fragments };

/**
 * Adds a fragment. One with another Fragment ID begins a new message and drops the old; a repeated one changes nothing. Throws
 * `ProtocolError` INVALID_SYNTAX for what cannot be one message, and for one that is too long to be kept.
 */
export function collect(before: Fragments | undefined, fragment: FragmentPayloadV1): Collected {
  const { id, number, data } = fragment;
  const { parts, last, bytes } = before?.id === id ? before : { parts: NO_PARTS, last: undefined, bytes: 0 };
  const end = fragment.last ? number : last;
  if (last !== undefined && end !== last) throw refused(`fragments ${last} and ${number} are both the last one`);
  if (end !== undefined && [...parts.keys(), number].some((each) => each > end))
    throw refused(`a fragment behind the last one, ${end}`);
  const known = parts.has(number);
  const total = known ? bytes : bytes + data.length;
  if (total > MAX_UNPROVEN_BYTES) throw refused(`fragments of more than ${MAX_UNPROVEN_BYTES} octets`);
  // A copy: `data` is a view of a receive buffer.
  const all = known ? parts : new Map([...parts, [number, data.slice()]]);
  if (end === undefined || all.size < end)
    return { kind: "waiting", fragments: { id, parts: all, ...(end !== undefined && { last: end }), bytes: total } };
  const whole = concat(...Array.from({ length: end }, (_, i) => all.get(i + 1)!));
  if (whole.length < HEADER_BYTES) throw refused(`the whole message has ${whole.length} octets`);
  return { kind: "whole", bytes: whole };
}

/** ISAKMP header, generic header, Fragment ID, Fragment Number, Flags. */
const OVERHEAD = HEADER_BYTES + 4 + 4;
const MOST_FRAGMENTS = 255;
const NO_PARTS: ReadonlyMap<number, Uint8Array> = new Map();

function refused(problem: string): ProtocolError {
  return new ProtocolError("INVALID_SYNTAX", `FRAGMENT payload: ${problem}`);
}
