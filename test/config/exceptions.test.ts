import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSelector } from "../../esp/selector.js";
import { accepted, inventedHost, oneTunnel, refused } from "./reading.js";

/** "bypass 192.168.1.0/24[tcp] <-> 10.1.0.0/16[tcp/25]". */
function exceptions(lines: string): readonly string[] {
  const found = accepted(oneTunnel(lines)).exceptions.get("a") ?? [];
  return found.map(({ action, local, peer }) => `${action} ${formatSelector(local)} <-> ${formatSelector(peer)}`);
}

test("bypass and drop take a part out of the mappings, drops first; a side that is left out is all of it", () => {
  assert.deepEqual(
    exceptions(`    bypass:
      - { peer: [10.1.5.0/24] }
      - { local: [192.168.1.9/32], peer: [10.0.0.0/8], protocol: udp, peer_ports: [53, 123] }
    drop:
      - { protocol: tcp, peer_ports: 25 }`),
    [
      "drop 192.168.1.0/24[tcp] <-> 10.1.0.0/16[tcp/25]",
      "bypass 192.168.1.0/24 <-> 10.1.5.0/24",
      "bypass 192.168.1.9/32[udp] <-> 10.1.0.0/16[udp/53]",
      "bypass 192.168.1.9/32[udp] <-> 10.1.0.0/16[udp/123]",
    ],
  );
  assert.deepEqual(exceptions("    bypass: []\n    drop: []"), []);
  assert.equal(accepted(oneTunnel()).exceptions.size, 0);
});

test("mistakes in them are told where they stand", () => {
  for (const [lines, path, words] of [
    ["bypass: [{ peer: [10.2.0.0/16] }]", "bypass[0]", /no mapping of this tunnel covers any of it.*nothing to bypass/],
    ["drop: [{ local: [10.9.0.0/16] }]", "drop[0]", /nothing to drop/],
    ["drop: [{ peer: [10.1.0.0/16], protocol: tpc }]", "drop[0].protocol", /unknown protocol "tpc"/],
    ["drop: [{ peer: [10.1.0.0/16], peer_ports: 25 }]", "drop[0].peer_ports", /ports need a protocol/],
    ["bypass: [{ to: [10.1.0.0/16] }]", "bypass[0].to", /unknown key/],
    ["bypass: [10.1.0.0/16]", "bypass[0]", /allowed/],
    ["bypass: yes", "bypass", /allowed: a list of blocks/],
  ] as const) {
    const errors = refused(oneTunnel(`    ${lines}`));
    assert.deepEqual(
      errors.map((error) => error.path),
      [`tunnels[0].${path}`],
      lines,
    );
    assert.match(errors[0]!.message, words);
  }
});

test("quotas hold for them, and the error names the key that raises it", () => {
  const many = Array.from({ length: 11 }, (_, i) => `{ peer: [10.1.${i}.0/24] }`).join(", ");
  const [error] = refused(oneTunnel(`    drop: [${many}]`));
  assert.equal(error!.path, "tunnels[0].drop");
  assert.match(error!.message, /11 drop policies in one tunnel.*gateway\.limits\.policies_per_tunnel raises it/);
  const peers = Array.from({ length: 51 }, (_, i) => `10.1.${i}.0/24`).join(", ");
  const [tooMany] = refused(oneTunnel(`    bypass: [{ peer: [${peers}] }]`));
  assert.equal(tooMany!.path, "tunnels[0].bypass[0].peer");
  assert.match(tooMany!.message, /gateway\.limits\.peers_per_policy raises it/);
});

test("one that leaves nothing of a mapping earns a warning", () => {
  const found = accepted(oneTunnel("    drop: [{ peer: [10.0.0.0/8] }]"), inventedHost()).warnings;
  assert.deepEqual(
    found.map(({ path }) => path),
    ["tunnels[0].drop[0]"],
  );
  assert.match(found[0]!.message, /covers the whole mapping 192\.168\.1\.0\/24 <-> 10\.1\.0\.0\/16/);
});
