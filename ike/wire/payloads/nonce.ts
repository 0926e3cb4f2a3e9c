import type { PayloadCodec } from "../codec.js";

const SHORTEST = 16;
const LONGEST = 256;

/** Nonce payload, RFC 7296 section 3.9: 16 to 256 octets. */
export interface NoncePayload {
  readonly nonce: Uint8Array;
}

export const nonceCodec: PayloadCodec<NoncePayload> = {
  decode(r) {
    const nonce = r.rest("Nonce Data", SHORTEST);
    if (nonce.length > LONGEST) r.fail(`Nonce Data has ${nonce.length} octets, at most ${LONGEST} are allowed`);
    return { nonce };
  },
  encode(w, { nonce }) {
    if (nonce.length < SHORTEST || nonce.length > LONGEST) throw new RangeError(`a nonce of ${nonce.length} octets`);
    w.bytes(nonce);
  },
};
