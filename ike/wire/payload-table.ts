/** The payloads that we know: number, notation in RFC diagrams, codec, version. RFC 7296 section 3.2. */
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
