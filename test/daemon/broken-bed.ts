/**
 * A network that can be broken: two gateways and a router between them.
 *
 *     10.1.0.1  left 192.0.2.1 --- 192.0.2.254 middle 198.51.100.254 --- 198.51.100.1 right  10.2.0.1
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchStatus } from "../../src/cli/client.js";
import type { TunnelStatus } from "../../src/control/status-model.js";
import type { Checkup } from "../../src/doctor/checkup.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { MAIN } from "./gateways.js";

export type Place = "left" | "middle" | "right";
export type End = "left" | "right";

const SITES = {
  left: { outer: "192.0.2.1", gateway: "192.0.2.254", inner: "10.1.0.1", network: "10.1.0.0/16" },
  right: { outer: "198.51.100.1", gateway: "198.51.100.254", inner: "10.2.0.1", network: "10.2.0.0/16" },
} as const;

export interface Bed {
  readonly namespaces: Namespaces;
  /** Starts both daemons with these lines of the tunnel; `local`: what the end says it has behind it. */
  launch(lines: string, local?: Partial<Record<End, string>>): Promise<void>;
  established(end?: End): Promise<TunnelStatus>;
  /** Until the left one's tunnel says in such words why it is not up. */
  refused(words: RegExp): Promise<void>;
  halt(): Promise<void>;
  /** Writes the configuration without starting anything. */
  configure(end: End, lines: string): string;
  /** A shell line inside; only fixed text. */
  sh(place: Place, line: string): Promise<string>;
  /** `causeway doctor --json` at the left; `wrap` stands in front of the command. */
  doctor(options?: {
    readonly wrap?: readonly string[];
    readonly file?: boolean;
    readonly words?: readonly string[];
  }): Promise<{
    readonly checkup: Checkup;
    readonly status: number | undefined;
  }>;
  close(): Promise<void>;
}

export async function openBed(): Promise<Bed> {
  const namespaces = await openNamespaces();
  const folder = mkdtempSync(join(tmpdir(), "cwdoctor-"));
  const daemons: Running[] = [];
  const socketOf = (end: End): string => join(folder, `${end}.sock`);
  const fileOf = (end: End): string => join(folder, `${end}.yaml`);
  for (const place of ["left", "middle", "right"]) await namespaces.add(place);
  for (const end of ["left", "right"] as const) {
    const { outer, gateway, inner } = SITES[end];
    await namespaces.link({ ns: end, dev: "wan" }, { ns: "middle", dev: end });
    await namespaces.ip("middle", `addr add ${gateway}/24 dev ${end}\n`);
    await namespaces.ip(
      end,
      `addr add ${outer}/24 dev wan\naddr add ${inner}/16 dev lo\nroute add default via ${gateway}\n`,
    );
  }
  const bed: Bed = {
    namespaces,
    configure(end, lines) {
      writeFileSync(fileOf(end), configuration(end, socketOf(end), lines, {}), { mode: 0o600 });
      return fileOf(end);
    },
    async launch(lines, local = {}) {
      for (const end of ["left", "right"] as const) {
        writeFileSync(fileOf(end), configuration(end, socketOf(end), lines, local), { mode: 0o600 });
        daemons.push(start(namespaces.inside(end, process.execPath, MAIN, "run", "-c", fileOf(end)), { seconds: 120 }));
      }
    },
    established: (end = "left") =>
      until(`${end} to be established`, 60, async () => {
        const tunnel = (await fetchStatus(socketOf(end)).catch(() => undefined))?.tunnels[0];
        return tunnel?.state === "established" ? tunnel : undefined;
      }).catch((error: Error) => {
        throw new Error(`${error.message}\n${daemons.map((daemon) => daemon.output().slice(-2000)).join("\n")}`);
      }),
    refused: (words) =>
      until("the left tunnel to say why it is not up", 60, async () => {
        const tunnel = (await fetchStatus(socketOf("left")).catch(() => undefined))?.tunnels[0];
        const said = `${tunnel?.reason}${tunnel?.children.map(({ reason }) => reason).join("")}`;
        return tunnel !== undefined && tunnel.state !== "established" && words.test(said) ? true : undefined;
      }).then(() => undefined),
    async halt() {
      await Promise.all(daemons.splice(0).map((daemon) => daemon.stop()));
    },
    sh: (place, line) => must(namespaces.inside(place, "sh", "-ec", line), { seconds: 20 }),
    async doctor({ wrap = [], file = false, words = [] } = {}) {
      const where = file ? ["-c", fileOf("left")] : ["--socket", socketOf("left")];
      const argv = [...wrap, process.execPath, MAIN, "doctor", "--json", ...where, ...words];
      const { status, stdout, stderr } = await run(namespaces.inside("left", ...argv), { seconds: 40 });
      try {
        return { checkup: JSON.parse(stdout) as Checkup, status };
      } catch {
        throw new Error(`causeway doctor ended with ${status}:\n${stdout}${stderr}`);
      }
    },
    async close() {
      await bed.halt();
      await namespaces.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return bed;
}

function configuration(end: End, socket: string, lines: string, local: Partial<Record<End, string>>): string {
  const other = end === "left" ? "right" : "left";
  return `version: 1
gateway:
  name: ${end}
  address: ${SITES[end].outer}
  control: { socket: ${socket} }
  log: { format: text, level: debug }
tunnels:
  - name: site
    peer: ${SITES[other].outer}
    psk: "Zq8-a key that no log may ever show"
    start: ${end === "left" ? "active" : "passive"}
    policies:
      - { local: [${local[end] ?? SITES[end].network}], peer: [${end === "left" ? SITES.right.network : SITES.left.network}] }
${lines}`;
}
