/** Our gateway in a scenario: its configuration file, its process, and its commands. */
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { act, fetchStatus } from "../../src/cli/client.js";
import { type Finished, type Running, run, start, until } from "../child.js";
import type { BatchTunnel } from "./batch.js";
import { partsOf } from "./grid.js";
import { identity, namesGroup, PSK, renewalAfter, type Scenario } from "./scenario.js";
import type { Side, SideView } from "./side.js";
import { NAMESPACE, type Topology } from "./topology.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const TUNNEL = "site";
const LOG = { level: "debug", format: "json" } as const;

/** The parts of `status --json` that the scenarios look at. */
interface Status {
  readonly gateway: { readonly drops: Readonly<Record<string, number>> };
  readonly tunnels: readonly {
    readonly name: string;
    readonly state: string;
    readonly reason: string;
    readonly ike: null | { readonly spi_i: string; readonly spi_r: string; readonly proposal: string };
    readonly children: readonly {
      readonly state: string;
      readonly proposal?: string | null;
      readonly spi_in?: string | number | null;
      readonly spi_out?: string | number | null;
      readonly encapsulation?: "esp" | "udp" | null;
    }[];
    readonly counters: { readonly drops: Readonly<Record<string, number>> };
  }[];
}

export interface OurGateway extends Side {
  /** State and reason of the tunnel in the words of `status`. */
  state(): Promise<{ readonly state: string; readonly reason: string }>;
  /** Runs a configuration that somebody else wrote, of one tunnel; its name and its control socket become the test's. */
  loadText(text: string): Promise<void>;
  /** As `load`, with a tunnel for each. */
  loadBatch(tunnels: readonly BatchTunnel[]): Promise<void>;
  /** Begins with these entries of `tunnels`, whatever they are, and returns the path of the control socket. */
  loadTunnels(tunnels: readonly unknown[]): Promise<string>;
  rekeyBatch(tunnels: readonly BatchTunnel[], what: "child" | "ike"): Promise<void>;
  /** In the order of `tunnels`; `proposals` as `status` words them, "aes128-sha256-modp2048 and aes128-sha1". */
  batchViews(
    tunnels: readonly BatchTunnel[],
  ): Promise<readonly { readonly view: SideView; readonly proposals: string }[]>;
}

/** How our program runs. The folder with its configuration and its control socket has the same path for it and for the test. */
export interface Installation {
  /** The command line of the daemon with the configuration `file`. */
  run(file: string): readonly string[];
  /** The command line of another command. */
  command(...words: string[]): readonly string[];
  /** The user and group that it runs as, where that is not the test's. */
  readonly owner?: number;
}

/** As it stands in this checkout, in the namespace of our side. */
export function checkout(topology: Topology): Installation {
  const inside = (...words: string[]): string[] =>
    topology.namespaces.inside(NAMESPACE.ours, process.execPath, MAIN, ...words);
  return { run: (file) => inside("run", "-c", file), command: inside };
}

