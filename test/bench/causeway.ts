/** Two Causeway gateways. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { act, fetchStatus } from "../../src/cli/client.js";
import { type Running, start, until } from "../child.js";
import { type End, LEFT, RIGHT } from "./bed.js";
import type { Contender, Setup } from "./contender.js";
import { deviceOctets, gatewayProcess } from "./gateway-process.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const DEVICE = "causeway0";
const TUNNEL = "bench";
const SECONDS = 4 * 3600;
/** Ten thousand mappings are negotiated one after the other. */
const PATIENCE = 300;

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
  has: () => true,
  async start(bed, folder, { setup, profileFolder }) {
    const profile = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const sides = [
      { side: "left", here: LEFT, there: RIGHT, start: "active" },
      { side: "right", here: RIGHT, there: LEFT, start: "passive" },
    ] as const;
    const daemons: Daemon[] = [];
    for (const { side, here, there, start: mode } of sides) {
      const file = join(folder, `${side}.yaml`);
      const socket = join(folder, `${side}.sock`);
      await writeFile(file, configuration(setup, side, here, there, mode, socket), { mode: 0o600 });
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
      await until(`the tunnel of the ${side} gateway\n${running.output()}`, PATIENCE, async () => {
        const state = (await fetchStatus(socket).catch(() => undefined))?.tunnels[0]?.state;
        if (state === "established") return true;
        await rest(setup.mappings); // a status of many mappings is work for the gateway
        return undefined;
      });
    return {
      processes,
      tunneledOctets: () => deviceOctets((...argv) => bed.inside("left", ...argv), DEVICE),
      rekey: async () => void (await act(daemons[0]!.socket, TUNNEL, "rekey")),
      stop: async () => void (await Promise.all(daemons.map(({ running }) => running.stop()))),
    };
  },
};

function configuration(
  { esp, mappings }: Setup,
  name: string,
  here: End,
  there: End,
  start: string,
  socket: string,
): string {
  const policies =
    here === LEFT
      ? Array.from({ length: mappings - 1 }, (_, i) => `      - { local: [${here.network}], peer: [${spare(i)}] }\n`)
      : Array.from({ length: mappings - 1 }, (_, i) => `      - { local: [${spare(i)}], peer: [${there.network}] }\n`);
  return `version: 1
gateway:
  name: ${name}
  address: ${here.outer}
  control: { socket: ${socket} }
  tun: { name: ${DEVICE} }
  limits: { mappings: 10000, policies_per_tunnel: 10000 }
tunnels:
  - name: ${TUNNEL}
    peer: ${there.outer}
    psk: "a key of the benchmark alone"
    start: ${start}
    encapsulation: udp
    legacy: true
    dpd: { timeout: 120s, action: restart }
    policies:
${policies.join("")}      - { local: [${here.network}], peer: [${there.network}] }
    ike: { proposals: [aes256gcm16-prfsha256-x25519] }
    esp: { proposals: [${esp}], pfs: off }
`;
}

/** What the mappings before the last one carry: addresses in a row, behind the right gateway. */
export const SPARE = { network: "10.100.0.0/16", first: "10.100.0.0" } as const;

function spare(index: number): string {
  return `10.100.${index >> 8}.${index & 0xff}/32`;
}
