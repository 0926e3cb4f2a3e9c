/** What `causeway probe` finds at a peer, compared with the peer's configuration, and the tunnel that it prints, which connects as it is. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fetchStatus } from "../../src/cli/client.js";
import { run, start, until } from "../child.js";
import { engineOfRun } from "./containers.js";
import { PSK } from "./scenario.js";
import { isWanted, whyNot } from "./suite.js";
import { buildTopology, NAMESPACE, type Topology } from "./topology.js";

export const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");

export interface ProbedRow {
  readonly name: string;
  readonly tier: "ci" | "full";
  readonly version: 1 | 2;
  /** Of version 1: aggressive mode alone. Default: main mode alone. */
  readonly aggressive?: true;
  /** The peer's settings, in its own words. */
  readonly ike: string;
  readonly esp: string;
  /** What that comes to, sorted. */
  readonly accepted: Readonly<Record<"encryption" | "integrity" | "groups", readonly string[]>>;
  readonly prf?: readonly string[];
  readonly children: Readonly<Record<"encryption" | "integrity" | "pfs" | "sequence", readonly string[]>>;
  /** Settings of ours that fit, of which one is changed at a time. */
  readonly differs?: Readonly<Record<"ike" | "esp" | "pfs", string>>;
  /** It also takes groups of PFS that it is not configured with. */
  readonly morePfs?: true;
}

/** One attribute of the tunnel each. */
const DIFFERENT = [
  { name: "group", change: { ike: "aes256gcm16-prfsha384-modp3072" }, differs: "group of phase 1" },
  { name: "encryption of ESP", change: { esp: "camellia256-sha256" }, differs: "encryption of phase 2" },
  { name: "PFS", change: { pfs: "ecp521" }, differs: "pfs of phase 2" },
  { name: "selectors", change: { network: "10.99.0.0/24" }, differs: "selectors of phase 2" },
];

/** A peer that takes the settings of a row. */
export interface ProbedPeer {
  load(row: ProbedRow): Promise<void>;
  log(): Promise<string>;
}

interface Probed {
  readonly ikev2: Found | null;
  readonly ikev1: Found | null;
  readonly vendors: readonly string[];
  readonly packets: number;
  readonly block: string | null;
}

interface Found {
  readonly verdict: string;
  readonly accepted?: Readonly<Record<string, readonly string[]>>;
  readonly modes?: Readonly<Record<string, string>>;
  readonly esp?: { readonly verdict: string; readonly note?: string; readonly accepted?: ProbedRow["children"] };
}