export function ourGateway(topology: Topology, folder: string, installation = checkout(topology)): OurGateway {
  const inside = (...argv: string[]): string[] => topology.namespaces.inside(NAMESPACE.ours, ...argv);
  const socket = join(folder, "control.sock");
  let daemon: Running | undefined;
  let output = (): string => "";
  let before = "";

  const command = async (...words: string[]): Promise<string> => {
    const [verb = "", ...rest] = words;
    const done = await run(installation.command(verb, ...rest, "--socket", socket), { seconds: 40 });
    if (done.status !== 0)
      throw new Error(`causeway ${words.join(" ")}: status ${done.status}\n${done.stdout}${done.stderr}`);
    return done.stdout;
  };
  /** By the control socket itself: a command for each look would cost more than what is looked at. */
  const status = async (): Promise<Status> => await fetchStatus(socket);
  const tunnel = async (): Promise<Status["tunnels"][number]> => {
    const found = (await status()).tunnels.find(({ name }) => name === TUNNEL);
    if (!found) throw new Error(`status lists no tunnel ${TUNNEL}`);
    return found;
  };
  const begin = async (document: unknown): Promise<void> => {
    const file = join(folder, "gateway.yaml");
    const key = join(folder, "site.psk");
    await mkdir(folder, { recursive: true });
    await writeFile(key, `${PSK}\n`, { mode: 0o600 });
    await writeFile(file, stringify(document));
    const { owner } = installation;
    if (owner !== undefined) for (const path of [folder, file, key]) await chown(path, owner, owner);
    before = await hostState(inside);
    output = () => "";
    await launch();
  };
  const launch = async (): Promise<void> => {
    const earlier = output();
    const started = start(installation.run(join(folder, "gateway.yaml")), {
      logFile: join(folder, "gateway.log"),
    });
    daemon = started;
    output = () => earlier + started.output();
    let early: Finished | undefined;
    started.ended.then((done) => (early = done)).catch(() => {});
    await until("causeway to answer on its control socket", 60, async () => {
      if (early) throw new Error(`causeway run ended with status ${early.status}:\n${early.stdout}${early.stderr}`);
      return status().catch(() => undefined);
    });
  };

  return {
    load: (scenario) => begin(configuration(topology, scenario, socket)),
    async loadText(text) {
      const document = parse(text) as { readonly gateway?: object; readonly tunnels: readonly object[] };
      const tunnels = document.tunnels.map((tunnel) => ({ ...tunnel, name: TUNNEL }));
      await begin({
        ...document,
        tunnels,
        gateway: { name: "near", log: LOG, ...document.gateway, control: { socket } },
      });
    },
    loadBatch: (batch) => begin(batchConfiguration(topology, batch, socket)),
    async loadTunnels(tunnels) {
      await begin({
        version: 1,
        gateway: {
          name: "near",
          address: topology.addresses.ours.outer[4],
          control: { socket },
          log: { level: "debug", format: "json" },
        },
        tunnels,
      });
      return socket;
    },
    async rekeyBatch(batch, what) {
      await Promise.all(batch.map(({ name }) => act(socket, name, "rekey", { ike: what === "ike" })));
    },
    async batchViews(batch) {
      const all = new Map((await status()).tunnels.map((each) => [each.name, each]));
      return batch.map(({ name }) => {
        const found = all.get(name)!;
        return { view: viewOf(found), proposals: proposalsOf(found) };
      });
    },
    async unload() {
      if (!daemon) return;
      const begun = performance.now();
      const done = await daemon.stop();
      daemon = undefined;
      const seconds = (performance.now() - begun) / 1000;
      if (done.status !== 0) throw new Error(`causeway ended with status ${done.status} on SIGTERM`);
      if (seconds > 5) throw new Error(`causeway took ${seconds.toFixed(1)} s to end on SIGTERM`);
      const after = await hostState(inside);
      if (after !== before) throw new Error(`causeway left something behind.\nbefore:\n${before}\nafter:\n${after}`);
    },
    initiate: async () => void (await command("up", TUNNEL)),
    rekey: async (what) => void (await command("rekey", TUNNEL, ...(what === "ike" ? ["--ike"] : []))),
    terminate: async () => void (await command("down", TUNNEL)),
    async restart() {
      await topology.namespaces.killAll(NAMESPACE.ours);
      await daemon?.ended;
      await launch();
    },
    view: async () => viewOf(await tunnel()),
    state: async () => {
      const { state, reason } = await tunnel();
      return { state, reason };
    },
    log: async () => output(),
    async drops() {
      const { gateway, tunnels } = await status();
      const all = [gateway.drops, ...tunnels.map(({ counters }) => counters.drops)].flatMap(Object.entries);
      return new Map(all.filter(([, count]) => count > 0));
    },
  };
}

