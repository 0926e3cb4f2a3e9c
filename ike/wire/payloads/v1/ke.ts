import type { PayloadCodec } from "../../codec.js";

/** Key Exchange payload, RFC 2408 section 3.7: the public value alone; its group stands in the SA payload. */
export interface KePayloadV1 {
  readonly data: Uint8Array;
}

export const keCodecV1: PayloadCodec<KePayloadV1> = {
  decode: (r) => ({ data: r.rest("Key Exchange Data", 1) }),
  encode: (w, { data }) => void w.bytes(data),
};
