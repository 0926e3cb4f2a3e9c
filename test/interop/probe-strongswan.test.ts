/** What `causeway probe` finds at strongSwan, compared with strongSwan's configuration, and the tunnel that it prints, which connects as it is. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fetchStatus } from "../../src/cli/client.js";
import { run, start, until } from "../child.js";
import { engineOfRun } from "./containers.js";
import type { Place } from "./place.js";
import { PSK } from "./scenario.js";
import { openPeer } from "./stage.js";
import { isWanted, whyNot } from "./suite.js";
import { buildTopology, NAMESPACE, type Topology } from "./topology.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");

interface ProbedPeer {
  readonly name: string;
  readonly peer: "strongswan-userspace";
  readonly tier: "ci" | "full";
  readonly version: 1 | 2;
  readonly proposals: string;
  readonly accepted: Readonly<Record<"encryption" | "integrity" | "groups", readonly string[]>>;
  readonly prf?: readonly string[];
}

const ROWS: readonly ProbedPeer[] = [
  {
    name: "IKEv2 with three proposals",
    peer: "strongswan-userspace",
    tier: "ci",
    version: 2,
    proposals:
      "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-x25519,aes128-aes256-sha256-sha1-modp2048,3des-md5-modp1024",
    accepted: {
      encryption: ["3des", "aes128", "aes128gcm16", "aes256", "aes256gcm16"],
      integrity: ["md5", "sha1", "sha256"],
      groups: ["ecp384", "modp1024", "modp2048", "x25519"],
    },
    prf: ["prfmd5", "prfsha1", "prfsha256", "prfsha384"],
  },
  {
    name: "IKEv1 with one proposal",
    peer: "strongswan-userspace",
    tier: "ci",
    version: 1,
    proposals: "aes128-sha256-modp2048",
    accepted: { encryption: ["aes128"], integrity: ["sha256"], groups: ["modp2048"] },
  },
];

interface Probed {
  readonly ikev2: { readonly verdict: string; readonly accepted?: Readonly<Record<string, readonly string[]>> } | null;
  readonly ikev1: Probed["ikev2"];
  readonly vendors: readonly string[];
  readonly block: string | null;
}

const wanted = ROWS.filter((row) => isWanted(row));
const skip = whyNot();

if (!engineOfRun() && wanted.length > 0)
  describe("what strongSwan accepts, found by probe", { skip: skip ?? false }, () => {
    const undo: (() => Promise<unknown>)[] = [];
    let topology: Topology;
    let folder = "";
    let place: Place;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "causeway-probe-"));
      undo.push(() => rm(folder, { recursive: true, force: true }));
      topology = await buildTopology({ router: false, guest: false });
      undo.push(() => topology.close());
      await mkdir(join(folder, "near"));
      ({ place } = await openPeer("strongswan-userspace", topology, folder, undo));
    });
    after(async () => {
      for (const step of undo.splice(0).reverse()) await step();
    });

    const swanctl = (words: string): Promise<string> =>
      place.shell(
        `STRONGSWAN_CONF=${place.path("charon.conf")} swanctl ${words} --uri unix://${place.path("charon.vici")}`,
        30,
      );
    const inside = (...words: readonly string[]) =>
      topology.namespaces.inside(NAMESPACE.ours, process.execPath, MAIN, ...words);

    for (const row of wanted)
      test(`probe finds everything that strongSwan accepts (${row.name}), and the tunnel that it prints connects at once`, async () => {
        const { ours, peer } = topology.addresses;
        await swanctl(`--load-all --clear --file ${await place.file("probed.conf", swanctlConf(topology, row))}`);
        const key = join(folder, "near", "site.psk");
        await writeFile(key, `${PSK}\n`, { mode: 0o600 });
        const words = ["--ike", String(row.version), "--rate", "50", "--address", ours.outer[4], "--psk-file", key];
        const networks = ["--local", ours.net[4], "--remote", peer.net[4]];
        const done = await run(inside("probe", peer.outer[4], "--json", ...words, ...networks), { seconds: 150 });
        const found = JSON.parse(done.stdout) as Probed;
        const accepted = (row.version === 2 ? found.ikev2 : found.ikev1)?.accepted;
        assert.ok(accepted, `${done.stdout}${done.stderr}\n${(await place.read("charon.log")).slice(-4000)}`);
        for (const type of ["encryption", "integrity", "groups"] as const)
          assert.deepEqual([...accepted[type]!].sort(), row.accepted[type], type);
        if (row.prf) assert.deepEqual([...accepted.prf!].sort(), row.prf);
        await connect(row, found.block!);
      });

    async function connect(row: ProbedPeer, block: string): Promise<void> {
      const socket = join(folder, "near", "control.sock");
      const file = join(folder, "near", "probed.yaml");
      const gateway = `gateway: { name: prober, address: ${topology.addresses.ours.outer[4]}, control: { socket: ${socket} } }\n`;
      await writeFile(file, block.replace("version: 1\n", `version: 1\n${gateway}`), { mode: 0o600 });
      const daemon = start(inside("run", "-c", file), { seconds: 60 });
      try {
        await until(`the probed tunnel (${row.name}) to connect`, 20, async () => {
          const status = await fetchStatus(socket).catch(() => undefined);
          return status?.tunnels[0]?.state === "established" ? true : undefined;
        }).catch((error: Error) => {
          throw new Error(`${error.message}\n${block}\n${daemon.output().slice(-4000)}`);
        });
      } finally {
        await daemon.stop();
      }
    }
  });

function swanctlConf({ addresses: { ours, peer } }: Topology, { version, proposals }: ProbedPeer): string {
  return `connections {
  site {
    version = ${version}
    local_addrs = ${peer.outer[4]}
    remote_addrs = ${ours.outer[4]}
    proposals = ${proposals}
    local { auth = psk
      id = ${peer.outer[4]} }
    remote { auth = psk
      id = ${ours.outer[4]} }
    children { net {
      local_ts = ${peer.net[4]}
      remote_ts = ${ours.net[4]}
      esp_proposals = aes256gcm16-x25519,aes256gcm16,aes256-sha256,aes256-sha256-modp2048
    } }
  }
}
secrets {
  ike-site { secret = "${PSK}" }
}
`;
}
