import type { PayloadCodec } from "../../codec.js";

const SHORTEST = 8;
const LONGEST = 256;

/** Nonce payload, RFC 2409 section 5: 8 to 256 octets. */
export interface NoncePayloadV1 {
  readonly nonce: Uint8Array;
}

export const nonceCodecV1: PayloadCodec<NoncePayloadV1> = {
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
