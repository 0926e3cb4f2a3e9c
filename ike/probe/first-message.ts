/**
 * The first message of an exchange as somebody sends it who only wants to look: the offer is free, an answer is read and nothing is
 * begun with it. IKEv2: IKE_SA_INIT (RFC 7296 section 1.2); IKEv1: the first message of main mode (RFC 2409 section 5).
 */
import type { Path } from "../../esp/address.js";
import { ProtocolError } from "../core/errors.js";
import type { Identity } from "../core/identity.js";
import { natDetection } from "../core/nat.js";
import { identityPayload } from "../v1/main-mode.js";
import { decodeRawHeader } from "../wire/header.js";
import type { HeaderV1 } from "../wire/header-v1.js";
import { bodiesOf, decodeMessage, encodeMessage, type Payload, payload } from "../wire/message.js";
import { bodiesOfV1, decodeMessageV1, encodeMessageV1, type PayloadV1, payloadV1 } from "../wire/message-v1.js";
import { isErrorNotify, type NotifyType } from "../wire/notify-table.js";
import { type NotifyPayload, notification } from "../wire/payloads/notify.js";
import { type Proposal, type SaPayload, TRANSFORM_TYPE } from "../wire/payloads/sa.js";
import type { SaPayloadV1 } from "../wire/payloads/v1/sa.js";
import { AUTHENTICATION_METHOD, KEY_IKE, PHASE1_ATTRIBUTE } from "../wire/v1-attributes.js";
import { isErrorNotifyV1, type NotifyTypeV1 } from "../wire/v1-notify-table.js";

/** Of an IKE_SA_INIT request. */
export interface FirstRequest {
  readonly spi: bigint;
  readonly sa: SaPayload;
  readonly group: number;
  readonly publicValue: Uint8Array;
  readonly nonce: Uint8Array;
  /** With it the two hashes of NAT detection are sent. */
  readonly path?: Path;
  /** What the peer asked to have back (RFC 7296 section 2.6). */
  readonly cookie?: Uint8Array;
  /** The message gets as long as this, in octets. */
  readonly length?: number;
}

/** The request, as the octets of an IKE message. */
export function firstRequest(wish: FirstRequest): Uint8Array {
  const { spi, sa, group, publicValue, nonce, path, cookie, length } = wish;
  const header = {
    initiatorSpi: spi,
    responderSpi: 0n,
    exchange: "IKE_SA_INIT",
    fromInitiator: true,
    response: false,
    messageId: 0,
  } as const;
  const payloads: Payload[] = [
    ...(cookie ? [payload("N", notification("COOKIE", cookie))] : []),
    payload("SA", sa),
    payload("KE", { group, data: publicValue }),
    payload("Nonce", { nonce }),
    ...(path ? natDetection({ initiatorSpi: spi, responderSpi: 0n }, path, "auto").map((n) => payload("N", n)) : []),
  ];
  const bytes = encodeMessage(header, payloads);
  const padding = length === undefined ? 0 : length - bytes.length - GENERIC_HEADER_BYTES;
  if (padding <= 0) return bytes;
  return encodeMessage(header, [...payloads, payload("V", { data: new Uint8Array(padding) })]);
}

/** The first message of main mode; `length` as above. */
export function firstMessageV1(
  cookie: bigint,
  sa: SaPayloadV1,
  vendorIds: readonly Uint8Array[] = [],
  length?: number,
): Uint8Array {
  const header = headerV1(cookie, "MAIN_MODE");
  const payloads: PayloadV1[] = [payloadV1("SA", sa), ...vendorIds.map((data) => payloadV1("VID", { data }))];
  const bytes = encodeMessageV1(header, payloads);
  const padding = length === undefined ? 0 : length - bytes.length - GENERIC_HEADER_BYTES;
  if (padding <= 0) return bytes;
  return encodeMessageV1(header, [...payloads, payloadV1("VID", { data: new Uint8Array(padding) })]);
}

/** Of aggressive mode (RFC 2409 section 5.4): the public value is of the one group of the offer, and the identity is ours. */
export interface FirstAggressive {
  readonly cookie: bigint;
  readonly sa: SaPayloadV1;
  readonly publicValue: Uint8Array;
  readonly nonce: Uint8Array;
  readonly identity: Identity;
  readonly vendorIds: readonly Uint8Array[];
}

export function firstAggressive({ cookie, sa, publicValue, nonce, identity, vendorIds }: FirstAggressive): Uint8Array {
  return encodeMessageV1(headerV1(cookie, "AGGRESSIVE_MODE"), [
    payloadV1("SA", sa),
    payloadV1("KE", { data: publicValue }),
    payloadV1("NONCE", { nonce }),
    identityPayload(identity),
    ...vendorIds.map((data) => payloadV1("VID", { data })),
  ]);
}

function headerV1(initiatorCookie: bigint, exchange: "MAIN_MODE" | "AGGRESSIVE_MODE"): HeaderV1 {
  return {
    initiatorCookie,
    responderCookie: 0n,
    exchange,
    encryption: false,
    commit: false,
    authenticationOnly: false,
    messageId: 0,
  };
}

