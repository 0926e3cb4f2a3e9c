import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../../crypto/bytes.js";
import { rowByKeyword } from "../../../crypto/registry/lookup.js";
import { numbered } from "../../../crypto/registry/numbering.js";
import { GMALG_PROFILE, GMT0022_PROFILE, NUMBERING_PROFILES } from "../../../crypto/registry/numbering-profiles.js";
import { espSuiteName, ikeSuiteName, parseEspProposal, parseIkeProposal } from "../../../crypto/registry/proposal.js";
import type { KeyExchangeRow } from "../../../crypto/registry/row.js";
import type { EspProposal } from "../../../crypto/registry/suite.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import {
  type ChosenV1,
  choosePhase1,
  choosePhase2,
  chosenPhase1,
  chosenPhase2,
  groupsOf,
  type NotChosenV1,
  noProposalChosenV1,
  offerPhase1,
  offerPhase2,
} from "../../../ike/v1/proposals.js";
import type { Attribute } from "../../../ike/wire/attributes.js";
import { bodiesOfV1, decodeMessageV1, encodeBodyV1, payloadV1 } from "../../../ike/wire/message-v1.js";
import type { SaPayloadV1 } from "../../../ike/wire/payloads/v1/sa.js";
import type { EncapsulationMode } from "../../../ike/wire/v1-attributes.js";

const DAY = { seconds: 86_400 };
const SPI = octets("c0ffee01");
const NO_SPI = new Uint8Array(0);
const group = (word: string) => rowByKeyword(word)!.row as KeyExchangeRow;
const ike = (...words: string[]) => words.map(parseIkeProposal);
const esp = (...words: string[]) => words.map(parseEspProposal);

interface QuickMode {
  readonly group?: KeyExchangeRow | undefined;
  readonly encapsulation?: EncapsulationMode;
}
const quick = (proposals: readonly EspProposal[], { group, encapsulation = "tunnel" }: QuickMode = {}) =>
  offerPhase2(proposals, { spi: SPI, group, encapsulation, lifetimes: { seconds: 3600, kilobytes: 1_843_200 } });

test("the offer of phase 1 has the attributes and numbers of RFC 2409 appendix A", () => {
  const offer = offerPhase1(ike("aes256-sha256-modp2048"), { seconds: 86_400, kilobytes: 70_000 });
  assert.equal(
    hex(encodeBodyV1(payloadV1("SA", offer))),
    "0000000100000001" + // DOI, situation
      "0000003c 01 01 00 01".replaceAll(" ", "") +
      "00000034 01 01 0000".replaceAll(" ", "") +
      ["80010007", "800e0100", "80020004", "80030001", "8004000e"].join("") +
      `800b0001${"000c0004"}00015180` +
      `800b0002${"000c0004"}00011170`,
  );
});

test("the offer of phase 2 has the attributes and numbers of RFC 2407 section 4.5 and RFC 4304", () => {
  const offer = quick(esp("aes128-sha1-modp1536-esn"), { group: group("modp1536") });
  assert.equal(
    hex(encodeBodyV1(payloadV1("SA", offer))),
    "0000000100000001" +
      "0000003c 01 03 04 01 c0ffee01".replaceAll(" ", "") +
      "00000030 01 0c 0000".replaceAll(" ", "") +
      ["80060080", "80050002", "80030005", "80040001", "800b0001"].join("") +
      "80010001" +
      "80020e10" +
      "80010002" +
      "00020004001c2000",
  );
});

test("the recorded offer and answer of another product are understood", () => {
  const bytes = octets(
    "fafaeb49382a763c36e65ad2f66f4403011002000000000000000050" +
      "00000034000000010000000100000028000100010000002000010000800b0001800c7080800100058002000180030001" +
      "80040002",
  );
  const [sa] = bodiesOfV1(decodeMessageV1(bytes).payloads, "SA");
  const chosen = accepted(choosePhase1(sa!, ike("aes128-sha1-modp1024", "3des-md5-modp1024")));
  assert.equal(ikeSuiteName(chosen.suite), "3des-md5-modp1024");
  assert.deepEqual(chosen.lifetimes, { seconds: 28_800 });
  assert.deepEqual(chosen.answer(NO_SPI), sa);
});

