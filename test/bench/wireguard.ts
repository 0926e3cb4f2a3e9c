/** Two wireguard-go processes, as Debian ships them. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must, type Running, start, until } from "../child.js";
import { LEFT, RIGHT } from "./bed.js";
import { type Contender, isUsual } from "./contender.js";
import { deviceOctets, type GatewayProcess, gatewayProcess } from "./gateway-process.js";

const PROGRAM = "/usr/bin/wireguard-go";
const WG = "/usr/bin/wg";
const PORT = 51820;
/** WireGuard's own. */
const MTU = 1420;
const SECONDS = 4 * 3600;

export const wireguard: Contender = {
  name: "wireguard",
  title: "wireguard-go",
  whyNot() {
    const missing = [PROGRAM, WG].filter((file) => !existsSync(file));
    return missing.length > 0 ? `not installed (npm run bench as root): ${missing.join(", ")}` : undefined;
  },
  version: async () => `${(await must([PROGRAM, "--version"])).split("\n")[0]} (ChaCha20-Poly1305)`,
  has: isUsual,
  async start(bed, folder) {
    const keys = { left: await newKeys(), right: await newKeys() };
    const runs: Running[] = [];
    const processes: GatewayProcess[] = [];
    for (const side of ["left", "right"] as const) {
      const inside = (...argv: string[]) => bed.inside(side, ...argv);
      const [here, there] = side === "left" ? [LEFT, RIGHT] : [RIGHT, LEFT];
      const peer = keys[side === "left" ? "right" : "left"];
      // Its control socket has the name of the device, in one folder for all namespaces.
      const device = deviceOf(side);
      const running = start(inside(PROGRAM, "--foreground", device), { seconds: SECONDS });
      runs.push(running);
      processes.push(await gatewayProcess(inside, running, /wireguard-go$/, device));
      await until(`the socket of ${device}`, 10, async () => existsSync(`/run/wireguard/${device}.sock`) || undefined);
      const file = join(folder, `${side}.conf`);
      const lines = [
        "[Interface]",
        `PrivateKey = ${keys[side].privateKey}`,
        `ListenPort = ${PORT}`,
        "[Peer]",
        `PublicKey = ${peer.publicKey}`,
        `Endpoint = ${there.outer}:${PORT}`,
        `AllowedIPs = ${there.network}`,
      ];
      await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
      await must(inside(WG, "setconf", device, file));
      await bed.namespaces.ip(
        bed.at(side),
        `link set ${device} up mtu ${MTU}\nroute add ${there.network} dev ${device} src ${here.gateway}\n`,
      );
    }
    const left = (...argv: string[]) => bed.inside("left", ...argv);
    await must(left("ping", "-c", "1", "-W", "5", RIGHT.gateway), { seconds: 10 });
    return {
      processes,
      tunneledOctets: () => deviceOctets(left, deviceOf("left")),
      stop: async () => void (await Promise.all(runs.map((running) => running.stop()))),
    };
  },
};

function deviceOf(side: "left" | "right"): string {
  return `wg${process.pid}${side[0]}`;
}

async function newKeys(): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  const privateKey = (await must([WG, "genkey"])).trim();
  return { privateKey, publicKey: (await must([WG, "pubkey"], { input: `${privateKey}\n` })).trim() };
}
