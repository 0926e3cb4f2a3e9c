import assert from "node:assert/strict";
import { test } from "node:test";
import { allRows, rowById, rowByName, sealerSpecByName, withIcvBytes } from "../../crypto/registry/lookup.js";
import {
  DEFAULT_NUMBERING,
  doubleNumbers,
  type Numbering,
  numbered,
  numberOf,
  rowOf,
  sendsKeyLength,
  whyUnnumbered,
} from "../../crypto/registry/numbering.js";
import { GMALG_PROFILE, NUMBERING_PROFILES } from "../../crypto/registry/numbering-profiles.js";
import { parseIkeProposal } from "../../crypto/registry/proposal.js";
import { chooseIke, chosenIke, distinctProposals, noProposalChosen, offerIke } from "../../ike/core/negotiate.js";

const SPACES = ["ikev2", "phase1", "phase2"] as const;
const AES_CBC = rowByName("encryption", "ENCR_AES_CBC");
const SHA512 = rowByName("integrity", "AUTH_HMAC_SHA2_512_256");
const SHA256 = rowByName("integrity", "AUTH_HMAC_SHA2_256_128");

/** AES-CBC and HMAC-SHA2-256 as a product might number them that knows no IANA. */
const STRANGE: Numbering = {
  name: "strange",
  numbers: { "aes*": { ikev2: 4000, keyLengthAttribute: true }, sha256: { ikev2: 14, icvBytes: 12 } },
  foreign: [{ kind: "keyExchange", space: "ikev2", id: 31, name: "a curve of its own" }],
};

test("the default numbering gives every row IANA's numbers, in every space", () => {
  for (const row of allRows())
    for (const space of SPACES) {
      const id = row.ids[space];
      if (id === undefined) continue;
      assert.equal(numberOf(DEFAULT_NUMBERING, row, space), id, row.name);
      assert.equal(rowOf(DEFAULT_NUMBERING, row.kind, space, id), rowById(row.kind, space, id), row.name);
    }
});

test("no profile gives two algorithms of a kind one number, and each number leads back to its row", () => {
  for (const profile of Object.values(NUMBERING_PROFILES)) {
    assert.deepEqual(doubleNumbers(profile), []);
    for (const row of allRows())
      for (const space of SPACES) {
        const id = numberOf(profile, row, space);
        if (id !== undefined) assert.equal(rowOf(profile, row.kind, space, id), row, `${profile.name} ${row.name}`);
      }
  }
});

test("a numbering's own numbers come before IANA's, and take them away from their rows", () => {
  assert.equal(numberOf(STRANGE, AES_CBC, "ikev2"), 4000);
  assert.equal(rowOf(STRANGE, "encryption", "ikev2", 12), undefined);
  assert.equal(rowOf(STRANGE, "integrity", "ikev2", 14), SHA256);
  assert.equal(numberOf(STRANGE, SHA512, "ikev2"), undefined);
  assert.equal(
    whyUnnumbered(STRANGE, SHA512, "ikev2"),
    "sha512 collides: its IKEv2 number 14 stands for sha256 in numbering strange",
  );
  assert.match(
    whyUnnumbered(STRANGE, rowByName("keyExchange", "Curve25519"), "ikev2")!,
    /31 stands for a curve of its own/,
  );
  assert.equal(whyUnnumbered(STRANGE, AES_CBC, "phase1"), "aes* has no IKEv1 phase 1 number in numbering strange");
});

test("under gmalg what lies under its numbers is refused by name", () => {
  const chacha = rowByName("encryption", "ENCR_CHACHA20_POLY1305");
  assert.match(whyUnnumbered(GMALG_PROFILE, chacha, "ikev2")!, /28 stands for SM1-ECB in numbering gmalg/);
});

test("both sides of one numbering agree, on its numbers and its ICV length", () => {
  const ours = [numbered(parseIkeProposal("aes128-sha256-modp2048"), STRANGE)];
  const offer = offerIke(ours);
  const ids = offer.proposals[0]!.transforms.map(({ type, id, keyBits }) => [type, id, keyBits]);
  assert.deepEqual(ids, [
    [1, 4000, 128],
    [3, 14, undefined],
    [2, 5, undefined],
    [4, 14, undefined],
  ]);
  const chosen = chooseIke(offer, ours);
  assert.ok(chosen.kind === "chosen");
  assert.equal(chosen.suite.integrity?.icvBytes, 12);
  assert.deepEqual(chosenIke(chosen.answer(new Uint8Array(0)), ours).suite, chosen.suite);
});

test("a numbering without the Key Length attribute neither sends nor accepts it", () => {
  const bare: Numbering = { name: "bare", numbers: { "aes*": { ikev2: 12, keyLengthAttribute: false } }, foreign: [] };
  assert.equal(sendsKeyLength(bare, AES_CBC), false);
  const ours = [numbered(parseIkeProposal("aes128-sha256-modp2048"), bare)];
  assert.equal(offerIke(ours).proposals[0]!.transforms[0]!.keyBits, undefined);
  assert.equal(chooseIke(offerIke([parseIkeProposal("aes128-sha256-modp2048")]), ours).kind, "mismatch");
});

test("a responder that does not know the tunnel yet reads an offer by the numbering of each candidate", () => {
  const offer = offerIke([numbered(parseIkeProposal("aes256-sha256-modp2048"), STRANGE)]);
  const plain = parseIkeProposal("aes256-sha256-modp2048");
  const refused = chooseIke(offer, [plain]);
  assert.ok(refused.kind === "mismatch");
  assert.match(noProposalChosen(refused).detail, /theirs encryption 4000 \(0xfa0\)\/256, ours aes256/);
  const both = distinctProposals([plain, numbered(plain, STRANGE), plain]);
  assert.equal(both.length, 2);
  assert.equal(chooseIke(offer, both).kind, "chosen");
});

test("a worker's message carries the ICV length of the numbering", () => {
  const names = { encryption: "ENCR_AES_CBC", keyBits: 128, integrity: "AUTH_HMAC_SHA2_256_128" };
  assert.equal(sealerSpecByName(names).integrity, SHA256);
  assert.equal(sealerSpecByName({ ...names, icvBytes: 12 }).integrity, withIcvBytes(SHA256, 12));
});
