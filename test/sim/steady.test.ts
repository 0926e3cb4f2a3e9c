import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../esp/address.js";
import { runLife } from "./life.js";
import { createPair, disagreement, type Pair, type PairOptions, runUntilSound, SECOND } from "./pair.js";
import { ADDRESS_A, ADDRESS_B, ADDRESS_B2 } from "./policies.js";
import { type SeededRandom, seededRandom } from "./random.js";

/** What may end a tunnel without its operators; each has to be over `timeout` + 5 s after its end, whoever is active. */
const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]];
const TIMEOUTS = [10, 30, 60];

interface Variant {
  readonly name: string;
  readonly options: (timeout: number) => Partial<PairOptions>;
}

const VARIANTS: readonly Variant[] = [
  { name: "A is active", options: () => ({}) },
  { name: "both are active", options: () => ({ b: { start: "active" } }) },
  { name: "B takes anybody", options: () => ({ anyPeer: true }) },
  { name: "A stands behind a NAT", options: () => ({ natIdle: 300 * SECOND }) },
  { name: "traffic starts A", options: () => ({ a: { start: "on-traffic" } }) },
  { name: "traffic starts both", options: () => ({ a: { start: "on-traffic" }, b: { start: "on-traffic" } }) },
  {
    name: "A waits for traffic after every loss",
    options: () => ({ a: { start: "active", close: "on-traffic", dpdAction: "on-traffic" } }),
  },
];

/** A tunnel that is up, with a packet in each direction now and then. */
function sound(seed: number, timeout: number, given: Partial<PairOptions>): Pair {
  const random = seededRandom(seed);
  const dpdSeconds = timeout;
  const options = { ...given, a: { dpdSeconds, ...given.a }, b: { dpdSeconds, ...given.b } };
  const pair = createPair({ entries: ENTRIES, slowestAnswer: 50, ...options }, random.fork());
  traffic(pair, random.fork());
  runUntilSound(pair.clock, 15 * SECOND, () => disagreement(pair), "both are up");
  pair.clock.runUntil(pair.clock.now + random.between(0, 200_000));
  return pair;
}

function traffic({ clock, a, b }: Pair, random: SeededRandom): void {
  for (const side of [a, b])
    for (let mapping = 0; mapping < side.mappings; mapping++) {
      const send = () => {
        side.sendTraffic(mapping);
        clock.after(random.between(100, 600), send);
      };
      send();
    }
}

/** Both ends agree, and packets of both have come to the other one in the last second. */
function isBack(pair: Pair, timeout: number, what: string): void {
  const arrived = () => [pair.a.dataPlane.arrived, pair.b.dataPlane.arrived];
  let last: readonly number[] = arrived().map(() => Number.POSITIVE_INFINITY);
  const problem = () => {
    const now = arrived();
    const silent = now.findIndex((count, i) => count <= last[i]!);
    last = now;
    return disagreement(pair) ?? (silent < 0 ? undefined : `nothing comes to ${silent === 0 ? "A" : "B"}`);
  };
  runUntilSound(pair.clock, (timeout + 5) * SECOND, problem, what);
}

/** Runs `happen` in every variant, with every timeout; `seeds` times each. */
function everywhere(seeds: number, happen: (pair: Pair, timeout: number, what: string) => void): void {
  for (const { name, options } of VARIANTS)
    for (const timeout of TIMEOUTS)
      for (let seed = 1; seed <= seeds; seed++) {
        const what = `${name}, dpd.timeout ${timeout} s, schedule ${seed}`;
        happen(sound(seed, timeout, options(timeout)), timeout, what);
      }
}

test("after kill -9 of the calling gateway the tunnel is back within dpd.timeout + 5 s", () => {
  everywhere(5, (pair, timeout, what) => {
    pair.a.crash();
    isBack(pair, timeout, what);
  });
});

test("after kill -9 of the called gateway the tunnel is back within dpd.timeout + 5 s", () => {
  everywhere(5, (pair, timeout, what) => {
    pair.b.crash();
    isBack(pair, timeout, what);
  });
});

test("after a network cut of two minutes the tunnel is back within dpd.timeout + 5 s", () => {
  everywhere(5, (pair, timeout, what) => {
    const { clock, network } = pair;
    network.conditions.loss = 1;
    clock.runUntil(clock.now + 120 * SECOND);
    network.conditions.loss = 0;
    isBack(pair, timeout, what);
  });
});

