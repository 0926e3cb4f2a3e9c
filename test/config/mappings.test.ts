import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../esp/address.js";
import { formatSelector } from "../../esp/selector.js";
import { accepted, inventedHost, load, PSK, places, refused } from "./reading.js";

type Policies = readonly (readonly [local: readonly string[], peer: readonly string[], more?: string])[];

/** One tunnel per argument; every list entry stands on a line of its own. */
function file(...tunnels: readonly Policies[]): string {
  const quote = (ranges: readonly string[]) => ranges.map((range) => `"${range}"`).join(", ");
  const blocks = tunnels.map((policies, i) =>
    [
      `  - { name: t${i}, peer: 198.51.100.${i + 1}, psk: ${PSK}, policies: [`,
      ...policies.map(([local, peer, more = ""]) => `{ local: [${quote(local)}], peer: [${quote(peer)}]${more} },`),
      "]}",
    ].join("\n    "),
  );
  return `version: 1\ntunnels:\n${blocks.join("\n")}\n`;
}

const mappings = (text: string) =>
  accepted(text).policy.tunnels.flatMap(({ mappings }) =>
    mappings.map(({ local, peer }) => `${formatSelector(local)} -> ${formatSelector(peer)}`),
  );

const GOLDEN: Policies = [
  [["10.0.0.0/24"], ["192.168.0.0/24", "192.168.1.0/24"]],
  [["10.0.1.0/24"], ["192.168.2.0/24"]],
  [["10.0.2.0/24"], ["192.168.2.0/24"]],
];

test("the golden policies make four mappings, in one tunnel and in several", () => {
  const four = [
    "10.0.0.0/24 -> 192.168.0.0/24",
    "10.0.0.0/24 -> 192.168.1.0/24",
    "10.0.1.0/24 -> 192.168.2.0/24",
    "10.0.2.0/24 -> 192.168.2.0/24",
  ];
  assert.deepEqual(mappings(file(GOLDEN)), four);
  assert.deepEqual(mappings(file(...GOLDEN.map((policy) => [policy]))), four);
});

test("a second 10.0.0.0/24 -> 192.168.1.0/24 is refused, with both places", () => {
  const again: Policies = [[["10.0.0.0/24"], ["192.168.1.0/24"]]];
  for (const [text, place, tunnel] of [
    [file([...GOLDEN, ...again]), "tunnels[0].policies[3].peer[0]", "the same tunnel"],
    [file(GOLDEN, again), "tunnels[1].policies[0].peer[0]", "tunnel t0"],
  ] as const) {
    const [error, ...more] = refused(text);
    assert.equal(error!.path, place);
    assert.match(error!.message, /10\.0\.0\.0\/24 -> 192\.168\.1\.0\/24 .*overlaps/);
    assert.match(error!.message, new RegExp(`of ${tunnel} \\(tunnels\\[0\\]\\.policies\\[0\\]\\.peer\\[1\\]\\)`));
    assert.deepEqual(more, []);
  }
});

test("10.0.1.0/24 -> 192.168.1.0/24 is accepted beside the golden ones", () => {
  const further: Policies = [[["10.0.1.0/24"], ["192.168.1.0/24"]]];
  assert.equal(mappings(file([...GOLDEN, ...further])).length, 5);
  assert.equal(mappings(file(GOLDEN, further)).length, 5);
});

test("overlap of the local or of the peer ranges alone is allowed", () => {
  mappings(file([[["10.0.0.0/16"], ["192.168.0.0/24"]]], [[["10.0.3.0/24"], ["192.168.1.0/24"]]]));
  mappings(file([[["10.0.0.0/24"], ["192.168.0.0/16"]]], [[["10.0.1.0/24"], ["192.168.7.0/24"]]]));
});

test("a range inside the other is an overlap, whichever comes first", () => {
  const wide: Policies = [[["10.0.0.0/8"], ["192.168.0.0/16"]]];
  const narrow: Policies = [[["10.5.0.0/16"], ["192.168.7.0/24"]]];
  assert.deepEqual(places(file(wide, narrow)).length, 1);
  assert.deepEqual(places(file(narrow, wide)).length, 1);
});

