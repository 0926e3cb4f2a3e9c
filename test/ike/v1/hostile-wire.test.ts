/** Octets that lie: every one is a refusal that names what is wrong, within bounds that do not depend on what they claim. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, octets } from "../../../crypto/bytes.js";
import { parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { choosePhase1, choosePhase2, noProposalChosenV1 } from "../../../ike/v1/proposals.js";
import type { HeaderV1 } from "../../../ike/wire/header-v1.js";
import { MAX_NOTIFIES, MAX_PAYLOADS, MAX_TRANSFORMS } from "../../../ike/wire/limits.js";
import { decodeChainV1, decodeMessageV1, encodeMessageV1, payloadV1 } from "../../../ike/wire/message-v1.js";
import { PAYLOADS_V1, type PayloadKindV1, payloadRowV1 } from "../../../ike/wire/payload-table.js";
import type { SaPayloadV1 } from "../../../ike/wire/payloads/v1/sa.js";
import { Reader } from "../../../ike/wire/reader.js";
import { Writer } from "../../../ike/wire/writer.js";

const HEADER: HeaderV1 = {
  initiatorCookie: 1n,
  responderCookie: 0n,
  exchange: "MAIN_MODE",
  encryption: false,
  commit: false,
  authenticationOnly: false,
  messageId: 0,
};
const NONCE = payloadV1("NONCE", { nonce: new Uint8Array(16) });
const u8 = (value: number) => new Uint8Array([value]);
const u16 = (value: number) => new Uint8Array([value >> 8, value & 0xff]);
const DOI_AND_SITUATION = octets("0000000100000001");

function refused(decode: () => unknown, problem: RegExp): void {
  assert.throws(
    decode,
    (error) => {
      assert(error instanceof ProtocolError, String(error));
      assert.match(error.detail, problem);
      return true;
    },
    String(problem),
  );
}

function body(kind: PayloadKindV1, ...parts: readonly Uint8Array[]): unknown {
  const row = payloadRowV1(PAYLOADS_V1[kind].number)!;
  const r = new Reader(concat(...parts), `${kind} payload`);
  const value = row.codec.decode(r);
  r.end();
  return value;
}

/** A transform with a length of our own choosing. */
const transform = (next: number, attributes: Uint8Array, length = 8 + attributes.length) =>
  concat(u8(next), u8(0), u16(length), octets("01010000"), attributes);
const proposal = (next: number, count: number, transforms: Uint8Array, length = 8 + transforms.length) =>
  concat(u8(next), u8(0), u16(length), octets("010100"), u8(count), transforms);

/** The header says that so many octets more follow. */
function lengthened(bytes: Uint8Array, more: number): Uint8Array {
  const copy = bytes.slice();
  copy[27]! += more;
  return copy;
}

test("a payload that claims more than came, less than its header, or a reserved octet is refused", () => {
  const bytes = encodeMessageV1(HEADER, [NONCE]);
  const changed = (at: number, value: number) => {
    const copy = bytes.slice();
    copy[at] = value;
    return () => decodeMessageV1(copy);
  };
  refused(changed(31, 21), /NONCE payload needs 17 octets, 16 are left/);
  refused(changed(30, 255), /NONCE payload needs 65296 octets/);
  refused(changed(31, 3), /Payload Length 3 of payload type 10/);
  refused(changed(31, 16), /4 octets too many/);
  // Up to three are the padding of peers that fill whole words.
  assert.equal(decodeMessageV1(concat(lengthened(bytes, 3), new Uint8Array(3))).payloads.length, 1);
  refused(changed(29, 1), /RESERVED of payload type 10 is 1/);
  refused(changed(16, 99), /payload type 99 is unknown/);
  refused(changed(28, 10), /Next Payload needs 1 octets, 0 are left/);
  refused(changed(27, 47), /Length is 47, 48 octets came/);
  refused(changed(17, 0x20), /version 2/);
});

test("payload types 2 and 3 belong inside an SA payload, and nowhere else", () => {
  for (const type of [2, 3]) {
    const bytes = encodeMessageV1(HEADER, [{ kind: "unknown", body: { type: 200, data: new Uint8Array(8) } }]);
    bytes[16] = type;
    refused(() => decodeMessageV1(bytes), new RegExp(`payload type ${type} is unknown`));
  }
});

