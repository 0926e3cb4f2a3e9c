import type { PayloadCodec } from "../codec.js";

/** Certificate Request payload, RFC 7296 section 3.7: Cert Encoding (1) | hashes of trusted authorities' keys. */
export interface CertreqPayload {
  readonly encoding: number;
  readonly authorities: Uint8Array;
}

export const certreqCodec: PayloadCodec<CertreqPayload> = {
  decode: (r) => ({ encoding: r.u8("Cert Encoding"), authorities: r.rest("Certification Authority") }),
  encode: (w, { encoding, authorities }) => void w.u8(encoding).bytes(authorities),
};
