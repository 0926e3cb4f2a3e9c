import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as rest } from "node:timers/promises";
import { formatPrefix } from "../../esp/address.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { ToWorker } from "../../src/dataplane/protocol.js";
import { createLiveRoutes } from "../../src/host/live-routes.js";
import { type HostPlan, planRoutes } from "../../src/host/plan.js";
import { configurationOf } from "./configuration.js";

const CONFIGURATION = configurationOf([
  { name: "a", peer: "192.0.2.2", mappings: ["10.1.0.0/24 10.2.0.0/16", "10.1.1.0/24 10.3.0.0/16"] },
  { name: "b", peer: "192.0.2.3", mappings: ["10.1.0.0/24 10.4.0.0/16"] },
]);
const PLAN = planRoutes(CONFIGURATION, { addresses: [], ipv6: false });

function rangesOf(tunnel: string, mappings: readonly number[]): readonly TrafficSelector[] {
  const policy = CONFIGURATION.policy.tunnels.find(({ name }) => name === tunnel)!;
  return mappings.map((index) => policy.mappings[index]!.peer);
}

function install(id: number, tunnel: string, mappings: readonly number[]): ToWorker {
  return { kind: "installChild", child: { id, tunnel, mappings } } as unknown as ToWorker;
}

function remove(id: number): ToWorker {
  return { kind: "removeChild", id } as unknown as ToWorker;
}

/** Live routes, and each batch of changes as it was put in place: "10.2.0.0/16 1400". */
function live() {
  const batches: string[][] = [];
  const routes = createLiveRoutes(PLAN, rangesOf, async (changed) => {
    batches.push(changed.map(({ prefix, mtu }) => `${formatPrefix(prefix)} ${mtu}`));
  });
  return { routes, batches };
}

/** Two turns of the loop: one until the changes are looked for, one until they are in place. */
async function settled(): Promise<void> {
  await rest(0);
  await rest(0);
}

test("the children of one negotiation change their routes in one batch, in the order of the plan, and no other route", async () => {
  const { routes, batches } = live();
  routes.posted(install(1, "a", [0]));
  routes.posted(install(2, "a", [1]));
  routes.measured(2, 1300);
  routes.measured(1, 1400);
  routes.measured(9, 1200); // of nobody
  await settled();
  assert.deepEqual(batches, [["10.2.0.0/16 1400", "10.3.0.0/16 1300"]]);
  routes.measured(1, 1400);
  await settled();
  assert.equal(batches.length, 1);
});

test("the narrowest of a route's children counts, and the route widens with the next one when that has gone", async () => {
  const { routes, batches } = live();
  routes.posted(install(1, "b", [0]));
  routes.posted(install(2, "b", [0]));
  routes.measured(1, 1350);
  routes.measured(2, 1300);
  await settled();
  routes.posted(remove(2));
  routes.posted(install(3, "b", [0]));
  routes.measured(3, 1360);
  await settled();
  assert.deepEqual(batches, [["10.4.0.0/16 1300"], ["10.4.0.0/16 1350"]]);
});

test("another plan takes over what was measured, and what is measured meanwhile comes behind it", async () => {
  const { routes, batches } = live();
  routes.posted(install(1, "a", [0]));
  routes.measured(1, 1400);
  await settled();
  const next: HostPlan = { ...PLAN, routes: PLAN.routes.toReversed() };
  await routes.replan(next, async (before, after) => {
    assert.equal(before.routes[0]!.mtu, 1400);
    assert.equal(after.routes.at(-1)!.mtu, 1400);
    routes.measured(1, 1310);
  });
  await settled();
  assert.deepEqual(batches.at(-1), ["10.2.0.0/16 1310"]);
});

test("after a reset the routes stand as planned, and children that were there before count no more", async () => {
  const { routes, batches } = live();
  routes.posted(install(1, "a", [0]));
  routes.measured(1, 1400);
  await settled();
  routes.reset();
  routes.measured(1, 1200);
  routes.posted(install(2, "a", [0]));
  routes.measured(2, 1400);
  await settled();
  assert.deepEqual(batches, [["10.2.0.0/16 1400"], ["10.2.0.0/16 1400"]]);
});