test("our order decides among what is offered, and the answer repeats the transform as it came", () => {
  const offer = offerPhase1(ike("3des-md5-modp768", "aes128-sha1-modp1024", "aes256-sha256-modp2048"), DAY);
  const chosen = accepted(choosePhase1(offer, ike("aes256-sha256-modp2048", "aes128-sha1-modp1024")));
  assert.equal(ikeSuiteName(chosen.suite), "aes256-sha256-modp2048");
  const [proposal] = chosen.answer(NO_SPI).proposals;
  assert.deepEqual(proposal!.transforms, [offer.proposals[0]!.transforms[2]]);
  assert.equal(proposal!.transforms[0]!.number, 3);
  const within = accepted(
    choosePhase1(
      offerPhase1(ike("aes128-aes256-sha1-sha256-modp1024-modp2048"), DAY),
      ike("aes256-aes128-sha256-modp2048"),
    ),
  );
  assert.equal(ikeSuiteName(within.suite), "aes256-sha256-modp2048");
});

test("every suite of phase 1 that the registry can number is offered, chosen and recognised in the answer", () => {
  const hashes = ["md5", "sha1", "sha256", "sha384", "sha512"];
  const groups = ["modp768", "modp1024", "modp1536", "modp2048", "modp2048s256", "ecp256"];
  for (const cipher of ["des", "3des", "aes128", "aes192", "aes256", "camellia128", "camellia256"])
    for (const hash of hashes)
      for (const dh of groups) {
        const words = `${cipher}-${hash}-${dh}`;
        const ours = ike(words);
        const chosen = accepted(choosePhase1(offerPhase1(ours, DAY), ours));
        assert.equal(ikeSuiteName(chosen.suite), words);
        assert.deepEqual(chosenPhase1(chosen.answer(NO_SPI), ours).suite, chosen.suite);
      }
});

test("every suite of phase 2 that the registry can number is offered, chosen and recognised in the answer", () => {
  const macs = ["md5", "sha1", "sha256", "sha384", "sha512", "aesxcbc"];
  const ciphers = ["des", "3des", "null", "aes128", "aes256", "aes128ctr", "camellia192"];
  const aeads = ["aes128gcm8", "aes192gcm12", "aes256gcm16", "aes128ccm8", "aes256ccm16", "aes128gmac"];
  const all = [...ciphers.flatMap((cipher) => macs.map((mac) => `${cipher}-${mac}`)), ...aeads];
  for (const words of all)
    for (const dh of [undefined, "modp1536", "ecp384"])
      for (const esn of ["noesn", "esn"]) {
        const ours = esp([words, ...(dh === undefined ? [] : [dh]), esn].join("-"));
        const terms = { group: dh === undefined ? undefined : group(dh), encapsulation: "udpTunnel" as const };
        const chosen = accepted(choosePhase2(quick(ours, terms), ours, ["tunnel", "udpTunnel"]));
        const expected = [words, ...(dh === undefined ? [] : [dh]), ...(esn === "esn" ? [esn] : [])].join("-");
        assert.equal(espSuiteName(chosen.suite), expected);
        assert.equal(chosen.suite.encapsulation, "udpTunnel");
        assert.equal(hex(chosen.peerSpi), hex(SPI));
        const answer = chosen.answer(octets("0badcafe"));
        assert.equal(hex(answer.proposals[0]!.spi), "0badcafe");
        assert.deepEqual(chosenPhase2(answer, ours, terms).suite, chosen.suite);
      }
});

test("a suite without IKEv1 numbers is not offered, and an offer of nothing else is our mistake", () => {
  const offer = offerPhase1(ike("aes256gcm16-prfsha256-x25519", "aes128-sha256-x25519-modp2048"), DAY);
  assert.equal(offer.proposals[0]!.transforms.length, 1);
  assert.throws(() => offerPhase1(ike("aes256gcm16-prfsha256-x25519"), DAY), RangeError);
  assert.throws(() => quick(esp("chacha20poly1305")), RangeError);
});

