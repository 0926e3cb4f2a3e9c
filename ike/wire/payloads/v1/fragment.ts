import type { PayloadCodec } from "../../codec.js";

/**
 * Fragment payload of the proprietary IKE fragmentation (type 132), as Cisco and strongSwan speak it:
 * Fragment ID (2) | Fragment Number (1) | Flags (1) | a part of the whole message, header included.
 */
export interface FragmentPayloadV1 {
  /** The same in all fragments of one message. */
  readonly id: number;
  /** Counts from 1. */
  readonly number: number;
  readonly last: boolean;
  readonly data: Uint8Array;
}

export const fragmentCodecV1: PayloadCodec<FragmentPayloadV1> = {
  decode(r) {
    const id = r.u16("Fragment ID");
    const number = r.u8("Fragment Number");
    const last = (r.u8("Flags") & LAST) !== 0;
    if (number === 0) r.fail("Fragment Number 0");
    return { id, number, last, data: r.rest("fragment", 1) };
  },
  encode(w, { id, number, last, data }) {
    w.u16(id)
      .u8(number)
      .u8(last ? LAST : 0)
      .bytes(data);
  },
};

const LAST = 1;
