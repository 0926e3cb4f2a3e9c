/**
 * Quick crash detection, RFC 6290: a token that only the gateway which made an IKE SA can make again, from the SPIs and a secret
 * that outlives it. Given in IKE_AUTH under protection; shown in the clear, it proves that the IKE SA has been forgotten.
 *
 *     token = prf(secret, "QCD" | SPIi | SPIr)
 *
 * We make tokens where there is such a secret (`gateway.state_dir`), and take those of any peer.
 */
import { createPrf } from "../../../crypto/backends.js";
import { equalConstantTime, utf8 } from "../../../crypto/bytes.js";
import { PRF_HMAC_SHA2_256 } from "../../../crypto/registry/prf.js";
import type { HeaderSpis } from "../../core/nat.js";
import type { Policy } from "../../core/policy.js";
import { type IkeHeader, spiOctets } from "../../wire/header.js";
import { bodiesOf, encodeMessage, type Message, payload } from "../../wire/message.js";
import { type NotifyPayload, notification } from "../../wire/payloads/notify.js";
import type { Established } from "../state.js";

/** RFC 6290 section 4.1. */
const TOKEN_BYTES = { least: 16, most: 128 };

/** Our token for an IKE SA, where we can make one. */
export function announceToken({ crashSecret }: Policy, spis: HeaderSpis): readonly NotifyPayload[] {
  if (crashSecret === undefined) return [];
  const { initiatorSpi, responderSpi } = spis;
  const prf = createPrf(PRF_HMAC_SHA2_256);
  const token = prf.compute(crashSecret.reveal(), utf8("QCD"), spiOctets(initiatorSpi), spiOctets(responderSpi));
  return [notification("QUICK_CRASH_DETECTION", token)];
}

/** The peer's token, where it sent one. */
export function tokenIn(notifies: readonly NotifyPayload[]): { readonly peerToken?: Uint8Array } {
  const data = notifies.find(({ notify }) => notify === "QUICK_CRASH_DETECTION")?.data;
  if (data === undefined || data.length < TOKEN_BYTES.least || data.length > TOKEN_BYTES.most) return {};
  return { peerToken: data };
}

/** <-- HDR, N(INVALID_IKE_SPI), N(QUICK_CRASH_DETECTION), not protected: whether it is the peer that has forgotten. */
export function provesCrash({ peerToken }: Established, { header, payloads, encrypted }: Message): boolean {
  if (peerToken === undefined || encrypted !== undefined || !header.response) return false;
  const notifies = bodiesOf(payloads, "N");
  const shown = tokenIn(notifies).peerToken;
  return (
    shown !== undefined &&
    notifies.some(({ notify }) => notify === "INVALID_IKE_SPI") &&
    equalConstantTime(shown, peerToken)
  );
}

/** The answer to a request for an IKE SA that is not here (section 4.5). Only for SPIs neither of which is in use here. */
export function forgottenReply(policy: Policy, header: IkeHeader): Uint8Array | undefined {
  const token = announceToken(policy, header);
  if (token.length === 0 || header.response || header.initiatorSpi === 0n || header.responderSpi === 0n)
    return undefined;
  const reply = { ...header, fromInitiator: !header.fromInitiator, response: true };
  return encodeMessage(
    reply,
    [notification("INVALID_IKE_SPI"), ...token].map((one) => payload("N", one)),
  );
}
