import assert from "node:assert/strict";
import { test } from "node:test";
import { renderExplanation, renderHistory } from "../../src/cli/explain.js";
import { profileReport } from "../../src/config/profile-report.js";
import { explainReport, whyReport } from "../../src/control/explain-model.js";
import { explanation, history, withCause } from "../../src/explain/explanation.js";
import { createRecorder } from "../../src/explain/recorder.js";
import { createPairV1 } from "../ike/v1/pair.js";
import { createPair, type Pair, type PairOptions, type Side, view } from "../ike/v2/pair.js";

type Mode = "ikev2" | "main" | "aggressive";

/** What the flight recorder makes of everything that a side has reported. */
function recorded(side: Side) {
  const recorder = createRecorder(["t"], () => 0);
  for (const report of side.reports) recorder.take(report);
  return recorder.recorded("t", view(side).state);
}

function explained(side: Side) {
  const report = explanation(view(side), recorded(side));
  assert.deepEqual(explainReport.parse(report), report, "the report has the shape that the API promises");
  return report;
}

function pairOf(mode: Mode, options: PairOptions): Pair {
  return mode === "ikev2" ? createPair(options) : createPairV1(mode, options);
}

interface Row {
  readonly name: string;
  readonly modes: readonly Mode[];
  /** Of A, the initiator; B is as it was. */
  readonly a: NonNullable<PairOptions["a"]>;
  /** What B, the responder, knows: theirs are A's values. */
  readonly named: readonly [attribute: string, ours: string, theirs: string | null];
  /** What A cannot know better, or what it can. */
  readonly left: readonly string[];
}

const ALL: readonly Mode[] = ["ikev2", "main", "aggressive"];
const V1: readonly Mode[] = ["main", "aggressive"];
const BASE = { ikeProposals: ["aes128-sha256-modp2048"], espProposals: ["aes128-sha256"] };
const IKE_SUSPECTS_V2 = ["version", "encryption", "prf", "integrity", "group"];
const IKE_SUSPECTS_V1 = ["version", "mode", "authentication", "encryption", "hash", "group"];

const ROWS: readonly Row[] = [
  {
    name: "encryption of phase 1",
    modes: ["ikev2"],
    a: { ikeProposals: ["aes256-sha256-modp2048"] },
    named: ["encryption", "aes128", "aes256"],
    left: IKE_SUSPECTS_V2,
  },
  {
    name: "the PRF",
    modes: ["ikev2"],
    a: { ikeProposals: ["aes128-sha256-prfsha384-modp2048"] },
    named: ["prf", "prfsha256", "prfsha384"],
    left: IKE_SUSPECTS_V2,
  },
  {
    name: "integrity of phase 1",
    modes: ["ikev2"],
    a: { ikeProposals: ["aes128-sha384-prfsha256-modp2048"] },
    named: ["integrity", "sha256", "sha384"],
    left: IKE_SUSPECTS_V2,
  },
  {
    name: "the group",
    modes: ["ikev2"],
    a: { ikeProposals: ["aes128-sha256-x25519"] },
    named: ["group", "modp2048", "x25519"],
    left: IKE_SUSPECTS_V2,
  },
  {
    name: "encryption of phase 1",
    modes: ["main"],
    a: { ikeProposals: ["aes256-sha256-modp2048"] },
    named: ["encryption", "aes128", "aes256"],
    left: IKE_SUSPECTS_V1,
  },
  {
    name: "the hash",
    modes: V1,
    a: { ikeProposals: ["aes128-sha1-modp2048"] },
    named: ["hash", "sha256", "sha1"],
    left: IKE_SUSPECTS_V1,
  },
  {
    name: "the group",
    modes: V1,
    a: { ikeProposals: ["aes128-sha256-modp1536"] },
    named: ["group", "modp2048", "modp1536"],
    left: IKE_SUSPECTS_V1,
  },
  {
    name: "the identity of the initiator",
    modes: ["ikev2"],
    a: { localId: "stranger.example" },
    named: ["peer-id", "a.example", "stranger.example"],
    left: ["authentication", "local-id", "peer-id", "psk"],
  },
  {
    name: "the pre-shared key",
    modes: ["ikev2", "main"],
    a: { psk: "another secret" },
    named: ["psk", "configured", null],
    left: ["local-id", "psk"],
  },
  {
    name: "encryption of phase 2",
    modes: ALL,
    a: { espProposals: ["aes256-sha256"] },
    named: ["encryption", "aes128", "aes256"],
    left: ["protocol", "encapsulation", "encryption", "integrity", "esn"],
  },
  {
    name: "integrity of phase 2",
    modes: ALL,
    a: { espProposals: ["aes128-sha1"] },
    named: ["integrity", "sha256", "sha1"],
    left: ["protocol", "encapsulation", "encryption", "integrity", "esn"],
  },
  {
    name: "PFS of phase 2",
    modes: V1,
    a: { espProposals: ["aes128-sha256-modp1536"] },
    named: ["pfs", "none", "modp1536"],
    left: ["encryption", "integrity", "pfs"],
  },
];

