import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { TunnelStatus } from "../../src/control/status-model.js";
import { must, run, until } from "../child.js";
import { readEvents } from "../control/event-reader.js";
import { type Client, clientOf, fetchDocument } from "../control/generated-client.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, openGateways, otherOf, PSK, type Site, SKIP } from "./gateways.js";

const NAME = "extra";
const parameters = { name: NAME };
const networkOf = (site: Site) => (site === LEFT ? "10.11.0.0/24" : "10.12.0.0/24");
const addressOf = (site: Site) => (site === LEFT ? "10.11.0.1" : "10.12.0.1");

let namespaces: Namespaces;
let pair: Gateways;

before(async () => {
  if (SKIP) return;
  namespaces = await openNamespaces();
  pair = await openGateways(namespaces, { yaml: (site) => `    start: ${site === LEFT ? "active" : "passive"}\n` });
  for (const site of BOTH) {
    const file = pair.configurationOf(site);
    await must(["sed", "-i", `s#^  log:#  state_dir: ${pair.folder}/${site.name}-state\\n  log:#`, file]);
    await namespaces.ip(pair.place(site.name), `addr add ${addressOf(site)}/32 dev lo\n`);
    pair.launch(site);
  }
  for (const site of BOTH) await pair.established(site);
});

after(async () => {
  await pair?.close();
  await namespaces?.close();
});

async function clientAt(site: Site): Promise<Client> {
  const where = { socketPath: pair.socketOf(site) };
  return clientOf(await fetchDocument(where), where);
}

/** The tunnel as the peer of `site` sees it. */
function tunnelAt(site: Site) {
  const other = otherOf(site);
  return {
    peer: other.outer,
    psk: PSK,
    start: site === LEFT ? "active" : "passive",
    local_id: `${site.name}-extra.example`,
    peer_id: `${other.name}-extra.example`,
    policies: [{ local: [networkOf(site)], peer: [networkOf(other)] }],
  };
}

function extra(client: Client, state: string): Promise<TunnelStatus> {
  return until(`the tunnel to be ${state}`, 30, async () => {
    const { status, body } = await client.describeTunnel!({ parameters });
    const seen = status === 200 ? (body.status as TunnelStatus) : undefined;
    return seen?.state === state ? seen : undefined;
  });
}

test("a client made from the description drives the whole life of a tunnel between two gateways", {
  skip: SKIP,
}, async () => {
  const [left, right] = [await clientAt(LEFT), await clientAt(otherOf(LEFT))];
  const events = await readEvents({ socketPath: pair.socketOf(LEFT) }, undefined, `?tunnel=${NAME}`);
  const siteBefore = (await pair.status(LEFT))!.tunnels[0]!;
  assert.equal((await right.createTunnel!({ body: { name: NAME, ...tunnelAt(otherOf(LEFT)) } })).status, 201);
  const made = await left.createTunnel!({ body: { name: NAME, ...tunnelAt(LEFT) } });
  assert.equal(made.status, 201, JSON.stringify(made.body));

  const first = await extra(left, "established");
  const ping = pair.inside("left", "ping", "-c", "2", "-W", "2", "-I", addressOf(LEFT), addressOf(otherOf(LEFT)));
  await must(ping);
  assert.equal((await left.rekey!({ parameters, body: {} })).body.ok, true);
  const renewed = await extra(left, "established");
  assert.notEqual(renewed.children[0]!.spi_in, first.children[0]!.spi_in);

  const changed = await left.changeTunnel!({
    parameters: { ...parameters, "If-Match": String(made.headers.etag) },
    body: { ...tunnelAt(LEFT), psk: undefined, dpd: "off", close: "none" },
  });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.equal((await extra(left, "established")).children[0]!.spi_in, renewed.children[0]!.spi_in, "no SA is touched");

  assert.equal((await left.takeDown!({ parameters })).body.ok, true);
  await extra(left, "down");
  assert.equal((await left.bringUp!({ parameters })).body.ok, true);

  await pair.stop(LEFT);
  events.cut();
  pair.launch(LEFT);
  await until("the gateway to answer", 20, () => pair.status(LEFT));
  await extra(left, "established");
  await must(ping);

  assert.equal((await left.deleteTunnel!({ parameters })).status, 200);
  assert.equal((await left.describeTunnel!({ parameters })).status, 404);
  await extra(right, "passive");
  assert.notEqual((await run(ping)).status, 0, "nothing leads there any more");
  assert.equal((await right.deleteTunnel!({ parameters })).status, 200);
  const kinds = events.events.map(({ type }) => type);
  for (const kind of ["ikeEstablished", "childEstablished", "childClosed"]) assert.ok(kinds.includes(kind), kind);
  assert.equal(siteBefore.state, "established");
  assert.equal((await pair.established(LEFT)).state, "established", "the tunnel of the file was not concerned");
});
