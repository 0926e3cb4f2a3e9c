import type { PayloadCodec } from "../codec.js";
import { MAX_DELETED_SPIS } from "../limits.js";
import { PROTOCOL, type ProtocolName, protocol } from "../protocols.js";

/** Delete payload, RFC 7296 section 3.11: Protocol ID (1) | SPI Size (1) | Num of SPIs (2) | SPIs. */
export interface DeletePayload {
  readonly protocol: ProtocolName;
  /** The sender's inbound SPIs; empty for the IKE SA itself. */
  readonly spis: readonly number[];
}

export const deleteCodec: PayloadCodec<DeletePayload> = {
  decode(r) {
    const name = protocol(r.u8("Protocol ID"));
    const spiBytes = r.u8("SPI Size");
    const count = r.u16("Num of SPIs");
    if (typeof name === "number") return r.fail(`Protocol ID ${name} is unknown`);
    if (name === "IKE") {
      if (spiBytes !== 0 || count !== 0) r.fail(`${count} SPIs of ${spiBytes} octets for the IKE SA itself`);
      return { protocol: name, spis: [] };
    }
    if (spiBytes !== 4) r.fail(`SPI Size ${spiBytes}, ${name} has 4`);
    if (count > MAX_DELETED_SPIS) r.fail(`${count} SPIs, at most ${MAX_DELETED_SPIS} are accepted`);
    return { protocol: name, spis: Array.from({ length: count }, () => r.u32("SPI")) };
  },
  encode(w, { protocol, spis }) {
    w.u8(PROTOCOL[protocol])
      .u8(protocol === "IKE" ? 0 : 4)
      .u16(spis.length);
    for (const spi of spis) w.u32(spi);
  },
};
