import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createKeyExchange } from "../../crypto/backends.js";
import { hex, utf8 } from "../../crypto/bytes.js";
import type { KeyExchange } from "../../crypto/interfaces.js";
import { systemRandom } from "../../crypto/random.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { parseAddress } from "../../esp/address.js";
import type { Report } from "../../ike/core/report.js";
import type { Configuration } from "../../src/config/model.js";
import type { ToWorker } from "../../src/dataplane/protocol.js";
import { createDriver, type Driver } from "../../src/driver.js";
import type { KeyExchangeService } from "../../src/key-exchange/service.js";
import { createLog } from "../../src/log.js";
import { createReports } from "../../src/reports.js";
import { configurationOf } from "./configuration.js";
import { type ManualClock, manualClock } from "./manual-clock.js";

const LEFT = "192.0.2.1";
const RIGHT = "192.0.2.2";

const keyExchange: KeyExchangeService = {
  publicValue: async (group, octets) => method(group).publicValue(octets),
  sharedSecret: async (group, octets, peer) => method(group).sharedSecret(octets, peer),
  close: async () => undefined,
};

function method(group: number): KeyExchange {
  return createKeyExchange(rowById("keyExchange", "ikev2", group)!);
}

interface Side {
  readonly driver: Driver;
  readonly posted: ToWorker[];
  readonly reports: Report[];
  readonly bugs: string[];
}

interface Pair {
  readonly left: Side;
  readonly right: Side;
  readonly time: ManualClock;
  /** Runs promises and deliveries until nothing moves any more. */
  settle(): Promise<void>;
  /** Datagrams vanish while it is true. */
  cut: boolean;
}

