/**
 * Runs the matrix of `explain` against a real peer: all rows at once, each a tunnel of one gateway to an address of its own at the peer,
 * and each judged by itself by what `explain` says.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fetchExplanation } from "../../src/cli/client.js";
import { renderExplanation } from "../../src/cli/explain.js";
import type { ComparedRow, ExplainReport } from "../../src/control/explain-model.js";
import { until } from "../child.js";
import { engineOfRun } from "./containers.js";
import { BASE, CHILD_LIFETIME, LIFETIME } from "./explain-base.js";
import { type ExplainCase, type ExplainPeerControl, libreswanMatrix, strongSwanMatrix } from "./explain-peers.js";
import { EXPLAIN_ROWS, type ExplainPeer, type ExplainRow, explainRowName } from "./explain-rows.js";
import { PSK, WRONG_PSK } from "./scenario.js";
import { CONTROL, type OpenStage, openStage } from "./stage.js";
import { isWanted, logs, whyNot } from "./suite.js";

/** Seconds in which everything has been said: a few repetitions of what nobody answers. */
const PATIENCE = 30;

export function explainSuite(peer: ExplainPeer): void {
  const rows = EXPLAIN_ROWS[peer].filter((row) => isWanted({ tier: row.tier, name: explainRowName(row) }));
  const title = `explain against ${peer}`;
  if (CONTROL || engineOfRun() !== undefined || rows.length === 0) return;
  const skip = whyNot();
  if (skip !== undefined) {
    test(title, { skip }, () => {});
    return;
  }
  describe(title, () => {
    let stage: OpenStage | undefined;
    let control: ExplainPeerControl | undefined;
    const cases = rows.map(caseOf);
    const found = new Map<string, ExplainReport>();
    before(async () => {
      stage = await openStage(peer === "strongswan" ? "strongswan-userspace" : "libreswan-kernel", { router: false });
      control = await run(stage, peer, cases, found);
    });
    after(async () => {
      await stage?.gateway?.unload();
      await control?.unload(cases).catch(() => {});
      await stage?.close();
    });
    for (const one of cases)
      test(explainRowName(one.row), async () => {
        const report = found.get(one.name);
        assert(report !== undefined, "explain was asked");
        const wrong = problem(one, report);
        if (wrong !== undefined)
          throw new Error(`${wrong}\n${renderExplanation(report)}\n${await mentions(stage!, one)}`);
      });
  });
}

function caseOf(row: ExplainRow, index: number): ExplainCase {
  const name = `t${index}`;
  return {
    name,
    row,
    address: `192.0.2.${20 + index}`,
    id: { ours: `${name}.ours.test`, peer: `${name}.peer.test` },
    net: { ours: `10.82.${index}.0/24`, peer: `10.83.${index}.0/24`, elsewhere: `10.84.${index}.0/24` },
  };
}

async function run(
  stage: OpenStage,
  peer: ExplainPeer,
  cases: readonly ExplainCase[],
  found: Map<string, ExplainReport>,
): Promise<ExplainPeerControl> {
  const { place, topology, guest } = stage;
  const ours = topology.addresses.ours.outer[4];
  const [outer, inner] = guest ? ["vec0", "vec1"] : ["outer", "inner"];
  const addresses = cases.flatMap(({ address, net }) => [
    `addr add ${address}/24 dev ${outer}`,
    `addr add ${net.peer.replace(/0\/24$/, "1")}/32 dev ${inner}`,
  ]);
  await place.shell(`ip -batch - <<COMMANDS\n${addresses.join("\n")}\nCOMMANDS`, 60);
  const control = peer === "strongswan" ? strongSwanMatrix(place, ours) : libreswanMatrix(place, ours);
  await control.load(cases);
  const socket = await stage.gateway!.loadTunnels(cases.map(tunnelOf));
  await control.call(cases.filter(({ row }) => row.role === "responder"));
  await until("every row to be explained", PATIENCE, async () => {
    let right = 0;
    for (const one of cases) {
      const before = found.get(one.name);
      if (before === undefined || problem(one, before) !== undefined)
        found.set(one.name, await fetchExplanation(socket, one.name));
      if (problem(one, found.get(one.name)!) === undefined) right++;
    }
    return right === cases.length || undefined;
  }).catch(() => {}); // each row tells what is wrong with it
  return control;
}

