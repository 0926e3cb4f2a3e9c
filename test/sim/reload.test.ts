import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { Policy, TunnelPolicy } from "../../ike/core/policy.js";
import { compareTunnels, type Treatment } from "../../ike/core/policy-change.js";
import type { Gateway } from "./gateway.js";
import { IKEV1 } from "./life-v1.js";
import {
  createPair,
  disagreement as disagreementV2,
  type Pair,
  type PairOptions,
  remains,
  runUntilSound,
  SECOND,
} from "./pair.js";
import { mirrored, onePolicy } from "./policies.js";
import { type SeededRandom, seededRandom } from "./random.js";

const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"], ["10.1.0.0/16 10.4.0.0/16"]];
const PROPOSALS = ["aes256gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519"];
const ESP_PROPOSALS = ["aes256gcm16", "aes128gcm16"];

const VERSIONS: readonly {
  readonly name: string;
  readonly options: Partial<PairOptions>;
  disagreement(pair: Pair): string | undefined;
}[] = [
  { name: "IKEv2", options: { ikeProposals: PROPOSALS, espProposals: ESP_PROPOSALS }, disagreement: disagreementV2 },
  {
    name: "IKEv1",
    options: {
      ikeProposals: ["aes256-sha256-ecp256", "aes128-sha256-ecp256"],
      espProposals: ["aes256-sha256", "aes128-sha256"],
      a: { exchange: "main" },
      b: { exchange: "main" },
    },
    disagreement: IKEV1.disagreement,
  },
];

interface Running {
  readonly pair: Pair;
  policies: { a: Policy; b: Policy };
  change(side: "a" | "b", how: (tunnel: TunnelPolicy) => TunnelPolicy, newKey?: string): void;
}

function established(options: Partial<PairOptions>, seed = 1): Running {
  const made: Policy[] = [];
  const pair = createPair(
    {
      entries: ENTRIES,
      careful: true,
      slowestAnswer: 20,
      ...options,
      change(policy) {
        made.push(policy);
        return policy;
      },
    },
    seededRandom(seed),
  );
  runUntilSound(
    pair.clock,
    30 * SECOND,
    () => (options.a?.exchange ? IKEV1.disagreement : disagreementV2)(pair),
    "both are up",
  );
  const running: Running = {
    pair,
    policies: { a: made[0]!, b: made[1]! },
    change(side, how, newKey) {
      const next = { ...running.policies[side], tunnels: running.policies[side].tunnels.map(how) };
      running.policies[side] = next;
      pair[side].reconfigure(next, newKey);
    },
  };
  return running;
}

/** The mappings of a side, from the same words as at the start. */
function withEntries(entries: readonly (readonly string[])[]): (tunnel: TunnelPolicy) => TunnelPolicy {
  const { mappings, entries: groups } = onePolicy({
    ...{ localId: "x.example", peerId: "y.example", ikeProposals: [], espProposals: [] },
    ...{ ikeLifetimeSeconds: 1, childLifetimeSeconds: 1, start: "active", entries },
    local: { family: 4, value: 1n },
  }).tunnels[0]!;
  return (tunnel) => ({ ...tunnel, mappings, entries: groups });
}

const childrenOf = ({ dataPlane }: Gateway) => [...dataPlane.children.keys()].sort((x, y) => x - y);
const ikeOf = (gateway: Gateway) => gateway.views()[0]?.ike?.spiI;
const wait = ({ pair }: Running, seconds: number) => pair.clock.runUntil(pair.clock.now + seconds * SECOND);

/** Packets of every mapping in both directions, twenty times a second; how many found no SA. */
function traffic({ pair }: Running): { readonly refused: () => number; readonly lost: () => number } {
  let refused = 0;
  for (const side of [pair.a, pair.b]) {
    const send = () => {
      for (let mapping = 0; mapping < side.mappings; mapping++) if (!side.sendTraffic(mapping)) refused++;
      pair.clock.after(50, send);
    };
    send();
  }
  return { refused: () => refused, lost: () => pair.a.dataPlane.lost + pair.b.dataPlane.lost };
}