for (const row of ROWS)
  for (const mode of row.modes)
    test(`${mode}: ${row.name} alone differs: the responder names it with both values, the initiator what remains`, () => {
      const pair = pairOf(mode, { a: { ...BASE, ...row.a }, b: BASE });
      pair.pass(3_000);
      const there = explained(pair.b);
      const [attribute, ours, theirs] = row.named;
      assert.deepEqual(
        there.cause?.differs.map((one) => [one.attribute, one.ours.join(" "), one.theirs?.join(" ") ?? null]),
        [[attribute, ours === "none" ? "" : ours, theirs]].map(([a, o, t]) => [a, o, t]),
        renderExplanation(there),
      );
      const here = explained(pair.a);
      const told = [...(here.cause?.differs ?? []), ...(here.cause?.remain ?? [])].map((one) => one.attribute);
      for (const name of here.cause?.differs.length ? [attribute] : row.left)
        assert(told.includes(name) || told.includes(mirror(attribute)), `${name} in ${told}`);
      assert.notEqual(here.state, "established");
      for (const report of [here, there]) {
        assert.match(renderExplanation(report), /here: .+\n {2}at the peer: .+\n {2}see RFC/);
        assert.match(report.sentence, /because/);
      }
    });

/** The initiator's identity is its own, the responder's peer's. */
function mirror(attribute: string): string {
  return attribute === "peer-id" ? "local-id" : attribute;
}

test("a tunnel that is up is explained with everything equal, and nothing is left of what failed before", () => {
  for (const mode of ALL) {
    const pair = pairOf(mode, { a: BASE, b: { ...BASE, psk: "another secret" } });
    pair.pass(40_000);
    assert.notEqual(explained(pair.a).cause, null, mode);
    pair.b.psk = pair.a.psk;
    pair.pass(120_000);
    for (const side of [pair.a, pair.b]) {
      const report = explained(side);
      assert.equal(report.state, "established", mode);
      assert.equal(report.cause, null, mode);
      assert.match(report.sentence, /^t is up with .*1 of 1 mappings is carried$/);
      const [first, second] = report.phases;
      for (const { attribute, verdict } of first!.rows)
        assert.equal(
          verdict,
          attribute === "lifetime" && mode === "ikev2" ? "unknown" : lifeOr(attribute, side),
          attribute,
        );
      assert(second!.rows.some(({ attribute, verdict }) => attribute === "selectors" && verdict === "equal"));
    }
  }

  /** As initiator nobody knows the peer's lifetime: a responder repeats ours. */
  function lifeOr(attribute: string, side: Side): string {
    return attribute === "lifetime" && side.name === "A" ? "unknown" : "equal";
  }
});

