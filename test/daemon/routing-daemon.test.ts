/** BIRD at both ends, BGP between them through a tunnel in route mode: routes that one learns are followed by packets. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { must, type Running, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { BOTH, type Gateways, LEFT, openGateways, otherOf, PSK, RIGHT, type Site, SKIP } from "./gateways.js";

const BIRD = "/usr/sbin/bird";
const LACKS = SKIP || (existsSync(BIRD) ? false : "the routing daemon BIRD is missing (Debian package bird2)");

let namespaces: Namespaces;
let pair: Gateways;
const daemons = new Map<Site, Running>();

const numberOf = ({ name }: Site) => (name === "left" ? 1 : 2);
/** What a site announces, and its address there. */
const announced = (site: Site) => `172.20.${numberOf(site)}.0/24`;
const host = (site: Site) => `172.20.${numberOf(site)}.1`;
const speaker = (site: Site) => `169.254.10.${numberOf(site)}`;

before(async () => {
  if (LACKS) return;
  namespaces = await openNamespaces();
  pair = await openGateways(namespaces, { yaml: () => "" });
  for (const site of BOTH) {
    await namespaces.ip(pair.place(site.name), `addr add ${host(site)}/32 dev lo\n`);
    writeFileSync(pair.configurationOf(site), configuration(site), { mode: 0o600 });
    writeFileSync(join(pair.folder, `${site.name}.bird`), birdConfiguration(site));
    pair.launch(site, 240);
  }
  for (const site of BOTH) await pair.established(site, 150);
  for (const site of BOTH) launchBird(site);
});

after(async () => {
  for (const daemon of daemons.values()) await daemon.stop();
  await pair?.close();
  await namespaces?.close();
});

function configuration(here: Site): string {
  return `version: 1
gateway:
  name: ${here.name}
  control: { socket: ${pair.socketOf(here)} }
  log: { format: text, level: info }
tunnels:
  - name: hub
    peer: ${otherOf(here).outer}
    psk: "${PSK}"
    start: ${here === LEFT ? "active" : "passive"}
    esp: { pfs_check: false }
    inner_address: ${speaker(here)}/30
    routes: []
`;
}

function birdConfiguration(here: Site): string {
  const there = otherOf(here);
  return `log stderr all;
router id ${speaker(here)};
protocol device { scan time 1; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route ${announced(here)} blackhole; }
protocol bgp tunnel {
  local ${speaker(here)} as 6500${numberOf(here)};
  neighbor ${speaker(there)} as 6500${numberOf(there)};
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  hold time 9;
  ipv4 { import all; export where source = RTS_STATIC; next hop self; };
}
`;
}

function launchBird(site: Site): void {
  const file = (ending: string) => join(pair.folder, `${site.name}.${ending}`);
  const argv = [BIRD, "-f", "-c", file("bird"), "-s", file("ctl"), "-P", file("pid")];
  daemons.set(site, start(pair.inside(site.name, ...argv), { seconds: 240 }));
}

const routeTo = async (site: Site, target: string) =>
  (await run(pair.inside(site.name, "ip", "route", "get", target))).stdout;

const learnt = (site: Site) =>
  until(`${site.name} to learn the other's network`, 60, async () =>
    /dev cw-hub/.test(await routeTo(site, host(otherOf(site)))) ? true : undefined,
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${daemons.get(site)?.output()}`);
  });

test("BGP runs through the tunnel, and packets follow the routes that it brings", { skip: LACKS }, async () => {
  for (const site of BOTH) await learnt(site);
  for (const site of BOTH) {
    const out = async () => (await pair.status(site))!.tunnels[0]!.counters.packets_out;
    const before = await out();
    await must(
      pair.inside(site.name, "ping", "-c", "3", "-i", "0.2", "-W", "10", "-I", host(site), host(otherOf(site))),
    );
    assert.ok((await out()) >= before + 3);
    assert.match(
      await must(pair.inside(site.name, "ip", "route", "show", announced(otherOf(site)))),
      new RegExp(`via ${speaker(otherOf(site))} dev cw-hub proto bird`),
    );
  }
});

test("a route that the other end takes back is gone, and returns with it; the tunnel's own state is not touched", {
  skip: LACKS,
}, async () => {
  const spi = async () => (await pair.status(LEFT))!.tunnels[0]!.children[0]!.spi_in;
  const before = await spi();
  await daemons.get(RIGHT)!.stop();
  await until("the route to be gone", 30, async () =>
    /dev cw-hub/.test(await routeTo(LEFT, host(RIGHT))) ? undefined : true,
  );
  launchBird(RIGHT);
  await learnt(LEFT);
  assert.equal(await spi(), before);
});