test("SM4 and SM3 go by the numbering, in both phases, with and without numbers of IANA beside them", () => {
  for (const numbering of [NUMBERING_PROFILES.private, GMALG_PROFILE, GMT0022_PROFILE]) {
    const phase1 = [numbered(parseIkeProposal("sm4-sm3-prfsm3-modp2048"), numbering)];
    const chosen = accepted(choosePhase1(offerPhase1(phase1, DAY), phase1));
    assert.equal(ikeSuiteName(chosen.suite), "sm4-sm3-modp2048", numbering.name);
    const phase2 = [numbered(parseEspProposal("sm4-sm3"), numbering)];
    assert.equal(espSuiteName(accepted(choosePhase2(quick(phase2), phase2, ["tunnel"])).suite), "sm4-sm3");
  }
  const gmalg = offerPhase1([numbered(parseIkeProposal("sm4-sm3-modp2048"), GMALG_PROFILE)], DAY);
  const message = refusal(choosePhase1(gmalg, ike("sm4-sm3-modp2048")));
  assert.match(message, /encryption: theirs encryption 10 \(0xa\), ours sm4/);
  assert.match(message, /hash: theirs prf 7 \(0x7\), ours sm3/);
});

test("a mismatch names each attribute with theirs and ours, against our closest proposal", () => {
  const offer = offerPhase1(ike("aes256-sha256-modp1024"), DAY);
  const result = choosePhase1(offer, ike("3des-md5-modp768", "aes128-sha256-modp2048"));
  assert(result.kind === "mismatch");
  assert.deepEqual(result.mismatches, [
    {
      proposal: 1,
      transform: 1,
      disagreements: [
        { attribute: "encryption", theirs: "aes256", ours: ["aes128"] },
        { attribute: "group", theirs: "modp1024", ours: ["modp2048"] },
      ],
    },
  ]);
  assert.equal(
    noProposalChosenV1(result).detail,
    "transform 1 of proposal 1: encryption: theirs aes256, ours aes128, group: theirs modp1024, ours modp2048",
  );
});

test("an authentication method other than a pre-shared key is told by name", () => {
  for (const [method, name] of [
    [3, "rsaSignatures"],
    [65001, "xauthInitPreShared"],
    [4711, "4711"],
  ] as const) {
    const offer = altered(offerPhase1(ike("aes128-sha1-modp1024"), DAY), (a) =>
      a.type === 3 ? { ...a, value: method } : a,
    );
    const message = refusal(choosePhase1(offer, ike("aes128-sha1-modp1024")));
    assert.match(message, new RegExp(`authentication method: theirs ${name}, ours preSharedKey`));
  }
});

test("PFS on one side alone, another group, another mode or sequence number is a mismatch by name", () => {
  const none = esp("aes128-sha1-noesn");
  const pfs = esp("aes128-sha1-modp1536-noesn");
  const theirs = quick(pfs, { group: group("modp1536") });
  assert.match(refusal(choosePhase2(theirs, none, ["tunnel"])), /PFS group: theirs modp1536, ours none/);
  assert.match(refusal(choosePhase2(quick(none), pfs, ["tunnel"])), /PFS group: theirs none, ours modp1536/);
  assert.match(
    refusal(choosePhase2(theirs, esp("aes128-sha1-modp2048"), ["tunnel"])),
    /PFS group: theirs modp1536, ours modp2048/,
  );
  assert.match(
    refusal(choosePhase2(quick(none, { encapsulation: "transport" }), none, ["tunnel", "udpTunnel"])),
    /encapsulation mode: theirs transport, ours tunnel udpTunnel/,
  );
  assert.match(
    refusal(choosePhase2(quick(esp("aes128-sha1-esn")), none, ["tunnel"])),
    /sequence numbers: theirs esn, ours noesn/,
  );
  const withMac = altered(quick(esp("aes128gcm16-noesn")), (a) => a, [{ type: 5, value: 2 }]);
  assert.match(
    refusal(choosePhase2(withMac, esp("aes128gcm16-noesn"), ["tunnel"])),
    /authentication algorithm: theirs sha1, ours none/,
  );
});

test("where both sizes of sequence numbers are allowed the one that every peer knows is offered first", () => {
  const sizes = quick(esp("aes128gcm16")).proposals[0]!.transforms.map(({ attributes }) =>
    attributes.some(({ type }) => type === 11),
  );
  assert.deepEqual(sizes, [false, true]);
});

