import type { PayloadCodec } from "../codec.js";

/** Key Exchange payload, RFC 7296 section 3.4: Group Num (2) | RESERVED (2) | data. */
export interface KePayload {
  readonly group: number;
  readonly data: Uint8Array;
}

export const keCodec: PayloadCodec<KePayload> = {
  decode(r) {
    const group = r.u16("Diffie-Hellman Group Num");
    r.skip(2); // RESERVED: sent as zero, ignored on receipt
    return { group, data: r.rest("Key Exchange Data", 1) };
  },
  encode: (w, { group, data }) => void w.u16(group).zero(2).bytes(data),
};