test("lifetimes of IKEv1 are compared, though the tunnel comes up: the responder knows both", () => {
  const pair = pairOf("main", { a: BASE, b: { ...BASE, ikeLifetimeSeconds: 28800, childLifetimeSeconds: 1800 } });
  pair.pass(10_000);
  const child = explained(pair.b).phases[1]!.rows.find(({ attribute }) => attribute === "lifetime");
  assert.deepEqual([child?.verdict, child?.ours, child?.theirs], ["different", ["1800 s"], ["3600 s"]]);
  const row = explained(pair.b).phases[0]!.rows.find(({ attribute }) => attribute === "lifetime");
  assert.deepEqual(row, {
    attribute: "lifetime",
    verdict: "different",
    ours: ["28800 s"],
    theirs: ["86400 s"],
    suspect: false,
  });
});

test("a PFS mismatch of a tunnel that is up is told, and names PFS alone", () => {
  const change = (groups: string) => ({ ...BASE, espProposals: [`aes128-sha256${groups}`] });
  const pair = pairOf("ikev2", {
    a: change("-modp2048"),
    b: change("-modp1536"),
    changeA: (tunnel) => ({ ...tunnel, esp: { ...tunnel.esp, pfsCheck: true } }),
  });
  pair.pass(30_000);
  const report = explained(pair.a);
  assert.equal(report.state, "established");
  assert.equal(report.cause?.code, "PFS_MISMATCH");
  assert.deepEqual(
    report.cause?.differs.map(({ attribute }) => attribute),
    ["pfs"],
  );
  assert.match(report.sentence, /^t is up, but /);
  assert.deepEqual(
    explained(pair.b).cause?.differs.map(({ attribute, ours, theirs }) => [attribute, ours, theirs]),
    [["pfs", ["modp1536"], ["modp2048"]]],
  );
});

test("a failure of a tunnel that was up is no reason of its end, unless it ended by it", () => {
  const failed = { kind: "failed", code: "PFS_MISMATCH", detail: "the groups differ", tunnel: "t" } as const;
  const closed = { kind: "ikeClosed", reason: "the peer deleted it", tunnel: "t" } as const;
  const story = { kind: "story", story: "the peer is alive", tunnel: "t" } as const;
  const after = (...reports: readonly Parameters<ReturnType<typeof createRecorder>["take"]>[0][]) => {
    const recorder = createRecorder(["t"], () => 0);
    for (const report of reports) recorder.take(report);
    return recorder.recorded("t", "connecting").failure?.cause.code;
  };
  assert.equal(after(failed, story, closed), undefined);
  assert.equal(after(failed, { kind: "childClosed", child: 1, reason: "…", tunnel: "t" }, closed), "PFS_MISMATCH");
});

test("selectors that do not fit are named with both sides'", () => {
  for (const mode of ALL) {
    const pair = pairOf(mode, { a: BASE, b: { ...BASE, entries: [["10.9.0.0/16 10.1.0.0/16"]] } });
    pair.pass(3_000);
    assert.deepEqual(
      explained(pair.b).cause?.differs.map(({ attribute, ours, theirs }) => [attribute, ours, theirs]),
      [["selectors", ["10.9.0.0/16 <-> 10.1.0.0/16"], ["10.2.0.0/16 <-> 10.1.0.0/16"]]],
      mode,
    );
    const here = explained(pair.a).cause!;
    assert(
      [...here.differs, ...here.remain].some(({ attribute }) => attribute === "selectors"),
      mode,
    );
  }
});

