/** `causeway probe` against Causeway itself. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Running, start, until } from "../child.js";
import { MAIN, type ProbedRow, probeSuite } from "./probe-suite.js";
import { PSK } from "./scenario.js";
import { NAMESPACE, type Topology } from "./topology.js";

const ROWS: readonly ProbedRow[] = [
  {
    name: "IKEv2 with an AEAD and two other ciphers",
    tier: "ci",
    version: 2,
    ike: "chacha20poly1305-prfsha512-x25519, aes128-sha1-modp1536",
    esp: "{ proposals: [chacha20poly1305, aes128-aes192-sha256-sha1-noesn], pfs: [ecp521, x25519] }",
    accepted: {
      encryption: ["aes128", "chacha20poly1305"],
      integrity: ["sha1"],
      groups: ["modp1536", "x25519"],
    },
    prf: ["prfsha1", "prfsha512"],
    children: {
      encryption: ["aes128", "aes192", "chacha20poly1305"],
      integrity: ["sha1", "sha256"],
      pfs: ["ecp521", "x25519"],
      sequence: ["esn", "noesn"],
    },
  },
  {
    name: "IKEv1 aggressive mode without PFS",
    tier: "full",
    version: 1,
    aggressive: true,
    ike: "aes256-sha256-modp2048",
    esp: "{ proposals: [aes256-sha256], pfs: off }",
    accepted: { encryption: ["aes256"], integrity: ["sha256"], groups: ["modp2048"] },
    children: { encryption: ["aes256"], integrity: ["sha256"], pfs: ["off"], sequence: ["noesn"] },
  },
];

probeSuite("Causeway", ROWS, { guest: false }, async (topology, folder, undo) => {
  const far = join(folder, "far");
  await mkdir(far);
  let loads = 0;
  let logFile = "";
  let daemon: Running | undefined;
  undo.push(async () => daemon?.stop());
  return {
    async load(row) {
      await daemon?.stop();
      logFile = join(far, `log-${++loads}`);
      const file = join(far, "gateway.yaml");
      const socket = join(far, "control.sock");
      await writeFile(file, gatewayYaml(topology, row, socket), { mode: 0o600 });
      daemon = start(topology.namespaces.inside(NAMESPACE.peer, process.execPath, MAIN, "run", "-c", file), {
        logFile,
      });
      await until(
        "the peer to run",
        60,
        async () => (await readFile(logFile, "utf8").catch(() => "")).includes(" is up") || undefined,
      );
    },
    log: () => readFile(logFile, "utf8"),
  };
});

function gatewayYaml({ addresses: { ours, peer } }: Topology, row: ProbedRow, socket: string): string {
  const { version, aggressive, ike, esp } = row;
  const exchange = version === 1 ? `, exchange: ${aggressive ? "aggressive" : "main"}` : "";
  return `version: 1
gateway: { name: probed, address: ${peer.outer[4]}, control: { socket: ${socket} } }
tunnels:
  - name: site
    peer: ${ours.outer[4]}
    psk: ${PSK}
    start: passive
    legacy: true
    policies:
      - { local: [${peer.net[4]}], peer: [${ours.net[4]}] }
    ike: { version: ${version}${exchange}, proposals: [${ike}] }
    esp: ${esp}
`;
}
