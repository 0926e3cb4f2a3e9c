import { type Attribute, readAttribute, writeAttribute } from "../attributes.js";
import type { PayloadCodec } from "../codec.js";
import { MAX_ATTRIBUTES, MAX_PROPOSALS, MAX_TRANSFORMS } from "../limits.js";
import { type Protocol, protocol, protocolCode } from "../protocols.js";
import type { Reader } from "../reader.js";
import type { Writer } from "../writer.js";

/** Transform types, RFC 7296 section 3.3.2; type 5 has the name of RFC 9827. */
export const TRANSFORM_TYPE = { encryption: 1, prf: 2, integrity: 3, keyExchange: 4, sequence: 5 } as const;

/** The attribute that carries a variable key length in bits, RFC 7296 section 3.3.5. */
const KEY_LENGTH = 14;

export interface Transform {
  /** A number of `TRANSFORM_TYPE`, or one that we do not know. */
  readonly type: number;
  readonly id: number;
  /** The Key Length attribute. */
  readonly keyBits?: number;
  /** Those other than Key Length; a transform that has one is not acceptable (RFC 7296 section 3.3.6). */
  readonly attributes: readonly Attribute[];
}

export interface Proposal {
  /** Counts from 1; the answer repeats the number of the one that it chose. */
  readonly number: number;
  readonly protocol: Protocol;
  /** The sender's SPI: empty in IKE_SA_INIT, 8 octets when an IKE SA is rekeyed, 4 for ESP. */
  readonly spi: Uint8Array;
  readonly transforms: readonly Transform[];
}

/**
 * Security Association payload, RFC 7296 section 3.3:
 *
 *     proposal:  last (1) | RESERVED (1) | length (2) | number (1) | protocol (1) | SPI size (1) | transforms (1) | SPI
 *     transform: last (1) | RESERVED (1) | length (2) | type (1) | RESERVED (1) | id (2) | attributes
 */
export interface SaPayload {
  readonly proposals: readonly Proposal[];
}

export const saCodec: PayloadCodec<SaPayload> = {
  decode(r) {
    const proposals: Proposal[] = [];
    let transforms = 0;
    for (let more = true; more; ) {
      if (proposals.length === MAX_PROPOSALS) r.fail(`more than ${MAX_PROPOSALS} proposals`);
      const marker = r.u8("Last Substruc");
      if (marker !== 0 && marker !== MORE_PROPOSALS) r.fail(`Last Substruc of a proposal is ${marker}`);
      more = marker !== 0;
      const proposal = readProposal(substructure(r, "proposal"));
      transforms += proposal.transforms.length;
      if (transforms > MAX_TRANSFORMS) r.fail(`more than ${MAX_TRANSFORMS} transforms`);
      proposals.push(proposal);
    }
    return { proposals };
  },
  encode(w, { proposals }) {
    proposals.forEach((proposal, i) => {
      const start = w.length;
      w.u8(i < proposals.length - 1 ? MORE_PROPOSALS : 0)
        .zero(1)
        .sized16(start, () => writeProposal(w, proposal));
    });
  },
};

const MORE_PROPOSALS = 2;
const MORE_TRANSFORMS = 3;

/** The rest of a substructure whose first octet has been read: RESERVED, a length that counts from that octet, the body. */
function substructure(r: Reader, what: string): Reader {
  r.skip(1);
  const length = r.u16(`${what} length`);
  if (length < 4) r.fail(`${what} length ${length}`);
  return r.part(length - 4, what);
}

function readProposal(r: Reader): Proposal {
  const number = r.u8("Proposal Num");
  const protocolId = protocol(r.u8("Protocol ID"));
  const spiBytes = r.u8("SPI Size");
  const count = r.u8("Num Transforms");
  const spi = r.bytes(spiBytes, "SPI");
  if (count === 0) r.fail("a proposal without transforms");
  const transforms: Transform[] = [];
  for (let i = 1; i <= count; i++) {
    const marker = r.u8("Last Substruc");
    if (marker !== (i < count ? MORE_TRANSFORMS : 0))
      r.fail(`Last Substruc of transform ${i} of ${count} is ${marker}`);
    transforms.push(readTransform(substructure(r, "transform")));
  }
  r.end();
  return { number, protocol: protocolId, spi, transforms };
}

function readTransform(r: Reader): Transform {
  const type = r.u8("Transform Type");
  r.skip(1);
  const id = r.u16("Transform ID");
  const attributes: Attribute[] = [];
  let keyBits: number | undefined;
  while (r.remaining > 0) {
    const attribute = readAttribute(r);
    if (attribute.type === KEY_LENGTH && typeof attribute.value === "number" && keyBits === undefined)
      keyBits = attribute.value;
    else attributes.push(attribute);
    if (attributes.length > MAX_ATTRIBUTES) r.fail(`more than ${MAX_ATTRIBUTES} attributes`);
  }
  return { type, id, ...(keyBits !== undefined && { keyBits }), attributes };
}

function writeProposal(w: Writer, { number, protocol, spi, transforms }: Proposal): void {
  w.u8(number).u8(protocolCode(protocol)).u8(spi.length).u8(transforms.length).bytes(spi);
  transforms.forEach((transform, i) => {
    const start = w.length;
    w.u8(i < transforms.length - 1 ? MORE_TRANSFORMS : 0)
      .zero(1)
      .sized16(start, () => writeTransform(w, transform));
  });
}

function writeTransform(w: Writer, { type, id, keyBits, attributes }: Transform): void {
  w.u8(type).zero(1).u16(id);
  if (keyBits !== undefined) writeAttribute(w, { type: KEY_LENGTH, value: keyBits });
  for (const attribute of attributes) writeAttribute(w, attribute);
}