/** gateway.yaml of a scenario, as the value that is written. */
export function configuration(topology: Topology, scenario: Scenario, socket: string) {
  const { outer = 4 } = scenario;
  const { ours, peer } = topology.addresses;
  const passive = scenario.role === "responder";
  return {
    version: 1,
    gateway: {
      name: "near",
      address: ours.outer[outer],
      control: { socket },
      log: LOG,
      ...scenario.ourGateway,
    },
    tunnels: [
      {
        name: TUNNEL,
        peer: scenario.behindNat === "peer" ? "any" : peer.outer[outer],
        local_id: identity(scenario, "ours", ours),
        peer_id: identity(scenario, "peer", peer),
        psk: { file: join(socket, "..", "site.psk") },
        start: passive ? "passive" : "active",
        close: passive ? "none" : "restart",
        policies: policiesOf(topology, scenario),
        ike: {
          proposals: [scenario.ike],
          ...(scenario.version && { version: scenario.version }),
          ...(scenario.exchange && { exchange: scenario.exchange }),
          ...(scenario.lifetimes && lifetime(scenario, scenario.lifetimes.ike)),
          ...(scenario.ours?.ike as object | undefined),
        },
        esp: {
          proposals: [scenario.esp],
          ...(namesGroup(scenario.esp) ? {} : { pfs: "off" }),
          ...(scenario.lifetimes && lifetime(scenario, scenario.lifetimes.esp)),
          ...(scenario.ours?.esp as object | undefined),
        },
        ...Object.fromEntries(Object.entries(scenario.ours ?? {}).filter(([key]) => key !== "esp" && key !== "ike")),
      },
    ],
  };
}

function policiesOf({ addresses: { ours, peer } }: Topology, { grid, mappings, inner = 4 }: Scenario) {
  if (grid) {
    const nets = (who: "ours" | "peer") => partsOf(grid, who).map(({ net }) => net);
    return [{ local: nets("ours"), peer: nets("peer") }];
  }
  if (mappings === undefined) return [{ local: [ours.net[inner]], peer: [peer.net[inner]] }];
  return peer.parts.slice(0, mappings).map(({ net }, k) => ({ local: [ours.parts[k]!.net], peer: [net] }));
}

function lifetime(scenario: Scenario, seconds: number): { readonly lifetime: number; readonly rekey_margin: number } {
  return { lifetime: seconds, rekey_margin: seconds - renewalAfter(scenario, "ours", seconds) };
}

/** The same with a tunnel for each of a batch. */
function batchConfiguration(topology: Topology, batch: readonly BatchTunnel[], socket: string): unknown {
  const { tunnels: _, ...common } = configuration(topology, batch[0]!.scenario, socket);
  const tunnels = batch.flatMap(({ name, scenario, id, net }) =>
    configuration(topology, scenario, socket).tunnels.map((tunnel) => ({
      ...tunnel,
      name,
      local_id: id.ours,
      peer_id: id.peer,
      policies: [{ local: [net.ours], peer: [net.peer] }],
    })),
  );
  return { ...common, tunnels };
}

function proposalsOf({ ike, children: [child] }: Status["tunnels"][number]): string {
  return `${ike?.proposal} and ${child?.proposal?.replace(/-esn$/, "")}`;
}

function viewOf(tunnel: Status["tunnels"][number]): SideView {
  const children = tunnel.children
    .filter(({ spi_in, spi_out }) => spi_in != null && spi_out != null)
    .map((child) => ({
      spiIn: spi(child.spi_in),
      spiOut: spi(child.spi_out),
      encapsulation: child.encapsulation ?? "esp",
    }));
  if (tunnel.ike === null) return { children };
  return { ike: `${tunnel.ike.spi_i}_${tunnel.ike.spi_r}`, children };
}

function spi(value: string | number | null | undefined): string {
  return typeof value === "number" ? value.toString(16).padStart(8, "0") : String(value).replace(/^0x/, "");
}

/** Devices, routes (but for those of the kernel's own addresses), rules and sockets in our namespace: what has to be the same after the daemon as before it. */
async function hostState(inside: (...argv: string[]) => string[]): Promise<string> {
  const script = `ip -br link; for f in -4 -6; do ip $f route show table all | grep -v -e 'table local' -e fe80 -e multicast -e 'proto kernel'; ip $f rule; done
    nft list ruleset 2>/dev/null; cat /proc/net/udp /proc/net/udp6 /proc/net/raw /proc/net/raw6 | sed -n '/:/s/ *[0-9]*: \\([^ ]*\\).*/\\1/p'; true`;
  const done = await run(inside("sh", "-c", script), { seconds: 20 });
  return done.stdout;
}
