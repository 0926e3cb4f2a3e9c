/** What ends a tunnel without its operators, with real processes: how soon it is back is proven in test/sim/steady.test.ts, by a clock of its own. */
import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, openGateways, RIGHT, SKIP } from "./gateways.js";

/** The shortest liveness timeout that there is. */
const DPD = "    dpd: { timeout: 10s }\n";
/** Seconds: the promise is fifteen, and is proven elsewhere; a busy machine takes as long only to start a process. */
const BOUND = 60;

describe("a tunnel comes back by itself", { skip: SKIP, concurrency: true }, () => {
  let namespaces: Namespaces;
  const open: Gateways[] = [];

  before(async () => {
    namespaces = await openNamespaces();
  });

  after(async () => {
    for (const pair of open) await pair.close();
    await namespaces?.close();
  });

  async function pairOf(tag: string, left: string): Promise<Gateways> {
    const pair = await openGateways(namespaces, {
      tag,
      yaml: (site) => (site === LEFT ? left : "    start: passive\n") + DPD,
    });
    open.push(pair);
    for (const site of BOTH) pair.launch(site);
    return pair;
  }

  /** Until echo requests pass again, on another IKE SA than the one before. */
  async function back(pair: Gateways, before: string | undefined, t: TestContext, what: string): Promise<void> {
    const begun = performance.now();
    await until(`the tunnel to be back ${what}\n${pair.tail(LEFT)}`, BOUND, async () => {
      const tunnels = await Promise.all(BOTH.map(async (site) => (await pair.status(site))?.tunnels[0]));
      const isUp = tunnels.every((tunnel) => tunnel?.state === "established" && tunnel.ike?.spi_i !== before);
      return isUp || undefined;
    });
    t.diagnostic(`back ${((performance.now() - begun) / 1000).toFixed(1)} s ${what}`);
    const { status, stdout } = await pair.ping(LEFT);
    assert.equal(status, 0, stdout);
  }

  const spiOf = async (pair: Gateways) => (await pair.established(LEFT)).ike?.spi_i;

  test("after kill -9 of the called gateway, and of the calling one", async (t) => {
    const pair = await pairOf("kill-", "    start: active\n");
    for (const [site, word] of [
      [RIGHT, "called"],
      [LEFT, "calling"],
    ] as const) {
      const before = await spiOf(pair);
      await pair.kill(site);
      pair.launch(site);
      await back(pair, before, t, `after kill -9 of the ${word} gateway`);
    }
  });

  test("after a network cut that is longer than the liveness timeout", async (t) => {
    const pair = await pairOf("cut-", "    start: active\n");
    const before = await spiOf(pair);
    await pair.cut();
    for (const site of BOTH)
      await until(`${site.name} to miss the peer\n${pair.tail(site)}`, BOUND, async () =>
        (await pair.status(site))?.tunnels[0]?.ike === null ? true : undefined,
      );
    await pair.mend();
    await back(pair, before, t, "after the network was");
  });

  test("when traffic comes, of which nothing is lost: at first, and after the peer has deleted it", async () => {
    const pair = await pairOf("idle-", "    start: on-traffic\n    close: on-traffic\n");
    const waits = () =>
      until(`left to wait for traffic\n${pair.tail(LEFT)}`, BOUND, async () =>
        (await pair.status(LEFT))?.tunnels[0]?.state === "waiting" ? true : undefined,
      );
    await until("right to answer", BOUND, () => pair.status(RIGHT));
    for (let i = 0; i < 2; i++) {
      await waits();
      const { status, stdout } = await pair.ping(LEFT, 4);
      assert.equal(status, 0, stdout);
      assert.match(stdout, / 4 received/);
      const { counters } = await pair.established(LEFT);
      assert.deepEqual(counters.drops, {});
      await pair.stop(RIGHT); // deletes the tunnel
      await waits();
      pair.launch(RIGHT);
      await until("right to answer", BOUND, () => pair.status(RIGHT));
    }
  });
});
