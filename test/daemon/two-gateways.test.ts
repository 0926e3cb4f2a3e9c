import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { must, run, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, MAIN, openGateways, RIGHT, type Site, SKIP } from "./gateways.js";

let namespaces: Namespaces;
let pair: Gateways;
const untouched = new Map<Site, string>();

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  pair = await openGateways(namespaces, {
    yaml: (site) => `    start: ${site === LEFT ? "active" : "passive"}\n`,
  });
  for (const site of BOTH) untouched.set(site, await hostState(site));
});

after(async () => {
  await pair?.close();
  await namespaces?.close();
});

/** Everything that the gateway may not leave behind. */
async function hostState({ name }: Site): Promise<string> {
  const parts = [
    "ip -o link",
    "ip rule",
    "ip -6 rule",
    "ip route show table all",
    "ip -6 route show table all",
    "nft list ruleset",
  ];
  const texts: string[] = [];
  for (const words of parts) texts.push(await must(pair.inside(name, ...words.split(" "))));
  return texts.join("\n");
}

async function ping(from: Site): Promise<number> {
  return (await pair.ping(from)).status ?? 1;
}

test("two daemons bring up a tunnel, and packets pass in both directions", { skip: SKIP }, async () => {
  for (const site of BOTH) pair.launch(site);
  for (const site of BOTH) await pair.established(site);
  assert.equal(await ping(LEFT), 0);
  assert.equal(await ping(RIGHT), 0);
  const tunnel = await pair.established(LEFT);
  assert.ok(tunnel.counters.packets_in >= 6 && tunnel.counters.packets_out >= 6, JSON.stringify(tunnel));
});

test("rekeying by command renews the SAs, and packets go on passing", { skip: SKIP }, async () => {
  const was = await pair.established(LEFT);
  for (const option of [[], ["--ike"]]) await pair.command(LEFT, "rekey", "site", ...option);
  const now = await pair.established(LEFT);
  assert.notEqual(now.ike?.spi_i, was.ike?.spi_i);
  assert.notEqual(now.children[0]?.spi_in, was.children[0]?.spi_in);
  assert.ok(now.counters.packets_in >= was.counters.packets_in, "counters survive the rekey");
  assert.equal(await ping(LEFT), 0);
});

test("after SIGKILL nothing leaves in clear, and the next run takes over what is left", { skip: SKIP }, async () => {
  await pair.kill(LEFT);
  const refused = await run(pair.inside("left", "ping", "-c", "1", "-W", "1", RIGHT.inner));
  assert.match(refused.stderr + refused.stdout, /No route to host|unreachable/);
  pair.launch(LEFT);
  await pair.established(LEFT);
  assert.equal(await ping(LEFT), 0);
});

test("a second daemon on the same file is refused, and the first is not disturbed", { skip: SKIP }, async () => {
  const second = await run(pair.inside("left", process.execPath, MAIN, "run", "-c", pair.configurationOf(LEFT)), {
    seconds: 15,
  });
  assert.equal(second.status, 1);
  assert.match(second.stdout, /another daemon answers/);
  assert.equal(await ping(LEFT), 0);
});

test("SIGTERM tells the peer, ends within 5 s with status 0, and leaves nothing behind", { skip: SKIP }, async () => {
  for (const gateway of BOTH) {
    // The helper kills after 5 s, and then there is no status 0.
    const ended = await pair.stop(gateway);
    assert.equal(ended.status, 0, ended.stdout + ended.stderr);
    if (gateway === LEFT)
      await until("the peer to notice", 3, async () =>
        (await pair.status(RIGHT))?.tunnels[0]?.ike === null ? true : undefined,
      );
    assert.equal(await hostState(gateway), untouched.get(gateway));
    assert.ok(!existsSync(pair.socketOf(gateway)));
  }
});