for (const { name, options, disagreement } of VERSIONS) {
  test(`${name}: the same configuration again changes nothing at all`, () => {
    const running = established(options);
    const before = running.pair.a.endpoint;
    running.change("a", (tunnel) => ({ ...tunnel }));
    const after = running.pair.a.endpoint;
    assert.equal(after.sas, before.sas);
    assert.equal(after.tunnels, before.tunnels);
    assert.equal(after.asks, before.asks);
  });

  const DIRECT: readonly (readonly [what: string, how: (tunnel: TunnelPolicy) => TunnelPolicy, Treatment])[] = [
    ["dpd", ({ dpd: _, ...tunnel }) => tunnel, "changed"],
    ["close", (tunnel) => ({ ...tunnel, close: "none" }), "changed"],
    ["start", (tunnel) => ({ ...tunnel, start: "on-traffic" }), "changed"],
    ["ike.lifetime", (tunnel) => ({ ...tunnel, ike: { ...tunnel.ike, lifetimeSeconds: 7200 } }), "changed"],
    ["esp.lifetime", (tunnel) => ({ ...tunnel, esp: { ...tunnel.esp, lifetimeSeconds: 1800 } }), "changed"],
    [
      "esp.proposals",
      (t) => ({ ...t, esp: { ...t.esp, proposals: [parseEspProposal((options.espProposals ?? [])[1]!)] } }),
      "rekeyed",
    ],
    ["esp.replay_window", (tunnel) => ({ ...tunnel, esp: { ...tunnel.esp, replayWindow: 128 } }), "rekeyed"],
    [
      "ike.proposals",
      (t) => ({ ...t, ike: { ...t.ike, proposals: [parseIkeProposal((options.ikeProposals ?? [])[1]!)] } }),
      "rekeyed",
    ],
    ["encapsulation", (tunnel) => ({ ...tunnel, encapsulation: "udp" }), "restarted"],
  ];

  for (const [what, how, treatment] of DIRECT)
    test(`${name}: another ${what} means that the tunnel is ${treatment}`, () => {
      const running = established(options);
      const { pair, policies } = running;
      const before = policies.a.tunnels[0]!;
      assert.equal(compareTunnels(before, how(before), false).treatment, treatment);
      assert.deepEqual(
        compareTunnels(before, how(before), false).keys.map(({ key }) => key),
        [what],
      );
      const packets = traffic(running);
      const children = childrenOf(pair.a);
      const ike = ikeOf(pair.a);
      wait(running, 1);
      running.change("a", how);
      wait(running, 40);
      assert.equal(disagreement(pair), undefined);
      if (treatment !== "restarted") assert.deepEqual([packets.refused(), packets.lost()], [0, 0], "no packet is lost");
      const isRekeyed = (of: "ike" | "esp") => treatment === "rekeyed" && what.startsWith(of);
      if (treatment === "changed" || isRekeyed("ike")) assert.deepEqual(childrenOf(pair.a), children);
      else
        for (let i = 0; i < ENTRIES.length; i++)
          assert.ok(!children.includes(pair.a.dataPlane.sender(i)!.pair.id), "every mapping sends on another child");
      if (treatment === "changed" || isRekeyed("esp")) assert.equal(ikeOf(pair.a), ike);
      else assert.notEqual(ikeOf(pair.a), ike);
      if (what === "esp.proposals")
        for (let i = 0; i < ENTRIES.length; i++) assert.equal(pair.a.dataPlane.sender(i)!.pair.suite.keyBits, 128);
    });

  test(`${name}: a mapping that goes takes its SA with it, and the others keep theirs, wherever they stand in the list`, () => {
    const running = established(options);
    const { pair } = running;
    const carrier = (side: Gateway, mapping: number) => side.dataPlane.sender(mapping)?.pair.id;
    const second = carrier(pair.a, 1);
    const third = carrier(pair.a, 2);
    const ike = ikeOf(pair.a);
    const fewer = [ENTRIES[2]!, ENTRIES[1]!];
    running.change("a", withEntries(fewer));
    running.change("b", withEntries(mirrored(fewer)));
    assert.deepEqual([carrier(pair.a, 0), carrier(pair.a, 1)], [third, second]);
    wait(running, 20);
    assert.equal(disagreement(pair), undefined);
    assert.deepEqual([carrier(pair.a, 0), carrier(pair.a, 1)], [third, second]);
    assert.equal(ikeOf(pair.a), ike);
    assert.equal(pair.b.dataPlane.children.size, 2, "the peer has been told");
    // The renumbered children live on: they are renewed in their turn.
    wait(running, 2 * 3600);
    assert.equal(disagreement(pair), undefined);
  });

  test(`${name}: a mapping that comes is negotiated beside the others, which do not notice`, () => {
    const running = established(options);
    const { pair } = running;
    const packets = traffic(running);
    const children = childrenOf(pair.a);
    const more = [["10.1.0.0/16 10.9.0.0/16"], ...ENTRIES];
    running.change("b", withEntries(mirrored(more)));
    running.change("a", withEntries(more));
    const refusedBefore = packets.refused();
    wait(running, 20);
    assert.equal(disagreement(pair), undefined);
    for (const id of children) assert.ok(pair.a.dataPlane.children.has(id));
    assert.equal(pair.a.dataPlane.children.size, 4);
    assert.ok(packets.refused() - refusedBefore < 2 * 20 * 10, "only the new mapping waits for its SA");
  });

  test(`${name}: another key is proved by a new IKE SA, and a wrong one leaves the tunnel as it is`, () => {
    const running = established(options);
    const { pair } = running;
    const packets = traffic(running);
    const ike = ikeOf(pair.a);
    running.change("b", (tunnel) => tunnel, "the new key");
    running.change("a", (tunnel) => tunnel, "a wrong key");
    wait(running, 50);
    assert.equal(pair.a.views()[0]!.state, "established");
    assert.equal(ikeOf(pair.a), ike);
    assert.ok(
      pair.a.reports.some(({ kind }) => kind === "failed"),
      "the failure is told",
    );
    running.change("a", (tunnel) => tunnel, "the new key");
    wait(running, 120);
    assert.equal(disagreement(pair), undefined);
    assert.notEqual(ikeOf(pair.a), ike);
    assert.deepEqual([packets.refused(), packets.lost()], [0, 0], "no packet is lost");
  });

  test(`${name}: a tunnel that is removed is deleted at the peer and forgotten, and may come back`, () => {
    const running = established(options);
    const { pair, policies } = running;
    const { b } = policies;
    pair.b.reconfigure({ ...b, tunnels: [] });
    assert.deepEqual(pair.b.views(), []);
    wait(running, 20);
    assert.equal(pair.b.dataPlane.children.size, 0);
    assert.equal(pair.b.endpoint.byName.size, 0, "nothing is kept of it");
    assert.equal(pair.b.endpoint.tunnels.size, 0);
    pair.b.reconfigure(b);
    wait(running, 120);
    assert.equal(disagreement(pair), undefined);
  });

  test(`${name}: whenever mappings come, go and change places, both ends agree in the end`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const running = established({ ...options, careful: seed % 10 === 0, slowestAnswer: 400 }, seed);
      const { pair } = running;
      traffic(running);
      for (let i = 0; i < 4; i++) {
        const entries = shuffled(random);
        for (const side of random.chance(0.5) ? (["a", "b"] as const) : (["b", "a"] as const)) {
          running.change(side, withEntries(side === "a" ? entries : mirrored(entries)));
          pair.clock.runUntil(pair.clock.now + random.between(0, 2_000));
        }
        if (random.chance(0.3)) pair.a.wish({ do: "rekeyChildren", tunnel: "t" });
        if (random.chance(0.2)) pair.b.wish({ do: "rekeyIke", tunnel: "t" });
        pair.clock.runUntil(pair.clock.now + random.between(0, 3_000));
      }
      runUntilSound(pair.clock, 700 * SECOND, () => disagreement(pair), `seed ${seed}: both agree`);
      pair.a.wish({ do: "down", tunnel: "t" });
      pair.b.wish({ do: "down", tunnel: "t" });
      runUntilSound(pair.clock, 60 * SECOND, () => remains(pair), `seed ${seed}: nothing is left`);
    }
  });
}

test("what the operator has taken down stays down, whatever the configuration says", () => {
  const running = established({ ikeProposals: PROPOSALS, espProposals: ESP_PROPOSALS });
  running.pair.a.wish({ do: "down", tunnel: "t" });
  wait(running, 20);
  running.change("a", (tunnel) => ({ ...tunnel, encapsulation: "udp", start: "active" }));
  wait(running, 60);
  assert.equal(running.pair.a.views()[0]!.state, "down");
  running.pair.a.wish({ do: "up", tunnel: "t" });
  wait(running, 60);
  assert.equal(disagreementV2(running.pair), undefined);
});

function shuffled(random: SeededRandom): readonly (readonly string[])[] {
  const all = [2, 3, 4, 5, 6].map((net) => [`10.1.0.0/16 10.${net}.0.0/16`]);
  const order = all.map((entry) => ({ entry, at: random.integer(1000) })).sort((x, y) => x.at - y.at);
  return order.slice(0, random.between(1, 5)).map(({ entry }) => entry);
}
