/** A tunnel that lives for a month (CAUSEWAY_TIER=full: a year) with rekeys every few minutes, over a network that loses one packet in twenty. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIkeProposal } from "../../crypto/registry/proposal.js";
import { Secret } from "../../crypto/secret.js";
import type { Policy } from "../../ike/core/policy.js";
import { TOY_ESP, TOY_IKE } from "../model/toy-suite.js";
import { createPair, disagreement, type Pair, runUntilSound, SECOND } from "./pair.js";
import { type SeededRandom, seededRandom } from "./random.js";

const DAYS = process.env.CAUSEWAY_TIER === "full" ? 365 : 30;
const DAY = 86_400 * SECOND;
/** How long a request waits for its answer. */
const RETRANSMISSION = 60 * SECOND;

const { keyExchange } = parseIkeProposal("aes128gcm16-prfsha256-x25519");
/** The simulator answers for the registry's groups; the rest of the cryptography is as cheap as can be. */
const cheap = (policy: Policy): Policy => ({
  ...policy,
  tunnels: policy.tunnels.map((tunnel) => ({
    ...tunnel,
    ike: { ...tunnel.ike, proposals: [{ ...TOY_IKE, keyExchange }], fragmentation: "off", mobike: false },
    esp: { ...tunnel.esp, proposals: [TOY_ESP] },
  })),
});

/** When a packet of either side would not arrive, however late: since when, and the longest such time. */
interface Outage {
  since: number | undefined;
  longest: number;
}

function watchOutages(pair: () => Pair | undefined, outage: Outage): () => void {
  return () => {
    const known = pair();
    if (known === undefined) return;
    const { clock, a, b } = known;
    const works = [[a, b] as const, [b, a] as const].every(([from, to]) => {
      const spi = from.dataPlane.sender(0)?.pair.spiOut;
      if (spi === undefined) return false;
      return (
        to.dataPlane.reserved.has(spi) || [...to.dataPlane.children.values()].some(({ pair }) => pair.spiIn === spi)
      );
    });
    if (!works) outage.since ??= clock.now;
    else if (outage.since !== undefined) {
      outage.longest = Math.max(outage.longest, clock.now - outage.since);
      outage.since = undefined;
    }
  };
}

/** Rekeys by wish beside those of the lifetimes, of both sides, often close together. */
function disturb({ clock, a, b }: Pair, random: SeededRandom): void {
  const act = () => {
    const [first, second] = random.chance(0.5) ? [a, b] : [b, a];
    const what = () => random.pick(["rekeyChildren", "rekeyChildren", "rekeyIke"] as const);
    first.wish({ do: what(), tunnel: "t" });
    if (random.chance(0.4)) clock.after(random.between(0, 200), () => second.wish({ do: what(), tunnel: "t" }));
    clock.after(random.between(60, 900) * SECOND, act);
  };
  clock.after(random.between(0, 300) * SECOND, act);
}

/** How many objects the protocol holds on to. */
function objectsIn(value: unknown, seen = new Set<object>()): number {
  if (typeof value !== "object" || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value) || value instanceof Secret) return 1;
  const parts = value instanceof Map ? [...value.keys(), ...value.values()] : Object.values(value);
  return parts.reduce<number>((sum, part) => sum + objectsIn(part, seen), 1);
}

test(`${DAYS} days of rekeys every few minutes with 5 % loss: no outage, no duplicate, and memory stays as it is`, (t) => {
  const random = seededRandom(365);
  const outage: Outage = { since: undefined, longest: 0 };
  let pair: Pair | undefined;
  pair = createPair(
    {
      entries: [["10.1.0.0/16 10.2.0.0/16"]],
      conditions: { loss: 0.05, shortestDelay: 5, longestDelay: 60 },
      mostEvents: 50_000_000,
      change: cheap,
      watch: watchOutages(() => pair, outage),
      a: { childLifetimeSeconds: 420, ikeLifetimeSeconds: 1500, dpdSeconds: 120 },
      b: { childLifetimeSeconds: 480, ikeLifetimeSeconds: 1300, dpdSeconds: 120 },
    },
    random.fork(),
  );
  const { clock, a, b } = pair;
  runUntilSound(clock, RETRANSMISSION, () => disagreement(pair!), "both are up");
  Object.assign(outage, { since: undefined, longest: 0 });
  disturb(pair, random.fork());
  const sizes: number[] = [];
  let made = 0;
  for (let day = 1; day <= DAYS; day++) {
    clock.runUntil(day * DAY);
    runUntilSound(clock, 2 * RETRANSMISSION, () => disagreement(pair!), `one child at the end of day ${day}`);
    sizes.push(objectsIn(a.endpoint) + objectsIn(b.endpoint));
    for (const side of [a, b]) {
      const { reports } = side;
      made += reports.filter(({ kind }) => kind === "childEstablished").length;
      assert.deepEqual(
        reports.filter(({ kind }) => kind === "failed"),
        [],
        `${side.name} on day ${day}`,
      );
      side.forgetReports();
    }
  }
  t.diagnostic(`${made / 2} children, longest outage ${outage.longest} ms, ${Math.max(...sizes)} objects at most`);
  assert(made / 2 > DAYS * 200, "a rekey every few minutes");
  assert(outage.since === undefined && outage.longest <= RETRANSMISSION, `${outage.longest} ms without a way`);
  const first = Math.max(...sizes.slice(0, 5));
  assert(Math.max(...sizes) < 2 * first, `${Math.max(...sizes)} objects, ${first} in the first days`);
});

test("the time of day may jump by an hour, forth and back: nothing in the life of a tunnel asks for it", () => {
  const run = (disturbed: boolean): readonly string[] => {
    const lines: string[] = [];
    const random = seededRandom(7);
    const pair = createPair(
      {
        entries: [["10.1.0.0/16 10.2.0.0/16"]],
        conditions: { loss: 0.05 },
        a: { childLifetimeSeconds: 300 },
        trace: (line) => void lines.push(line),
      },
      random.fork(),
    );
    disturb(pair, random.fork());
    const { now } = Date;
    try {
      for (const jump of [0, 3_600_000, -3_600_000]) {
        if (disturbed) Date.now = () => now() + jump;
        pair.clock.runUntil(pair.clock.now + 1000 * SECOND);
      }
    } finally {
      Date.now = now;
    }
    return lines;
  };
  assert.deepEqual(run(true), run(false));
});
