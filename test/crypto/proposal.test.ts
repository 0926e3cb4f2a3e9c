import assert from "node:assert/strict";
import { test } from "node:test";
import { notYetSupported } from "../../crypto/registry/not-yet.js";
import {
  DEFAULT_ESP_PROPOSALS,
  DEFAULT_IKE_PROPOSALS,
  espSuiteName,
  ikeSuiteName,
  parseEspProposal,
  parseIkeProposal,
  proposalKeywords,
} from "../../crypto/registry/proposal.js";
import type { RequirementLevel } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";

const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name);

test("keywords come in any order and in any case", () => {
  const expected = parseIkeProposal("aes256-sha256-modp2048");
  assert.deepEqual(parseIkeProposal("modp2048-SHA256-Aes256"), expected);
  assert.deepEqual(parseIkeProposal(" dh14-aes256-sha2_256 "), expected);
});

test("a cipher without a length has the least one, as in strongSwan", () => {
  assert.deepEqual(parseIkeProposal("aes-sha1-modp2048"), parseIkeProposal("aes128-sha1-modp2048"));
  assert.deepEqual(parseEspProposal("camellia-sha256"), parseEspProposal("camellia128-sha256"));
  assert.match(proposalKeywords(parseIkeProposal("aes-sha1-modp2048")), /^aes128-/);
});

test("an integrity algorithm implies its own PRF", () => {
  assert.deepEqual(names(parseIkeProposal("aes128-sha384-ecp384").prf), ["PRF_HMAC_SHA2_384"]);
  assert.deepEqual(names(parseIkeProposal("aes128-sha1-sha512-x25519").prf), ["PRF_HMAC_SHA1", "PRF_HMAC_SHA2_512"]);
  assert.deepEqual(names(parseIkeProposal("aes128-sha1-prfsha256-x25519").prf), ["PRF_HMAC_SHA2_256"]);
});

test("an AEAD for IKE means prfsha256 where no PRF is named, and takes the hash of an integrity keyword as PRF", () => {
  const plain = parseIkeProposal("aes256gcm16-x25519");
  assert.deepEqual(names(plain.prf), ["PRF_HMAC_SHA2_256"]);
  assert.deepEqual(plain.integrity, []);
  const hashed = parseIkeProposal("aes256gcm16-sha384-ecp384");
  assert.deepEqual(names(hashed.prf), ["PRF_HMAC_SHA2_384"]);
  assert.deepEqual(hashed.integrity, []);
});

test("keywords of one type are alternatives in order of preference", () => {
  const { encryption, keyExchange } = parseEspProposal("aes256gcm16-chacha20poly1305-aes128gcm16-ecp384-ecp256");
  assert.deepEqual(
    encryption.map(({ row, keyBits }) => `${row.name} ${keyBits}`),
    ["ENCR_AES_GCM_16 256", "ENCR_CHACHA20_POLY1305 256", "ENCR_AES_GCM_16 128"],
  );
  assert.deepEqual(names(keyExchange), ["384-bit random ECP group", "256-bit random ECP group"]);
});

test("ESP offers both sizes of sequence numbers unless esn or noesn says otherwise; groups mean PFS", () => {
  const extended = (text: string) => parseEspProposal(text).sequence.map((row) => row.extended);
  assert.deepEqual(extended("aes256gcm16"), [true, false]);
  assert.deepEqual(extended("aes256gcm16-esn"), [true]);
  assert.deepEqual(extended("noesn-aes256gcm16"), [false]);
  assert.deepEqual(parseEspProposal("aes256gcm16").keyExchange, []);
  assert.deepEqual(names(parseEspProposal("aes256gcm16-modp2048").keyExchange), ["2048-bit MODP Group"]);
});

test("a wrong proposal is refused with a sentence that says what to change", () => {
  const ike = (text: string, expected: RegExp) => assert.throws(() => parseIkeProposal(text), refusal(expected));
  const esp = (text: string, expected: RegExp) => assert.throws(() => parseEspProposal(text), refusal(expected));
  ike("aes256-sha256", /no key exchange group: add one, for example/);
  ike("aes256-modp2048", /no integrity algorithm: add one/);
  ike("sha256-modp2048", /no encryption algorithm: add one/);
  ike("aes256-aes256gcm16-sha256-modp2048", /aes256gcm16 and aes256 cannot share a proposal.*ike\.proposals/);
  ike("aes256-sha256-modp2048-esn", /"esn" belongs to esp\.proposals/);
  esp("aes256", /no integrity algorithm/);
  esp("aes256gcm16-sha256", /protects integrity itself: remove sha256/);
  esp("aes256-sha256-prfsha256", /"prfsha256" belongs to ike\.proposals/);
  esp("aes128-aes128-sha256", /names aes128 twice/);
  esp("aes128--sha256", /empty keyword/);
  esp("", /empty keyword/);
});