test("the number of payloads and of notifications is bounded", () => {
  const notify = payloadV1("N", { doi: "IPSEC", protocol: "ISAKMP", notify: "R-U-THERE", spi: u8(1), data: u8(1) });
  const many = (count: number, p: typeof NONCE) => encodeMessageV1(HEADER, Array<typeof NONCE>(count).fill(p));
  assert.equal(decodeMessageV1(many(MAX_PAYLOADS, NONCE)).payloads.length, MAX_PAYLOADS);
  refused(() => decodeMessageV1(many(MAX_PAYLOADS + 1, NONCE)), /more than 128 payloads/);
  refused(() => decodeMessageV1(many(MAX_NOTIFIES + 1, notify)), /more than 64 notifications/);
});

test("10,000 transforms, 200 proposals or 100 attributes are refused before they are kept", () => {
  const plain = transform(3, new Uint8Array(0));
  const many = (count: number) => concat(...Array<Uint8Array>(count - 1).fill(plain), transform(0, new Uint8Array(0)));
  const full = proposal(2, 250, many(250));
  refused(
    () => body("SA", DOI_AND_SITUATION, ...Array<Uint8Array>(30).fill(full)),
    new RegExp(`more than ${MAX_TRANSFORMS} transforms`),
  );
  refused(
    () => body("SA", DOI_AND_SITUATION, proposal(0, 250, many(10_000).subarray(0, 60_000))),
    /octets too many|Next Payload/,
  );
  const small = proposal(2, 1, transform(0, new Uint8Array(0)));
  refused(() => body("SA", DOI_AND_SITUATION, ...Array<Uint8Array>(200).fill(small)), /more than 128 proposals/);
  const attributes = concat(...Array<Uint8Array>(100).fill(octets("800b0001")));
  refused(() => body("SA", DOI_AND_SITUATION, proposal(0, 1, transform(0, attributes))), /more than 32 attributes/);
  refused(() => body("ATTR", octets("01000000"), attributes), /more than 32 attributes/);
});

test("lengths inside an SA payload that lie about each other are refused at the level of the lie", () => {
  const attribute = octets("800b0001");
  const good = proposal(0, 1, transform(0, attribute));
  assert.equal((body("SA", DOI_AND_SITUATION, good) as SaPayloadV1).proposals.length, 1);
  const lies: readonly (readonly [Uint8Array, RegExp])[] = [
    [proposal(0, 1, transform(0, attribute), 3), /proposal length 3/],
    [proposal(0, 1, transform(0, attribute), 60_000), /proposal needs 59996 octets/],
    [proposal(0, 1, transform(0, attribute), 19), /SA payload: proposal: transform needs 8 octets, 7 are left/],
    [proposal(0, 2, transform(0, attribute)), /Next Payload of transform 1 of 2 is 0/],
    [proposal(0, 1, transform(3, attribute)), /Next Payload of transform 1 of 1 is 3/],
    [proposal(0, 0, new Uint8Array(0)), /a proposal without transforms/],
    [proposal(0, 1, transform(0, attribute, 2)), /transform length 2/],
    [proposal(0, 1, transform(0, attribute, 13)), /transform needs 9 octets, 8 are left/],
    [proposal(0, 1, transform(0, attribute, 11)), /Attribute Length or Value needs 2 octets, 1 are left/],
    [proposal(0, 1, transform(0, octets("000cffff00"))), /Attribute Value needs 65535 octets, 1 are left/],
    [proposal(2, 1, transform(0, attribute)), /Next Payload needs 1 octets, 0 are left/],
    [proposal(7, 1, transform(0, attribute)), /Next Payload of a proposal is 7/],
    [octets("0000000801010100"), /SPI needs 1 octets, 0 are left/],
    [octets("00000010010340010000000000000000"), /SPI needs 64 octets, 8 are left/],
  ];
  for (const [octetsOfIt, problem] of lies) refused(() => body("SA", DOI_AND_SITUATION, octetsOfIt), problem);
  refused(() => body("SA", octets("0000000200000001"), good), /Domain of Interpretation 2, only IPsec/);
  refused(() => body("SA", octets("0000000100000003"), good), /Situation 3, only SIT_IDENTITY_ONLY/);
  refused(() => body("SA", octets("00000001")), /Situation needs 4 octets, 0 are left/);
  refused(() => body("SA", DOI_AND_SITUATION), /Next Payload needs 1 octets/);
});

