import type { PayloadCodec } from "../../codec.js";
import { MAX_DELETED_SPIS } from "../../limits.js";
import { type ProtocolV1, protocolCodeV1, protocolV1 } from "../../protocols.js";
import { type Doi, readDoi, writeDoi } from "./doi.js";

/** Delete payload, RFC 2408 section 3.15: DOI (4) | Protocol-Id (1) | SPI Size (1) | # of SPIs (2) | SPIs. */
export interface DeletePayloadV1 {
  readonly doi: Doi;
  readonly protocol: ProtocolV1;
  /** All of one length: both cookies (16 octets) for ISAKMP, the sender's inbound SPIs (4) for ESP. */
  readonly spis: readonly Uint8Array[];
}

export const deleteCodecV1: PayloadCodec<DeletePayloadV1> = {
  decode(r) {
    const doi = readDoi(r);
    const protocol = protocolV1(r.u8("Protocol-Id"));
    const spiBytes = r.u8("SPI Size");
    const count = r.u16("# of SPIs");
    if (count > 0 && spiBytes === 0) r.fail(`${count} SPIs of no octets`);
    if (count > MAX_DELETED_SPIS) r.fail(`${count} SPIs, at most ${MAX_DELETED_SPIS} are accepted`);
    return { doi, protocol, spis: Array.from({ length: count }, () => r.bytes(spiBytes, "SPI")) };
  },
  encode(w, { doi, protocol, spis }) {
    const spiBytes = spis[0]?.length ?? 0;
    if (spis.some(({ length }) => length !== spiBytes)) throw new RangeError("SPIs of different lengths");
    writeDoi(w, doi);
    w.u8(protocolCodeV1(protocol)).u8(spiBytes).u16(spis.length);
    for (const spi of spis) w.bytes(spi);
  },
};
