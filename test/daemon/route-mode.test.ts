import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { StatusReport } from "../../src/control/status-model.js";
import type { ReloadPlan } from "../../src/reload/plan-model.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, MAIN, openGateways, otherOf, PSK, type Site, SKIP } from "./gateways.js";
import type { FlowResult } from "./numbered-flows-program.js";

const FLOWS = fileURLToPath(new URL("./numbered-flows-program.js", import.meta.url));
const TRANSFER = fileURLToPath(new URL("../dataplane/transfer-program.js", import.meta.url));

let namespaces: Namespaces;
let pair: Gateways;

/** What a site has behind it, by the tunnel that leads there. */
const inner = ({ name }: Site) => {
  const digit = name === "left" ? 1 : 2;
  return {
    red: `10.${digit}.0.1`,
    red6: `fd00:${digit}::1`,
    blue: `172.20.${digit}.1`,
    blue6: `fd01:${digit}::1`,
    green: `172.30.${digit}.1`,
    host: digit,
  };
};

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  pair = await openGateways(namespaces, { yaml: () => "" });
  for (const site of BOTH) {
    const { red6, blue, blue6, green } = inner(site);
    await namespaces.ip(
      pair.place(site.name),
      `addr add ${red6}/128 dev lo\naddr add ${blue}/32 dev lo\naddr add ${blue6}/128 dev lo\naddr add ${green}/32 dev lo\n` +
        // What everybody has: a way to everything, past which a tunnel to everything has to go.
        `route add default via 192.0.2.254\n`,
    );
    writeFileSync(pair.configurationOf(site), configuration(site), { mode: 0o600 });
    pair.launch(site, 300);
  }
  await allUp(2);
});

after(async () => {
  await pair?.close();
  await namespaces?.close();
});

/** `red` leads to everything, `blue` to two networks in a table of its own; further tunnels follow. */
function configuration(here: Site, further = "", workers = 1): string {
  const there = otherOf(here);
  const { host } = inner(here);
  const far = inner(there);
  return `version: 1
gateway:
  name: ${here.name}
  control: { socket: ${pair.socketOf(here)} }
  log: { format: text, level: debug }
  dataplane: { workers: ${workers} }
defaults:
  peer: ${there.outer}
  psk: "${PSK}"
  start: ${here === LEFT ? "active" : "passive"}
  esp: { pfs_check: false }
tunnels:
  - name: red
    local_id: red.${here.name}
    peer_id: red.${there.name}
    inner_address: [169.254.10.${host}/30, "fd99::${host}/64"]
    routes: [0.0.0.0/0, "fd00::/16"]
  - name: blue
    local_id: blue.${here.name}
    peer_id: blue.${there.name}
    routes: [${far.blue}/32, "${far.blue6}/128"]
    metric: 50
    table: { id: 77, from: [${inner(here).blue}/32, "${inner(here).blue6}/128"] }
${further}`;
}

const green = (here: Site) => `  - name: green
    local_id: green.${here.name}
    peer_id: green.${otherOf(here).name}
    tun: tun-green
    routes: [${inner(otherOf(here)).green}/32]
`;