test("an unknown word is answered with the nearest keywords, or with all of them", () => {
  assert.throws(
    () => parseIkeProposal("aes256-sha265-modp2048"),
    refusal(/unknown keyword "sha265": did you mean sha256\?/),
  );
  assert.throws(() => parseIkeProposal("aes256gmc16-x25519"), refusal(/did you mean aes256gcm16\?/));
  assert.throws(
    () => parseIkeProposal("rot13-x25519"),
    refusal(/unknown keyword "rot13": allowed are des 3des null aes128 .*noesn esn/),
  );
});

test("an algorithm of the contract that is missing is refused as not supported yet, unlike a mistyped word", () => {
  for (const word of notYetSupported())
    assert.throws(
      () => parseIkeProposal(`aes256-${word}-sha256-modp2048`),
      refusal(new RegExp(`^not supported yet: ${word}$`)),
    );
});

test("what encrypts nothing is for ESP alone", () => {
  for (const word of ["null", "aes128gmac"]) {
    assert.throws(
      () => parseIkeProposal(`${word}-sha256-modp2048`),
      refusal(/belongs to esp\.proposals: it encrypts nothing/),
    );
    assert.equal(
      proposalKeywords(parseEspProposal(word === "null" ? "null-sha256" : word)),
      word === "null" ? "null-sha256" : word,
    );
  }
});

test("what is printed parses to the same proposal", () => {
  const ike = [
    "aes256gcm16-prfsha384-ecp384",
    "aes256gcm16-x25519",
    "aes128-sha256-modp2048",
    "aes256-aes128-sha256-sha1-prfsha512-ecp256-modp2048",
  ];
  for (const text of ike) assert.equal(proposalKeywords(parseIkeProposal(text)), text);
  const esp = ["aes256gcm16", "aes256gcm16-chacha20poly1305-esn", "aes128-sha256-modp2048-noesn"];
  for (const text of esp) assert.equal(proposalKeywords(parseEspProposal(text)), text);
  assert.equal(proposalKeywords(parseIkeProposal("aes256gcm16-prfsha256-dh19")), "aes256gcm16-ecp256");
});

test("a suite prints as the proposal that chooses it alone", () => {
  for (const text of ["aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048", "aes256-sha1-prfsha256-x25519"])
    assert.equal(ikeSuiteName(ikeSuite(parseIkeProposal(text))), text);
  assert.equal(
    ikeSuiteName(ikeSuite(parseIkeProposal("chacha20poly1305-x25519"))),
    "chacha20poly1305-prfsha256-x25519",
  );
  for (const text of ["aes256gcm16-esn", "aes128-sha256-modp2048-esn"])
    assert.equal(espSuiteName(espSuite(parseEspProposal(text))), text);
  assert.equal(espSuiteName(espSuite(parseEspProposal("aes256gcm16-noesn"))), "aes256gcm16");
});

test("the default proposals hold nothing below SHOULD", () => {
  const good: readonly RequirementLevel[] = ["MUST", "SHOULD+", "SHOULD", "none"]; // "none" counts as SHOULD
  const ike = DEFAULT_IKE_PROPOSALS.flatMap((p) => [...rowsOf(p), ...p.prf]);
  for (const row of ike) assert.ok(good.includes(row.level.ike), `${row.name} in IKE`);
  for (const row of DEFAULT_ESP_PROPOSALS.flatMap(rowsOf))
    assert.ok(good.includes(row.level.esp), `${row.name} in ESP`);
});

test("the default proposals are the documented ones", () => {
  const groups = ["Curve25519", "256-bit random ECP group", "2048-bit MODP Group"];
  for (const proposals of [DEFAULT_IKE_PROPOSALS, DEFAULT_ESP_PROPOSALS]) {
    const ciphers = proposals.map((p) => p.encryption.map(({ row, keyBits }) => `${row.name} ${keyBits}`));
    assert.deepEqual(ciphers, [
      ["ENCR_AES_GCM_16 256", "ENCR_AES_GCM_16 128", "ENCR_CHACHA20_POLY1305 256"],
      ["ENCR_AES_CBC 256"],
    ]);
    for (const { keyExchange } of proposals) assert.deepEqual(names(keyExchange), groups);
  }
});

function rowsOf(proposal: IkeProposal | EspProposal) {
  return [...proposal.encryption.map(({ row }) => row), ...proposal.integrity, ...proposal.keyExchange];
}

function ikeSuite(proposal: IkeProposal) {
  const [{ row, keyBits }] = [proposal.encryption[0]!];
  const integrity = proposal.integrity[0];
  return {
    encryption: row,
    keyBits,
    ...(integrity === undefined ? {} : { integrity }),
    prf: proposal.prf[0]!,
    keyExchange: proposal.keyExchange[0]!,
  };
}

function espSuite(proposal: EspProposal) {
  const [{ row, keyBits }] = [proposal.encryption[0]!];
  const integrity = proposal.integrity[0];
  const keyExchange = proposal.keyExchange[0];
  return {
    encryption: row,
    keyBits,
    ...(integrity === undefined ? {} : { integrity }),
    ...(keyExchange === undefined ? {} : { keyExchange }),
    sequence: proposal.sequence[0]!,
  };
}

/** A RangeError whose message matches. */
function refusal(message: RegExp) {
  return (error: unknown) => error instanceof RangeError && message.test(error.message);
}
