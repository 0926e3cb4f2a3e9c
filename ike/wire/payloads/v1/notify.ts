import type { PayloadCodec } from "../../codec.js";
import { type ProtocolV1, protocolCodeV1, protocolV1 } from "../../protocols.js";
import { type NotifyTypeV1, notifyCodeV1, notifyTypeV1 } from "../../v1-notify-table.js";
import { type Doi, readDoi, writeDoi } from "./doi.js";

/** Notification payload, RFC 2408 section 3.14: DOI (4) | Protocol-ID (1) | SPI Size (1) | Type (2) | SPI | data. */
export interface NotifyPayloadV1 {
  /** Who gives the type its meaning: a few products send the types of IPsec under the DOI of ISAKMP. */
  readonly doi: Doi;
  readonly protocol: ProtocolV1;
  readonly notify: NotifyTypeV1;
  /** Both cookies (16 octets) or nothing for ISAKMP, 4 octets for ESP. */
  readonly spi: Uint8Array;
  readonly data: Uint8Array;
}

export const notifyCodecV1: PayloadCodec<NotifyPayloadV1> = {
  decode(r) {
    const doi = readDoi(r);
    const protocol = protocolV1(r.u8("Protocol-ID"));
    const spiBytes = r.u8("SPI Size");
    const notify = notifyTypeV1(r.u16("Notify Message Type"));
    return { doi, protocol, notify, spi: r.bytes(spiBytes, "SPI"), data: r.rest("Notification Data") };
  },
  encode(w, { doi, protocol, notify, spi, data }) {
    writeDoi(w, doi);
    w.u8(protocolCodeV1(protocol)).u8(spi.length).u16(notifyCodeV1(notify)).bytes(spi).bytes(data);
  },
};