test("a Delete with lies about its SPIs is refused", () => {
  const head = (spiBytes: number, count: number) => concat(octets("0000000103"), u8(spiBytes), u16(count));
  refused(() => body("D", head(4, 65_535)), /65535 SPIs, at most 1024/);
  refused(() => body("D", head(0, 3)), /3 SPIs of no octets/);
  refused(() => body("D", head(4, 2), octets("00000001")), /SPI needs 4 octets, 0 are left/);
  refused(() => body("D", head(4, 1), octets("0000000100")), /1 octets too many/);
  refused(() => body("D", octets("0000000703040000")), /Domain of Interpretation 7/);
});

test("a Notify, a nonce, an address and a fragment of a wrong length are refused", () => {
  refused(() => body("N", octets("00000001 01 10 6002")), /SPI needs 16 octets, 0 are left/);
  refused(() => body("N", octets("00000001 01")), /SPI Size needs 1 octets/);
  refused(() => body("NONCE", new Uint8Array(7)), /at least 8 are needed/);
  refused(() => body("NONCE", new Uint8Array(257)), /257 octets, at most 256/);
  refused(() => body("NAT-OA", octets("01000000c00002")), /address needs 4 octets, 3 are left/);
  refused(() => body("NAT-OA", octets("02000000c0000201")), /ID Type 2 is no address/);
  refused(() => body("FRAGMENT", octets("00010000ff")), /Fragment Number 0/);
  refused(() => body("FRAGMENT", octets("00010101")), /at least 1 are needed/);
  refused(() => body("KE"), /at least 1 are needed/);
  refused(() => body("HASH"), /at least 1 are needed/);
});

test("an encrypted chain may not be longer than its payloads by more than padding can be", () => {
  const chain = concat(octets("00000018"), new Uint8Array(20));
  assert.equal(decodeChainV1(concat(chain, new Uint8Array(256)), 8).payloads.length, 1);
  refused(() => decodeChainV1(concat(chain, new Uint8Array(257)), 8), /257 octets too many/);
  assert.equal(decodeChainV1(new Uint8Array(0), 0).payloads.length, 0);
});

test("the largest offer that decodes is answered in a bounded number of words", () => {
  const attributes = octets("80010005800200018003000180040002800b0001800c7080");
  const list = (count: number, last: boolean) => {
    const w = new Writer();
    for (let i = 1; i <= count; i++) w.bytes(transform(i < count ? 3 : 0, attributes));
    return proposal(last ? 0 : 2, count, w.done());
  };
  const sa = body("SA", DOI_AND_SITUATION, ...Array.from({ length: 8 }, (_, i) => list(128, i === 7))) as SaPayloadV1;
  assert.equal(sa.proposals.flatMap(({ transforms }) => transforms).length, MAX_TRANSFORMS);
  const distinct = sa.proposals.map((each, i) => ({ ...each, number: i + 1 }));
  const ours = Array.from({ length: 100 }, () =>
    parseIkeProposal("aes128-aes192-aes256-sha256-sha512-modp2048-modp4096"),
  );
  const result = choosePhase1({ proposals: distinct }, ours);
  assert(result.kind === "mismatch");
  assert.equal(result.more, MAX_TRANSFORMS - 8);
  assert(noProposalChosenV1(result).detail.length < 4000);
  // All with one number: wanted together, so refused without a look at the transforms.
  const together = choosePhase2(sa, [parseEspProposal("aes128-sha1")], ["tunnel"]);
  assert(together.kind === "mismatch");
  assert.match(together.mismatches[0]!.wrongKind!, /together/);
  assert(noProposalChosenV1(together).detail.length < 4000);
});
