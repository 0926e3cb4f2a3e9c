/** fast-check arbitraries of every payload's meaning; what they make must survive encoding and decoding unchanged. */
import fc from "fast-check";
import type { TrafficSelector } from "../../esp/selector.js";
import { exchangeType } from "../../ike/wire/exchange-types.js";
import type { IkeHeader } from "../../ike/wire/header.js";
import { type Payload, payload } from "../../ike/wire/message.js";
import { notifyType } from "../../ike/wire/notify-table.js";
import { encryptedKind, type PayloadBodies, type PayloadKind, payloadRow } from "../../ike/wire/payload-table.js";
import { protocol } from "../../ike/wire/protocols.js";

/** Plain objects, as decoders make them. */
export const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffffffff });
export const octets = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

const selector: fc.Arbitrary<TrafficSelector> = fc.constantFrom<4 | 6>(4, 6).chain((family) =>
  record({
    protocol: u8,
    ports: fc.oneof(fc.constant([65535, 0]), fc.tuple(u16, u16).map(ascending)),
    range: fc
      .tuple(
        fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n }),
        fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n }),
      )
      .map(([a, b]) => (a < b ? [a, b] : [b, a])),
  }).map(({ protocol, ports, range }) => ({
    family,
    protocol,
    startPort: ports[0]!,
    endPort: ports[1]!,
    start: range[0]!,
    end: range[1]!,
  })),
);

const traffic = record({
  selectors: fc.array(selector, { maxLength: 8 }),
  unknown: fc.array(record({ tsType: fc.integer({ min: 9, max: 255 }), data: octets(1, 12) }), { maxLength: 2 }),
}).filter(({ selectors, unknown }) => selectors.length + unknown.length > 0);

const attribute = record({
  type: fc.integer({ min: 15, max: 0x7fff }),
  value: fc.oneof(u16, octets(0, 8)),
});

const transform = record({
  type: u8,
  id: u16,
  keyBits: fc.option(u16, { nil: undefined }),
  attributes: fc.array(attribute, { maxLength: 3 }),
}).map(({ keyBits, ...rest }) => (keyBits === undefined ? rest : { ...rest, keyBits }));

const proposal = record({
  number: u8,
  protocol: u8.map(protocol),
  spi: octets(0, 16),
  transforms: fc.array(transform, { minLength: 1, maxLength: 6 }),
});

const id = record({ idType: u8, data: octets(0, 24) });
const opaque = record({ data: octets(0, 40) });

/** One arbitrary for each row of the payload table. */
export const BODIES: { readonly [Kind in PayloadKind]: fc.Arbitrary<PayloadBodies[Kind]> } = {
  SA: record({ proposals: fc.array(proposal, { minLength: 1, maxLength: 4 }) }),
  KE: record({ group: u16, data: octets(1, 64) }),
  IDi: id,
  IDr: id,
  CERT: record({ encoding: u8, data: octets(0, 40) }),
  CERTREQ: record({ encoding: u8, authorities: octets(0, 40) }),
  AUTH: record({ method: u8, data: octets(0, 64) }),
  Nonce: record({ nonce: octets(16, 256) }),
  N: record({
    notify: u16.map(notifyType),
    protocol: u8.map(protocol),
    spi: octets(0, 8),
    data: octets(0, 32),
  }),
  D: fc.oneof(
    fc.constant({ protocol: "IKE" as const, spis: [] }),
    record({ protocol: fc.constantFrom("ESP" as const, "AH" as const), spis: fc.array(u32, { maxLength: 8 }) }),
  ),
  V: opaque,
  TSi: traffic,
  TSr: traffic,
  CP: opaque,
  EAP: opaque,
};

const unknownPayload: fc.Arbitrary<Payload> = record({ type: fc.integer({ min: 1, max: 255 }), data: octets(0, 20) })
  .filter(({ type }) => payloadRow(type) === undefined && encryptedKind(type) === undefined)
  .map((body) => ({ kind: "unknown", body }));

export const anyPayload: fc.Arbitrary<Payload> = fc.oneof(
  unknownPayload,
  ...(Object.keys(BODIES) as PayloadKind[]).map((kind) =>
    (BODIES[kind] as fc.Arbitrary<PayloadBodies[typeof kind]>).map((body) => payload(kind, body)),
  ),
);

export const anyHeader: fc.Arbitrary<IkeHeader> = record({
  initiatorSpi: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  responderSpi: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  exchange: u8.map(exchangeType),
  fromInitiator: fc.boolean(),
  response: fc.boolean(),
  messageId: u32,
});

function ascending([a, b]: readonly [number, number]): number[] {
  return a < b ? [a, b] : [b, a];
}