function allUp(count: number): Promise<StatusReport> {
  return until(`${count} tunnels to be established`, 120, async () => {
    const states = await Promise.all(BOTH.map((site) => pair.status(site)));
    const done = states.every(
      (status) => status?.tunnels.length === count && status.tunnels.every(({ state }) => state === "established"),
    );
    return done ? states[0] : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${pair.tail(LEFT)}`);
  });
}

const inside = (site: Site, ...argv: string[]) => must(pair.inside(site.name, ...argv));
const packets = async (site: Site) =>
  new Map((await pair.status(site))!.tunnels.map(({ name, counters }) => [name, counters.packets_out]));

/** Echo requests, and which tunnels carried them. */
async function carriers(site: Site, source: string, target: string): Promise<readonly string[]> {
  const was = await packets(site);
  const { status, stdout } = await run(
    pair.inside(site.name, "ping", "-c", "3", "-i", "0.2", "-W", "10", "-I", source, target),
  );
  assert.equal(status, 0, stdout);
  return [...(await packets(site))].filter(([name, count]) => count >= was.get(name)! + 3).map(([name]) => name);
}

test("two tunnels to everything, each with its own device, carry what is routed into them, IPv4 and IPv6", {
  skip: SKIP,
}, async () => {
  for (const site of BOTH) {
    const [own, far] = [inner(site), inner(otherOf(site))];
    assert.deepEqual(await carriers(site, own.red, far.red), ["red"]);
    assert.deepEqual(await carriers(site, own.red6, far.red6), ["red"]);
    assert.deepEqual(await carriers(site, own.blue, far.blue), ["blue"]);
    assert.deepEqual(await carriers(site, own.blue6, far.blue6), ["blue"]);
    assert.deepEqual(await carriers(site, `169.254.10.${own.host}`, `169.254.10.${far.host}`), ["red"]);
  }
  const { tunnels } = (await pair.status(LEFT))!;
  assert.deepEqual(
    tunnels.map(({ name, tun, children }) => [name, tun, children.map(({ local, peer }) => `${local} ${peer}`)]),
    [
      ["red", "cw-red", ["0.0.0.0/0 0.0.0.0/0", "::/0 ::/0"]],
      ["blue", "cw-blue", ["0.0.0.0/0 0.0.0.0/0", "::/0 ::/0"]],
    ],
  );
});

test("with a route to everything in the tunnel the way to the peer is the one without it", { skip: SKIP }, async () => {
  const { outer } = otherOf(LEFT);
  const [marked] = JSON.parse(await inside(LEFT, "ip", "-json", "route", "get", outer)) as { dev: string }[];
  assert.equal(marked!.dev, "wan");
  assert.match(await inside(LEFT, "ip", "route", "get", "203.0.113.77"), /dev cw-red/);
  await inside(LEFT, "ping", "-c", "2", "-i", "0.2", "-W", "10", outer);
  const { counters } = (await pair.status(LEFT))!.tunnels[0]!;
  assert.equal(counters.drops.ownPeerAddress ?? 0, 0);
  // A way of the host's own to less than everything stays what it was.
  await namespaces.ip(pair.place("left"), "route add 198.51.100.0/24 via 192.0.2.253\n");
  assert.match(await inside(LEFT, "ip", "route", "get", "198.51.100.9"), /via 192\.0\.2\.253 dev wan/);
});

function flow(site: Site, go: string): Running {
  const words = [inner(site).red, inner(otherOf(site)).red, "1", "5007", "200", go, "10"];
  return start(pair.inside(site.name, process.execPath, FLOWS, ...words), { seconds: 60 });
}

test("a reload adds a tunnel and its device, and takes them away, and another tunnel loses no packet", {
  skip: SKIP,
}, async () => {
  const go = join(pair.folder, "go");
  const programs = BOTH.map((site) => flow(site, go));
  for (const program of programs)
    await until("the flow to be ready", 60, async () => /ready/.test(program.output()) || undefined);
  writeFileSync(`${go}.new`, String(Date.now() + 300));
  renameSync(`${go}.new`, go);
  for (const site of BOTH) {
    writeFileSync(pair.configurationOf(site), configuration(site, green(site)));
    const plan = JSON.parse(await pair.command(site, "plan", pair.configurationOf(site), "--json")) as ReloadPlan;
    assert.deepEqual(
      plan.tunnels.map(({ name, treatment }) => [name, treatment]),
      [
        ["red", "kept"],
        ["blue", "kept"],
        ["green", "added"],
      ],
    );
    await pair.command(site, "reload");
  }
  await allUp(3);
  // The flow may still go on in the other one.
  assert.ok((await carriers(LEFT, inner(LEFT).green, inner(otherOf(LEFT)).green)).includes("green"));
  for (const site of BOTH) {
    writeFileSync(pair.configurationOf(site), configuration(site));
    await pair.command(site, "reload");
    assert.doesNotMatch(await inside(site, "ip", "-o", "link"), /tun-green/);
    assert.doesNotMatch(await inside(site, "ip", "route", "show", "table", "all"), /tun-green/);
  }
  const results = await Promise.all(
    programs.map(
      async (program) => JSON.parse((await program.ended).stdout.trim().split("\n").at(-1)!)[0] as FlowResult,
    ),
  );
  for (const [i, { received }] of results.entries()) assert.equal(received, results[1 - i]!.sent);
  assert.ok(results[0]!.sent > 1_500);
});

test("a change of routes, of the table and of the device touches no SA, and a device that is in use changes nothing", {
  skip: SKIP,
}, async () => {
  const spis = async () =>
    (await pair.status(LEFT))!.tunnels.map(({ children }) => children.map(({ spi_in }) => spi_in));
  const before = await spis();
  const changed = configuration(LEFT)
    .replace("metric: 50", "metric: 60\n    tun: sky")
    .replace(", from: [", ", from: [172.21.0.0/16, ");
  writeFileSync(pair.configurationOf(LEFT), changed);
  assert.match(
    await pair.command(LEFT, "plan", pair.configurationOf(LEFT)),
    /tunnel blue changes; the SAs[\s\S]*tun: at once/,
  );
  await pair.command(LEFT, "reload");
  assert.match(await inside(LEFT, "ip", "route", "show", "table", "77"), /172\.20\.2\.1 dev sky .*metric 60/);
  assert.match(await inside(LEFT, "ip", "rule"), /from 172\.21\.0\.0\/16 fwmark .* lookup 77/);
  assert.deepEqual(await carriers(LEFT, inner(LEFT).blue, inner(otherOf(LEFT)).blue), ["blue"]);
  assert.deepEqual(await spis(), before);

  await inside(LEFT, "ip", "link", "add", "taken", "type", "bridge");
  const state = () =>
    inside(LEFT, "sh", "-c", "ip -o link; ip rule; ip route show table all; ip -6 route show table all");
  const standing = await state();
  writeFileSync(pair.configurationOf(LEFT), changed.replace("tun: sky", "tun: taken"));
  const refused = await run(pair.inside("left", process.execPath, MAIN, "reload", "--socket", pair.socketOf(LEFT)));
  assert.equal(refused.status, 1);
  assert.match(
    refused.stdout + refused.stderr,
    /"taken" exists and is no TUN device[\s\S]*tun of tunnel blue must differ/,
  );
  assert.equal(await state(), standing);
  await inside(LEFT, "ip", "link", "del", "taken");
  writeFileSync(pair.configurationOf(LEFT), configuration(LEFT));
  await pair.command(LEFT, "reload");
  assert.deepEqual(await carriers(LEFT, inner(LEFT).blue, inner(otherOf(LEFT)).blue), ["blue"]);
});

test("a large transfer through each of two tunnels at once arrives as it was sent", { skip: SKIP }, async () => {
  for (const site of BOTH) {
    writeFileSync(pair.configurationOf(site), configuration(site, green(site)));
    await pair.command(site, "reload");
  }
  await allUp(3);
  const listeners = (["red", "green"] as const).map((tunnel) =>
    start(pair.inside("right", process.execPath, TRANSFER, "receive", "tcp", inner(otherOf(LEFT))[tunnel], "5001")),
  );
  for (const listener of listeners)
    await until("the receiver to listen", 60, async () => /listening/.test(listener.output()) || undefined);
  const sent = await Promise.all(
    (["red", "green"] as const).map(async (tunnel) =>
      JSON.parse(
        await inside(LEFT, process.execPath, TRANSFER, "send", "tcp", inner(otherOf(LEFT))[tunnel], "5001", "30000000"),
      ),
    ),
  );
  for (const [i, listener] of listeners.entries()) {
    await until("the receiver to have it all", 60, async () => /sha256/.test(listener.output()) || undefined);
    assert.deepEqual(JSON.parse(listener.output().trim().split("\n")[1]!), sent[i]);
    await listener.stop();
  }
});

test("a device that somebody removes is made again, with its routes", { skip: SKIP }, async () => {
  await inside(LEFT, "ip", "link", "del", "cw-red");
  await until("the device to be there", 20, async () =>
    // Until then nothing leaves: there is no route.
    /dev cw-red/.test((await run(pair.inside("left", "ip", "route", "get", "203.0.113.77"))).stdout) ? true : undefined,
  );
  assert.deepEqual(await carriers(LEFT, inner(LEFT).red, inner(otherOf(LEFT)).red), ["red"]);
  assert.match(await inside(LEFT, "ip", "-o", "address", "show", "cw-red"), /169\.254\.10\.1\/30/);
});

test("with two workers, after a restart, every tunnel carries its packets", { skip: SKIP }, async () => {
  assert.equal((await pair.stop(LEFT)).status, 0);
  writeFileSync(pair.configurationOf(LEFT), configuration(LEFT, green(LEFT), 2));
  pair.launch(LEFT, 120);
  await allUp(3);
  const [own, far] = [inner(LEFT), inner(otherOf(LEFT))];
  for (const tunnel of ["red", "blue", "green"] as const)
    assert.deepEqual(await carriers(LEFT, own[tunnel], far[tunnel]), [tunnel]);
});

test("the end leaves nothing behind", { skip: SKIP }, async () => {
  for (const site of BOTH) {
    const { status, stdout, stderr } = await pair.stop(site);
    assert.equal(status, 0, stdout + stderr);
    const state = await inside(
      site,
      "sh",
      "-c",
      "ip -o link; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; nft list ruleset",
    );
    // The name of the namespace at a link's other end is the test's own.
    assert.doesNotMatch(
      state.replace(/link-netns \S+/g, ""),
      /cw-|tun-green|fwmark|lookup 77|causeway|unreachable|throw/,
    );
  }
});
