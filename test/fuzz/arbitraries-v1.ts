/** As `arbitraries.ts`, for IKEv1. */
import fc from "fast-check";
import { exchangeTypeV1 } from "../../ike/wire/exchange-types.js";
import type { HeaderV1 } from "../../ike/wire/header-v1.js";
import { type PayloadV1, payloadV1 } from "../../ike/wire/message-v1.js";
import { type PayloadBodiesV1, type PayloadKindV1, payloadRowV1 } from "../../ike/wire/payload-table.js";
import { ATTRIBUTES_MESSAGE } from "../../ike/wire/payloads/v1/attributes.js";
import { protocolV1 } from "../../ike/wire/protocols.js";
import { notifyTypeV1 } from "../../ike/wire/v1-notify-table.js";
import { octets, record, u8, u16, u32 } from "./arbitraries.js";

const attribute = record({
  type: fc.integer({ min: 0, max: 0x7fff }),
  value: fc.oneof(u16, octets(0, 8)),
});

const transform = record({ number: u8, id: u8, attributes: fc.array(attribute, { maxLength: 6 }) });

const proposal = record({
  number: u8,
  protocol: u8.map(protocolV1),
  spi: octets(0, 16),
  transforms: fc.array(transform, { minLength: 1, maxLength: 5 }),
});

const opaque = record({ data: octets(0, 40) });
const doi = fc.constantFrom("ISAKMP" as const, "IPSEC" as const);

const address = fc.oneof(
  u32.map((value) => ({ family: 4 as const, value: BigInt(value) })),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => ({ family: 6 as const, value })),
);
const original = record({ address });

/** One arbitrary for each row of the IKEv1 payload table. */
export const BODIES_V1: { readonly [Kind in PayloadKindV1]: fc.Arbitrary<PayloadBodiesV1[Kind]> } = {
  SA: record({ proposals: fc.array(proposal, { minLength: 1, maxLength: 4 }) }),
  KE: record({ data: octets(1, 64) }),
  ID: record({ idType: u8, protocol: u8, port: u16, data: octets(0, 24) }),
  CERT: record({ encoding: u8, data: octets(0, 40) }),
  CR: record({ encoding: u8, authorities: octets(0, 40) }),
  HASH: record({ hash: octets(1, 64) }),
  SIG: opaque,
  NONCE: record({ nonce: octets(8, 256) }),
  N: record({
    doi,
    protocol: u8.map(protocolV1),
    notify: u16.map(notifyTypeV1),
    spi: octets(0, 16),
    data: octets(0, 32),
  }),
  D: fc
    .constantFrom(4, 16)
    .chain((length) =>
      record({ doi, protocol: u8.map(protocolV1), spis: fc.array(octets(length, length), { maxLength: 6 }) }),
    ),
  VID: opaque,
  ATTR: record({
    message: fc.oneof(u8, fc.constantFrom(...Object.values(ATTRIBUTES_MESSAGE))),
    identifier: u16,
    attributes: fc.array(attribute, { maxLength: 6 }),
  }),
  "NAT-D": opaque,
  "NAT-OA": original,
  "NAT-D draft": opaque,
  "NAT-OA draft": original,
  FRAGMENT: record({
    id: u16,
    number: fc.integer({ min: 1, max: 255 }),
    last: fc.boolean(),
    data: octets(1, 60),
  }),
};

const unknownPayload: fc.Arbitrary<PayloadV1> = record({
  type: fc.integer({ min: 128, max: 255 }),
  data: octets(0, 20),
})
  .filter(({ type }) => payloadRowV1(type) === undefined)
  .map((body) => ({ kind: "unknown", body }));

export const anyPayloadV1: fc.Arbitrary<PayloadV1> = fc.oneof(
  unknownPayload,
  ...(Object.keys(BODIES_V1) as PayloadKindV1[]).map((kind) =>
    (BODIES_V1[kind] as fc.Arbitrary<PayloadBodiesV1[typeof kind]>).map((body) => payloadV1(kind, body)),
  ),
);

export const anyHeaderV1: fc.Arbitrary<HeaderV1> = record({
  initiatorCookie: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  responderCookie: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  exchange: u8.map(exchangeTypeV1),
  encryption: fc.constant(false),
  commit: fc.boolean(),
  authenticationOnly: fc.boolean(),
  messageId: u32,
});
