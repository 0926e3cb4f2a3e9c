import assert from "node:assert/strict";
import { test } from "node:test";
import { CAUSES, causeCode, causeOf } from "../../ike/core/causes.js";
import { ERROR_NOTIFY } from "../../ike/core/errors.js";
import { bounded, comparedRows, differencesOf, type Evidence, suspectsOf } from "../../ike/core/evidence.js";
import { ERROR_NOTIFY_V1 } from "../../ike/wire/v1-notify-table.js";

const evidence = (over: Partial<Evidence>): Evidence => ({ phase: 1, rows: [], proposals: [], more: 0, ...over });

test("every error notification of either version is a cause with advice for both sides", () => {
  for (const name of [...Object.keys(ERROR_NOTIFY), ...Object.keys(ERROR_NOTIFY_V1), "notify 12345"]) {
    const { means, here, there, rfc } = CAUSES[causeCode(name)];
    for (const words of [means, here, there, rfc]) assert.notEqual(words, "", name);
  }
  assert.equal(causeCode("INVALID-ID-INFORMATION"), "TS_UNACCEPTABLE");
  assert.equal(causeCode("notify 12345"), "REFUSED");
});

test("of several proposals the one that comes closest says what differs", () => {
  const row = (attribute: "encryption" | "group", theirs: string, ours: string) =>
    ({ attribute, verdict: theirs === ours ? "equal" : "different", theirs: [theirs], ours: [ours] }) as const;
  const found = differencesOf(
    evidence({
      proposals: [
        { number: "1", rows: [row("encryption", "aes256", "aes128"), row("group", "modp1024", "modp2048")] },
        { number: "2", rows: [row("encryption", "aes128", "aes128"), row("group", "modp1536", "modp2048")] },
      ],
    }),
  );
  assert.deepEqual(found, [row("group", "modp1536", "modp2048")]);
});

test("a known difference is fixed with its values on either side, and leaves nothing else under suspicion", () => {
  const rows = comparedRows(
    [
      ["encryption", ["aes128"]],
      ["group", ["modp2048"]],
    ],
    { encryption: { theirs: ["aes256"] }, group: "suspect" },
  );
  const cause = causeOf({ code: "NO_PROPOSAL_CHOSEN", detail: "…", evidence: evidence({ rows }) });
  assert.deepEqual(
    cause.differs.map(({ attribute }) => attribute),
    ["encryption"],
  );
  assert.deepEqual(cause.suspects, []);
  assert.equal(cause.fix, "put aes256 into `ike.proposals`");
  assert.equal(cause.peerFix, "put aes128 into the peer's proposals");
});

test("where the peer says nothing the suspects remain, each with our value and none of the peer's", () => {
  const rows = comparedRows([["group", ["modp2048"]]], { group: "suspect" });
  assert.deepEqual(suspectsOf(evidence({ rows })), [
    { attribute: "group", verdict: "unknown", ours: ["modp2048"], suspect: true },
  ]);
  assert.equal(rows[0]!.theirs, undefined);
});

test("what a peer sends is bounded in number and length", () => {
  const values = bounded(Array.from({ length: 5_000 }, () => "x".repeat(70_000)));
  assert.equal(values.length, 17);
  assert(values.every((value) => value.length <= 201));
  assert.equal(values.at(-1), "and 4984 more");
});
