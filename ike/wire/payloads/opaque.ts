import type { PayloadCodec } from "../codec.js";

/**
 * Payloads that are recognised, so that they can be named, but whose inside nobody reads yet:
 * Configuration (RFC 7296 section 3.15) and EAP (section 3.16).
 */
export interface OpaquePayload {
  readonly data: Uint8Array;
}

export const opaqueCodec: PayloadCodec<OpaquePayload> = {
  decode: (r) => ({ data: r.rest("data") }),
  encode: (w, { data }) => void w.bytes(data),
};