export function probeSuite(
  product: string,
  rows: readonly ProbedRow[],
  stage: { readonly guest: boolean },
  open: (topology: Topology, folder: string, undo: (() => Promise<unknown>)[]) => Promise<ProbedPeer>,
): void {
  const wanted = rows.filter(isWanted);
  const skip = whyNot();
  if (engineOfRun() || wanted.length === 0) return;
  describe(`what ${product} accepts, found by probe`, { skip: skip ?? false }, () => {
    const undo: (() => Promise<unknown>)[] = [];
    let topology: Topology;
    let folder = "";
    let peer: ProbedPeer;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "causeway-probe-"));
      undo.push(() => rm(folder, { recursive: true, force: true }));
      topology = await buildTopology({ router: false, guest: stage.guest });
      undo.push(() => topology.close());
      await mkdir(join(folder, "near"));
      peer = await open(topology, folder, undo);
    });
    after(async () => {
      for (const step of undo.splice(0).reverse()) await step();
    });

    const inside = (...words: readonly string[]) =>
      topology.namespaces.inside(NAMESPACE.ours, process.execPath, MAIN, ...words);

    for (const row of wanted)
      test(`probe finds everything that ${product} accepts (${row.name}), and the tunnel that it prints connects at once`, async (t) => {
        await peer.load(row);
        const found = await probe(row);
        const ike = row.version === 2 ? found.ikev2 : found.ikev1;
        const told = async () => `${JSON.stringify(found, null, 2)}\n${(await peer.log()).slice(-6000)}`;
        assert.ok(ike?.accepted && ike.esp?.accepted, await told());
        t.diagnostic(`${found.packets} packets`);
        for (const type of ["encryption", "integrity", "groups"] as const)
          assert.deepEqual([...ike.accepted[type]!].sort(), row.accepted[type], `${type} of IKE`);
        if (row.prf) assert.deepEqual([...ike.accepted.prf!].sort(), row.prf);
        if (row.version === 1) {
          const { main, aggressive } = ike.modes ?? {};
          assert.deepEqual(
            [main, aggressive].map((mode) => mode === "accepted"),
            [!row.aggressive, row.aggressive === true],
          );
        }
        const { pfs } = ike.esp.accepted;
        const common = pfs.filter((group) => row.children.pfs.includes(group));
        assert.deepEqual([...(row.morePfs ? common : pfs)].sort(), row.children.pfs, `PFS, ${await told()}`);
        for (const type of ["encryption", "integrity", "sequence"] as const)
          assert.deepEqual([...ike.esp.accepted[type]].sort(), row.children[type], `${type} of ESP, ${await told()}`);
        await connect(row, found.block!);
      });

    async function probe(row: ProbedRow): Promise<Probed> {
      const { ours, peer: theirs } = topology.addresses;
      const key = join(folder, "near", "site.psk");
      await writeFile(key, `${PSK}\n`, { mode: 0o600 });
      const words = ["--ike", String(row.version), "--rate", "50", "--address", ours.outer[4]];
      const given = ["--esp", "--psk-file", key, "--local", ours.net[4], "--remote", theirs.net[4]];
      const done = await run(inside("probe", theirs.outer[4], "--json", ...words, ...given), { seconds: 240 });
      assert.ok(done.stdout.startsWith("{"), `${done.stdout}${done.stderr}\n${(await peer.log()).slice(-4000)}`);
      return JSON.parse(done.stdout) as Probed;
    }

    for (const { name, change, differs } of DIFFERENT.filter(() => rows.some((row) => isWanted(row) && row.differs)))
      test(`explain --probe names what differs from ${product} alone (${name})`, async () => {
        const row = rows.find((one) => one.differs)!;
        await peer.load(row);
        const { ours, peer: theirs } = topology.addresses;
        const near = join(folder, "near");
        const [socket, file] = [join(near, "differs.sock"), join(near, "differs.yaml")];
        const settings = { ...row.differs!, network: theirs.net[4], ...change };
        await writeFile(
          file,
          `version: 1
gateway: { name: prober, address: ${ours.outer[4]}, control: { socket: ${socket} } }
tunnels:
  - name: site
    peer: ${theirs.outer[4]}
    psk: ${PSK}
    start: passive
    policies: [{ local: [${ours.net[4]}], peer: [${settings.network}] }]
    ike: { proposals: [${settings.ike}] }
    esp: { proposals: [${settings.esp}], pfs: [${settings.pfs}] }
`,
          { mode: 0o600 },
        );
        const daemon = start(inside("run", "-c", file), { seconds: 120 });
        try {
          await until("the gateway to answer", 60, () => fetchStatus(socket).catch(() => undefined));
          const told = await run(inside("explain", "site", "--probe", "-c", file, "--json"), { seconds: 100 });
          const { probed } = JSON.parse(told.stdout) as { probed: { sentence: string } };
          assert.equal(probed.sentence, `the probe finds that these differ: ${differs}`);
        } finally {
          await daemon.stop();
        }
      });

    async function connect(row: ProbedRow, block: string): Promise<void> {
      const socket = join(folder, "near", "control.sock");
      const file = join(folder, "near", "probed.yaml");
      const gateway = `gateway: { name: prober, address: ${topology.addresses.ours.outer[4]}, control: { socket: ${socket} } }\n`;
      await writeFile(file, block.replace("version: 1\n", `version: 1\n${gateway}`), { mode: 0o600 });
      const daemon = start(inside("run", "-c", file), { seconds: 90 });
      try {
        await until(`the probed tunnel (${row.name}) to connect`, 60, async () => {
          const status = await fetchStatus(socket).catch(() => undefined);
          return status?.tunnels[0]?.state === "established" ? true : undefined;
        }).catch(async (error: Error) => {
          throw new Error(
            `${error.message}\n${block}\n${daemon.output().slice(-4000)}\n${(await peer.log()).slice(-4000)}`,
          );
        });
      } finally {
        await daemon.stop();
      }
    }
  });
}
