/** Runs the rows of the table that belong to one stage, one test each. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, type TestContext, test } from "node:test";
import { until } from "../child.js";
import { engineOfRun } from "./containers.js";
import { addHosts } from "./grid.js";
import { LIBRESWAN } from "./guest.js";
import { needsRouter, PSK, type Scenario, type Who, WRONG_PSK } from "./scenario.js";
import { CONTROL, type OpenStage, openStage } from "./stage.js";
import { agreement, perform } from "./steps.js";

/** One of each package that the suites need; in containers these alone. */
const TOOLS = ["/usr/bin/ip", "/usr/bin/ping", "/usr/sbin/nft", "/usr/sbin/conntrack"];
const PROGRAMS = [...TOOLS, "/usr/sbin/charon-systemd", "/usr/bin/linux", `${LIBRESWAN}/usr/libexec/ipsec/pluto`];

export function suite(title: string, scenarios: readonly Scenario[]): void {
  const [first] = scenarios;
  if (!first) throw new Error(`${title}: no scenarios`);
  const router = needsRouter(first);
  for (const scenario of scenarios)
    if (scenario.peer !== first.peer || needsRouter(scenario) !== router)
      throw new Error(`${scenario.name} needs another stage`);
  if (engineOfRun() && first.peer !== "strongswan-userspace") return; // such a peer is a guest machine, and no container
  const wanted = scenarios
    .filter(isWanted)
    .filter((scenario) => (!CONTROL || standInCan(scenario)) && !(engineOfRun() && killsOne(scenario)));
  const skip = whyNot();
  if (skip !== undefined) {
    test(title, { skip }, () => {});
    return;
  }
  if (wanted.length === 0) return; // all of tier `full`, or of other rows than asked for
  describe(title, () => {
    let stage: OpenStage | undefined;
    before(async () => {
      stage = await openStage(first.peer, { router });
    });
    after(async () => stage?.close());
    for (const scenario of wanted) test(scenario.name, async (t) => runScenario(stage!, scenario, t));
  });
}

export function isWanted({ tier, name }: Pick<Scenario, "tier" | "name">): boolean {
  const rows = process.env.CAUSEWAY_INTEROP_ROWS;
  if (rows !== undefined && !new RegExp(rows).test(name)) return false;
  return tier === "ci" || process.env.CAUSEWAY_TIER === "full";
}

/**
 * strongSwan's userspace ESP has no extended sequence numbers, and does not follow a peer whose translation changes; a new start
 * of it does not call the peer.
 */
function standInCan(scenario: Scenario): boolean {
  const { esp, behindNat, steps } = scenario;
  return (
    !/-esn\b/.test(esp) && !(behindNat === "peer" && steps.some((step) => step.do === "remap")) && !killsOne(scenario)
  );
}

/** Containers are not killed behind their engine's back. */
function killsOne({ steps }: Scenario): boolean {
  return steps.some((step) => step.do === "kill");
}

/** Why these suites cannot run here; undefined where they can. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "not root: namespaces and peers need it";
  if (!existsSync("/dev/net/tun")) return "no /dev/net/tun on this host";
  const missing = (engineOfRun() ? TOOLS : PROGRAMS).filter((file) => !existsSync(file));
  return missing.length > 0 ? `not installed (npm run setup as root): ${missing.join(", ")}` : undefined;
}

async function runScenario(stage: OpenStage, scenario: Scenario, t: TestContext): Promise<void> {
  const { ours, peer } = stage.sides;
  const scene = { ...stage, note: (text: string) => t.diagnostic(`${scenario.name}: ${text}`) };
  try {
    if (scenario.pathMtu) await stage.topology.narrow(scenario.pathMtu);
    if (scenario.behindNat) await stage.topology.translate(scenario.behindNat);
    if (scenario.dropsFragments) await stage.topology.dropFragments();
    if (scenario.grid) await addHosts(stage.topology, scenario.grid, stage.guest);
    await peer.load(scenario);
    await ours.load(scenario);
    const begun = performance.now();
    if (scenario.wrongPsk) await refused(stage, scenario);
    else {
      if (scenario.role === "responder") await peer.initiate();
      else if (!stage.gateway) await ours.initiate();
      await agreement(scene, scenario);
      if (scenario.grid) scene.note(`up after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      for (const step of scenario.steps)
        await perform(scene, scenario, step).catch((error: Error) => {
          throw new Error(`step ${JSON.stringify(step)}: ${error.message}`, { cause: error });
        });
    }
    const log = await ours.log();
    const theirs = scenario.peerSays ? await peer.log() : "";
    for (const words of scenario.peerSays ?? []) assert.match(theirs, words);
    assert.ok(!log.includes(PSK) && !log.includes(WRONG_PSK), "no pre-shared key in our log");
    await ours.unload();
    await until("the peer to forget a gateway that ended", 30, async () => !(await peer.view()).ike || undefined);
    await peer.unload();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await logs(stage)}`, { cause: error });
  } finally {
    // Where the row failed, what is left of it must not meet the next one; only the first failure is of interest.
    await ours.unload().catch(() => {});
    await peer.unload().catch(() => {});
    await stage.topology.home();
  }
}

/** The last lines of both logs. */
export async function logs({ sides }: Pick<OpenStage, "sides">): Promise<string> {
  const tail = async (title: string, text: Promise<string>): Promise<string> =>
    `--- ${title} ---\n${(await text.catch(String)).trimEnd().split("\n").slice(-100).join("\n")}`;
  return `${await tail("our log", sides.ours.log())}\n${await tail("the peer's log", sides.peer.log())}`;
}

/** A wrong pre-shared key: told as what it is by whoever can know, and never a tunnel. */
async function refused(stage: OpenStage, scenario: Scenario): Promise<void> {
  const { ours, peer } = stage.sides;
  if (scenario.role === "responder") await peer.initiate().catch(() => {});
  else if (!stage.gateway) await ours.initiate().catch(() => {});
  for (const who of ["ours", "peer"] as const) {
    const expected = who === "ours" && stage.gateway ? OUR_WORDS[scenario.version ?? 2] : theirWords(scenario, who);
    await until(
      `${expected} in the log of ${who}`,
      35,
      async () => expected.test(await stage.sides[who].log()) || undefined,
    );
  }
  if (stage.gateway) {
    const { state, reason } = await stage.gateway.state();
    assert.notEqual(state, "established");
    assert.match(scenario.role === "initiator" ? reason : await ours.log(), /pre-shared key|PSK|AUTHENTICATION_FAILED/);
  }
  assert.deepEqual((await peer.view()).children, []);
}

const OUR_WORDS = { 1: /pre-shared keys? differ/, 2: /AUTH(ENTICATION)?_FAILED/ } as const;

/**
 * IKEv1 has no notification for it. The side that decrypts or checks first finds out: in main mode the responder, in aggressive
 * mode the initiator. What the other one hears differs between products, and may be nothing.
 */
function theirWords({ version, exchange, role }: Scenario, who: Who): RegExp {
  if (version !== 1) return /AUTH(ENTICATION)?_FAILED/;
  const isInitiator = (who === "ours") === (role === "initiator");
  if (isInitiator !== (exchange === "aggressive")) return /(?:)/;
  return /could not decrypt payloads|calculated HASH does not match|MALFORMED|HASH.*mismatch|(INVALID|mismatch|does not match).*HASH/i;
}
