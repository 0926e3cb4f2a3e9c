/** Two Causeway gateways. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchStatus } from "../../src/cli/client.js";
import { type Running, start, until } from "../child.js";
import { type End, LEFT, RIGHT } from "./bed.js";
import type { Contender } from "./contender.js";
import { gatewayProcess } from "./gateway-process.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const DEVICE = "causeway0";
const SECONDS = 4 * 3600;

interface Daemon {
  readonly side: "left" | "right";
  readonly socket: string;
  readonly running: Running;
}

export const causeway: Contender = {
  name: "ours",
  title: "Causeway",
  whyNot: () => undefined,
  version: async () => `Causeway (Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl})`,
  async start(bed, folder, { profileFolder }) {
    const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const sides = [
      { side: "left", here: LEFT, there: RIGHT, start: "active" },
      { side: "right", here: RIGHT, there: LEFT, start: "passive" },
    ] as const;
    const daemons: Daemon[] = [];
    for (const { side, here, there, start: mode } of sides) {
      const file = join(folder, `${side}.yaml`);
      const socket = join(folder, `${side}.sock`);
      await writeFile(file, configuration(side, here, there, mode, socket), { mode: 0o600 });
      const argv = bed.inside(side, process.execPath, ...profile, MAIN, "run", "-c", file);
      daemons.push({
        side,
        socket,
        running: start(argv, { seconds: SECONDS, logFile: join(folder, `${side}.log`) }),
      });
    }
    const processOf = ({ side, running }: Daemon) =>
      gatewayProcess((...argv) => bed.inside(side, ...argv), running, /\/node$/, DEVICE);
    const processes = [await processOf(daemons[0]!), await processOf(daemons[1]!)] as const;
    for (const { side, socket, running } of daemons)
      await until(`the tunnel of the ${side} gateway\n${running.output()}`, 30, async () => {
        const state = (await fetchStatus(socket).catch(() => undefined))?.tunnels[0]?.state;
        return state === "established" ? true : undefined;
      });
    return {
      processes,
      stop: async () => void (await Promise.all(daemons.map(({ running }) => running.stop()))),
    };
  },
};

function configuration(name: string, here: End, there: End, start: string, socket: string): string {
  return `version: 1
gateway:
  name: ${name}
  address: ${here.outer}
  control: { socket: ${socket} }
  tun: { name: ${DEVICE} }
tunnels:
  - name: bench
    peer: ${there.outer}
    psk: "a key of the benchmark alone"
    start: ${start}
    encapsulation: udp
    policies:
      - { local: [${here.network}], peer: [${there.network}] }
    ike: { proposals: [aes256gcm16-prfsha256-x25519] }
    esp: { proposals: [aes256gcm16] }
`;
}
