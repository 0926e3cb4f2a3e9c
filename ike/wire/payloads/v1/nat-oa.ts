import { type Address, addressFromOctets, addressOctets } from "../../../../esp/address.js";
import type { PayloadCodec } from "../../codec.js";
import { ID_TYPE } from "../../id-types.js";

/** NAT Original Address payload, RFC 3947 section 5.2: ID Type (1) | RESERVED (3) | an address. For transport mode. */
export interface NatOaPayloadV1 {
  readonly address: Address;
}

export const natOaCodecV1: PayloadCodec<NatOaPayloadV1> = {
  decode(r) {
    const idType = r.u8("ID Type");
    r.skip(3);
    if (idType !== ID_TYPE.ipv4 && idType !== ID_TYPE.ipv6) r.fail(`ID Type ${idType} is no address`);
    return { address: addressFromOctets(r.bytes(idType === ID_TYPE.ipv4 ? 4 : 16, "address")) };
  },
  encode(w, { address }) {
    w.u8(address.family === 4 ? ID_TYPE.ipv4 : ID_TYPE.ipv6)
      .zero(3)
      .bytes(addressOctets(address));
  },
};
