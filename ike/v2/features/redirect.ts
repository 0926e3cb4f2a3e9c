/**
 * Redirect, RFC 5685: the peer sends us to another gateway, in its answer to IKE_SA_INIT, in IKE_AUTH, or any time later. We go where
 * it names an address; the identity that is expected there stays the tunnel's own.
 *
 *     REDIRECT = GW Ident Type (1) | GW Ident Len (1) | identity | nonce data (in IKE_SA_INIT: our Ni)
 */
import { equal } from "../../../crypto/bytes.js";
import { type Address, addressFromOctets, addressOctets, sameAddress } from "../../../esp/address.js";
import { ProtocolError } from "../../core/errors.js";
import { type NotifyPayload, notification } from "../../wire/payloads/notify.js";
import { Reader } from "../../wire/reader.js";
import { Writer } from "../../wire/writer.js";
import { canBeUsed } from "./mobike.js";

const GW_IDENT = { ipv4: 1, ipv6: 2, fqdn: 3 } as const;

/** In our IKE_SA_INIT: that we can be redirected, or by whom we were (section 3). */
export function announceRedirect(from: Address | undefined): readonly NotifyPayload[] {
  if (from === undefined) return [notification("REDIRECT_SUPPORTED")];
  const octets = addressOctets(from);
  const type = from.family === 4 ? GW_IDENT.ipv4 : GW_IDENT.ipv6;
  return [notification("REDIRECTED_FROM", new Writer().u8(type).u8(octets.length).bytes(octets).done())];
}

export interface Redirect {
  readonly to: Address;
  readonly nonce: Uint8Array;
}

export function redirectIn(notifies: readonly NotifyPayload[]): NotifyPayload | undefined {
  return notifies.find(({ notify }) => notify === "REDIRECT");
}

/** Where it leads. Throws `ProtocolError` INVALID_SYNTAX for what breaks the format, names no address, or one that cannot be meant. */
export function redirectOf({ data }: NotifyPayload, from: Address): Redirect {
  const r = new Reader(data, "REDIRECT");
  const type = r.u8("GW Ident Type");
  const identity = r.bytes(r.u8("GW Ident Len"), "New Responder GW Identity");
  const nonce = r.rest("Nonce Data");
  const wanted = type === GW_IDENT.ipv4 ? 4 : type === GW_IDENT.ipv6 ? 16 : undefined;
  if (wanted === undefined)
    throw new ProtocolError("INVALID_SYNTAX", `a redirect to an identity of type ${type}: only addresses are followed`);
  if (identity.length !== wanted)
    throw new ProtocolError("INVALID_SYNTAX", `a redirect to an address of ${identity.length} octets`);
  const to = addressFromOctets(identity);
  if (!canBeUsed(to) || sameAddress(to, from))
    throw new ProtocolError("INVALID_SYNTAX", "a redirect to where nobody else can be");
  return { to, nonce };
}

/** Whether it answers our own IKE_SA_INIT: anybody could have sent another one (section 3). */
export function answersNonce({ nonce }: Redirect, ours: Uint8Array): boolean {
  return equal(nonce, ours);
}
