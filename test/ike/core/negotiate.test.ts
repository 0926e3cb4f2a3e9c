import assert from "node:assert/strict";
import { test } from "node:test";
import { octets } from "../../../crypto/bytes.js";
import { type Numbering, numbered } from "../../../crypto/registry/numbering.js";
import { espSuiteName, ikeSuiteName, parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import type { IkeProposal } from "../../../crypto/registry/suite.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import {
  allowsIke,
  chooseEsp,
  chooseIke,
  chosenEsp,
  chosenIke,
  distinctProposals,
  noProposalChosen,
  offerEsp,
  offerIke,
} from "../../../ike/core/negotiate.js";
import type { Proposal, SaPayload, Transform } from "../../../ike/wire/payloads/sa.js";

const ike = (...texts: string[]) => texts.map(parseIkeProposal);
const esp = (...texts: string[]) => texts.map(parseEspProposal);
const SPI = octets("c0ffee01");
const NO_SPI = new Uint8Array(0);

/** Both roles: what the responder picks, which the initiator then has to recognise. */
function ikeAgreement(offered: readonly string[], ours: readonly string[], keGroup?: number): string {
  const offer = offerIke(ike(...offered));
  const chosen = chooseIke(offer, ike(...ours), keGroup === undefined ? {} : { keGroup });
  if (chosen.kind === "mismatch") return noProposalChosen(chosen).detail;
  const seen = chosenIke(chosen.answer(NO_SPI), ike(...offered));
  assert.deepEqual(seen.suite, chosen.suite);
  return ikeSuiteName(chosen.suite);
}

function espAgreement(offered: readonly string[], ours: readonly string[], keyExchange: boolean): string {
  const offer = offerEsp(esp(...offered), SPI, keyExchange);
  const chosen = chooseEsp(offer, esp(...ours), { keyExchange });
  if (chosen.kind === "mismatch") return noProposalChosen(chosen).detail;
  assert.deepEqual(chosen.peerSpi, SPI);
  const answer = chosen.answer(octets("00000a01"));
  const seen = chosenEsp(answer, esp(...offered), keyExchange);
  assert.deepEqual(seen, { suite: chosen.suite, peerSpi: octets("00000a01") });
  return espSuiteName(chosen.suite);
}

test("the peer's order of proposals comes before ours", () => {
  const both = ["aes128-sha256-modp2048", "aes256gcm16-prfsha256-x25519"];
  assert.equal(ikeAgreement(both, both.toReversed()), "aes128-sha256-modp2048");
});

test("inside a proposal our order of preference decides", () => {
  assert.equal(
    ikeAgreement(["aes128-aes256-sha1-sha256-modp2048-x25519"], ["aes256-aes128-sha256-sha1-x25519-modp2048"]),
    "aes256-sha256-x25519",
  );
});

test("an acceptable group that the peer sent a KE payload for spares the round trip", () => {
  const ours = ["aes256-sha256-x25519-modp2048"];
  assert.equal(ikeAgreement(["aes256-sha256-modp2048-x25519"], ours, 14), "aes256-sha256-modp2048");
  assert.equal(ikeAgreement(["aes256-sha256-modp2048-x25519"], ours, 19), "aes256-sha256-x25519");
});

test("the key length must be the same", () => {
  const detail = ikeAgreement(["aes128-sha256-modp2048"], ["aes256-sha256-modp2048"]);
  assert.equal(detail, "proposal 1: encryption: theirs aes128, ours aes256");
});

test("a failure names for each proposal of the peer what has no common member, against the closest of ours", () => {
  const detail = ikeAgreement(
    ["aes256-sha384-ecp384", "aes128gcm16-prfsha256-x25519"],
    ["aes256-sha256-ecp384", "aes128-sha1-modp2048"],
  );
  assert.match(detail, /^proposal 1: integrity: theirs sha384, ours sha256, PRF: /);
  assert.match(detail, /; proposal 2: encryption: theirs aes128gcm16, ours aes256/);
  assert(!detail.includes("modp"), detail);
});

