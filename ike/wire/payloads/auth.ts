import type { PayloadCodec } from "../codec.js";

/** Auth Method, RFC 7296 section 3.8 and the IANA registry "IKEv2 Authentication Method". */
export const AUTH_METHOD = {
  rsaSignature: 1,
  sharedKey: 2,
  dssSignature: 3,
  ecdsa256: 9, // RFC 4754
  ecdsa384: 10,
  ecdsa521: 11,
  null: 13, // RFC 7619
  digitalSignature: 14, // RFC 7427
} as const;

/** Authentication payload, RFC 7296 section 3.8: Auth Method (1) | RESERVED (3) | data. */
export interface AuthPayload {
  /** A number of `AUTH_METHOD`, or one that we do not know. */
  readonly method: number;
  readonly data: Uint8Array;
}

export const authCodec: PayloadCodec<AuthPayload> = {
  decode(r) {
    const method = r.u8("Auth Method");
    r.skip(3);
    return { method, data: r.rest("Authentication Data") };
  },
  encode: (w, { method, data }) => void w.u8(method).zero(3).bytes(data),
};
