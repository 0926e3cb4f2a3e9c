/** `bypass` and `drop` with a real kernel: what travels in clear beside the tunnel, what does not travel, and what is counted. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, openGateways, otherOf, RIGHT, type Site, SKIP } from "./gateways.js";

/** On both sides a bypass, on the left one alone a bypass and a drop; through the tunnel the rest. */
const PORTS = { clear: 7000, leftClear: 7001, leftDrop: 7002, tunnel: 7003 } as const;

let namespaces: Namespaces;
let pair: Gateways;
const echoes: Running[] = [];

const ECHO = `const net = require("node:net"); const [host, ...ports] = process.argv.slice(1);
for (const port of ports) net.createServer((s) => s.on("error", () => {}).end("here")).listen(Number(port), host, () => console.log("listening"));`;
const CALL = `const net = require("node:net"); const [local, host, port] = process.argv.slice(1);
const s = net.connect({ localAddress: local, host, port: Number(port) }); let text = "";
s.setTimeout(2500, () => { console.log("silence"); process.exit(); });
s.on("data", (d) => text += d).on("close", () => { console.log(text); process.exit(); }).on("error", (e) => { console.log(e.code); process.exit(); });`;

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  const port = (number: number, key: "local_ports" | "peer_ports"): string => `{ protocol: tcp, ${key}: ${number} }`;
  pair = await openGateways(namespaces, {
    yaml: (site) => `    start: ${site === LEFT ? "active" : "passive"}
    bypass: [${[
      port(PORTS.clear, "peer_ports"),
      port(PORTS.clear, "local_ports"),
      ...(site === LEFT ? [port(PORTS.leftClear, "peer_ports"), port(PORTS.leftClear, "local_ports")] : []),
    ].join(", ")}]
    drop: [${site === LEFT ? `${port(PORTS.leftDrop, "peer_ports")}, ${port(PORTS.leftDrop, "local_ports")}` : ""}]
`,
  });
  for (const site of BOTH) {
    const there = otherOf(site);
    // The way that a bypass takes, and one that nothing else may take. A strict filter of reverse paths does not mind.
    await namespaces.ip(pair.place(site.name), `route add ${there.network} via ${there.outer} src ${site.inner}\n`);
    await must(
      pair.inside(site.name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.wan.rp_filter=1"),
    );
    const counter = "add table ip seen\nadd chain ip seen wire { type filter hook prerouting priority -300; }\n";
    const rule = `add rule ip seen wire iifname wan ip saddr ${there.network} counter\n`;
    await must(pair.inside(site.name, "nft", "-f", "-"), { input: counter + rule });
    const ports = Object.values(PORTS).map(String);
    const echo = start(pair.inside(site.name, process.execPath, "-e", ECHO, site.inner, ...ports), { seconds: 170 });
    echoes.push(echo);
    await until("the echo servers to listen", 30, async () => echo.output().split("listening").length > 4 || undefined);
  }
  for (const site of BOTH) pair.launch(site);
  for (const site of BOTH) await pair.established(site, 60);
});

after(async () => {
  await Promise.all(echoes.map((echo) => echo.stop()));
  await pair?.close();
  await namespaces?.close();
});

/** What a TCP server on the other side answers: "here", "silence" or an error. */
async function call(from: Site, port: number): Promise<string> {
  const words = pair.inside(from.name, process.execPath, "-e", CALL, from.inner, otherOf(from).inner, String(port));
  return (await run(words, { seconds: 15 })).stdout.trim();
}

/** Packets from the peer's range that came in clear on the wire. */
async function inClear(site: Site): Promise<number> {
  const listed = await must(pair.inside(site.name, "nft", "list", "chain", "ip", "seen", "wire"));
  return Number(/counter packets (\d+)/.exec(listed)![1]);
}

async function counters(site: Site): Promise<Readonly<Record<string, number>>> {
  const { counters } = (await pair.status(site))!.tunnels[0]!;
  return { sealed: counters.packets_out, ...counters.drops };
}

test("what no exception names goes through the tunnel, and nothing of it in clear", { skip: SKIP }, async () => {
  for (const site of BOTH) assert.equal(await call(site, PORTS.tunnel), "here");
  for (const site of BOTH) assert.equal(await inClear(site), 0);
});

test("what both sides bypass travels in clear, and nothing of it in the tunnel", { skip: SKIP }, async () => {
  const before = await counters(LEFT);
  for (const site of BOTH) assert.equal(await call(site, PORTS.clear), "here");
  for (const site of BOTH) assert.ok((await inClear(site)) > 0);
  assert.deepEqual(await counters(LEFT), before);
});

test("what is dropped leaves neither way, nor comes in, and is counted in both directions", {
  skip: SKIP,
}, async () => {
  const before = await counters(LEFT);
  const clear = await inClear(RIGHT);
  assert.equal(await call(LEFT, PORTS.leftDrop), "silence");
  const out = (await counters(LEFT)).policyDrop ?? 0;
  assert.ok(out > (before.policyDrop ?? 0));
  assert.equal((await counters(LEFT)).sealed, before.sealed);
  assert.equal(await inClear(RIGHT), clear);
  // The right side has no such policy: its packets come in the tunnel.
  assert.equal(await call(RIGHT, PORTS.leftDrop), "silence");
  assert.ok(((await counters(LEFT)).policyDrop ?? 0) > out);
});

test("what the peer protects although it is to be bypassed here is not taken", { skip: SKIP }, async () => {
  const before = (await counters(LEFT)).policyBypass ?? 0;
  assert.equal(await call(RIGHT, PORTS.leftClear), "silence");
  assert.ok(((await counters(LEFT)).policyBypass ?? 0) > before);
  // And the right side takes no cleartext that it does not bypass.
  assert.equal(await call(LEFT, PORTS.leftClear), "silence");
});

test("a bypass without a way of its own does not fall back into the tunnel", { skip: SKIP }, async () => {
  await namespaces.ip(pair.place("left"), `route del ${RIGHT.network}\n`);
  const before = await counters(LEFT);
  assert.match(await call(LEFT, PORTS.clear), /ENETUNREACH|EHOSTUNREACH|silence/);
  assert.equal((await counters(LEFT)).sealed, before.sealed);
});

test("both daemons end and leave no rule of it behind", { skip: SKIP }, async () => {
  for (const site of BOTH) {
    const ended = await pair.stop(site);
    assert.equal(ended.status, 0, ended.stdout + ended.stderr);
    assert.doesNotMatch(await must(pair.inside(site.name, "nft", "list", "ruleset")), /causeway/);
  }
});
