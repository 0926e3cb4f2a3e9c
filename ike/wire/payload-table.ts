/**
 * The payloads that we know: number, notation in RFC diagrams, codec, version. RFC 7296 section 3.2 for IKEv2; RFC 2408
 * section 3.1 for IKEv1, whose numbers are others.
 */
import type { PayloadCodec } from "./codec.js";
import { type AuthPayload, authCodec } from "./payloads/auth.js";
import { type CertPayload, certCodec } from "./payloads/cert.js";
import { type CertreqPayload, certreqCodec } from "./payloads/certreq.js";
import { type DeletePayload, deleteCodec } from "./payloads/delete.js";
import { type IdPayload, idCodec } from "./payloads/id.js";
import { type KePayload, keCodec } from "./payloads/ke.js";
import { type NoncePayload, nonceCodec } from "./payloads/nonce.js";
import { type NotifyPayload, notifyCodec } from "./payloads/notify.js";
import { type OpaquePayload, opaqueCodec } from "./payloads/opaque.js";
import { type SaPayload, saCodec } from "./payloads/sa.js";
import { type TsPayload, tsCodec } from "./payloads/ts.js";
import { type AttributesPayloadV1, attributesCodecV1 } from "./payloads/v1/attributes.js";
import { type DeletePayloadV1, deleteCodecV1 } from "./payloads/v1/delete.js";
import { type FragmentPayloadV1, fragmentCodecV1 } from "./payloads/v1/fragment.js";
import { type HashPayloadV1, hashCodecV1 } from "./payloads/v1/hash.js";
import { type IdPayloadV1, idCodecV1 } from "./payloads/v1/id.js";
import { type KePayloadV1, keCodecV1 } from "./payloads/v1/ke.js";
import { type NatOaPayloadV1, natOaCodecV1 } from "./payloads/v1/nat-oa.js";
import { type NoncePayloadV1, nonceCodecV1 } from "./payloads/v1/nonce.js";
import { type NotifyPayloadV1, notifyCodecV1 } from "./payloads/v1/notify.js";
import { type SaPayloadV1, saCodecV1 } from "./payloads/v1/sa.js";
import { type VendorIdPayload, vendorIdCodec } from "./payloads/vendor-id.js";

/** What each kind of payload means. The keys are the notations of RFC 7296 section 1.2 ("Nonce" for Ni and Nr). */
export interface PayloadBodies {
  readonly SA: SaPayload;
  readonly KE: KePayload;
  readonly IDi: IdPayload;
  readonly IDr: IdPayload;
  readonly CERT: CertPayload;
  readonly CERTREQ: CertreqPayload;
  readonly AUTH: AuthPayload;
  readonly Nonce: NoncePayload;
  readonly N: NotifyPayload;
  readonly D: DeletePayload;
  readonly V: VendorIdPayload;
  readonly TSi: TsPayload;
  readonly TSr: TsPayload;
  readonly CP: OpaquePayload;
  readonly EAP: OpaquePayload;
}

export type PayloadKind = keyof PayloadBodies;

export interface PayloadRow<Kind extends PayloadKind = PayloadKind> {
  readonly number: number;
  readonly notation: Kind;
  readonly name: string;
  readonly version: 2;
  readonly codec: PayloadCodec<PayloadBodies[Kind]>;
}

export const PAYLOADS = {
  SA: { number: 33, notation: "SA", name: "Security Association", version: 2, codec: saCodec },
  KE: { number: 34, notation: "KE", name: "Key Exchange", version: 2, codec: keCodec },
  IDi: { number: 35, notation: "IDi", name: "Identification - Initiator", version: 2, codec: idCodec },
  IDr: { number: 36, notation: "IDr", name: "Identification - Responder", version: 2, codec: idCodec },
  CERT: { number: 37, notation: "CERT", name: "Certificate", version: 2, codec: certCodec },
  CERTREQ: { number: 38, notation: "CERTREQ", name: "Certificate Request", version: 2, codec: certreqCodec },
  AUTH: { number: 39, notation: "AUTH", name: "Authentication", version: 2, codec: authCodec },
  Nonce: { number: 40, notation: "Nonce", name: "Nonce", version: 2, codec: nonceCodec },
  N: { number: 41, notation: "N", name: "Notify", version: 2, codec: notifyCodec },
  D: { number: 42, notation: "D", name: "Delete", version: 2, codec: deleteCodec },
  V: { number: 43, notation: "V", name: "Vendor ID", version: 2, codec: vendorIdCodec },
  TSi: { number: 44, notation: "TSi", name: "Traffic Selector - Initiator", version: 2, codec: tsCodec },
  TSr: { number: 45, notation: "TSr", name: "Traffic Selector - Responder", version: 2, codec: tsCodec },
  CP: { number: 47, notation: "CP", name: "Configuration", version: 2, codec: opaqueCodec },
  EAP: { number: 48, notation: "EAP", name: "Extensible Authentication", version: 2, codec: opaqueCodec },
} as const satisfies { readonly [Kind in PayloadKind]: PayloadRow<Kind> };

