/** A minute of `npm run soak` (test/soak): one peer in tier `ci`, all of them in `full`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRun, soak } from "../soak/soak.js";
import type { PeerKind } from "./scenario.js";
import { openStage } from "./stage.js";
import { whyNot } from "./suite.js";

const SECONDS = 60;
const RATE = 2_000;
const PEERS: readonly PeerKind[] =
  process.env.CAUSEWAY_TIER === "full"
    ? ["strongswan-kernel", "strongswan-userspace", "libreswan-kernel"]
    : ["strongswan-kernel"];

for (const peer of PEERS)
  test(`under load with ${peer}: both ends rekey at the same moment for a minute, and no packet is lost by us`, {
    skip: whyNot() ?? false,
  }, async (t) => {
    const stage = await openStage(peer, { router: false });
    try {
      const { run, faults } = await soak(stage, peer, { rate: RATE, seconds: SECONDS, controlSeconds: 0 });
      const story = describeRun(peer, run);
      for (const line of story.split("\n")) t.diagnostic(line);
      assert.deepEqual(faults, [], story);
    } finally {
      await stage.close();
    }
  });
