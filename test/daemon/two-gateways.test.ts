import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusReport } from "../../src/control/status-model.js";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const SKIP = process.getuid?.() === 0 ? false : "needs root, for network namespaces";

interface Gateway {
  readonly name: "left" | "right";
  readonly outer: string;
  readonly inner: string;
  readonly network: string;
}
const LEFT: Gateway = { name: "left", outer: "192.0.2.1", inner: "10.1.0.1", network: "10.1.0.0/16" };
const RIGHT: Gateway = { name: "right", outer: "192.0.2.2", inner: "10.2.0.1", network: "10.2.0.0/16" };

const folder = mkdtempSync(join(tmpdir(), "cwdm-"));
const socketOf = ({ name }: Gateway) => join(folder, `${name}.sock`);
let namespaces: Namespaces;
const daemons = new Map<string, Running>();
const untouched = new Map<string, string>();

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  for (const { name } of [LEFT, RIGHT]) await namespaces.add(name);
  await namespaces.link({ ns: "left", dev: "wan" }, { ns: "right", dev: "wan" });
  for (const [here, there] of [
    [LEFT, RIGHT],
    [RIGHT, LEFT],
  ] as const) {
    await namespaces.ip(here.name, `addr add ${here.outer}/24 dev wan\naddr add ${here.inner}/16 dev lo\n`);
    writeFileSync(join(folder, `${here.name}.yaml`), yaml(here, there));
    untouched.set(here.name, await hostState(here));
  }
});

after(async () => {
  for (const daemon of daemons.values()) await daemon.stop();
  if (!SKIP) await namespaces.close();
  rmSync(folder, { recursive: true });
});

function yaml(here: Gateway, there: Gateway): string {
  return `version: 1
gateway:
  name: ${here.name}
  address: ${here.outer}
  control: { socket: ${socketOf(here)} }
  log: { format: text }
tunnels:
  - name: site
    peer: ${there.outer}
    start: ${here === LEFT ? "active" : "passive"}
    psk: "a key that only this test knows"
    policies:
      - { local: [${here.network}], peer: [${there.network}] }
`;
}

/** Everything that the gateway may not leave behind. */
async function hostState({ name }: Gateway): Promise<string> {
  const parts = [
    "ip -o link",
    "ip rule",
    "ip -6 rule",
    "ip route show table all",
    "ip -6 route show table all",
    "nft list ruleset",
  ];
  const texts: string[] = [];
  for (const words of parts) texts.push(await must(namespaces.inside(name, ...words.split(" "))));
  return texts.join("\n");
}

function launch(gateway: Gateway): Running {
  const file = join(folder, `${gateway.name}.yaml`);
  const daemon = start(namespaces.inside(gateway.name, process.execPath, MAIN, "run", "-c", file), { seconds: 120 });
  daemons.set(gateway.name, daemon);
  return daemon;
}

function status(gateway: Gateway): Promise<StatusReport | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: socketOf(gateway), path: "/v1/status", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve(JSON.parse(text) as StatusReport));
    });
    asked.on("error", () => resolve(undefined));
    asked.end();
  });
}

function establishedAt(gateway: Gateway): Promise<StatusReport> {
  return until(`${gateway.name} to be established\n${daemons.get(gateway.name)?.output()}`, 20, async () => {
    const now = await status(gateway);
    return now?.tunnels[0]?.state === "established" ? now : undefined;
  });
}

async function ping(from: Gateway, to: Gateway): Promise<number> {
  // ping gives up one interval after its last request once anything has come back: on a busy machine that must not be short.
  const argv = namespaces.inside(from.name, "ping", "-c", "3", "-i", "0.4", "-W", "2", to.inner);
  return (await run(argv)).status ?? 1;
}

test("two daemons bring up a tunnel, and packets pass in both directions", { skip: SKIP }, async () => {
  launch(LEFT);
  launch(RIGHT);
  await establishedAt(LEFT);
  await establishedAt(RIGHT);
  assert.equal(await ping(LEFT, RIGHT), 0);
  assert.equal(await ping(RIGHT, LEFT), 0);
  const tunnel = (await status(LEFT))!.tunnels[0]!;
  assert.ok(tunnel.counters.packets_in >= 6 && tunnel.counters.packets_out >= 6, JSON.stringify(tunnel));
});

test("rekeying by command renews the SAs, and packets go on passing", { skip: SKIP }, async () => {
  const was = (await establishedAt(LEFT)).tunnels[0]!;
  for (const option of [[], ["--ike"]])
    await must(
      namespaces.inside("left", process.execPath, MAIN, "rekey", "site", ...option, "--socket", socketOf(LEFT)),
    );
  const now = (await establishedAt(LEFT)).tunnels[0]!;
  assert.notEqual(now.ike?.spi_i, was.ike?.spi_i);
  assert.notEqual(now.children[0]?.spi_in, was.children[0]?.spi_in);
  assert.ok(now.counters.packets_in >= was.counters.packets_in, "counters survive the rekey");
  assert.equal(await ping(LEFT, RIGHT), 0);
});

test("after SIGKILL nothing leaves in clear, and the next run takes over what is left", { skip: SKIP }, async () => {
  const daemon = daemons.get("left")!;
  const [, , , namespace] = namespaces.inside("left");
  // The wrappers around it run outside of the namespace.
  for (const pid of (await must(["ip", "netns", "pids", namespace!])).trim().split("\n"))
    process.kill(Number(pid), "SIGKILL");
  await daemon.ended;
  const refused = await run(namespaces.inside("left", "ping", "-c", "1", "-W", "1", RIGHT.inner));
  assert.match(refused.stderr + refused.stdout, /No route to host|unreachable/);
  launch(LEFT);
  await establishedAt(LEFT);
  assert.equal(await ping(LEFT, RIGHT), 0);
});

test("a second daemon on the same file is refused, and the first is not disturbed", { skip: SKIP }, async () => {
  const second = await run(namespaces.inside("left", process.execPath, MAIN, "run", "-c", join(folder, "left.yaml")), {
    seconds: 15,
  });
  assert.equal(second.status, 1);
  assert.match(second.stdout, /another daemon answers/);
  assert.equal(await ping(LEFT, RIGHT), 0);
});

test("SIGTERM tells the peer, ends within 5 s with status 0, and leaves nothing behind", { skip: SKIP }, async () => {
  for (const gateway of [LEFT, RIGHT]) {
    // The helper kills after 5 s, and then there is no status 0.
    const ended = await daemons.get(gateway.name)!.stop();
    daemons.delete(gateway.name);
    assert.equal(ended.status, 0, ended.stdout + ended.stderr);
    if (gateway === LEFT)
      await until("the peer to notice", 3, async () =>
        (await status(RIGHT))?.tunnels[0]?.ike === null ? true : undefined,
      );
    assert.equal(await hostState(gateway), untouched.get(gateway.name));
    assert.ok(!existsSync(socketOf(gateway)));
  }
});
