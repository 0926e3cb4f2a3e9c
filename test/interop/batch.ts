/**
 * Rows that differ in algorithms alone run many at a time: each row is a tunnel of one gateway, all of them to one peer, and is
 * still judged by itself. Both ends must show the same tunnel under the proposals of the row, echo requests must come back in
 * both directions, and where a row has rekeys every tunnel of the batch is rekeyed by that side and must carry on.
 */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { espSuiteName, ikeSuiteName, parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import { SEQUENCE_32 } from "../../crypto/registry/sequence.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { must, until } from "../child.js";
import { type BatchPeer, batchPeer } from "./batch-peers.js";
import { PSK, type Scenario, type Step, type Who } from "./scenario.js";
import type { SideView } from "./side.js";
import { CONTROL, type OpenStage, openStage } from "./stage.js";
import { type Agreement, compare } from "./steps.js";
import { isWanted, logs, whyNot } from "./suite.js";
import { HOST, type Topology } from "./topology.js";

/** Inner networks of eight addresses that fit beside those of the other suites. */
export const MOST_IN_BATCH = 28;
const SITES = { ours: "10.81.1", peer: "10.81.2" } as const;
/** Large enough to be several cipher blocks, small enough for every overhead. */
const ECHO_BYTES = 1200;
const ECHOES = 5;

type Rekey = Extract<Step, { readonly do: "rekey" }>;

/** Tunnel number `index` of a batch, as both ends are told. */
export interface BatchTunnel {
  readonly name: string;
  readonly scenario: Scenario;
  readonly id: Readonly<Record<Who, string>>;
  readonly net: Readonly<Record<Who, string>>;
}

export function batchSuite(title: string, scenarios: readonly Scenario[]): void {
  const [first] = scenarios;
  if (!first) throw new Error(`${title}: no scenarios`);
  const wanted = scenarios.filter(isWanted);
  if (wanted.length === 0 || CONTROL) return; // all of tier `full`; strongSwan in our place runs the rows of the other suites
  const skip = whyNot();
  if (skip !== undefined) {
    test(title, { skip }, () => {});
    return;
  }
  describe(title, () => {
    let stage: OpenStage | undefined;
    before(async () => {
      stage = await openStage(first.peer, { router: false });
      await addHosts(stage);
    });
    after(async () => stage?.close());
    for (const rows of batches(wanted))
      test(`${rows.length} tunnels at once, ours the ${rows[0]!.role}`, (t) => runBatch(stage!, rows, t));
  });
}

/** Rows of one role and the same steps, as many at a time as there are inner networks. */
function batches(scenarios: readonly Scenario[]): readonly (readonly Scenario[])[] {
  const groups = new Map<string, Scenario[]>();
  for (const scenario of scenarios) {
    const key = `${scenario.role} ${JSON.stringify(rekeysOf(scenario))}`;
    groups.set(key, [...(groups.get(key) ?? []), scenario]);
  }
  return [...groups.values()].flatMap((rows) =>
    Array.from({ length: Math.ceil(rows.length / MOST_IN_BATCH) }, (_, i) =>
      rows.slice(i * MOST_IN_BATCH, (i + 1) * MOST_IN_BATCH),
    ),
  );
}

/** The only steps that a batch has. */
function rekeysOf({ name, steps }: Scenario): readonly Rekey[] {
  return steps.map((step) => {
    if (step.do !== "rekey") throw new Error(`${name}: a batch has no step "${step.do}"`);
    return step;
  });
}

async function runBatch(stage: OpenStage, rows: readonly Scenario[], t: TestContext): Promise<void> {
  const tunnels = rows.map((scenario, i): BatchTunnel => {
    const name = `t${i}`;
    const net = (who: Who) => `${SITES[who]}.${networkAt(i)}/29`;
    return {
      name,
      scenario,
      id: { ours: `${name}.ours.test`, peer: `${name}.peer.test` },
      net: { ours: net("ours"), peer: net("peer") },
    };
  });
  const ours = stage.gateway!;
  const peer = batchPeer(rows[0]!.peer, stage.place, stage.topology);
  /** What went wrong with a tunnel; the first thing counts. */
  const failures = new Map<string, string>();
  try {
    await peer.load(tunnels);
    await ours.loadBatch(tunnels);
    if (rows[0]!.role === "responder") await peer.initiate(tunnels);
    let agreed = await agreement(stage, peer, tunnels, failures);
    let withGroup = false;
    await echo(stage.topology, tunnels, failures);
    for (const { what, by } of rekeysOf(rows[0]!)) {
      const alive = tunnels.filter(({ name }) => !failures.has(name));
      if (by === "ours") await ours.rekeyBatch(alive, what);
      else await peer.rekey(alive, what);
      const before = agreed;
      withGroup ||= what === "child";
      agreed = await agreement(stage, peer, alive, failures, withGroup, (now, name) => {
        const old = before.get(name)!;
        return what === "ike"
          ? now.ike !== old.ike && now.child === old.child
          : now.child !== old.child && now.ike === old.ike;
      });
      await echo(stage.topology, alive, failures);
    }
    for (const { name, scenario } of tunnels)
      await t.test(scenario.name, () => assert.equal(failures.get(name), undefined));
    assert.ok(!(await ours.log()).includes(PSK), "no pre-shared key in our log");
    await ours.unload();
    await until(
      "the peer to forget a gateway that ended",
      30,
      async () => (await peer.views(tunnels)).every(({ ike }) => !ike) || undefined,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await logs(stage)}`, { cause: error });
  } finally {
    await ours.unload().catch(() => {});
    await peer.unload(tunnels).catch(() => {});
  }
  if (failures.size > 0) t.diagnostic(await logs(stage));
}

/** Waits until both ends show the same of every tunnel; those that never do are failures. */
async function agreement(
  stage: OpenStage,
  peer: BatchPeer,
  tunnels: readonly BatchTunnel[],
  failures: Map<string, string>,
  withGroup = false,
  isNew: (now: Agreement, name: string) => boolean = () => true,
): Promise<ReadonlyMap<string, Agreement>> {
  const agreed = new Map<string, Agreement>();
  let last: ReadonlyMap<string, readonly [SideView | undefined, SideView | undefined]> = new Map();
  await until("every tunnel", 90, async () => {
    const [here, there] = await Promise.all([stage.gateway!.batchViews(tunnels), peer.views(tunnels)]);
    last = new Map(tunnels.map(({ name }, i) => [name, [here[i]?.view, there[i]]]));
    for (const [i, { name, scenario }] of tunnels.entries()) {
      const found = here[i] && there[i] && compare(here[i].view, there[i]);
      if (!found || !isNew(found, name)) continue;
      agreed.set(name, found);
      const wanted = `${proposalsOf(scenario, withGroup)} in ${scenario.encapsulation}`;
      const shown = `${here[i]!.proposals} in ${found.encapsulation}`;
      if (shown !== wanted) failures.set(name, `negotiated ${shown} instead of ${wanted}`);
    }
    return agreed.size === tunnels.length || undefined;
  }).catch((error: Error) => {
    for (const { name } of tunnels)
      if (!agreed.has(name))
        failures.set(
          name,
          `${error.message}: both ends never showed the same; at last ${JSON.stringify(last.get(name))}`,
        );
  });
  return agreed;
}

/** In the words of `status`. The child of IKE_AUTH has no group of its own. */
function proposalsOf({ ike, esp }: Scenario, withGroup: boolean): string {
  const sa = parseIkeProposal(ike);
  const child = parseEspProposal(esp);
  const parts = ({ encryption: [cipher], integrity: [integrity] }: IkeProposal | EspProposal) => ({
    encryption: cipher!.row,
    keyBits: cipher!.keyBits,
    ...(integrity && { integrity }),
  });
  const [group] = withGroup ? child.keyExchange : [];
  const saName = ikeSuiteName({ ...parts(sa), prf: sa.prf[0]!, keyExchange: sa.keyExchange[0]! });
  return `${saName} and ${espSuiteName({ ...parts(child), ...(group && { keyExchange: group }), sequence: SEQUENCE_32 })}`;
}

/** Echo requests from both hosts through every tunnel at the same time. */
async function echo(topology: Topology, tunnels: readonly BatchTunnel[], failures: Map<string, string>): Promise<void> {
  for (const [from, to] of [
    ["ours", "peer"],
    ["peer", "ours"],
  ] as const) {
    const host = (who: Who, { net }: BatchTunnel) => hostOf(net[who]);
    const pings = tunnels.map(
      (tunnel) =>
        `(echo ${tunnel.name} $(ping -q -n -c ${ECHOES} -i 0.2 -W 3 -s ${ECHO_BYTES} -I ${host(from, tunnel)} ${host(to, tunnel)})) &`,
    );
    const printed = await must(topology.namespaces.inside(HOST[from], "sh", "-c", `${pings.join("\n")}\nwait`), {
      seconds: 60,
    });
    for (const { name } of tunnels) {
      const line = printed.split("\n").find((each) => each.startsWith(`${name} `)) ?? "";
      if (!line.includes(` ${ECHOES} received`) && !failures.has(name))
        failures.set(name, `not every echo request from ${from} came back: ${line}`);
    }
  }
}

/** The inner hosts, and the peer's own address in each network, which its ESP in user space wants for a route. */
async function addHosts({ topology, place, guest }: OpenStage): Promise<void> {
  const add = (site: string, last: number, device: string) =>
    Array.from({ length: MOST_IN_BATCH }, (_, i) => `addr add ${site}.${networkAt(i) + last}/32 dev ${device}`).join(
      "\n",
    );
  for (const who of ["ours", "peer"] as const) await topology.namespaces.ip(HOST[who], add(SITES[who], 2, "eth0"));
  await place.shell(`ip -batch - <<COMMANDS\n${add(SITES.peer, 1, guest ? "vec1" : "inner")}\nCOMMANDS`);
}

function networkAt(index: number): number {
  return 16 + 8 * index;
}

/** The second address of a network. */
function hostOf(net: string): string {
  return net.replace(/(\d+)\/29$/, (_, n: string) => String(Number(n) + 2));
}
