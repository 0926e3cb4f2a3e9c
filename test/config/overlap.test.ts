/** The overlap rules against an oracle that knows no ranges: it looks at every packet of a universe of eight addresses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { load, PSK } from "./reading.js";

/** Prefixes of eight addresses: `at` and how many. */
interface Range {
  readonly at: number;
  readonly count: number;
}

interface Entry {
  readonly local: readonly Range[];
  readonly peer: readonly Range[];
  /** Undefined: every protocol; else TCP, with these ports where there are any. */
  readonly tcp?: { readonly local?: readonly Range[]; readonly peer?: readonly Range[] };
}

type Tunnels = readonly (readonly Entry[])[];

const UNIVERSE = 8;
const PORTS = 4;
const FIRST_PORT = 80;

function range(size: number): fc.Arbitrary<Range> {
  const bits = Math.log2(size);
  return fc
    .tuple(fc.integer({ min: 0, max: bits }), fc.integer({ min: 0, max: size - 1 }))
    .map(([log, at]) => ({ at: at - (at % 2 ** log), count: 2 ** log }));
}

/** Mostly small ranges: of large ones nearly all overlap. */
const small: fc.Arbitrary<Range> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: UNIVERSE - 1 }).map((at) => ({ at, count: 1 })) },
  { weight: 1, arbitrary: range(UNIVERSE) },
);
const ranges = fc.array(small, { minLength: 1, maxLength: 2 });
const ports = fc.array(range(PORTS), { minLength: 1, maxLength: 2 });
const entry: fc.Arbitrary<Entry> = fc.record(
  { local: ranges, peer: ranges, tcp: fc.record({ local: ports, peer: ports }, { requiredKeys: [] }) },
  { requiredKeys: ["local", "peer"] },
);
const tunnels: fc.Arbitrary<Tunnels> = fc.array(fc.array(entry, { minLength: 1, maxLength: 2 }), {
  minLength: 1,
  maxLength: 2,
});

function write(all: Tunnels, family: 4 | 6): string {
  const bits = family === 4 ? 32 : 128;
  const address = (at: number) => (family === 4 ? `240.0.0.${at}` : `fd00::${at}`);
  const prefixes = (list: readonly Range[]) =>
    list.map(({ at, count }) => `"${address(at)}/${bits - Math.log2(count)}"`).join(", ");
  const portWords = (key: string, list: readonly Range[] | undefined) =>
    list === undefined
      ? ""
      : `, ${key}: [${list.map(({ at, count }) => `"${FIRST_PORT + at}-${FIRST_PORT + at + count - 1}"`).join(", ")}]`;
  const policy = ({ local, peer, tcp }: Entry) =>
    `{ local: [${prefixes(local)}], peer: [${prefixes(peer)}]${tcp ? ", protocol: tcp" : ""}${portWords("local_ports", tcp?.local)}${portWords("peer_ports", tcp?.peer)} }`;
  const tunnel = (entries: readonly Entry[], i: number) =>
    `  - { name: t${i}, peer: 198.51.100.${i + 1}, psk: ${PSK}, policies: [${entries.map(policy).join(", ")}] }`;
  return `version: 1\ntunnels:\n${all.map(tunnel).join("\n")}\n`;
}

const holds = ({ at, count }: Range, value: number) => value >= at && value < at + count;
const numbers = (count: number) => [...Array(count).keys()];

/** Every packet as a number: its addresses, and for TCP its ports; all other protocols are one. */
function packetsOf(
  local: Range,
  peer: Range,
  localPorts: Range | undefined,
  peerPorts: Range | undefined,
  tcp: boolean,
) {
  const packets: number[] = [];
  for (const source of numbers(UNIVERSE).filter((each) => holds(local, each)))
    for (const destination of numbers(UNIVERSE).filter((each) => holds(peer, each))) {
      const pair = (source * UNIVERSE + destination) * (1 + PORTS * PORTS);
      if (!tcp) packets.push(pair);
      for (const a of numbers(PORTS).filter((each) => localPorts === undefined || holds(localPorts, each)))
        for (const b of numbers(PORTS).filter((each) => peerPorts === undefined || holds(peerPorts, each)))
          packets.push(pair + 1 + a * PORTS + b);
    }
  return packets;
}

/** The paths of the entries that break a rule: a packet that another mapping has already, or an address on both sides. */
function oracle(all: Tunnels): ReadonlySet<string> {
  const taken = new Set<number>();
  const wrong = new Set<string>();
  for (const [t, entries] of all.entries())
    for (const [p, { local, peer, tcp }] of entries.entries()) {
      const fresh: number[] = [];
      for (const l of local)
        for (const r of peer) {
          if (numbers(UNIVERSE).some((each) => holds(l, each) && holds(r, each)))
            wrong.add(`tunnels[${t}].policies[${p}]`);
          else
            for (const a of tcp?.local ?? [undefined])
              for (const b of tcp?.peer ?? [undefined]) fresh.push(...packetsOf(l, r, a, b, tcp !== undefined));
        }
      if (new Set(fresh).size < fresh.length || fresh.some((each) => taken.has(each)))
        wrong.add(`tunnels[${t}].policies[${p}]`);
      for (const each of fresh) taken.add(each);
    }
  return wrong;
}

for (const family of [4, 6] as const)
  test(`IPv${family}: a configuration is refused exactly where a packet would have two mappings, or an address two sides`, () => {
    let valid = 0;
    let invalid = 0;
    fc.assert(
      fc.property(tunnels, (all) => {
        const loaded = load(write(all, family));
        const told =
          "errors" in loaded ? loaded.errors.map(({ path }) => path.replace(/(policies\[\d+\]).*/, "$1")) : [];
        const expected = oracle(all);
        if (expected.size === 0) valid++;
        else invalid++;
        assert.deepEqual(new Set(told), expected);
      }),
      { numRuns: 400, seed: 6 },
    );
    assert.ok(valid > 20 && invalid > 100, `the universe has both kinds: ${valid} valid, ${invalid} not`);
  });

test("of ten thousand mappings the two that overlap are named, and nothing else", () => {
  const policies = numbers(100).map((i) => {
    const peers = numbers(100).map((j) => `10.${i}.${j}.0/24`);
    return `      - { local: [172.16.${i}.0/24], peer: [${peers.join(", ")}] }`;
  });
  const text = (last: string) =>
    `version: 1
gateway: { limits: { mappings: 10000, policies_per_tunnel: 101, peers_per_policy: 100 } }
tunnels:
  - name: hub
    peer: 198.51.100.1
    psk: ${PSK}
    policies:
${policies.slice(0, 99).join("\n")}
${last}
`;
  assert.ok(!("errors" in load(text(policies[99]!))));
  const loaded = load(
    text(policies[99]!.replace("172.16.99.0/24", "172.16.0.0/18").replace("10.99.7.0/24", "10.42.7.128/25")),
  );
  assert.ok("errors" in loaded);
  assert.deepEqual(
    loaded.errors.map(({ path }) => path),
    ["tunnels[0].policies[99].peer[7]"],
  );
  assert.match(loaded.errors[0]!.message, /172\.16\.42\.0\/24 -> 10\.42\.7\.0\/24 of the same tunnel/);
});
