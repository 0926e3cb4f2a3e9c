/**
 * Childless initiation, RFC 6023: an IKE_AUTH without SAi2, TSi and TSr, where the responder has said that it takes one. As responder we
 * always do; as initiator we use it when no mapping is wanted yet, as when all of them wait for traffic.
 */
import { type NotifyPayload, notification } from "../../wire/payloads/notify.js";

/** In our answer to IKE_SA_INIT. */
export function announceChildless(): readonly NotifyPayload[] {
  return [notification("CHILDLESS_IKEV2_SUPPORTED")];
}

export function childlessIn(notifies: readonly NotifyPayload[]): { readonly childless?: true } {
  return notifies.some(({ notify }) => notify === "CHILDLESS_IKEV2_SUPPORTED") ? { childless: true } : {};
}
