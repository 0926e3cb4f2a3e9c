import type { PayloadCodec } from "../../codec.js";

/** Hash payload, RFC 2408 section 3.11. Its length is for whoever compares it: the hash was negotiated. */
export interface HashPayloadV1 {
  readonly hash: Uint8Array;
}

export const hashCodecV1: PayloadCodec<HashPayloadV1> = {
  decode: (r) => ({ hash: r.rest("Hash Data", 1) }),
  encode: (w, { hash }) => void w.bytes(hash),
};