test("local and peer of a mapping must not overlap, with a hint for a spoke in a larger range", () => {
  const [spoke] = refused(file([[["10.1.0.0/16"], ["10.0.0.0/8"]]]));
  assert.equal(spoke!.path, "tunnels[0].policies[0].peer[0]");
  assert.match(spoke!.message, /local 10\.1\.0\.0\/16 and peer 10\.0\.0\.0\/8 overlap.*route mode/);
  const [all] = refused(file([[["10.1.0.0/16"], ["0.0.0.0/0"]]]));
  assert.match(all!.message, /route mode/);
  const [same] = refused(file([[["10.1.0.0/16"], ["10.1.0.0/16"]]]));
  assert.match(same!.message, /both sites use the same range/);
});

test("peer ranges under one local range must not overlap, nor local ranges of one policy", () => {
  const [peers, ...more] = refused(
    file([
      [
        ["10.0.0.0/24", "10.0.1.0/24"],
        ["192.168.0.0/16", "192.168.3.0/24"],
      ],
    ]),
  );
  assert.equal(peers!.path, "tunnels[0].policies[0].peer[1]");
  assert.match(peers!.message, /peer ranges under one local range overlap: 192\.168\.0\.0\/16 and 192\.168\.3\.0\/24/);
  assert.deepEqual(more, []);
  const [locals] = refused(file([[["10.0.0.0/24", "10.0.0.0/25"], ["192.168.0.0/16"]]]));
  assert.equal(locals!.path, "tunnels[0].policies[0].local[1]");
});

test("ranges go with those of their own family, and none may stay alone", () => {
  assert.deepEqual(
    mappings(
      file([
        [
          ["10.0.0.0/24", "fd00:1::/64"],
          ["192.168.0.0/24", "fd00:9::/64"],
        ],
      ]),
    ),
    ["10.0.0.0/24 -> 192.168.0.0/24", "fd00:1::/64 -> fd00:9::/64"],
  );
  const errors = refused(file([[["10.0.0.0/24", "fd00:1::/64"], ["192.168.0.0/24"]]]));
  assert.deepEqual(
    errors.map(({ path }) => path),
    ["tunnels[0].policies[0].local[1]"],
  );
  assert.match(errors[0]!.message, /no peer range of IPv6/);
});

test("protocols and ports narrow mappings, and keep them apart", () => {
  assert.deepEqual(
    mappings(
      file([
        [["10.0.0.0/24"], ["192.168.0.0/24"], ", protocol: tcp, peer_ports: [443, 8000-8080]"],
        [["10.0.0.0/24"], ["192.168.0.0/24"], ", protocol: udp, local_ports: 53"],
        [["10.0.0.0/24"], ["192.168.0.0/24"], ", protocol: 47"],
      ]),
    ),
    [
      "10.0.0.0/24[tcp] -> 192.168.0.0/24[tcp/443]",
      "10.0.0.0/24[tcp] -> 192.168.0.0/24[tcp/8000-8080]",
      "10.0.0.0/24[udp/53] -> 192.168.0.0/24[udp]",
      "10.0.0.0/24[proto 47] -> 192.168.0.0/24[proto 47]",
    ],
  );
  for (const [more, key] of [
    [", protocol: tpc", "protocol"],
    [", protocol: 256", "protocol"],
    [", peer_ports: 80", "peer_ports"],
    [", protocol: icmp, local_ports: 8", "local_ports"],
    [", protocol: tcp, local_ports: 90-80", "local_ports"],
    [", protocol: tcp, local_ports: 0", "local_ports"],
    [", protocol: tcp, local_ports: 1-70000", "local_ports"],
    [", protocol: tcp, peer_ports: [443, 400-450]", "peer_ports"],
  ] as const)
    assert.equal(
      refused(file([[["10.0.0.0/24"], ["192.168.0.0/24"], more]]))[0]!.path,
      `tunnels[0].policies[0].${key}`,
    );
});

