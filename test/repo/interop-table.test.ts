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

/** Those of IKEv2: a number of phase 1 is another one. */
const SCENARIOS = (Object.values(TABLE).flat() as readonly Scenario[]).filter(({ version }) => version !== 1);
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

test("strongSwan, IKEv1: each algorithm with a number there has a row in both roles, or a reason why not", () => {
  const kinds = { phase1: ["encryption", "prf", "keyExchange"], phase2: ["encryption", "integrity", "keyExchange"] };
  for (const role of ["initiator", "responder"] as const)
    for (const [phase, usage] of [
      ["phase1", "ike"],
      ["phase2", "esp"],
    ] as const) {
      const all: readonly Scenario[] = TABLE.strongswanUserspace;
      const met = used(
        all.filter((scenario) => scenario.version === 1 && scenario.role === role),
        usage,
      );
      for (const row of working.filter(({ kind, ids }) => kinds[phase].includes(kind) && ids[phase] !== undefined))
        for (const word of wordsOf(row))
          assert.equal(met.has(word), lackOf("strongswan-userspace", usage, row) === undefined, `${word} in ${phase}`);
    }
});

for (const [peer, stages] of Object.entries(PEERS))
  test(`${peer}: the rows of tier ci have each algorithm, the groups with one peer and in IKE or ESP`, () => {
    const rows = SCENARIOS.filter(({ tier }) => tier === "ci");
    const own = rows.filter((scenario) => stages.includes(scenario.peer));
    const met = { ike: used(own, "ike"), esp: used(own, "esp") };
    const groups = new Set([...used(rows, "ike"), ...used(rows, "esp")]);
    for (const usage of USAGES)
      for (const row of usable(usage)) {
        if (stages.every((stage) => lackOf(stage, usage, row) !== undefined)) continue;
        const among = row.kind === "keyExchange" ? groups : met[usage];
        assert.ok(
          wordsOf(row).some((word) => among.has(word)),
          `${row.name} in ${usage}`,
        );
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
