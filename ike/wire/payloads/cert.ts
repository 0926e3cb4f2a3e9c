import type { PayloadCodec } from "../codec.js";

/** Certificate payload, RFC 7296 section 3.6: Cert Encoding (1) | data. The certificate itself is not looked at here. */
export interface CertPayload {
  readonly encoding: number;
  readonly data: Uint8Array;
}

export const certCodec: PayloadCodec<CertPayload> = {
  decode: (r) => ({ encoding: r.u8("Cert Encoding"), data: r.rest("Certificate Data") }),
  encode: (w, { encoding, data }) => void w.u8(encoding).bytes(data),
};