test("AES without a key length is not acceptable (RFC 3602 section 5.3), a true key length beside 3DES does no harm", () => {
  const withoutLength = altered(offerPhase1(ike("aes128-sha1-modp1024"), DAY), (a) => (a.type === 14 ? undefined : a));
  assert.match(refusal(choosePhase1(withoutLength, ike("aes128-sha1-modp1024"))), /ENCR_AES_CBC without key length/);
  const tripleDes = ike("3des-sha1-modp1024");
  const told = altered(offerPhase1(tripleDes, DAY), (a) => a, [{ type: 14, value: 192 }]);
  assert.equal(accepted(choosePhase1(told, tripleDes)).suite.keyBits, 192);
  const wrong = altered(offerPhase1(tripleDes, DAY), (a) => a, [{ type: 14, value: 128 }]);
  assert.equal(choosePhase1(wrong, tripleDes).kind, "mismatch");
});

test("an attribute that we do not understand, or that stands there twice, makes a transform unacceptable", () => {
  const ours = ike("aes128-sha1-modp1024");
  const strange = altered(offerPhase1(ours, DAY), (a) => a, [{ type: 13, value: 4 }]);
  assert.match(refusal(choosePhase1(strange, ours)), /not understood: attribute 13/);
  const twice = altered(offerPhase1(ours, DAY), (a) => a, [{ type: 1, value: 5 }]);
  assert.match(refusal(choosePhase1(twice, ours)), /not understood: attribute 1 twice/);
});

test("a number in the long form is the same number", () => {
  const ours = ike("aes128-sha1-modp1024");
  const long = altered(offerPhase1(ours, DAY), (a) =>
    typeof a.value === "number" ? { ...a, value: octets(a.value.toString(16).padStart(8, "0")) } : a,
  );
  assert.equal(ikeSuiteName(accepted(choosePhase1(long, ours)).suite), "aes128-sha1-modp1024");
});

test("proposals with one number are wanted together, so ESP with IPCOMP or AH is refused and ESP alone taken", () => {
  const ours = esp("aes128-sha1-noesn");
  const [alone] = quick(ours).proposals;
  const compressed = {
    number: 1,
    protocol: "IPCOMP",
    spi: octets("0102"),
    transforms: [{ number: 1, id: 2, attributes: [] }],
  } as const;
  const together: SaPayloadV1 = { proposals: [alone!, compressed] };
  assert.match(
    refusal(choosePhase2(together, ours, ["tunnel"])),
    /proposal 1 wants 2 SAs together \(ESP and IPCOMP\), ESP alone/,
  );
  const either: SaPayloadV1 = { proposals: [alone!, compressed, { ...alone!, number: 2 }] };
  assert.equal(accepted(choosePhase2(either, ours, ["tunnel"])).answer(SPI).proposals[0]!.number, 2);
  const ah: SaPayloadV1 = { proposals: [{ ...alone!, protocol: "AH" }] };
  assert.match(refusal(choosePhase2(ah, ours, ["tunnel"])), /proposal 1 is for AH, ESP is wanted/);
  const short: SaPayloadV1 = { proposals: [{ ...alone!, spi: octets("0102") }] };
  assert.match(refusal(choosePhase2(short, ours, ["tunnel"])), /an SPI of 2 octets, ESP has 4/);
});

test("cookies as the SPI of phase 1 are passed over, and KEY_IKE is the only identifier", () => {
  const ours = ike("aes128-sha1-modp1024");
  const [proposal] = offerPhase1(ours, DAY).proposals;
  const chosen = accepted(choosePhase1({ proposals: [{ ...proposal!, spi: octets("11".repeat(8)) }] }, ours));
  assert.equal(chosen.peerSpi.length, 0);
  const other = { ...proposal!, transforms: proposal!.transforms.map((transform) => ({ ...transform, id: 2 })) };
  assert.match(refusal(choosePhase1({ proposals: [other] }, ours)), /has transform identifier 2, KEY_IKE is 1/);
});