test("the mappings of an entry follow each other, entry by entry", () => {
  const [tunnel] = accepted(file(GOLDEN)).policy.tunnels;
  assert.deepEqual(tunnel!.entries, [
    { first: 0, count: 2 },
    { first: 2, count: 1 },
    { first: 3, count: 1 },
  ]);
});

const many = (count: number): Policies =>
  Array.from({ length: Math.ceil(count / 50) }, (_, i) => [
    [`10.0.${i}.0/24`],
    Array.from({ length: Math.min(50, count - 50 * i) }, (_, j) => `172.16.${j}.0/24`),
  ]);

test("quotas are told with the key that raises them", () => {
  accepted(file(many(200)));
  const mappingsError = refused(file(many(201)))[0]!;
  assert.match(
    mappingsError.message,
    /201 mappings.*quota mappings allows 200; gateway\.limits\.mappings raises it; route mode/,
  );
  assert.equal(mappingsError.path, "tunnels[0].policies[4].peer[0]");
  accepted(file(many(201)).replace("version: 1", "version: 1\ngateway: { limits: { mappings: 201 } }"));

  const policies: Policies = Array.from({ length: 11 }, (_, i) => [[`10.0.${i}.0/24`], ["172.16.0.0/24"]]);
  const policiesError = refused(file(policies))[0]!;
  assert.match(policiesError.message, /11 policies.*gateway\.limits\.policies_per_tunnel raises it/);
  assert.equal(policiesError.path, "tunnels[0].policies");

  const peers = Array.from({ length: 51 }, (_, i) => `172.16.${i}.0/24`);
  const peersError = refused(file([[["10.0.0.0/24"], peers]]))[0]!;
  assert.match(peersError.message, /51 peer ranges.*gateway\.limits\.peers_per_policy raises it/);
  assert.equal(peersError.path, "tunnels[0].policies[0].peer");

  const two = file([[["10.0.0.0/24"], ["172.16.0.0/24"]]], [[["10.0.0.0/24"], ["172.16.1.0/24"]]]);
  const tunnelsError = refused(two.replace("version: 1", "version: 1\ngateway: { limits: { tunnels: 1 } }"))[0]!;
  assert.match(tunnelsError.message, /2 tunnels.*gateway\.limits\.tunnels raises it/);
});

test("a local range without an address of this host earns a warning, once for each entry", () => {
  const text = file([
    [["192.168.1.0/24"], ["10.1.0.0/16"]],
    [["192.168.9.0/24"], ["10.1.0.0/16", "10.2.0.0/16"]],
  ]);
  const found = accepted(text, inventedHost()).warnings;
  assert.deepEqual(
    found.map(({ path, line, column }) => `${line}:${column} ${path}`),
    ["5:14 tunnels[0].policies[1].local"],
  );
  assert.match(found[0]!.message, /no address in 192\.168\.9\.0\/24/);
});

test("the strict lint names local ranges that lie in others, and only it does", () => {
  const text = file(GOLDEN, [
    [["10.0.0.0/22"], ["172.16.0.0/24"]],
    [["10.0.0.0/24"], ["172.16.1.0/24"]],
  ]);
  const host = { ...inventedHost(), addresses: ["10.0.0.1", "10.0.1.1", "10.0.2.1"].map(parseAddress) };
  const strict = load(text, host, { strict: true });
  assert.ok(!("errors" in strict));
  assert.deepEqual(
    strict.configuration.warnings.map(({ path }) => path),
    ["tunnels[1].policies[0].local"],
  );
  assert.match(
    strict.configuration.warnings[0]!.message,
    /^10\.0\.0\.0\/22 overlaps the local range 10\.0\.0\.0\/24 of tunnel t0 \(tunnels\[0\]\.policies\[0\]\.local\)/,
  );
  assert.deepEqual(accepted(text, host).warnings, []);
});