test("a peer that speaks the other version is told by the version, in both directions", () => {
  const other = pairOf("ikev2", {
    a: BASE,
    b: BASE,
    changeB: (tunnel) => ({ ...tunnel, ike: { ...tunnel.ike, version: 1, exchange: "main" } }),
  });
  other.pass(3_000);
  assert.deepEqual(
    explained(other.b).cause?.differs.map(({ attribute, ours, theirs }) => [attribute, ours, theirs]),
    [["version", ["IKEv1"], ["IKEv2"]]],
  );
  const older = pairOf("main", {
    a: BASE,
    b: BASE,
    changeB: ({ ike: { exchange: _, ...ike }, ...tunnel }) => ({ ...tunnel, ike: { ...ike, version: 2 } }),
  });
  older.pass(3_000);
  assert.deepEqual(
    explained(older.b).cause?.differs.map(({ attribute, ours, theirs }) => [attribute, ours, theirs]),
    [["version", ["IKEv2"], ["IKEv1"]]],
  );
});

test("what a stranger makes up is told as unproven, in status as well, and never about a tunnel that is connected", () => {
  const pair = pairOf("ikev2", { a: { ...BASE, ikeProposals: ["aes256-sha256-modp2048"] }, b: BASE });
  pair.pass(1_000);
  const report = explained(pair.b);
  assert.equal(report.state, "passive");
  assert.equal(report.cause?.proven, false);
  const told = withCause(view(pair.b), recorded(pair.b));
  assert.match(told.reason, /^last refused: proposal 1: encryption: theirs aes256, ours aes128; waits for the peer$/);

  const recorder = createRecorder(["t"], () => 0);
  for (const failed of pair.b.reports) recorder.take(failed);
  assert.equal(recorder.recorded("t", "established").failure, undefined);
});

test("why tells what happened in its order, repeated events once with their number, and is bounded", () => {
  const pair = pairOf("ikev2", { a: { ...BASE, ikeProposals: ["aes256-sha256-modp2048"] }, b: BASE });
  pair.pass(120_000);
  const why = history(view(pair.a), recorded(pair.a));
  assert.deepEqual(whyReport.parse(why), why);
  assert(why.events.length <= 72);
  assert(why.events.some(({ code, message }) => code === "NO_PROPOSAL_CHOSEN" && message.includes("ours: aes256")));
  assert.match(renderHistory(why), /NO_PROPOSAL_CHOSEN/);
  const recorder = createRecorder(["t"], () => 0);
  for (let i = 0; i < 10_000; i++)
    recorder.take({ kind: "failed", code: "TIMEOUT", detail: `attempt ${i} ${"x".repeat(5_000)}`, tunnel: "t" });
  const { events } = recorder.recorded("t", "down");
  assert.equal(events.length, 64);
  assert(events.every(({ message }) => message.length <= 501));
});

test("strangers do not push a tunnel's own events out of its recorder", () => {
  const recorder = createRecorder(["t"], () => 0);
  recorder.take({ kind: "story", story: "its own", tunnel: "t" });
  const evidence = { phase: 1, rows: [], proposals: [], more: 0 } as const;
  for (let i = 0; i < 10_000; i++)
    recorder.take({
      kind: "failed",
      code: "NO_PROPOSAL_CHOSEN",
      detail: `${i}`,
      candidates: [{ tunnel: "t", evidence }],
    });
  const { events } = recorder.recorded("t", "down");
  assert.equal(events.length, 9);
  assert(events.some(({ message }) => message === "its own"));
});

test("a tunnel that is not configured any more is forgotten", () => {
  const recorder = createRecorder(["t", "u"], () => 0);
  for (const tunnel of ["t", "u"]) recorder.take({ kind: "story", story: "something", tunnel });
  recorder.keepOnly(["u", "v"]);
  assert.equal(recorder.recorded("t", "down").events.length, 0);
  assert.equal(recorder.recorded("u", "down").events.length, 1);
});

test("the profile of a tunnel is told with its source and what its product is known to do", () => {
  const { b } = createPair({});
  const report = explanation(view(b), recorded(b), profileReport("fortigate"));
  assert.deepEqual(explainReport.parse(report), report);
  assert.match(
    renderExplanation(report),
    /^profile fortigate \(Fortinet FortiGate\); FortiOS CLI reference[^\n]*\n {2}known of it: it opens a second tunnel/m,
  );
});
