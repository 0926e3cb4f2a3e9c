/** The table of interoperability beside the registry: what has no row with a peer has a reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allRows, keywordOf } from "../../crypto/registry/lookup.js";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { TransformRow } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { LACKS, lackOf, type Usage } from "../interop/peer-lacks.js";
import type { PeerKind, Scenario } from "../interop/scenario.js";
import { TABLE } from "../interop/scenarios/table.js";

const SCENARIOS: readonly Scenario[] = Object.values(TABLE).flat();
const USAGES: readonly Usage[] = ["ike", "esp"];
/** A peer, and the stages that it stands on: strongSwan's IKE is the same on both, each has an ESP of its own. */
const PEERS: Readonly<Record<string, readonly PeerKind[]>> = {
  strongSwan: ["strongswan-userspace", "strongswan-kernel"],
  libreswan: ["libreswan-kernel"],
};

/** "aes128gcm16", "aes192gcm16", "aes256gcm16"; "sha256"; "modp2048". */
function wordsOf(row: TransformRow): readonly string[] {
  return row.kind === "encryption" ? row.keyBits.map((keyBits) => keywordOf(row, keyBits)) : [keywordOf(row)];
}

/** What the scenarios of a peer and role use; PFS groups among ESP's. */
function used(scenarios: readonly Scenario[], usage: Usage): ReadonlySet<string> {
  return new Set(
    scenarios
      .filter(({ wrongPsk }) => !wrongPsk)
      .flatMap((scenario) => {
        const proposal: IkeProposal | EspProposal =
          usage === "ike" ? parseIkeProposal(scenario.ike) : parseEspProposal(scenario.esp);
        return [
          ...proposal.encryption.map(({ row, keyBits }) => keywordOf(row, keyBits)),
          ...proposal.integrity.map((row) => keywordOf(row)),
          ...("prf" in proposal ? proposal.prf.map((row) => keywordOf(row)) : []),
          ...proposal.keyExchange.map((row) => keywordOf(row)),
        ];
      }),
  );
}

const working = allRows().filter((row) => row.kind !== "sequence");
const usable = (usage: Usage) => working.filter((row) => usage === "ike" || row.kind !== "prf");

for (const [peer, stages] of Object.entries(PEERS))
  for (const role of ["initiator", "responder"] as const)
    test(`${peer}, ours the ${role}: each algorithm with each key length has a row, or a reason why not`, () => {
      const rows = SCENARIOS.filter((scenario) => stages.includes(scenario.peer) && scenario.role === role);
      for (const usage of USAGES) {
        const met = used(rows, usage);
        for (const row of usable(usage)) {
          const lacks = stages.every((stage) => lackOf(stage, usage, row) !== undefined);
          for (const word of wordsOf(row))
            assert.equal(
              met.has(word),
              !lacks,
              `${word} in ${usage}: ${lacks ? "a row, and a reason for none" : "no row"}`,
            );
        }
      }
    });

test("the rows of tier ci have each algorithm that any peer has: the symmetric ones in IKE and in ESP, each group in either", () => {
  const rows = SCENARIOS.filter(({ tier }) => tier === "ci");
  const met = { ike: used(rows, "ike"), esp: used(rows, "esp") };
  const everyPeerLacks = (usage: Usage, row: TransformRow): boolean =>
    Object.values(PEERS).every((stages) => stages.every((stage) => lackOf(stage, usage, row) !== undefined));
  for (const usage of USAGES)
    for (const row of usable(usage).filter((each) => !everyPeerLacks(usage, each))) {
      const where = row.kind === "keyExchange" ? USAGES : [usage];
      const found = wordsOf(row).some((word) => where.some((each) => met[each].has(word)));
      assert.ok(found, `${row.name} in ${usage}`);
    }
});

test("every reason is about an algorithm of the registry", () => {
  const known = new Set(allRows().map((row) => row.keywords[0]!));
  for (const reasons of Object.values(LACKS))
    for (const usage of USAGES) for (const word of Object.keys(reasons[usage])) assert.ok(known.has(word), word);
});

test("no two rows of one stage have one name", () => {
  for (const scenarios of Object.values(TABLE)) {
    const names = scenarios.map(({ name, tier }) => `${tier} ${name}`);
    assert.deepEqual(names, [...new Set(names)]);
  }
});
