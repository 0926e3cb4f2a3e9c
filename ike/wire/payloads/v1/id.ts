import type { PayloadCodec } from "../../codec.js";

/** Identification payload, RFC 2407 section 4.6.2: ID Type (1) | Protocol ID (1) | Port (2) | data. */
export interface IdPayloadV1 {
  /** A number of `ID_TYPE_V1`, or one that we do not know. */
  readonly idType: number;
  /** IP protocol; 0: any. */
  readonly protocol: number;
  /** 0: any. */
  readonly port: number;
  readonly data: Uint8Array;
}

export const idCodecV1: PayloadCodec<IdPayloadV1> = {
  decode: (r) => ({
    idType: r.u8("ID Type"),
    protocol: r.u8("Protocol ID"),
    port: r.u16("Port"),
    data: r.rest("Identification Data"),
  }),
  encode: (w, { idType, protocol, port, data }) => void w.u8(idType).u8(protocol).u16(port).bytes(data),
};
