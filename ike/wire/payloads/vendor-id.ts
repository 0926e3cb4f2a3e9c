import type { PayloadCodec } from "../codec.js";

/** Vendor ID payload, RFC 7296 section 3.12: what it says is known to `core/vendor-ids.ts`. */
export interface VendorIdPayload {
  readonly data: Uint8Array;
}

export const vendorIdCodec: PayloadCodec<VendorIdPayload> = {
  decode: (r) => ({ data: r.rest("Vendor ID") }),
  encode: (w, { data }) => void w.bytes(data),
};
