/** Policies without IPsec in the packet path: dropped, or kept out of the tunnel, in both directions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { inOrder, type PolicyException, swallows, withinMappings } from "../../esp/exception.js";
import { formatSelector } from "../../esp/selector.js";
import { childParameters, createBench, drops, mirrored, sealers, selector } from "./bench.js";
import { tcpPacket, udpPacket } from "./packets.js";

const LOCAL = "10.1.0.0/16";
const PEER = "10.2.0.0/16";
const MAPPINGS = [{ local: selector(LOCAL), peer: selector(PEER) }];
const tcpTo = (startPort: number, endPort = startPort) => ({ protocol: 6, startPort, endPort });
const ANY_TCP = tcpTo(0, 65535);

const OUT = { source: "10.1.0.5", destination: "10.2.0.9", sourcePort: 40000, destinationPort: 443 };
const IN = { source: "10.2.0.9", destination: "10.1.0.5", sourcePort: 443, destinationPort: 40000 };

/** Two SADs with one child between them; the near one has these exceptions. */
function pair(exceptions: readonly PolicyException[], onTraffic = false) {
  const [near, far] = [createBench(), createBench()];
  const child = childParameters();
  near.sad.setTunnels([{ name: "office", mappings: MAPPINGS, exceptions, onTraffic }]);
  far.sad.setTunnels([{ name: "office", mappings: [{ local: selector(PEER), peer: selector(LOCAL) }] }]);
  for (const [bench, parameters] of [
    [near, child],
    [far, mirrored(child)],
  ] as const) {
    bench.sad.install(parameters, sealers(bench.arena), "", 0);
    bench.sad.use(1, 0);
  }
  return { near, far };
}

test("what a drop or a bypass covers is neither sealed nor let in, and counted for its tunnel by its own reason", () => {
  for (const [action, reason] of [
    ["drop", "policyDrop"],
    ["bypass", "policyBypass"],
  ] as const) {
    const exception = { action, local: selector(LOCAL, ANY_TCP), peer: selector("10.2.0.0/24", tcpTo(443)) };
    const { near, far } = pair([exception]);
    assert.equal(near.route(tcpPacket(OUT)), reason);
    assert.equal(near.open(far.seal(1, tcpPacket(IN))), reason);
    assert.equal(near.sad.counters().tunnels.office!.drops[reason], 2);
    // Other ports, protocols and addresses pass.
    assert.equal(near.route(tcpPacket({ ...OUT, destinationPort: 444 })), 1);
    assert.equal(near.route(udpPacket(OUT)), 1);
    assert.equal(near.route(tcpPacket({ ...OUT, destination: "10.2.1.9" })), 1);
    assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array);
    assert.equal(near.sad.counters().tunnels.office!.drops[reason], 2);
  }
});

test("a drop goes before a bypass, whatever the order of the file", () => {
  const drop = { action: "drop", local: selector(LOCAL), peer: selector("10.2.0.9/32") } as const;
  const bypass = { action: "bypass", local: selector(LOCAL), peer: selector("10.2.0.0/24") } as const;
  for (const exceptions of [
    [drop, bypass],
    [bypass, drop],
  ]) {
    const { near } = pair(exceptions);
    assert.equal(near.route(udpPacket(OUT)), "policyDrop");
    assert.equal(near.route(udpPacket({ ...OUT, destination: "10.2.0.8" })), "policyBypass");
  }
});

test("a packet that is dropped by policy wakes no mapping", () => {
  const { near } = pair([{ action: "drop", local: selector(LOCAL), peer: selector(PEER, ANY_TCP) }], true);
  near.sad.stopSending(1);
  assert.equal(near.route(tcpPacket(OUT)), "policyDrop");
  assert.equal(near.route(udpPacket(OUT)), "awaited");
});

test("other exceptions, or none, count for SAs that are installed already", () => {
  const { near, far } = pair([]);
  assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array);
  const exceptions = [{ action: "drop", local: selector(LOCAL), peer: selector(PEER) }] as const;
  near.sad.setTunnels([{ name: "office", mappings: MAPPINGS, exceptions }]);
  assert.equal(near.open(far.seal(1, udpPacket(IN))), "policyDrop");
  near.sad.setTunnels([{ name: "office", mappings: MAPPINGS }]);
  assert.ok(near.open(far.seal(1, udpPacket(IN))) instanceof Uint8Array);
  assert.deepEqual(drops(near.sad), { policyDrop: 1 });
});