/** Our tunnel of a case. */
function tunnelOf({ name, row, address, id, net }: ExplainCase): unknown {
  const told = row.ours;
  const remoteId = told.remoteId === undefined ? id.peer : told.remoteId;
  return {
    name,
    peer: address,
    local_id: told.localId ?? id.ours,
    ...(remoteId !== null && { peer_id: remoteId }),
    psk: told.otherPsk ? WRONG_PSK : PSK,
    start: row.role === "responder" ? "passive" : "active",
    close: row.role === "responder" ? "none" : "restart",
    legacy: true,
    policies: [{ local: [net.ours], peer: [net.peer] }],
    ike: {
      version: row.mode === "ikev2" ? 2 : 1,
      ...(row.mode !== "ikev2" && { exchange: row.mode }),
      proposals: [told.ike ?? BASE[row.mode].ike],
      lifetime: told.lifetime ?? LIFETIME,
    },
    esp: {
      proposals: [told.esp ?? BASE[row.mode].esp],
      pfs: told.pfs === undefined ? "off" : [told.pfs],
      pfs_check: told.pfsCheck === true,
      lifetime: told.childLifetime ?? CHILD_LIFETIME,
      volume: "off",
    },
  };
}

/** What is wrong with an explanation; undefined: nothing. */
function problem(one: ExplainCase, { state, cause, phases }: ExplainReport): string | undefined {
  const { expected, phase } = one.row;
  const differs = cause?.differs ?? [];
  const remain = (cause?.remain ?? []).map(({ attribute }) => attribute);
  const all = differs.map(({ attribute }) => attribute).join(" ");
  if ("up" in expected) return state === "established" && cause === null ? undefined : `the tunnel is ${state}, not up`;
  if ("remains" in expected) {
    if (cause === null) return `nothing is told of ${expected.remains}`;
    if (all !== "") return `${all} is said to differ, though the peer does not say`;
    return remain.includes(expected.remains) ? undefined : `${expected.remains} is not among what remains: ${remain}`;
  }
  const rowOf = (attribute: string): ComparedRow | undefined => {
    const known = phases.find((each) => each.phase === phase);
    const everything = [...(known?.rows ?? []), ...(known?.proposals ?? []).flatMap(({ rows }) => rows)];
    return everything.find((each) => each.attribute === attribute);
  };
  if ("shows" in expected) {
    const row = rowOf(expected.shows);
    if (row === undefined) return `nothing is known of ${expected.shows}`;
    const verdict = expected.theirs === undefined ? "unknown" : "different";
    if (row.verdict !== verdict) return `${expected.shows} is ${row.verdict}, not ${verdict}`;
    return valuesProblem(one, row, expected.ours, expected.theirs);
  }
  if (all !== expected.names) return `${all || "nothing"} is said to differ, not ${expected.names} alone`;
  return valuesProblem(one, differs[0]!, expected.ours, expected.theirs);
}

function valuesProblem(
  one: ExplainCase,
  row: ComparedRow,
  ours: string | undefined,
  theirs: string | undefined,
): string | undefined {
  const words = (values: readonly string[]) => values.join(" ") || "–";
  if (ours !== undefined && words(row.ours) !== inCase(one, ours))
    return `ours is ${words(row.ours)}, not ${inCase(one, ours)}`;
  const told = row.theirs === null ? undefined : words(row.theirs);
  const wanted = theirs === undefined ? undefined : inCase(one, theirs);
  return told === wanted ? undefined : `theirs is ${told ?? "not told"}, not ${wanted ?? "untold"}`;
}

/** The placeholders of the rows. */
function inCase({ name, address, net }: ExplainCase, words: string): string {
  return words
    .replace("ID", name)
    .replace("ADDRESS", address)
    .replace("OURS", net.ours)
    .replace("PEER", net.peer)
    .replace("ELSEWHERE", net.elsewhere);
}

/** The lines of both logs that are about a case. */
async function mentions(stage: OpenStage, { name, address }: ExplainCase): Promise<string> {
  const words = new RegExp(`\\b(${name}|${address.replaceAll(".", "\\.")})\\b`);
  const both = await logs(stage);
  const all = `${await stage.sides.ours.log()}\n${await stage.sides.peer.log()}\n${both}`.split("\n");
  return [...new Set(all.filter((line) => words.test(line)))].slice(-40).join("\n");
}
