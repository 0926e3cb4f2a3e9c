import { type Attribute, readAttribute, writeAttribute } from "../../attributes.js";
import type { PayloadCodec } from "../../codec.js";
import { MAX_ATTRIBUTES_V1, MAX_PROPOSALS, MAX_TRANSFORMS } from "../../limits.js";
import { type ProtocolV1, protocolCodeV1, protocolV1 } from "../../protocols.js";
import type { Reader } from "../../reader.js";
import { IPSEC_DOI, SIT_IDENTITY_ONLY } from "../../v1-attributes.js";
import type { Writer } from "../../writer.js";

export interface TransformV1 {
  /** Counts from 1; the answer repeats the number of the one that it chose. */
  readonly number: number;
  /** Phase 1: KEY_IKE. Phase 2: the ESP transform, which is the encryption algorithm. */
  readonly id: number;
  /** In their order: a Life Duration belongs to the Life Type before it. */
  readonly attributes: readonly Attribute[];
}

export interface ProposalV1 {
  /** Proposals with one number are wanted together, those with different numbers are alternatives (RFC 2408 section 4.2). */
  readonly number: number;
  readonly protocol: ProtocolV1;
  /** The sender's: empty (or its cookies) in phase 1, 4 octets for ESP. */
  readonly spi: Uint8Array;
  readonly transforms: readonly TransformV1[];
}

/**
 * Security Association payload, RFC 2408 sections 3.4 to 3.6, under the IPsec DOI and the situation SIT_IDENTITY_ONLY:
 *
 *     DOI (4) | Situation (4) | proposals
 *     proposal:  next (1) | RESERVED (1) | length (2) | number (1) | protocol (1) | SPI size (1) | transforms (1) | SPI
 *     transform: next (1) | RESERVED (1) | length (2) | number (1) | id (1) | RESERVED2 (2) | attributes
 */
export interface SaPayloadV1 {
  readonly proposals: readonly ProposalV1[];
}

export const saCodecV1: PayloadCodec<SaPayloadV1> = {
  decode(r) {
    const doi = r.u32("Domain of Interpretation");
    if (doi !== IPSEC_DOI) r.fail(`Domain of Interpretation ${doi}, only IPsec (${IPSEC_DOI}) is supported`);
    const situation = r.u32("Situation");
    if (situation !== SIT_IDENTITY_ONLY)
      r.fail(`Situation ${situation}, only SIT_IDENTITY_ONLY (${SIT_IDENTITY_ONLY}) is supported`);
    const proposals: ProposalV1[] = [];
    let transforms = 0;
    for (let more = true; more; ) {
      if (proposals.length === MAX_PROPOSALS) r.fail(`more than ${MAX_PROPOSALS} proposals`);
      const next = r.u8("Next Payload");
      if (next !== 0 && next !== MORE_PROPOSALS) r.fail(`Next Payload of a proposal is ${next}`);
      more = next !== 0;
      const proposal = readProposal(substructure(r, "proposal"), MAX_TRANSFORMS - transforms);
      transforms += proposal.transforms.length;
      proposals.push(proposal);
    }
    return { proposals };
  },
  encode(w, { proposals }) {
    w.u32(IPSEC_DOI).u32(SIT_IDENTITY_ONLY);
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
  if (r.u8("RESERVED") !== 0) r.fail(`RESERVED of a ${what} is not zero`);
  const length = r.u16(`${what} length`);
  if (length < 4) r.fail(`${what} length ${length}`);
  return r.part(length - 4, what);
}

function readProposal(r: Reader, mostTransforms: number): ProposalV1 {
  const number = r.u8("Proposal #");
  const protocol = protocolV1(r.u8("Protocol-ID"));
  const spiBytes = r.u8("SPI Size");
  const count = r.u8("# of Transforms");
  const spi = r.bytes(spiBytes, "SPI");
  if (count === 0) r.fail("a proposal without transforms");
  if (count > mostTransforms) r.fail(`more than ${MAX_TRANSFORMS} transforms`);
  const transforms: TransformV1[] = [];
  for (let i = 1; i <= count; i++) {
    const next = r.u8("Next Payload");
    if (next !== (i < count ? MORE_TRANSFORMS : 0)) r.fail(`Next Payload of transform ${i} of ${count} is ${next}`);
    transforms.push(readTransform(substructure(r, "transform")));
  }
  r.end();
  return { number, protocol, spi, transforms };
}

function readTransform(r: Reader): TransformV1 {
  const number = r.u8("Transform #");
  const id = r.u8("Transform-Id");
  if (r.u16("RESERVED2") !== 0) r.fail("RESERVED2 of a transform is not zero");
  const attributes: Attribute[] = [];
  while (r.remaining > 0) {
    if (attributes.length === MAX_ATTRIBUTES_V1) r.fail(`more than ${MAX_ATTRIBUTES_V1} attributes`);
    attributes.push(readAttribute(r));
  }
  return { number, id, attributes };
}

function writeProposal(w: Writer, { number, protocol, spi, transforms }: ProposalV1): void {
  w.u8(number).u8(protocolCodeV1(protocol)).u8(spi.length).u8(transforms.length).bytes(spi);
  transforms.forEach((transform, i) => {
    const start = w.length;
    w.u8(i < transforms.length - 1 ? MORE_TRANSFORMS : 0)
      .zero(1)
      .sized16(start, () => {
        w.u8(transform.number).u8(transform.id).zero(2);
        for (const attribute of transform.attributes) writeAttribute(w, attribute);
      });
  });
}
