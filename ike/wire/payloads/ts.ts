import type { Family } from "../../../esp/address.js";
import type { TrafficSelector } from "../../../esp/selector.js";
import type { PayloadCodec } from "../codec.js";
import type { Reader } from "../reader.js";
import type { Writer } from "../writer.js";

/** TS Type, RFC 7296 section 3.13.1. */
const TS_TYPE = { 4: 7, 6: 8 } as const satisfies Record<Family, number>;

/** A selector of a kind that we do not understand (Fibre Channel, RFC 4595; security label, RFC 9478). */
export interface UnknownSelector {
  readonly tsType: number;
  /** Everything behind the Selector Length. */
  readonly data: Uint8Array;
}

/**
 * Traffic Selector payloads TSi and TSr, RFC 7296 section 3.13: Number of TSs (1) | RESERVED (3) | selectors, each
 *
 *     TS Type (1) | IP Protocol ID (1) | Selector Length (2) | Start Port (2) | End Port (2) | Start Address | End Address
 *
 * Ports 65535-0 mean OPAQUE; any other range that ends before it starts is refused.
 */
export interface TsPayload {
  readonly selectors: readonly TrafficSelector[];
  readonly unknown: readonly UnknownSelector[];
}

export const tsCodec: PayloadCodec<TsPayload> = {
  decode(r) {
    const count = r.u8("Number of TSs");
    r.skip(3);
    if (count === 0) r.fail("no traffic selector");
    const selectors: TrafficSelector[] = [];
    const unknown: UnknownSelector[] = [];
    for (let i = 0; i < count; i++) {
      const tsType = r.u8("TS Type");
      const protocol = r.u8("IP Protocol ID");
      const length = r.u16("Selector Length");
      if (length < 4) r.fail(`Selector Length ${length}`);
      const body = r.part(length - 4, `traffic selector ${i + 1}`);
      if (tsType === TS_TYPE[4]) selectors.push(selector(body, 4, protocol));
      else if (tsType === TS_TYPE[6]) selectors.push(selector(body, 6, protocol));
      else unknown.push({ tsType, data: new Uint8Array([protocol, ...body.rest("data")]) });
    }
    return { selectors, unknown };
  },
  encode(w, { selectors, unknown }) {
    w.u8(selectors.length + unknown.length).zero(3);
    for (const s of selectors) {
      const start = w.length;
      w.u8(TS_TYPE[s.family])
        .u8(s.protocol)
        .sized16(start, () => {
          w.u16(s.startPort).u16(s.endPort);
          address(w, s.family, s.start);
          address(w, s.family, s.end);
        });
    }
    for (const { tsType, data } of unknown) {
      const start = w.length;
      w.u8(tsType)
        .u8(data[0] ?? 0)
        .sized16(start, () => void w.bytes(data.subarray(1)));
    }
  },
};

function selector(r: Reader, family: Family, protocol: number): TrafficSelector {
  const startPort = r.u16("Start Port");
  const endPort = r.u16("End Port");
  const start = readAddress(r, family, "Starting Address");
  const end = readAddress(r, family, "Ending Address");
  r.end();
  if (start > end) r.fail("Ending Address is below Starting Address");
  if (startPort > endPort && !(startPort === 65535 && endPort === 0)) r.fail(`ports ${startPort}-${endPort}`);
  return { family, protocol, startPort, endPort, start, end };
}

function readAddress(r: Reader, family: Family, field: string): bigint {
  return family === 4 ? BigInt(r.u32(field)) : (r.u64(field) << 64n) | r.u64(field);
}

function address(w: Writer, family: Family, value: bigint): void {
  if (family === 4) w.u32(Number(value));
  else w.u64(value >> 64n).u64(value & 0xffffffffffffffffn);
}
