/** Two daemons with tunnels of both versions and both modes of IKEv1 between the same two addresses. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fetchStatus } from "../../src/cli/client.js";
import type { TunnelStatus } from "../../src/control/status-model.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const SKIP = process.getuid?.() === 0 ? false : "needs root, for network namespaces";

type Side = "left" | "right";
const OUTER = { left: "192.0.2.1", right: "192.0.2.2" } as const;
const otherOf = (side: Side): Side => (side === "left" ? "right" : "left");

interface Tunnel {
  readonly name: string;
  /** Lines of YAML; `{here}` and `{there}` stand for the sides. */
  readonly text: string;
  /** The second octet of each network 10.N.0.0/16, for each mapping, on the left and on the right. */
  readonly networks: readonly { readonly left: number; readonly right: number }[];
}

const TUNNELS: readonly Tunnel[] = [
  {
    name: "main",
    text: "psk: one-key-of-the-main-mode-tunnel\n    ike: { version: 1 }",
    networks: [
      { left: 11, right: 21 },
      { left: 12, right: 22 },
    ],
  },
  {
    name: "aggressive",
    text: `psk: another-key-that-goes-by-the-identity
    local_id: {here}.test
    peer_id: {there}.test
    legacy: true
    ike: { version: 1, exchange: aggressive, proposals: [3des-md5-modp1024] }
    esp: { proposals: [3des-md5], pfs: off }`,
    networks: [{ left: 13, right: 23 }],
  },
  { name: "second-version", text: "psk: and-a-third-key-of-the-second-version", networks: [{ left: 14, right: 24 }] },
];
/** Both sides have different keys. */
const ODD: Tunnel = {
  name: "odd",
  text: `psk: the-key-of-{here}-is-not-that-of-the-other
    local_id: odd-{here}.test
    peer_id: odd-{there}.test
    ike: { version: 1, exchange: aggressive }`,
  networks: [{ left: 15, right: 25 }],
};

const folder = mkdtempSync(join(tmpdir(), "cwv1-"));
const socketOf = (side: Side): string => join(folder, `${side}.sock`);
let namespaces: Namespaces;
const daemons = new Map<Side, Running>();

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces("causeway-v1");
  for (const side of ["left", "right"] as const) await namespaces.add(side);
  await namespaces.link({ ns: "left", dev: "wan" }, { ns: "right", dev: "wan" });
  for (const side of ["left", "right"] as const) {
    const inner = [...TUNNELS, ODD].flatMap(({ networks }) =>
      networks.map((n) => `addr add 10.${n[side]}.0.1/16 dev lo`),
    );
    await namespaces.ip(side, `addr add ${OUTER[side]}/24 dev wan\n${inner.join("\n")}\n`);
    writeFileSync(join(folder, `${side}.yaml`), yaml(side), { mode: 0o600 });
    const argv = [process.execPath, MAIN, "run", "-c", join(folder, `${side}.yaml`)];
    daemons.set(side, start(namespaces.inside(side, ...argv), { seconds: 180 }));
  }
});

after(async () => {
  for (const daemon of daemons.values()) await daemon.stop();
  if (!SKIP) await namespaces.close();
  rmSync(folder, { recursive: true });
});

function yaml(side: Side): string {
  const there = otherOf(side);
  const tunnels = [...TUNNELS, ODD].map(({ name, text, networks }) => {
    const pairs = networks.map((n) => `{ local: [10.${n[side]}.0.0/16], peer: [10.${n[there]}.0.0/16] }`);
    return `  - name: ${name}
    peer: ${OUTER[there]}
    start: ${side === "left" ? "active" : "passive"}
    policies: [${pairs.join(", ")}]
    ${text.replaceAll("{here}", side).replaceAll("{there}", there)}
`;
  });
  return `version: 1
gateway:
  name: ${side}
  address: ${OUTER[side]}
  control: { socket: ${socketOf(side)} }
  log: { format: text }
tunnels:
${tunnels.join("")}`;
}