test("after a network cut of any length up to half an hour the tunnel is back within dpd.timeout + 5 s", () => {
  const random = seededRandom(7);
  everywhere(2, (pair, timeout, what) => {
    const { clock, network } = pair;
    network.conditions.loss = 1;
    clock.runUntil(clock.now + random.between(1, 1800) * SECOND);
    network.conditions.loss = 0;
    isBack(pair, timeout, what);
  });
});

test("a peer that moved is called at the address that its name leads to now, within dpd.timeout + 5 s", () => {
  for (const timeout of TIMEOUTS)
    for (let seed = 1; seed <= 10; seed++) {
      const names = new Map<string, readonly Address[]>([["b.example", [ADDRESS_B]]]);
      const pair = sound(seed, timeout, { names, a: { peer: "b.example" }, b: { anyLocal: true } });
      pair.b.moveTo(ADDRESS_B2);
      names.set("b.example", [ADDRESS_B2]);
      isBack(pair, timeout, `dpd.timeout ${timeout} s, schedule ${seed}`);
    }
});

test("a calling gateway that moved calls again from its new address, within dpd.timeout + 5 s", () => {
  for (const anyPeer of [true, false])
    for (const timeout of TIMEOUTS)
      for (let seed = 1; seed <= 10; seed++) {
        const names = new Map<string, readonly Address[]>([["a.example", [ADDRESS_A]]]);
        const pair = sound(seed, timeout, {
          names,
          a: { anyLocal: true },
          ...(anyPeer ? { anyPeer } : { b: { peer: "a.example" } }),
        });
        pair.a.moveTo(ADDRESS_B2);
        isBack(pair, timeout, `dpd.timeout ${timeout} s, schedule ${seed}`);
      }
});

test("a name that leads elsewhere moves the tunnel while both addresses answer, without losing a packet", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const names = new Map<string, readonly Address[]>([["b.example", [ADDRESS_B]]]);
    const pair = sound(seed, 30, { names, a: { peer: "b.example" }, b: { anyLocal: true } });
    const { clock, network, a, b } = pair;
    network.attach(ADDRESS_B2, (packet) =>
      network.send({ ...packet, destination: { ...packet.destination, address: ADDRESS_B } }),
    );
    names.set("b.example", [ADDRESS_B2]);
    clock.runUntil(clock.now + 90 * SECOND);
    assert(a.reports.some((report) => report.kind === "story" && /leads to 198.51.100.77 now/.test(report.story)));
    assert.equal(b.dataPlane.lost + a.dataPlane.lost, 0, `schedule ${seed}`);
  }
});

test("a name with several addresses: the next one is called when one does not answer", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const names = new Map([["b.example", [ADDRESS_B2, ADDRESS_B]]]);
    const pair = createPair({ entries: ENTRIES, names, a: { peer: "b.example" } }, seededRandom(seed));
    runUntilSound(pair.clock, 90 * SECOND, () => disagreement(pair), `schedule ${seed}`);
    // The one that answered is called first from then on.
    pair.b.crash();
    pair.a.wish({ do: "down", tunnel: "t" });
    pair.a.wish({ do: "up", tunnel: "t" });
    runUntilSound(pair.clock, 20 * SECOND, () => disagreement(pair), `schedule ${seed}, again`);
  }
});

test("both ends that start at once end with one IKE SA and one child for each mapping", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed);
    const conditions = { shortestDelay: 5, longestDelay: random.pick([10, 80]) };
    const both = { start: "active" } as const;
    const pair = createPair({ entries: ENTRIES, conditions, slowestAnswer: 100, a: both, b: both }, random);
    pair.clock.runUntil(60 * SECOND);
    assert.equal(disagreement(pair), undefined, `schedule ${seed}`);
    const ends = [pair.a, pair.b].map(({ reports }) => {
      const established = reports.filter(({ kind }) => kind === "ikeEstablished").length;
      return established - reports.filter(({ kind }) => kind === "ikeClosed").length;
    });
    assert.deepEqual(ends, [1, 1], `schedule ${seed}`);
  }
});

test("a clock of the host that jumps by an hour changes nothing", () => {
  const traceOf = (now: () => number): readonly string[] => {
    const lines: string[] = [];
    const real = Date.now;
    Date.now = now;
    try {
      for (let seed = 1; seed <= 5; seed++) runLife(seed, { trace: (line) => void lines.push(line) });
    } finally {
      Date.now = real;
    }
    return lines;
  };
  let jumping = 0;
  assert.deepEqual(
    traceOf(() => {
      jumping += 3_600_000;
      return jumping;
    }),
    traceOf(() => 0),
  );
});
