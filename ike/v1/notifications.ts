/** Notifications that we send, RFC 2407 section 4.6.3. */
import { concat } from "../../crypto/bytes.js";
import { espSpiOctets } from "../core/child.js";
import type { ErrorNotify } from "../core/errors.js";
import type { Identity } from "../core/identity.js";
import { spiOctets } from "../wire/header.js";
import { type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { errorNotifyV1, type NotifyTypeV1 } from "../wire/v1-notify-table.js";
import type { SaContext } from "./context.js";

interface Named {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

const NOTHING = new Uint8Array(0);

/** About the ISAKMP SA: its cookies stand for an SPI. */
export function notification(sa: Named, notify: NotifyTypeV1, data: Uint8Array = NOTHING): PayloadV1 {
  const spi = concat(spiOctets(sa.initiatorSpi), spiOctets(sa.responderSpi));
  return payloadV1("N", { doi: "IPSEC", protocol: "ISAKMP", notify, spi, data });
}

/** About an ESP SA, or one that was asked for. */
export function espNotification(notify: NotifyTypeV1, spi: Uint8Array, data: Uint8Array = NOTHING): PayloadV1 {
  return payloadV1("N", { doi: "IPSEC", protocol: "ESP", notify, spi, data });
}

/** An error outside of any SA. */
export function plainError(notify: ErrorNotify): PayloadV1 {
  return payloadV1("N", {
    doi: "IPSEC",
    protocol: "ISAKMP",
    notify: errorNotifyV1(notify),
    spi: NOTHING,
    data: NOTHING,
  });
}

/** We know of nothing else with this peer (`decisions.md` 7). */
export function initialContact(
  sa: Named & { readonly key: string },
  tunnel: string,
  peerId: Identity,
  ctx: SaContext,
): readonly PayloadV1[] {
  return ctx.sight.inContact(tunnel, peerId, sa.key) ? [] : [notification(sa, "INITIAL-CONTACT")];
}

/** Deletes an ISAKMP SA: both cookies stand for its SPI (RFC 2408 section 3.15). */
export function deletePhase1(sa: Named): PayloadV1 {
  const spis = [concat(spiOctets(sa.initiatorSpi), spiOctets(sa.responderSpi))];
  return payloadV1("D", { doi: "IPSEC", protocol: "ISAKMP", spis });
}

/** Deletes ESP SAs by our inbound SPIs. */
export function deleteChildren(spis: readonly number[]): PayloadV1 {
  return payloadV1("D", { doi: "IPSEC", protocol: "ESP", spis: spis.map(espSpiOctets) });
}