/** Two drivers with the real core; what one sends reaches the other, and nothing else exists. */
function pair(
  change: (left: Configuration, right: Configuration) => [Configuration, Configuration] = (a, b) => [a, b],
): Pair {
  const time = manualClock(1_000);
  const [leftFile, rightFile] = change(
    configurationOf([{ name: "east", peer: RIGHT, mappings: ["10.1.0.0/16 10.2.0.0/16"] }], {
      address: parseAddress(LEFT),
    }),
    configurationOf([{ name: "west", peer: LEFT, mappings: ["10.2.0.0/16 10.1.0.0/16"], start: "passive" }], {
      address: parseAddress(RIGHT),
    }),
  );
  let moving = 0;
  const side = (configuration: Configuration, other: () => Side): Side => {
    const posted: ToWorker[] = [];
    const reports: Report[] = [];
    const bugs: string[] = [];
    const driver = createDriver(configuration.policy, {
      clock: time.clock,
      random: systemRandom,
      post(message) {
        posted.push(message);
        moving++;
        if (message.kind !== "send" || all.cut) return;
        const { local, remote } = message.path;
        queueMicrotask(() => {
          other().driver.received({ kind: "datagram", path: { local: remote, remote: local }, bytes: message.bytes });
        });
      },
      keyExchange,
      resolve: async (name) => [{ remote: parseAddress(name), local: configuration.gateway.address! }],
      psk: configuration.psk,
      setTunnels: (tunnels) => void posted.push({ kind: "tunnels", tunnels }),
      report: (report) => void reports.push(report),
      bug: (error, doing) => void bugs.push(`${doing}: ${(error as Error).stack}`),
    });
    return { driver, posted, reports, bugs };
  };
  const all: Pair = {
    time,
    cut: false,
    left: side(leftFile, () => all.right),
    right: side(rightFile, () => all.left),
    async settle() {
      for (let seen = -1; seen !== moving; ) {
        seen = moving;
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  return all;
}

async function established(change?: Parameters<typeof pair>[0]): Promise<Pair> {
  const both = pair(change);
  both.left.driver.start();
  both.right.driver.start();
  await go(both, 10);
  return both;
}

/** Lets virtual time pass in steps of 100 ms. */
async function go(both: Pair, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    both.time.advance(Math.min(100, milliseconds - passed));
    await both.settle();
  }
}

const stateOf = ({ driver }: Side) => driver.views()[0]!.state;
const kinds = (messages: readonly ToWorker[]) => messages.map(({ kind }) => kind);

test("two gateways come up, with the child installed before the reply that makes the peer use it", async () => {
  const both = await established();
  assert.deepEqual([both.left.bugs, both.right.bugs], [[], []]);
  assert.equal(stateOf(both.left), "established");
  assert.equal(stateOf(both.right), "established");
  const order = kinds(both.right.posted);
  const installed = order.indexOf("installChild");
  assert.ok(installed > 0 && order.indexOf("send", installed) > installed, order.join(" "));
  const child = both.right.posted[installed]!;
  assert.ok(child.kind === "installChild");
  assert.ok(child.child.inboundKeys.encryption instanceof Uint8Array);
  const mirrored = both.left.posted.find((message) => message.kind === "installChild");
  assert.ok(mirrored?.kind === "installChild");
  assert.deepEqual(mirrored.child.inboundKeys, child.child.outboundKeys);
  assert.deepEqual(mirrored.child.suite, child.child.suite);
});

test("keys of IKE SAs are told of the tunnel that somebody records, while he does, and print as secrets", async () => {
  const { left, right } = await established();
  const nameOf = ({ driver }: Side) => driver.views()[0]!.name;
  const name = nameOf(left);
  assert.throws(() => left.driver.secrets(name), /nobody records/);
  const [ours, theirs] = [left, right].map((side) => {
    side.driver.allowSecrets(nameOf(side));
    return side.driver.secrets(nameOf(side))[0]!;
  });
  assert.ok(ours?.version === 2 && theirs?.version === 2);
  assert.deepEqual(ours.keys.initiator.encryption.reveal(), theirs.keys.initiator.encryption.reveal());
  assert.doesNotMatch(inspect(ours, { depth: 9 }), new RegExp(hex(ours.keys.skD.reveal())));
  assert.match(inspect(ours, { depth: 9 }), /\[secret\]/);
  assert.throws(() => left.driver.secrets("another"), /nobody records/);
  left.driver.allowSecrets(null);
  assert.throws(() => left.driver.secrets(name), /nobody records/);
});

test("the timer carries retransmissions: a tunnel comes up after the way was cut at first", async () => {
  const both = pair();
  both.cut = true;
  both.left.driver.start();
  both.right.driver.start();
  await go(both, 3_000);
  assert.equal(stateOf(both.left), "connecting");
  both.cut = false;
  await go(both, 30_000);
  assert.equal(stateOf(both.left), "established");
});

test("shutdown deletes the SAs at the peer", async () => {
  const both = await established();
  both.left.driver.wish({ do: "shutdown" });
  await both.settle();
  assert.equal(both.left.driver.views()[0]!.ike, undefined);
  assert.equal(both.right.driver.views()[0]!.ike, undefined);
  assert.ok(kinds(both.right.posted).includes("removeChild"));
  assert.equal(both.left.driver.isEmpty(), true);
});

test("the data plane knows our SPI of every IKE SA before its first answer can come, and forgets it with the IKE SA", async () => {
  const both = await established();
  const known = ({ posted }: Side) => {
    const spis = new Set<bigint>();
    for (const message of posted)
      if (message.kind === "ikeSpis") {
        for (const spi of message.opened) spis.add(spi);
        for (const spi of message.closed) assert.ok(spis.delete(spi));
      }
    return spis.size;
  };
  for (const side of [both.left, both.right]) {
    assert.equal(known(side), 1);
    assert.ok(kinds(side.posted).indexOf("ikeSpis") < kinds(side.posted).indexOf("send"));
  }
  both.left.driver.wish({ do: "rekeyIke", tunnel: "east" });
  await go(both, 120_000);
  for (const side of [both.left, both.right]) assert.equal(known(side), 1);
});

test("a peer that does not confirm keeps the driver from being empty, until the core gives up", async () => {
  const both = await established();
  both.cut = true;
  both.left.driver.wish({ do: "shutdown" });
  await both.settle();
  assert.equal(both.left.driver.isEmpty(), false);
  const sent = kinds(both.left.posted).filter((kind) => kind === "send").length;
  await go(both, 60_000);
  assert.equal(both.left.driver.isEmpty(), true);
  assert.ok(kinds(both.left.posted).filter((kind) => kind === "send").length > sent, "the Delete was repeated");
});

test("after the data plane was replaced everything is negotiated anew, with other keys", async () => {
  const both = await established();
  const keysOf = ({ posted }: Side) =>
    posted.flatMap((message) =>
      message.kind === "installChild" ? [Buffer.from(message.child.inboundKeys.encryption).toString("hex")] : [],
    );
  const before = both.left.driver.views()[0]!.ike!.spiI;
  both.left.driver.dataplaneReplaced();
  await go(both, 5_000);
  assert.equal(stateOf(both.left), "established");
  assert.equal(stateOf(both.right), "established");
  assert.notEqual(both.left.driver.views()[0]!.ike!.spiI, before);
  const keys = keysOf(both.left);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(keys.length, 2);
});

test("a tunnel that the operator took down stays down when the data plane is replaced", async () => {
  const both = await established();
  both.left.driver.wish({ do: "down", tunnel: "east" });
  await go(both, 1_000);
  assert.equal(stateOf(both.left), "down");
  both.left.driver.dataplaneReplaced();
  await go(both, 60_000);
  assert.equal(stateOf(both.left), "down");
});

test("an exception inside the core is told with what was dropped, and the gateway keeps serving", async () => {
  const both = await established();
  both.left.driver.received({ kind: "datagram", path: undefined as never, bytes: new Uint8Array(28) });
  assert.equal(both.left.bugs.length, 1);
  assert.match(both.left.bugs[0]!, /a datagram of 28 octets/);
  both.left.driver.wish({ do: "rekeyChildren", tunnel: "east" });
  await go(both, 1_000);
  assert.equal(stateOf(both.left), "established");
});

test("a tunnel without a pre-shared key fails with a report that says so", async () => {
  const both = await established((left, right) => [{ ...left, psk: new Map() }, right]);
  assert.notEqual(stateOf(both.left), "established");
  assert.ok(
    both.left.reports.some((report) => report.kind === "failed" && /pre-shared key/.test(report.detail)),
    JSON.stringify(both.left.reports),
  );
});

test("different keys end in AUTHENTICATION_FAILED at both ends, and are tried again", async () => {
  const both = await established((left, right) => [
    left,
    { ...right, psk: new Map([["west", secret(new Uint8Array(32))]]) },
  ]);
  for (const { reports } of [both.left, both.right])
    assert.ok(
      reports.some((report) => report.kind === "failed" && report.code === "AUTHENTICATION_FAILED"),
      JSON.stringify(reports),
    );
  const tries = kinds(both.left.posted).filter((kind) => kind === "send").length;
  await go(both, 120_000);
  assert.ok(kinds(both.left.posted).filter((kind) => kind === "send").length > tries);
});

test("a stopped driver takes no event and keeps no timer", async () => {
  const both = await established();
  const { length } = both.left.posted;
  both.left.driver.stop();
  both.right.driver.stop();
  both.left.driver.wish({ do: "down", tunnel: "east" });
  both.time.advance(3_600_000);
  assert.equal(both.left.posted.length, length);
  assert.equal(both.time.next(), undefined);
});

test("at level debug the log of a life with rekeys shows no octet of a key, in no spelling", async () => {
  const both = await established();
  for (const what of ["rekeyChildren", "rekeyIke"] as const) {
    both.left.driver.wish({ do: what, tunnel: "east" });
    await go(both, 5_000);
  }
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json" }, { write: (line) => void lines.push(line) });
  const keys: Uint8Array[] = [utf8("an old key of the tests, long enough")];
  for (const { posted, reports } of [both.left, both.right]) {
    const { take } = createReports(log, manualClock().clock);
    for (const report of reports) take(report);
    for (const message of posted) {
      if (message.kind !== "installChild") continue;
      const { inboundKeys, outboundKeys } = message.child;
      keys.push(inboundKeys.encryption, outboundKeys.encryption);
      if (inboundKeys.integrity.length > 0) keys.push(inboundKeys.integrity, outboundKeys.integrity);
    }
  }
  assert.ok(keys.length >= 9 && lines.length > 20, `${keys.length} keys, ${lines.length} lines`);
  const text = lines.join("").toLowerCase();
  for (const key of keys)
    for (const spelling of ["hex", "base64", "latin1"] as const)
      assert.ok(!text.includes(Buffer.from(key).toString(spelling).toLowerCase()));
});
