import type { PayloadCodec } from "../codec.js";
import { type NotifyType, notifyCode, notifyType } from "../notify-table.js";
import { type Protocol, protocol, protocolCode } from "../protocols.js";

/** Notify payload, RFC 7296 section 3.10: Protocol ID (1) | SPI Size (1) | Type (2) | SPI | data. */
export interface NotifyPayload {
  readonly notify: NotifyType;
  /** Only with an SPI: which SA is meant. 0 otherwise, and ignored. */
  readonly protocol: Protocol;
  /** Empty, or the SPI of an existing SA: 4 octets for ESP and AH. */
  readonly spi: Uint8Array;
  readonly data: Uint8Array;
}

export const notifyCodec: PayloadCodec<NotifyPayload> = {
  decode(r) {
    const protocolId = protocol(r.u8("Protocol ID"));
    const spiBytes = r.u8("SPI Size");
    const notify = notifyType(r.u16("Notify Message Type"));
    const spi = r.bytes(spiBytes, "Security Parameter Index");
    return { notify, protocol: protocolId, spi, data: r.rest("Notification Data") };
  },
  encode(w, { notify, protocol, spi, data }) {
    w.u8(protocolCode(protocol)).u8(spi.length).u16(notifyCode(notify)).bytes(spi).bytes(data);
  },
};

const NOTHING = new Uint8Array(0);

/** A notification about the IKE SA or about nothing in particular. */
export function notification(notify: NotifyType, data: Uint8Array = NOTHING): NotifyPayload {
  return { notify, protocol: 0, spi: NOTHING, data };
}

/** A notification about an ESP SA: REKEY_SA, CHILD_SA_NOT_FOUND, … */
export function espNotification(notify: NotifyType, spi: number, data: Uint8Array = NOTHING): NotifyPayload {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, spi);
  return { notify, protocol: "ESP", spi: octets, data };
}

/** The SPI of the ESP SA that a notification is about. */
export function espSpiOf(payload: NotifyPayload): number | undefined {
  if (payload.protocol !== "ESP" || payload.spi.length !== 4) return undefined;
  const { spi } = payload;
  return new DataView(spi.buffer, spi.byteOffset, 4).getUint32(0);
}