/** The payloads that end a chain: what follows is not a payload but ciphertext. */
export const ENCRYPTED_PAYLOADS = {
  SK: { number: 46, notation: "SK", name: "Encrypted and Authenticated" },
  SKF: { number: 53, notation: "SKF", name: "Encrypted and Authenticated Fragment" }, // RFC 7383
} as const;

export type EncryptedKind = keyof typeof ENCRYPTED_PAYLOADS;

const BY_NUMBER: ReadonlyMap<number, PayloadRow> = new Map(
  Object.values(PAYLOADS).map((row) => [row.number, row as PayloadRow]),
);

export function payloadRow(number: number): PayloadRow | undefined {
  return BY_NUMBER.get(number);
}

export function encryptedKind(number: number): EncryptedKind | undefined {
  if (number === ENCRYPTED_PAYLOADS.SK.number) return "SK";
  return number === ENCRYPTED_PAYLOADS.SKF.number ? "SKF" : undefined;
}

/** The payloads of IKEv1 by the notation of RFC 2408 section 4.1.1 and RFC 3947; the drafts of the latter have numbers of their own. */
export interface PayloadBodiesV1 {
  readonly SA: SaPayloadV1;
  readonly KE: KePayloadV1;
  readonly ID: IdPayloadV1;
  readonly CERT: CertPayload;
  readonly CR: CertreqPayload;
  readonly HASH: HashPayloadV1;
  readonly SIG: OpaquePayload;
  readonly NONCE: NoncePayloadV1;
  readonly N: NotifyPayloadV1;
  readonly D: DeletePayloadV1;
  readonly VID: VendorIdPayload;
  readonly ATTR: AttributesPayloadV1;
  readonly "NAT-D": OpaquePayload;
  readonly "NAT-OA": NatOaPayloadV1;
  readonly "NAT-D draft": OpaquePayload;
  readonly "NAT-OA draft": NatOaPayloadV1;
  readonly FRAGMENT: FragmentPayloadV1;
}

export type PayloadKindV1 = keyof PayloadBodiesV1;

export interface PayloadRowV1<Kind extends PayloadKindV1 = PayloadKindV1> {
  readonly number: number;
  readonly notation: Kind;
  readonly name: string;
  readonly version: 1;
  readonly codec: PayloadCodec<PayloadBodiesV1[Kind]>;
}

export const PAYLOADS_V1 = {
  SA: { number: 1, notation: "SA", name: "Security Association", version: 1, codec: saCodecV1 },
  KE: { number: 4, notation: "KE", name: "Key Exchange", version: 1, codec: keCodecV1 },
  ID: { number: 5, notation: "ID", name: "Identification", version: 1, codec: idCodecV1 },
  CERT: { number: 6, notation: "CERT", name: "Certificate", version: 1, codec: certCodec },
  CR: { number: 7, notation: "CR", name: "Certificate Request", version: 1, codec: certreqCodec },
  HASH: { number: 8, notation: "HASH", name: "Hash", version: 1, codec: hashCodecV1 },
  SIG: { number: 9, notation: "SIG", name: "Signature", version: 1, codec: opaqueCodec },
  NONCE: { number: 10, notation: "NONCE", name: "Nonce", version: 1, codec: nonceCodecV1 },
  N: { number: 11, notation: "N", name: "Notification", version: 1, codec: notifyCodecV1 },
  D: { number: 12, notation: "D", name: "Delete", version: 1, codec: deleteCodecV1 },
  VID: { number: 13, notation: "VID", name: "Vendor ID", version: 1, codec: vendorIdCodec },
  ATTR: { number: 14, notation: "ATTR", name: "Attribute", version: 1, codec: attributesCodecV1 },
  "NAT-D": { number: 20, notation: "NAT-D", name: "NAT Detection", version: 1, codec: opaqueCodec },
  "NAT-OA": { number: 21, notation: "NAT-OA", name: "NAT Original Address", version: 1, codec: natOaCodecV1 },
  "NAT-D draft": {
    number: 130,
    notation: "NAT-D draft",
    name: "NAT Detection (draft)",
    version: 1,
    codec: opaqueCodec,
  },
  "NAT-OA draft": {
    number: 131,
    notation: "NAT-OA draft",
    name: "NAT Original Address (draft)",
    version: 1,
    codec: natOaCodecV1,
  },
  FRAGMENT: { number: 132, notation: "FRAGMENT", name: "Fragment", version: 1, codec: fragmentCodecV1 },
} as const satisfies { readonly [Kind in PayloadKindV1]: PayloadRowV1<Kind> };

const V1_BY_NUMBER: ReadonlyMap<number, PayloadRowV1> = new Map(
  Object.values(PAYLOADS_V1).map((row) => [row.number, row as PayloadRowV1]),
);

export function payloadRowV1(number: number): PayloadRowV1 | undefined {
  return V1_BY_NUMBER.get(number);
}
