/**
 * `npm run scale`: one gateway with many tunnels to ten others, each in a network namespace of its own. Prints how long it takes until
 * every tunnel is established, what the gateway holds resident then, and how long `status` takes; ends with status 1 beyond the bounds.
 *
 *     npm run scale -- [--tunnels 1000] [--peers 10]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fetchStatus } from "../../src/cli/client.js";
import { type Running, start, until } from "../child.js";
import { MAIN } from "../daemon/gateways.js";
import { type Namespaces, openNamespaces } from "../netns.js";

/** What the project promises on two cores. */
const BOUNDS = { seconds: 60, mebibytes: 500, statusMilliseconds: 200 };
const STATUS_LOOKS = 15;

const networkOf = (tunnel: number) => `10.${tunnel >> 8}.${tunnel & 255}.0/24`;
const HUB_NETWORK = "172.16.0.0/16";
const LIMITS = "limits: { tunnels: 10000, mappings: 10000, half_open: 10000, half_open_per_address: 10000 }";

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { tunnels: { type: "string", default: "1000" }, peers: { type: "string", default: "10" } },
  });
  const [tunnels, peers] = [Number(values.tunnels), Number(values.peers)];
  const folder = mkdtempSync(join(tmpdir(), "cwsc-"));
  const namespaces = await openNamespaces("causeway-scale");
  const daemons: Running[] = [];
  try {
    await connect(namespaces, peers);
    for (let peer = 0; peer < peers; peer++) {
      const file = join(folder, `peer${peer}.yaml`);
      writeFileSync(file, peerFile(folder, peer, tunnels, peers), { mode: 0o600 });
      daemons.push(launch(namespaces, `peer${peer}`, file));
    }
    for (let peer = 0; peer < peers; peer++)
      await until(`peer ${peer} to answer`, 120, () =>
        fetchStatus(socketOf(folder, `peer${peer}`)).catch(() => undefined),
      );
    const file = join(folder, "hub.yaml");
    writeFileSync(file, hubFile(folder, tunnels, peers), { mode: 0o600 });
    return await measure(namespaces, folder, file, tunnels, daemons);
  } finally {
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    await namespaces.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  namespaces: Namespaces,
  folder: string,
  file: string,
  tunnels: number,
  daemons: Running[],
): Promise<number> {
  const begin = performance.now();
  const hub = launch(namespaces, "hub", file);
  daemons.push(hub);
  const socket = socketOf(folder, "hub");
  await until(`${tunnels} tunnels to be established`, 300, async () => {
    const status = await fetchStatus(socket).catch(() => undefined);
    const up = status?.tunnels.filter(({ state }) => state === "established").length ?? 0;
    if (up === tunnels) return true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${hub.output().slice(-3000)}`);
  });
  const seconds = (performance.now() - begin) / 1000;
  const times: number[] = [];
  for (let i = 0; i < STATUS_LOOKS; i++) {
    const asked = performance.now();
    await fetchStatus(socket);
    times.push(performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  times.sort((a, b) => a - b);
  const statusMilliseconds = times[Math.floor(times.length / 2)]!;
  const mebibytes = residentOf(file);
  const lines: readonly (readonly [what: string, value: number, bound: number, unit: string])[] = [
    ["start to all established", seconds, BOUNDS.seconds, "s"],
    ["resident", mebibytes, BOUNDS.mebibytes, "MiB"],
    ["status, the median of 15", statusMilliseconds, BOUNDS.statusMilliseconds, "ms"],
  ];
  console.log(`${tunnels} tunnels`);
  for (const [what, value, bound, unit] of lines)
    console.log(`  ${what}: ${value.toFixed(1)} ${unit} (bound ${bound} ${unit})`);
  console.log(`  status: ${times[0]!.toFixed(1)} to ${times.at(-1)!.toFixed(1)} ms`);
  return lines.every(([, value, bound]) => value <= bound) ? 0 : 1;
}

/** VmRSS of the daemon on this file, which the wrappers around it are not. */
function residentOf(file: string): number {
  for (const pid of readdirNumbers()) {
    let words: readonly string[];
    try {
      words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    } catch {
      continue;
    }
    if (words[0] !== process.execPath || !words.includes(file)) continue;
    const [, kibibytes = "0"] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kibibytes) / 1024;
  }
  throw new Error("the gateway is not running any more");
}

function readdirNumbers(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

async function connect(namespaces: Namespaces, peers: number): Promise<void> {
  await namespaces.add("middle");
  await namespaces.ip("middle", "link add bridge type bridge\nlink set bridge up\n");
  const sites = ["hub", ...Array.from({ length: peers }, (_, peer) => `peer${peer}`)];
  for (const [i, site] of sites.entries()) {
    await namespaces.add(site);
    await namespaces.link({ ns: site, dev: "wan" }, { ns: "middle", dev: `to${i}` });
    await namespaces.ip("middle", `link set to${i} master bridge\n`);
    await namespaces.ip(site, `addr add 192.0.2.${i + 1}/24 dev wan\n`);
  }
}

function launch(namespaces: Namespaces, site: string, file: string): Running {
  return start(namespaces.inside(site, process.execPath, MAIN, "run", "-c", file), { seconds: 600 });
}

function socketOf(folder: string, site: string): string {
  return join(folder, `${site}.sock`);
}

function head(folder: string, site: string, address: string): string {
  return `version: 1
gateway:
  name: ${site}
  address: ${address}
  control: { socket: ${socketOf(folder, site)} }
  log: { level: warn, format: text }
  ${LIMITS}
defaults:
  psk: "many tunnels, and one key for all of them"
`;
}

function hubFile(folder: string, tunnels: number, peers: number): string {
  const blocks = Array.from({ length: tunnels }, (_, i) =>
    [
      `  - name: t${i}`,
      `    peer: 192.0.2.${(i % peers) + 2}`,
      `    local_id: hub${i}.example`,
      `    peer_id: peer${i}.example`,
      `    policies: [{ local: [${HUB_NETWORK}], peer: [${networkOf(i)}] }]`,
    ].join("\n"),
  );
  return `${head(folder, "hub", "192.0.2.1")}tunnels:\n${blocks.join("\n")}\n`;
}

function peerFile(folder: string, peer: number, tunnels: number, peers: number): string {
  const blocks = Array.from({ length: tunnels }, (_, i) => i)
    .filter((i) => i % peers === peer)
    .map((i) =>
      [
        `  - name: t${i}`,
        "    peer: 192.0.2.1",
        "    start: passive",
        `    local_id: peer${i}.example`,
        `    peer_id: hub${i}.example`,
        `    policies: [{ local: [${networkOf(i)}], peer: [${HUB_NETWORK}] }]`,
      ].join("\n"),
    );
  return `${head(folder, `peer${peer}`, `192.0.2.${peer + 2}`)}tunnels:\n${blocks.join("\n")}\n`;
}
