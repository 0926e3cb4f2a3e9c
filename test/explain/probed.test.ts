import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Compared } from "../../ike/core/evidence.js";
import { policyOf } from "../../ike/embedding.js";
import { type ComparedPhase, compareProbed, probedSentence } from "../../src/explain/probed.js";
import type { VersionResult } from "../../src/probe/peer.js";

const IKE = "aes128-sha256-modp2048";
const ESP = "aes128-sha256-modp2048";

function acceptedIke(words: string): NonNullable<VersionResult["accepted"]> {
  const { encryption, integrity, prf, keyExchange } = parseIkeProposal(words);
  return { encryption, integrity, prf, groups: keyExchange, works: parseIkeProposal(words) };
}

function acceptedEsp(words: string): NonNullable<VersionResult["children"]> {
  const { encryption, integrity, keyExchange, sequence }: EspProposal = parseEspProposal(words);
  const works = { encryption: encryption[0]!.row, keyBits: encryption[0]!.keyBits, sequence: sequence[0]! };
  const groups = keyExchange.length === 0 ? [undefined] : keyExchange;
  const networks = { local: ["10.1.0.0/16"], remote: ["10.2.0.0/16"] };
  return { verdict: "accepted", accepted: { encryption, integrity, groups, sequence, works }, ...networks };
}

function compare(version: 1 | 2, ike: readonly string[], esp: string, theirs: Partial<VersionResult>) {
  const [tunnel] = policyOf({ local: "192.0.2.1", peer: "192.0.2.2", mappings: ["10.1.0.0/16 10.2.0.0/16"] }).tunnels;
  const proposals: readonly IkeProposal[] = ike.map(parseIkeProposal);
  const ours = {
    ...tunnel!,
    ike: { ...tunnel!.ike, version, proposals, ...(version === 1 && { exchange: "main" as const }) },
    esp: { ...tunnel!.esp, proposals: [parseEspProposal(esp)] },
  };
  const result: VersionResult = {
    verdict: "accepted",
    accepted: acceptedIke(IKE),
    children: acceptedEsp(ESP),
    ...(version === 1 && { modes: { main: "accepted" as const, aggressive: "refused" as const } }),
    ...theirs,
  };
  const phases = compareProbed(ours, result);
  const different = phases.flatMap(({ phase, rows }) =>
    rows.filter(({ verdict }) => verdict === "different").map(({ attribute }) => `${phase} ${attribute}`),
  );
  return { phases, different, sentence: probedSentence(phases) };
}

const ALONE: readonly (readonly [attribute: string, version: 1 | 2, ike: string, esp: string])[] = [
  ["1 encryption", 2, "aes256-sha256-modp2048", ESP],
  ["1 integrity", 2, "aes128-sha1-prfsha256-modp2048", ESP],
  ["1 prf", 2, "aes128-sha256-prfsha1-modp2048", ESP],
  ["1 group", 2, "aes128-sha256-modp3072", ESP],
  ["1 hash", 1, "aes128-sha1-modp2048", ESP],
  ["2 encryption", 2, IKE, "aes256-sha256-modp2048"],
  ["2 integrity", 2, IKE, "aes128-sha1-modp2048"],
  ["2 pfs", 2, IKE, "aes128-sha256"],
];

for (const [attribute, version, ike, esp] of ALONE)
  test(`a probe of a peer of IKEv${version} that differs in ${attribute.replace(" ", ", ")} alone says so, with both values`, () => {
    const { phases, different, sentence } = compare(version, [ike], esp, {});
    assert.deepEqual(different, [attribute]);
    const [phase, name] = attribute.split(" ");
    assert.equal(sentence, `the probe finds that these differ: ${name} of phase ${phase}`);
    const found = phases[Number(phase) - 1]!.rows.find((row) => row.attribute === name)!;
    assert.ok(found.ours.length > 0 && found.theirs !== undefined && found.theirs.length > 0);
  });

test("ESN of which both have one size alone differs", () => {
  const { different } = compare(2, [IKE], "aes128-sha256-modp2048-esn", { children: acceptedEsp(`${ESP}-noesn`) });
  assert.deepEqual(different, ["2 esn"]);
});

test("the mode of IKEv1 differs where the peer takes the other one", () => {
  const { different } = compare(1, [IKE], ESP, { modes: { main: "refused", aggressive: "accepted" } });
  assert.deepEqual(different, ["1 mode"]);
});

test("where every attribute is accepted by itself, the combination is what remains", () => {
  assert.match(compare(2, [IKE], ESP, {}).sentence, /which of them go together$/);
});

const OURS = "10.1.0.0/16 <-> 10.2.0.0/16";

test("who both are and the key are right as soon as the peer goes on behind them; selectors are what it leaves of ours", () => {
  const whole = acceptedEsp(ESP);
  const { phases, different } = compare(2, [IKE], ESP, { children: whole });
  assert.deepEqual(different, []);
  for (const name of ["authentication", "local-id", "peer-id", "psk"])
    assert.equal(rowOf(phases, 1, name).verdict, "equal");
  assert.deepEqual(rowOf(phases, 2, "selectors").theirs, [OURS]);
  for (const phase of [1, 2] as const) assert.equal(rowOf(phases, phase, "lifetime").verdict, "unknown");

  const narrowed = compare(2, [IKE], ESP, { children: { ...whole, remote: ["10.2.3.0/24"] } });
  assert.deepEqual(narrowed.different, ["2 selectors"]);
  assert.deepEqual(rowOf(narrowed.phases, 2, "selectors").theirs, ["10.1.0.0/16 <-> 10.2.3.0/24"]);
});

test("a peer that refuses the networks has accepted who we are; one that refuses that leaves identities and key as what remains", () => {
  const refused = (code: string) =>
    compare(2, [IKE], ESP, { children: { verdict: "failed", note: `${code}: no`, code } });
  const networks = refused("TS_UNACCEPTABLE");
  assert.deepEqual(networks.different, ["2 selectors"]);
  assert.equal(rowOf(networks.phases, 1, "psk").verdict, "equal");
  const key = refused("AUTHENTICATION_FAILED");
  assert.deepEqual(key.different, []);
  for (const name of ["local-id", "peer-id", "psk"]) assert.equal(rowOf(key.phases, 1, name).suspect, true);
});

function rowOf(phases: readonly ComparedPhase[], phase: 1 | 2, name: string): Compared {
  return phases[phase - 1]!.rows.find(({ attribute }) => attribute === name)!;
}

test("a peer that is silent, refuses everything, or says no to the key is told with its reason", () => {
  const silent = compareOf({ verdict: "silent" });
  assert.match(silent, /does not answer in this version/);
  assert.match(compareOf({ verdict: "refused" }), /accepts no algorithm that we know/);
  const { sentence, phases } = compare(2, [IKE], ESP, {
    children: { verdict: "failed", note: "AUTHENTICATION_FAILED: no" },
  });
  assert.match(sentence, /AUTHENTICATION_FAILED/);
  assert.deepEqual(
    phases.map(({ phase, rows }) => [phase, rows.length > 0]),
    [
      [1, true],
      [2, false],
    ],
  );
});

function compareOf(result: VersionResult): string {
  const [tunnel] = policyOf({ local: "192.0.2.1", peer: "192.0.2.2", mappings: ["10.1.0.0/16 10.2.0.0/16"] }).tunnels;
  const phases = compareProbed(tunnel!, result);
  assert.equal(phases[0]!.rows[0]!.verdict, "unknown");
  return probedSentence(phases);
}