/**
 * A message of `length` octets whose offer nobody accepts: the answer is a refusal that leaves nothing behind at the peer, and shows that
 * messages of this length arrive there, and answers here.
 */
export function knock(version: 1 | 2, spi: bigint, nonce: Uint8Array, length?: number): Uint8Array {
  if (version === 1) return firstMessageV1(spi, NOBODYS_OFFER_V1, [], length);
  const group = NOBODYS_NUMBER;
  return firstRequest({
    spi,
    sa: { proposals: [NOBODYS_OFFER] },
    group,
    publicValue: new Uint8Array(nonce),
    nonce,
    ...(length !== undefined && { length }),
  });
}

/** What came back on a first message. */
export type FirstAnswer =
  | {
      readonly kind: "chosen";
      readonly version: 2;
      readonly responderSpi: bigint;
      readonly sa: SaPayload;
      readonly notifies: readonly NotifyPayload[];
      readonly vendorIds: readonly Uint8Array[];
    }
  | {
      readonly kind: "chosen";
      readonly version: 1;
      readonly responderSpi: bigint;
      readonly sa: SaPayloadV1;
      readonly vendorIds: readonly Uint8Array[];
    }
  | {
      readonly kind: "refused";
      readonly version: 1 | 2;
      readonly notify: NotifyType | NotifyTypeV1;
      readonly vendorIds: readonly Uint8Array[];
    }
  | { readonly kind: "cookie"; readonly cookie: Uint8Array }
  /** The group that the peer wants instead (RFC 7296 section 1.2): it accepts the rest of the offer, and keeps nothing of it. */
  | { readonly kind: "otherGroup"; readonly group: number };

/** Undefined: no answer to a message with this SPI, or none that can be read. Never throws. */
export function readFirstAnswer(bytes: Uint8Array, spi: bigint): FirstAnswer | undefined {
  try {
    const raw = decodeRawHeader(bytes);
    if (raw.initiatorSpi !== spi) return undefined;
    return raw.majorVersion === 2 ? readV2(bytes) : raw.majorVersion === 1 ? readV1(bytes) : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function readV2(bytes: Uint8Array): FirstAnswer | undefined {
  const { header, payloads } = decodeMessage(bytes);
  if (!header.response || header.exchange !== "IKE_SA_INIT") return undefined;
  const notifies = bodiesOf(payloads, "N");
  const vendorIds = bodiesOf(payloads, "V").map(({ data }) => data);
  const [sa] = bodiesOf(payloads, "SA");
  if (sa !== undefined)
    return { kind: "chosen", version: 2, responderSpi: header.responderSpi, sa, notifies, vendorIds };
  for (const { notify, data } of notifies) {
    if (notify === "COOKIE") return { kind: "cookie", cookie: data };
    if (notify === "INVALID_KE_PAYLOAD" && data.length === 2)
      return { kind: "otherGroup", group: (data[0]! << 8) | data[1]! };
    if (isErrorNotify(notify)) return { kind: "refused", version: 2, notify, vendorIds };
  }
  return undefined;
}

function readV1(bytes: Uint8Array): FirstAnswer | undefined {
  const { header, payloads } = decodeMessageV1(bytes);
  const vendorIds = bodiesOfV1(payloads, "VID").map(({ data }) => data);
  const [sa] = bodiesOfV1(payloads, "SA");
  if (sa !== undefined) return { kind: "chosen", version: 1, responderSpi: header.responderCookie, sa, vendorIds };
  const refusal = bodiesOfV1(payloads, "N").find(({ notify }) => isErrorNotifyV1(notify));
  return refusal && { kind: "refused", version: 1, notify: refusal.notify, vendorIds };
}

const GENERIC_HEADER_BYTES = 4;
/** The last number for private use of every transform registry (RFC 7296 section 3.3.2). */
const NOBODYS_NUMBER = 65535;

const NOBODYS_OFFER: Proposal = {
  number: 1,
  protocol: "IKE",
  spi: new Uint8Array(0),
  transforms: (
    [TRANSFORM_TYPE.encryption, TRANSFORM_TYPE.prf, TRANSFORM_TYPE.integrity, TRANSFORM_TYPE.keyExchange] as const
  ).map((type) => ({ type, id: NOBODYS_NUMBER, attributes: [] })),
};

const NOBODYS_OFFER_V1: SaPayloadV1 = {
  proposals: [
    {
      number: 1,
      protocol: "ISAKMP",
      spi: new Uint8Array(0),
      transforms: [
        {
          number: 1,
          id: KEY_IKE,
          attributes: [
            { type: PHASE1_ATTRIBUTE.encryption, value: NOBODYS_NUMBER },
            { type: PHASE1_ATTRIBUTE.hash, value: NOBODYS_NUMBER },
            { type: PHASE1_ATTRIBUTE.authMethod, value: AUTHENTICATION_METHOD.preSharedKey },
            { type: PHASE1_ATTRIBUTE.group, value: NOBODYS_NUMBER },
          ],
        },
      ],
    },
  ],
};
