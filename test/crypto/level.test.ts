import assert from "node:assert/strict";
import { test } from "node:test";
import { AUTH_HMAC_SHA1_96 } from "../../crypto/registry/integrity.js";
import { weaknessesOf, weaknessOf, weaknessWords } from "../../crypto/registry/level.js";
import {
  DEFAULT_ESP_PROPOSALS,
  DEFAULT_IKE_PROPOSALS,
  parseEspProposal,
  parseIkeProposal,
} from "../../crypto/registry/proposal.js";
import type { RequirementLevel } from "../../crypto/registry/row.js";

test("the default proposals hold nothing below SHOULD", () => {
  for (const proposal of DEFAULT_IKE_PROPOSALS) assert.deepEqual(weaknessesOf(proposal, "ike"), []);
  for (const proposal of DEFAULT_ESP_PROPOSALS) assert.deepEqual(weaknessesOf(proposal, "esp"), []);
});

test("MUST NOT is forbidden, SHOULD NOT, MUST- and MAY are weak, no level counts as SHOULD", () => {
  const judged = (level: RequirementLevel) =>
    weaknessOf({ ...AUTH_HMAC_SHA1_96, level: { ike: level, esp: "MUST" } }, "ike")?.forbidden;
  assert.equal(judged("MUST NOT"), true);
  for (const level of ["SHOULD NOT", "MUST-", "MAY"] as const) assert.equal(judged(level), false, level);
  for (const level of ["MUST", "SHOULD+", "SHOULD", "none"] as const) assert.equal(judged(level), undefined, level);
});

test("the level that counts is that of the place where the algorithm is used", () => {
  const row = { ...AUTH_HMAC_SHA1_96, level: { ike: "MUST NOT", esp: "none" } } as const;
  assert.equal(weaknessOf(row, "ike")?.source, "RFC 8247 section 2.3");
  assert.equal(weaknessOf(row, "esp"), undefined);
});

test("a weak proposal names each member with level, RFC section and reason, the implied PRF among them", () => {
  const words = weaknessesOf(parseIkeProposal("aes256-sha1-modp2048"), "ike").map(weaknessWords);
  assert.deepEqual(words, [
    "sha1 is MUST- (RFC 8247 section 2.3): SHA-1 has collisions; HMAC stands for now, and the RFC announces its end",
    "prfsha1 is MUST- (RFC 8247 section 2.2): SHA-1 has collisions; HMAC stands for now, and the RFC announces its end",
  ]);
  assert.deepEqual(
    weaknessesOf(parseEspProposal("aes256-sha1"), "esp").map(({ source }) => source),
    ["RFC 8221 section 6"],
  );
});