test("an AEAD is accepted without integrity transform and with NONE, and not with an integrity beside it", () => {
  const ours = ike("aes256gcm16-prfsha256-x25519");
  const plain = offerIke(ours).proposals[0]!;
  assert.equal(chooseIke(offerOf(plain), ours).kind, "chosen");
  const withNone = chooseIke(offerOf(plus(plain, { type: 3, id: 0, attributes: [] })), ours);
  assert(withNone.kind === "chosen");
  // Exactly one transform of each type that the proposal holds (RFC 7296 section 3.3).
  assert.deepEqual(
    withNone.answer(NO_SPI).proposals[0]!.transforms.map(({ type }) => type),
    [1, 3, 2, 4],
  );
  assert.equal(chooseIke(offerOf(plus(plain, { type: 3, id: 12, attributes: [] })), ours).kind, "mismatch");
});

test("a transform with an attribute that we do not know is passed over, a proposal with an unknown transform type too", () => {
  const ours = ike("aes256-sha256-x25519");
  const plain = offerIke(ours).proposals[0]!;
  const odd = { ...plain, transforms: plain.transforms.map((t) => (t.type === 2 ? { ...t, attributes: ODD } : t)) };
  const both = plus(odd, { type: 2, id: 5, attributes: [] });
  assert.equal(chooseIke(offerOf(odd), ours).kind, "mismatch");
  assert.equal(chooseIke(offerOf(both), ours).kind, "chosen");
  const unknownType = plus(plain, { type: 6, id: 35, attributes: [] });
  const refused = chooseIke(offerOf(unknownType), ours);
  assert(refused.kind === "mismatch");
  assert.equal(noProposalChosen(refused).detail, "proposal 1: unknown transforms (type 6 id 35 (0x23))");
  const chosen = chooseIke({ proposals: [unknownType, { ...plain, number: 2 }] }, ours);
  assert(chosen.kind === "chosen");
  assert.equal(chosen.answer(NO_SPI).proposals[0]!.number, 2);
});

test("a proposal for another protocol or with another length of SPI is refused in words", () => {
  const detail = noProposalChosenOf(offerEsp(esp("aes256-sha256"), SPI, false));
  assert.equal(detail, "proposal 1 is for ESP with an SPI of 4 octets, IKE with 0 is wanted");
});

test("without PFS on our side a child's key exchange may be absent or NONE, and nothing else", () => {
  assert.equal(espAgreement(["aes256-sha256-noesn"], ["aes256-sha256-noesn"], true), "aes256-sha256");
  const none = plus(offerEsp(esp("aes256-sha256"), SPI, true).proposals[0]!, { type: 4, id: 0, attributes: [] });
  assert.equal(chooseEsp(offerOf(none), esp("aes256-sha256"), { keyExchange: true }).kind, "chosen");
  assert.match(
    espAgreement(["aes256-sha256-x25519"], ["aes256-sha256"], true),
    /key exchange: theirs x25519, ours none/,
  );
});

test("with PFS on our side the peer must offer a group, but not in IKE_AUTH", () => {
  assert.match(
    espAgreement(["aes256-sha256"], ["aes256-sha256-x25519"], true),
    /key exchange: theirs none, ours x25519/,
  );
  assert.equal(espAgreement(["aes256-sha256-noesn"], ["aes256-sha256-x25519-noesn"], false), "aes256-sha256");
});

test("in IKE_AUTH key exchange transforms of the peer are passed over and not answered", () => {
  const offer = offerEsp(esp("aes256-sha256-modp2048-noesn"), SPI, true);
  const chosen = chooseEsp(offer, esp("aes256-sha256-x25519-noesn"), { keyExchange: false });
  assert(chosen.kind === "chosen");
  assert(chosen.answer(SPI).proposals[0]!.transforms.every(({ type }) => type !== 4));
});

test("a child proposal without a sequence number transform means 32 bits", () => {
  const offer = offerEsp(esp("aes256-sha256-noesn"), SPI, true).proposals[0]!;
  const silent = offerOf({ ...offer, transforms: offer.transforms.filter(({ type }) => type !== 5) });
  const chosen = chooseEsp(silent, esp("aes256-sha256"), { keyExchange: true });
  assert(chosen.kind === "chosen" && !chosen.suite.sequence.extended);
  assert(chosen.answer(SPI).proposals[0]!.transforms.every(({ type }) => type !== 5));
  assert.equal(chooseEsp(silent, esp("aes256-sha256-esn"), { keyExchange: true }).kind, "mismatch");
});

