import type { PayloadCodec } from "../codec.js";

/** Identification payloads IDi and IDr, RFC 7296 section 3.5: ID Type (1) | RESERVED (3) | data. */
export interface IdPayload {
  /** A number of `id-types.ts`, or one that we do not know. */
  readonly idType: number;
  readonly data: Uint8Array;
}

export const idCodec: PayloadCodec<IdPayload> = {
  decode(r) {
    const idType = r.u8("ID Type");
    r.skip(3);
    return { idType, data: r.rest("Identification Data") };
  },
  encode: (w, { idType, data }) => void w.u8(idType).zero(3).bytes(data),
};