test("later fragments, whose ports cannot be seen, stay in the tunnel where the exception names ports", () => {
  const { near } = pair([{ action: "bypass", local: selector(LOCAL, ANY_TCP), peer: selector(PEER, tcpTo(443)) }]);
  const fragment = tcpPacket(OUT);
  new DataView(fragment.buffer).setUint16(6, 100);
  assert.equal(near.route(fragment), 1);
});

test("an exception is cut to the mappings, with the narrower protocol and ports of both", () => {
  const mappings = [
    { local: selector("10.1.0.0/24"), peer: selector("10.2.0.0/24") },
    { local: selector("10.1.1.0/24", ANY_TCP), peer: selector("10.2.0.0/24", tcpTo(400, 500)) },
    { local: selector("10.1.2.0/24"), peer: selector("10.9.0.0/24") },
  ];
  const cut = (local: string, peer: string, ports = tcpTo(443)) =>
    withinMappings({ action: "drop", local: selector(local, ANY_TCP), peer: selector(peer, ports) }, mappings).map(
      (each) => `${formatSelector(each.local)} ${formatSelector(each.peer)}`,
    );
  assert.deepEqual(cut("10.0.0.0/8", "10.2.0.0/16"), [
    "10.1.0.0/24[tcp] 10.2.0.0/24[tcp/443]",
    "10.1.1.0/24[tcp] 10.2.0.0/24[tcp/443]",
  ]);
  assert.deepEqual(cut("10.1.0.7/32", "0.0.0.0/0", tcpTo(1, 1000)), ["10.1.0.7/32[tcp] 10.2.0.0/24[tcp/1-1000]"]);
  assert.deepEqual(cut("10.1.1.0/24", "10.2.0.0/24", tcpTo(80)), []);
  assert.deepEqual(cut("10.8.0.0/16", "10.2.0.0/16"), []);
  const whole = { action: "drop", local: selector("10.1.0.0/16"), peer: selector("10.2.0.0/16") } as const;
  assert.deepEqual(
    mappings.map((mapping) => swallows(whole, mapping)),
    [true, true, false],
  );
});

test("of any exceptions the packet path says what comparing them one by one says", () => {
  const part = (network: string) =>
    fc.tuple(fc.integer({ min: 28, max: 32 }), fc.nat(15)).map(([length, at]) => `${network}.${at}/${length}`);
  const exceptions = fc.array(
    fc.record({
      action: fc.constantFrom("drop", "bypass"),
      local: part("10.1.0"),
      peer: part("10.2.0"),
      port: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    }),
    { maxLength: 12 },
  );
  const probe = fc.record({ l: fc.nat(15), p: fc.nat(15), port: fc.integer({ min: 1, max: 3 }), tcp: fc.boolean() });
  fc.assert(
    fc.property(exceptions, fc.array(probe, { minLength: 1, maxLength: 8 }), (written, probes) => {
      const list = written.map(({ action, local, peer, port }) => {
        const side = (prefix: string, ports: { protocol: number; startPort: number; endPort: number } | undefined) => {
          const [address, length] = prefix.split("/");
          const octets = address!.split(".");
          const last = Number(octets[3]) & (256 - 2 ** (32 - Number(length)));
          return selector(`${octets.slice(0, 3).join(".")}.${last}/${length}`, ports);
        };
        const named = port !== undefined;
        return {
          action,
          local: named ? side(local, ANY_TCP) : side(local, undefined),
          peer: named ? side(peer, tcpTo(port)) : side(peer, undefined),
        } as PolicyException;
      });
      const { near, far } = pair(list);
      for (const { l, p, port, tcp } of probes) {
        const fields = { ...OUT, source: `10.1.0.${l}`, destination: `10.2.0.${p}`, destinationPort: port };
        const back = { ...IN, source: fields.destination, destination: fields.source, sourcePort: port };
        const covers = ({ local, peer }: PolicyException) => {
          const at = (s: PolicyException["local"], n: number) => (s.start & 255n) <= n && n <= (s.end & 255n);
          return at(local, l) && at(peer, p) && (peer.protocol === 0 || (tcp && peer.startPort === port));
        };
        const first = inOrder(list).find(covers);
        const expected = first === undefined ? undefined : first.action === "drop" ? "policyDrop" : "policyBypass";
        assert.equal(near.route(tcp ? tcpPacket(fields) : udpPacket(fields)), expected ?? 1);
        const opened = near.open(far.seal(1, tcp ? tcpPacket(back) : udpPacket(back)));
        assert.equal(typeof opened === "string" ? opened : undefined, expected);
      }
    }),
    { numRuns: 60, seed: 6 },
  );
});