test("an answer that is not of our offer is refused, with the reason", () => {
  const ours = ike("aes256-sha256-x25519");
  const other = offerIke(ike("aes128-sha256-x25519"));
  const good = offerIke(ours).proposals[0]!;
  refused(other, /not of our offer: encryption: theirs aes128/);
  refused({ proposals: [good, good] }, /2 proposals/);
  refused({ proposals: [] }, /0 proposals/);
  refused(offerOf({ ...good, number: 7 }), /chose proposal 7, we offered 1 to 1/);
  refused(offerOf({ ...good, spi: SPI }), /SPI of 4 octets/);
  refused(offerOf(plus(good, good.transforms[0]!)), /more than one transform of type 1/);

  function refused(answer: SaPayload, detail: RegExp): void {
    assert.throws(
      () => chosenIke(answer, ours),
      (error: unknown) =>
        error instanceof ProtocolError && error.notify === "NO_PROPOSAL_CHOSEN" && detail.test(error.detail),
    );
  }
});

test("a suite of the union of several tunnels is allowed for those that list it", () => {
  const chosen = chooseIke(offerIke(ike("aes256-sha256-x25519")), ike("aes256-sha256-x25519"));
  assert(chosen.kind === "chosen");
  assert(allowsIke(ike("aes128gcm16-prfsha256-x25519", "aes256-aes128-sha256-x25519"), chosen.suite));
  assert(!allowsIke(ike("aes256-sha256-ecp256"), chosen.suite));
});

test("a suite that was read by another numbering is allowed only where its numbers are the same", () => {
  const numbering: Numbering = { name: "own", numbers: { sm4: { ikev2: 4000 } }, foreign: [] };
  const [sm4, aes] = ike("sm4-sha256-x25519", "aes256-sha256-x25519");
  const chosen = (proposal: IkeProposal) => {
    const found = chooseIke(offerIke([proposal]), [proposal]);
    assert(found.kind === "chosen");
    return found.suite;
  };
  assert(allowsIke([numbered(sm4!, numbering)], chosen(numbered(sm4!, numbering))));
  assert(!allowsIke([sm4!], chosen(numbered(sm4!, numbering))));
  assert(!allowsIke([numbered(sm4!, numbering)], chosen(sm4!)));
  assert(allowsIke([aes!], chosen(numbered(aes!, numbering))));
});

const ODD = [{ type: 99, value: 1 }];

function offerOf(...proposals: Proposal[]): SaPayload {
  return { proposals };
}

function plus(proposal: Proposal, ...transforms: Transform[]): Proposal {
  return { ...proposal, transforms: [...proposal.transforms, ...transforms] };
}

function noProposalChosenOf(peer: SaPayload): string {
  const result = chooseIke(peer, ike("aes256-sha256-x25519"));
  assert(result.kind === "mismatch");
  return noProposalChosen(result).detail;
}

test("a hundred strange proposals are explained by their first eight, and the one that fits behind them is found", () => {
  const strange = Array.from({ length: 100 }, (_, i) => ({
    number: i + 1,
    protocol: "IKE" as const,
    spi: NO_SPI,
    transforms: [{ type: 1, id: 900 + i, attributes: [] }],
  }));
  const ours = ike("aes256gcm16-prfsha256-x25519");
  const refused = chooseIke({ proposals: strange }, ours);
  assert(refused.kind === "mismatch");
  const { detail } = noProposalChosen(refused);
  assert.match(detail, /; 92 more$/);
  assert.ok(detail.length < 4_000);
  const fits = { ...offerIke(ours).proposals[0]!, number: 101 };
  assert.equal(chooseIke({ proposals: [...strange, fits] }, ours).kind, "chosen");
});

test("proposals that several tunnels share are compared once", () => {
  const tunnels = Array.from({ length: 50 }, () => ike("aes256-sha256-modp2048", "aes128gcm16-prfsha256-x25519"));
  assert.deepEqual(distinctProposals(tunnels.flat()), tunnels[0]);
});
