/**
 * Data attributes, RFC 2408 section 3.3 and RFC 7296 section 3.3.5: AF bit and type (2) | value (2), or AF bit clear and
 * type (2) | length (2) | value. Transforms of both versions and the Attribute payload of IKEv1 share them.
 */
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

export interface Attribute {
  readonly type: number;
  /** A number in the short form, octets in the long one. */
  readonly value: number | Uint8Array;
}

export function readAttribute(r: Reader): Attribute {
  const head = r.u16("Attribute Type");
  const type = head & ~SHORT_FORM;
  const lengthOrValue = r.u16("Attribute Length or Value");
  if ((head & SHORT_FORM) !== 0) return { type, value: lengthOrValue };
  return { type, value: r.bytes(lengthOrValue, "Attribute Value") };
}

export function writeAttribute(w: Writer, { type, value }: Attribute): void {
  if (typeof value === "number") w.u16(SHORT_FORM | type).u16(value);
  else w.u16(type).u16(value.length).bytes(value);
}

/** Attribute Format bit: the value stands in the two octets where the length would be. */
const SHORT_FORM = 0x8000;
