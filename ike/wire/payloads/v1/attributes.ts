import { type Attribute, readAttribute, writeAttribute } from "../../attributes.js";
import type { PayloadCodec } from "../../codec.js";
import { MAX_ATTRIBUTES_V1 } from "../../limits.js";

/** Message types of the transaction exchange. */
export const ATTRIBUTES_MESSAGE = { request: 1, reply: 2, set: 3, acknowledge: 4 } as const;

/**
 * Attribute payload, draft-dukes-ike-mode-cfg-02 section 3.2: Type (1) | RESERVED (1) | Identifier (2) | attributes.
 * Mode-config and XAUTH speak through it.
 */
export interface AttributesPayloadV1 {
  /** A number of `ATTRIBUTES_MESSAGE`, or one that we do not know. */
  readonly message: number;
  readonly identifier: number;
  readonly attributes: readonly Attribute[];
}

export const attributesCodecV1: PayloadCodec<AttributesPayloadV1> = {
  decode(r) {
    const message = r.u8("Type");
    r.skip(1);
    const identifier = r.u16("Identifier");
    const attributes: Attribute[] = [];
    while (r.remaining > 0) {
      if (attributes.length === MAX_ATTRIBUTES_V1) r.fail(`more than ${MAX_ATTRIBUTES_V1} attributes`);
      attributes.push(readAttribute(r));
    }
    return { message, identifier, attributes };
  },
  encode(w, { message, identifier, attributes }) {
    w.u8(message).zero(1).u16(identifier);
    for (const attribute of attributes) writeAttribute(w, attribute);
  },
};
