/**
 * Two daemons with a tunnel between them, each in a network namespace, and a bridge between the two that a test can take apart:
 *
 *     10.1.0.1 left 192.0.2.1 --- bridge in "middle" --- 192.0.2.2 right 10.2.0.1
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchStatus } from "../../src/cli/client.js";
import type { StatusReport, TunnelStatus } from "../../src/control/status-model.js";
import { type Finished, must, type Running, run, start, until } from "../child.js";
import type { Namespaces } from "../netns.js";

export const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");

/** Why such tests cannot run here; false: they can. */
export const SKIP = process.getuid?.() === 0 ? false : "needs root, for network namespaces";

export interface Site {
  readonly name: "left" | "right";
  readonly outer: string;
  readonly inner: string;
  readonly network: string;
}
export const LEFT: Site = { name: "left", outer: "192.0.2.1", inner: "10.1.0.1", network: "10.1.0.0/16" };
export const RIGHT: Site = { name: "right", outer: "192.0.2.2", inner: "10.2.0.1", network: "10.2.0.0/16" };
export const BOTH = [LEFT, RIGHT] as const;
export const otherOf = (site: Site): Site => (site === LEFT ? RIGHT : LEFT);

export interface Gateways {
  /** For `Namespaces`: "left", "middle" or "right" of these gateways. */
  place(name: string): string;
  inside(name: string, ...argv: string[]): string[];
  /** Of files that go with the gateways. */
  readonly folder: string;
  configurationOf(site: Site): string;
  socketOf(site: Site): string;
  /** Starts `causeway run`, for at most `seconds`. */
  launch(site: Site, seconds?: number): Running;
  daemon(site: Site): Running;
  /** Undefined: nobody answers. */
  status(site: Site): Promise<StatusReport | undefined>;
  /** Waits for the first tunnel to be established; throws with the end of the log. */
  established(site: Site, seconds?: number): Promise<TunnelStatus>;
  /** The end of its log. */
  tail(site: Site): string;
  /** A command of `causeway` to its end; throws unless it ends with status 0. */
  command(site: Site, ...words: string[]): Promise<string>;
  /** `count` echo requests from one inner address to the other. */
  ping(from: Site, count?: number): Promise<Finished>;
  /** SIGKILL for whatever runs at the site: the wrappers around the daemon run outside of the namespace. */
  kill(site: Site): Promise<void>;
  /** SIGTERM. */
  stop(site: Site): Promise<Finished>;
  /** Nothing passes between the two any more, and nobody is told. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Builds the network and writes the configurations; starts nothing. `tag` tells several pairs of one test apart; `yaml` gives
 * everything of a tunnel but name, peer, policies and key, or further tunnels, as lines that follow.
 */
export async function openGateways(
  namespaces: Namespaces,
  { tag = "", head = "", yaml }: { readonly tag?: string; readonly head?: string; yaml(site: Site): string },
): Promise<Gateways> {
  const folder = mkdtempSync(join(tmpdir(), "cwdm-"));
  const daemons = new Map<Site, Running>();
  const place = (name: string): string => `${tag}${name}`;
  const inside = (name: string, ...argv: string[]): string[] => namespaces.inside(place(name), ...argv);
  const configurationOf = ({ name }: Site): string => join(folder, `${name}.yaml`);
  const socketOf = ({ name }: Site): string => join(folder, `${name}.sock`);

  for (const name of ["left", "middle", "right"]) await namespaces.add(place(name));
  await namespaces.ip(place("middle"), "link add bridge type bridge\nlink set bridge up\n");
  for (const here of BOTH) {
    const { name, outer, inner } = here;
    await namespaces.link({ ns: place(name), dev: "wan" }, { ns: place("middle"), dev: name });
    await namespaces.ip(place("middle"), `link set ${name} master bridge\n`);
    await namespaces.ip(place(name), `addr add ${outer}/24 dev wan\naddr add ${inner}/16 dev lo\n`);
    const text = configuration(here, socketOf(here), head, yaml(here));
    writeFileSync(configurationOf(here), text, { mode: 0o600 });
  }

  const gateways: Gateways = {
    place,
    inside,
    folder,
    configurationOf,
    socketOf,
    launch(site, seconds = 180) {
      const argv = inside(site.name, process.execPath, MAIN, "run", "-c", configurationOf(site));
      const daemon = start(argv, { seconds });
      daemons.set(site, daemon);
      return daemon;
    },
    daemon(site) {
      const daemon = daemons.get(site);
      if (daemon === undefined) throw new Error(`the ${site.name} gateway was not started`);
      return daemon;
    },
    status: (site) => fetchStatus(socketOf(site)).catch(() => undefined),
    established: (site, seconds = 60) =>
      until(`${site.name} to be established`, seconds, async () => {
        const tunnel = (await gateways.status(site))?.tunnels[0];
        return tunnel?.state === "established" ? tunnel : undefined;
      }).catch((error: Error) => {
        throw new Error(`${error.message}\n${gateways.tail(site)}`);
      }),
    tail: (site) => daemons.get(site)?.output().slice(-4000) ?? "",
    command: (site, ...words) => must(inside(site.name, process.execPath, MAIN, ...words, "--socket", socketOf(site))),
    ping(from, count = 3) {
      // ping gives up one interval after its last request once anything has come back, and 10 s after it before: busy machines are slow.
      const words = ["ping", "-c", String(count), "-i", "0.4", "-W", "10", "-I", from.inner, otherOf(from).inner];
      return run(inside(from.name, ...words));
    },
    async kill(site) {
      await namespaces.killAll(place(site.name));
      await gateways.daemon(site).ended;
    },
    stop(site) {
      const ended = gateways.daemon(site).stop();
      daemons.delete(site);
      return ended;
    },
    cut: () => namespaces.ip(place("middle"), "link set right nomaster\n"),
    mend: () => namespaces.ip(place("middle"), "link set right master bridge\n"),
    async close() {
      for (const daemon of daemons.values()) await daemon.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return gateways;
}

/** A key that must show in no log. */
export const PSK = "Zq8-a key that no log may ever show";

function configuration(here: Site, socket: string, head: string, rest: string): string {
  const there = otherOf(here);
  return `version: 1
gateway:
  name: ${here.name}
  address: ${here.outer}
  control: { socket: ${socket} }
  log: { format: text, level: debug }
${head}
tunnels:
  - name: site
    peer: ${there.outer}
    psk: "${PSK}"
    policies:
      - { local: [${here.network}], peer: [${there.network}] }
${rest}`;
}