test("an answer that is no choice of our offer is refused", () => {
  const ours = ike("aes128-sha1-modp1024", "aes128-sha1-modp1536");
  const offer = offerPhase1(ours, DAY);
  assert.throws(() => chosenPhase1(offer, ours), /does not choose one transform/);
  const choice = accepted(choosePhase1(offer, ours)).answer(NO_SPI);
  const another = altered(choice, (a) => (a.type === 4 ? { ...a, value: 14 } : a));
  assert.throws(() => chosenPhase1(another, ours), ProtocolError);
  // In aggressive mode the group was settled by the KE payload.
  assert.equal(chosenPhase1(choice, ours, group("modp1024")).suite.keyExchange.name, "1024-bit MODP Group");
  assert.throws(() => chosenPhase1(choice, ours, group("modp1536")), ProtocolError);
});

test("a quick mode offers one group: only the proposals that have it", () => {
  const ours = esp("aes256-sha256-modp2048-noesn", "3des-md5-noesn", "aes128-sha1-modp2048-modp1536-noesn");
  assert.deepEqual(groupsOf(ours), [group("modp2048"), undefined, group("modp1536")]);
  const ids = (dh: KeyExchangeRow | undefined) =>
    quick(ours, dh && { group: dh }).proposals[0]!.transforms.map(({ id }) => id);
  assert.deepEqual(ids(group("modp2048")), [12, 12]);
  assert.deepEqual(ids(group("modp1536")), [12]);
  assert.deepEqual(ids(undefined), [3]);
});

test("a phase 2 offer that says no lifetime means 28,800 seconds (RFC 2407 section 4.5)", () => {
  const ours = esp("aes128-sha1-noesn");
  const offer = offerPhase2(ours, { spi: SPI, group: undefined, encapsulation: "tunnel", lifetimes: {} });
  assert.deepEqual(accepted(choosePhase2(offer, ours, ["tunnel"])).lifetimes, { seconds: 28_800 });
  assert.deepEqual(accepted(choosePhase2(quick(ours), ours, ["tunnel"])).lifetimes, {
    seconds: 3600,
    kilobytes: 1_843_200,
  });
  const chosen = accepted(choosePhase1(offerPhase1(ike("aes128-sha1-modp1024"), {}), ike("aes128-sha1-modp1024")));
  assert.deepEqual(chosen.lifetimes, {});
});

test("an offer never has more transforms than its count can tell, and none twice", () => {
  const many = ike(
    "aes128-aes192-aes256-camellia128-camellia256-sha1-sha256-sha384-sha512-modp1024-modp1536-modp2048-modp3072-modp4096-ecp256-ecp384-ecp521-modp8192-modp6144-modp2048s256-modp1024s160-modp2048s224-ecp256bp",
  );
  assert.equal(offerPhase1(many, DAY).proposals[0]!.transforms.length, 255);
  const same = ike("aes128-sha1-modp1024", "aes128-sha1-modp1024");
  assert.equal(offerPhase1(same, DAY).proposals[0]!.transforms.length, 1);
});

test("a long list of a stranger is explained in its first eight transforms and counted", () => {
  const theirs = offerPhase1(ike("aes128-aes256-sha1-sha256-modp1024-modp1536-modp2048"), DAY);
  const result = choosePhase1(theirs, ike("3des-md5-modp768"));
  assert(result.kind === "mismatch");
  assert.equal(result.mismatches.length, 8);
  assert.equal(result.more, 4);
  assert.match(noProposalChosenV1(result).detail, /; 4 more$/);
});

function accepted<Suite>(result: ChosenV1<Suite> | NotChosenV1): ChosenV1<Suite> {
  if (result.kind === "mismatch") assert.fail(noProposalChosenV1(result).detail);
  return result;
}

function refusal(result: ChosenV1<unknown> | NotChosenV1): string {
  assert.equal(result.kind, "mismatch");
  const error = noProposalChosenV1(result as NotChosenV1);
  assert.equal(error.notify, "NO_PROPOSAL_CHOSEN");
  return error.detail;
}

/** The payload with each attribute passed through `change`, and further ones. */
function altered(
  { proposals }: SaPayloadV1,
  change: (attribute: Attribute) => Attribute | undefined,
  more: readonly Attribute[] = [],
): SaPayloadV1 {
  return {
    proposals: proposals.map((proposal) => ({
      ...proposal,
      transforms: proposal.transforms.map((transform) => ({
        ...transform,
        attributes: [...transform.attributes.flatMap((each) => change(each) ?? []), ...more],
      })),
    })),
  };
}
