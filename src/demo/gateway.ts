/** A gateway of the demo: its configuration file, and the daemon as anybody would start it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchStatus } from "../cli/client.js";
import type { TunnelStatus } from "../control/status-model.js";
import { FOLDER, type Site } from "./network.js";
import { ask, type Program, start, until } from "./program.js";

const MAIN = join(import.meta.dirname, "..", "main.js");

export interface Gateway {
  readonly site: Site;
  readonly file: string;
  readonly program: Program;
}

/** The configuration: what differs between the two is who calls. */
export function configuration(here: Site, there: Site): string {
  return `version: 1
gateway:
  name: ${here.name}
  address: ${here.outer}
  control: { socket: ${socketOf(here)} }
  log: { format: text }
tunnels:
  - name: to-${there.name}
    peer: ${there.outer}
    psk: { file: ${FOLDER}/${here.name}.psk }
    start: ${here.name === "left" ? "active" : "passive"}
    policies:
      - { local: [${here.network}], peer: [${there.network}] }
`;
}

/** Writes the files and starts `causeway run`. */
export function startGateway(here: Site, there: Site, psk: string): Gateway {
  const file = `${FOLDER}/${here.name}.yaml`;
  writeFileSync(`${FOLDER}/${here.name}.psk`, `${psk}\n`, { mode: 0o600 });
  writeFileSync(file, configuration(here, there));
  return { site: here, file, program: start(`${here.name}-gateway`, here.name, MAIN, "run", "-c", file) };
}

/** Waits until the tunnel is established. Throws with the gateway's own words where it does not happen. */
export async function established({ site, program }: Gateway): Promise<TunnelStatus> {
  let last = "the gateway did not answer";
  try {
    return await until(`the tunnel of gateway ${site.name}`, 60, async () => {
      if (program.status() !== undefined) throw new Error(`gateway ${site.name} ended with status ${program.status()}`);
      const tunnel = (await fetchStatus(socketOf(site)).catch(() => undefined))?.tunnels[0];
      if (tunnel !== undefined) last = `${tunnel.state}: ${tunnel.reason}`;
      return tunnel?.state === "established" ? tunnel : undefined;
    });
  } catch (error) {
    throw new Error(`${(error as Error).message} (${last})`);
  }
}

/** What `causeway status` prints. */
export function statusText({ site, file }: Gateway): Promise<string> {
  return ask("status", site.name, MAIN, "status", "-c", file);
}

function socketOf({ name }: Site): string {
  return `${FOLDER}/${name}.sock`;
}