async function statusOf(side: Side, name: string): Promise<TunnelStatus | undefined> {
  const report = await fetchStatus(socketOf(side)).catch(() => undefined);
  return report?.tunnels.find((tunnel) => tunnel.name === name);
}

function established(side: Side, name: string): Promise<TunnelStatus> {
  return until(`${name} to be established on the ${side}`, 30, async () => {
    const tunnel = await statusOf(side, name);
    return tunnel?.state === "established" ? tunnel : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${daemons.get(side)?.output().slice(-4000)}`);
  });
}

async function packetsPass({ name, networks }: Tunnel): Promise<void> {
  for (const network of networks)
    for (const from of ["left", "right"] as const) {
      const ends = ["-I", `10.${network[from]}.0.1`, `10.${network[otherOf(from)]}.0.1`];
      const done = await run(namespaces.inside(from, "ping", "-c", "2", "-i", "0.4", "-W", "3", ...ends));
      assert.equal(done.status, 0, `${name} from the ${from}: ${done.stdout}`);
    }
}

test("tunnels of main mode, aggressive mode and IKEv2 come up between the same addresses, each with its key", {
  skip: SKIP,
}, async () => {
  for (const tunnel of TUNNELS) {
    for (const side of ["left", "right"] as const) {
      const { ike, children } = await established(side, tunnel.name);
      assert.equal(ike?.version, tunnel.name === "second-version" ? 2 : 1);
      assert.equal(children.length, tunnel.networks.length, "a child for each mapping");
    }
    await packetsPass(tunnel);
  }
  const text = await must(namespaces.inside("left", process.execPath, MAIN, "status", "--socket", socketOf("left")));
  assert.match(
    text,
    /^aggressive: established; peer 192\.0\.2\.2, device causeway0\n {2}IKEv1 initiator, .*\(left\.test\) <-> .*\(right\.test\)/m,
  );
});

test("both phases are renewed by command, by the called gateway as well, and packets go on passing", {
  skip: SKIP,
}, async () => {
  for (const [tunnel, side] of [
    [TUNNELS[0]!, "right"],
    [TUNNELS[1]!, "left"],
  ] as const) {
    const was = await established(side, tunnel.name);
    for (const option of [[], ["--ike"]])
      await must(
        namespaces.inside(side, process.execPath, MAIN, "rekey", tunnel.name, ...option, "--socket", socketOf(side)),
      );
    const now = await established(side, tunnel.name);
    assert.notEqual(now.ike?.spi_i, was.ike?.spi_i);
    for (const { spi_in } of now.children) assert.ok(was.children.every((child) => child.spi_in !== spi_in));
    assert.ok(now.counters.packets_in >= was.counters.packets_in, "counters survive the rekey");
    await packetsPass(tunnel);
  }
});

test("a tunnel whose keys differ says so, and the others do not mind", { skip: SKIP }, async () => {
  await until(
    "the reason",
    30,
    async () => /pre-shared keys? differ/.test((await statusOf("left", "odd"))?.reason ?? "") || undefined,
  );
  assert.equal((await statusOf("left", "main"))?.state, "established");
});

test("down, up and the end of a gateway are told to the peer", { skip: SKIP }, async () => {
  const left = (...words: string[]): Promise<string> =>
    must(namespaces.inside("left", process.execPath, MAIN, ...words, "--socket", socketOf("left")));
  const gone = (name: string): Promise<true> =>
    until(
      `right to notice the end of ${name}`,
      5,
      async () => (await statusOf("right", name))?.ike === null || undefined,
    );
  await left("down", "main");
  await gone("main");
  await left("up", "main");
  await established("right", "main");
  assert.equal((await daemons.get("left")!.stop()).status, 0);
  daemons.delete("left");
  for (const { name } of TUNNELS) await gone(name);
});
